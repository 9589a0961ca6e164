//! Takes out of a Rust source what a candidate is not to read: tests, marks, and comments. Knows of the language only where comments,
//! strings and items end. Pure.

use super::{telling, words::is_word};

/// What a part of a source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Code,
    Comment,
    /// A string or a character.
    Literal,
}

/// The parts of a source, in order; together they are the source.
pub(super) fn parts(text: &str) -> Vec<(Kind, &str)> {
    let (mut parts, mut rest, mut code) = (Vec::new(), text, 0);
    let mut before = ' ';
    while let Some(c) = rest[code..].chars().next() {
        let at = &rest[code..];
        let end = match c {
            '/' if at.starts_with("//") => Some((Kind::Comment, at.find('\n').unwrap_or(at.len()))),
            '/' if at.starts_with("/*") => Some((Kind::Comment, at.find("*/").map_or(at.len(), |end| end + 2))),
            '"' => Some((Kind::Literal, 1 + string_end(&at[1..]))),
            'r' if !is_word(before) || before == 'b' => raw_end(at).map(|end| (Kind::Literal, end)),
            '\'' => character_end(at).map(|end| (Kind::Literal, end)),
            _ => None,
        };
        let Some((kind, length)) = end else {
            before = c;
            code += c.len_utf8();
            continue;
        };
        parts.extend((code > 0).then_some((Kind::Code, &rest[..code])));
        parts.push((kind, &rest[code..code + length]));
        (rest, code, before) = (&rest[code + length..], 0, ' ');
    }
    parts.extend((!rest.is_empty()).then_some((Kind::Code, rest)));
    parts
}

/// The same text with every `#[cfg(test)]` item gone.
pub(super) fn without_tests(text: &str) -> String {
    const TEST: &str = "#[cfg(test)]";
    let (mut out, mut rest) = (String::new(), text);
    while let Some(at) = find_code(rest, TEST) {
        out += rest[..at].trim_end_matches([' ', '\t']);
        rest = &rest[at + TEST.len()..];
        rest = rest[item_end(rest)..].trim_start_matches([' ', '\t']);
        rest = rest.strip_prefix('\n').unwrap_or(rest);
    }
    tidy(&(out + rest))
}

/// The same text without any comment but those for which `keeps` is true. What a line has only a comment is gone whole.
pub(super) fn without_comments(text: &str, keeps: impl Fn(&str) -> bool) -> String {
    let mut out = String::new();
    for (kind, part) in parts(text) {
        if kind != Kind::Comment || keeps(part) {
            out += part;
            continue;
        }
        let line = out.rfind('\n').map_or(0, |end| end + 1);
        // A mark for the line that goes with its comment: no source has this character.
        if out[line..].trim().is_empty() {
            out.truncate(line);
            out.push(GONE);
        } else {
            out.truncate(out.trim_end().len());
        }
    }
    tidy(&out.replace(&format!("{GONE}\n"), "").replace(GONE, ""))
}

const GONE: char = '\u{0}';

/// The same text without marks (`ANCHOR`, `LEAK:`, `FIX:`), and without each paragraph of comments that has a telling word.
pub(super) fn without_marks(text: &str, names: &[String]) -> String {
    let lines: Vec<_> = text.split_inclusive('\n').filter(|line| !line.contains("// ANCHOR")).collect();
    let (mut out, mut at) = (String::new(), 0);
    while at < lines.len() {
        let head = comment_head(lines[at]);
        let group = match head {
            Some(head) => lines[at..].iter().take_while(|line| comment_head(line) == Some(head)).count(),
            None => 1,
        };
        let whole = lines[at..at + group].concat();
        if head.is_none() || telling::words(&whole, names).is_empty() {
            out += &whole;
        }
        at += group;
    }
    let keeps = |comment: &str| telling::words(comment, names).is_empty();
    without_comments(&out, keeps)
}

/// The same text with another `//!` comment at its head; with none, where `doc` is empty.
pub(super) fn with_doc(text: &str, doc: &[&str]) -> String {
    let body = text.lines().skip_while(|line| line.starts_with("//!")).collect::<Vec<_>>().join("\n");
    let doc: String = doc.join("\n\n").lines().map(|line| format!("//! {line}").trim_end().to_owned() + "\n").collect();
    let gap = if doc.is_empty() { "" } else { "\n" };
    tidy(&format!("{doc}{gap}{}\n", body.trim_start()))
}

/// The paragraphs of a file's `//!` comment.
pub(super) fn doc(text: &str) -> Vec<String> {
    let lines = text.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim);
    let lines: Vec<_> = lines.collect();
    let paragraphs = lines.split(|line| line.is_empty()).filter(|paragraph| !paragraph.is_empty());
    paragraphs.map(|paragraph| paragraph.join("\n")).collect()
}

/// The files that `text`, the file `file`, takes as modules or includes, by their paths in the package.
pub(super) fn taken(file: &str, text: &str, is_root: bool) -> Vec<String> {
    let folder = file.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
    let inside = if is_root { folder.clone() } else { format!("{}/", file.trim_end_matches(".rs")) };
    let (mut files, mut path) = (Vec::new(), None);
    for line in text.lines().map(str::trim) {
        if let Some(given) = line.strip_prefix("#[path = \"").and_then(|rest| rest.split('"').next()) {
            path = Some(format!("{folder}{given}"));
        } else if let Some(name) = module(line) {
            files.push(path.take().unwrap_or_else(|| format!("{inside}{name}.rs")));
        }
        let included = line.split("include_str!(\"").skip(1).filter_map(|rest| rest.split('"').next());
        files.extend(included.map(|given| format!("{folder}{given}")));
    }
    files
}

/// `pub(crate) mod world;` → `world`.
fn module(line: &str) -> Option<&str> {
    let (head, name) = line.strip_suffix(';')?.rsplit_once("mod ")?;
    let is_head = head.is_empty() || (head.starts_with("pub") && head.ends_with(' '));
    (is_head && name.chars().all(is_word)).then_some(name)
}

/// Where a text stands in code.
fn find_code(text: &str, wanted: &str) -> Option<usize> {
    let mut at = 0;
    for (kind, part) in parts(text) {
        if let Some(found) = part.find(wanted).filter(|_| kind == Kind::Code) {
            return Some(at + found);
        }
        at += part.len();
    }
    None
}

/// Where the item that begins here ends: behind its `;`, or behind the brace that closes it.
fn item_end(text: &str) -> usize {
    let is_use = text.trim_start().starts_with("use ");
    let (mut at, mut depth) = (0, 0_i32);
    for (kind, part) in parts(text) {
        for (offset, c) in part.char_indices().filter(|_| kind == Kind::Code) {
            depth += i32::from("([{".contains(c)) - i32::from(")]}".contains(c));
            if depth == 0 && (c == ';' || (c == '}' && !is_use)) {
                return at + offset + 1;
            }
        }
        at += part.len();
    }
    text.len()
}

/// Indentation and kind of a line that is a comment and nothing else.
fn comment_head(line: &str) -> Option<(usize, &str)> {
    let comment = line.trim_start();
    let head = ["//!", "///", "//"].into_iter().find(|head| comment.starts_with(head))?;
    Some((line.len() - comment.len(), head))
}

/// No blank lines at the ends, and never two.
fn tidy(text: &str) -> String {
    let mut lines: Vec<&str> = Vec::new();
    for line in text.lines().map(str::trim_end) {
        let opens = lines.last().is_none_or(|last| last.is_empty() || last.ends_with('{'));
        if !(line.is_empty() && opens) {
            if line.trim_start().starts_with('}') && lines.last().is_some_and(|last| last.is_empty()) {
                lines.pop();
            }
            lines.push(line);
        }
    }
    lines.join("\n").trim_end().to_owned() + "\n"
}

fn string_end(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

/// The length of `r"…"` or `r#"…"#`; none for a name that begins with an `r`.
fn raw_end(text: &str) -> Option<usize> {
    let hashes = text[1..].chars().take_while(|c| *c == '#').count();
    let open = 1 + hashes;
    text[open..].starts_with('"').then(|| {
        let close = format!("\"{}", "#".repeat(hashes));
        text[open + 1..].find(&close).map_or(text.len(), |end| open + 1 + end + close.len())
    })
}

/// The length of `'x'` or `'\n'`; none for a lifetime.
fn character_end(text: &str) -> Option<usize> {
    let mut chars = text[1..].char_indices();
    let (_, first) = chars.next()?;
    if first == '\\' {
        let (skipped, _) = chars.next()?;
        let behind = 1 + skipped + 1;
        return text[behind..].find('\'').map(|end| behind + end + 1);
    }
    let (at, second) = chars.next()?;
    (second == '\'').then_some(1 + at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_characters_and_comments_are_told_from_code() {
        let text = "a(\"// no\", '\"', b'\\'', r#\"x\" // no\"#, 'a: 'b, 'b') // yes \"\n/* and */ rest";
        let of =
            |kind| parts(text).into_iter().filter(|(one, _)| *one == kind).map(|(_, part)| part).collect::<Vec<_>>();
        assert_eq!(of(Kind::Comment), ["// yes \"", "/* and */"]);
        assert_eq!(of(Kind::Literal), ["\"// no\"", "'\"'", "'\\''", "r#\"x\" // no\"#", "'b'"]);
        assert_eq!(parts(text).into_iter().map(|(_, part)| part).collect::<String>(), text);
        let raw = parts("return br\"x\" + for_r");
        assert_eq!(raw[1], (Kind::Literal, "r\"x\""));
    }

    #[test]
    fn tests_go_with_all_that_belongs_to_them() {
        let text = "mod world;\n#[cfg(test)]\nmod guard;\n#[cfg(test)]\nuse a::{b, c};\nfn x() { y(\"#[cfg(test)]\") }\n\n\
            #[cfg(test)]\nmod tests {\n    fn z() { \"}\"; }\n}\nfn w() {}\n";
        assert_eq!(without_tests(text), "mod world;\nfn x() { y(\"#[cfg(test)]\") }\n\nfn w() {}\n");
    }

    #[test]
    fn comments_go_and_what_is_kept_stays() {
        let text = "//! Head.\n\n/// Kept.\nfn x() {\n    // why\n    y(); // because\n\n    // last\n}\n";
        assert_eq!(without_comments(text, |_| false), "fn x() {\n    y();\n}\n");
        assert_eq!(without_comments(text, |one| one.contains("Kept")), "/// Kept.\nfn x() {\n    y();\n}\n");
    }

    #[test]
    fn a_paragraph_with_a_mark_or_a_telling_word_goes_whole() {
        let text = "// ANCHOR: service\n/// A desk.\nfn x() {\n    // Quick.\n    // LEAK: never\n    // ends.\n    y();\n    // Stays.\n}\n// ANCHOR_END: service\n";
        assert_eq!(without_marks(text, &[]), "/// A desk.\nfn x() {\n    y();\n    // Stays.\n}\n");
    }

    #[test]
    fn the_head_of_a_file_is_replaced() {
        let text = "//! One\n//! more.\n//!\n//! Two.\n\nfn x() {}\n";
        assert_eq!(doc(text), ["One\nmore.", "Two."]);
        assert_eq!(with_doc(text, &["Two.", "Three."]), "//! Two.\n//!\n//! Three.\n\nfn x() {}\n");
        assert_eq!(with_doc(text, &[]), "fn x() {}\n");
    }

    #[test]
    fn modules_are_found_where_the_compiler_looks_for_them() {
        let text =
            "mod a;\npub(crate) mod b;\n#[path = \"p.rs\"]\npub mod c;\nmod d {\n}\nx(include_str!(\"page.html\"))";
        assert_eq!(taken("main.rs", text, true), ["a.rs", "b.rs", "p.rs", "page.html"]);
        assert_eq!(taken("world.rs", "mod a;\n#[path = \"p.rs\"]\nmod c;", false), ["world/a.rs", "p.rs"]);
    }
}
