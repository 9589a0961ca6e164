//! Finds `{{#…}}` in a chapter and puts what it stands for in its place. In code it stays as it is.

use std::path::Path;

use anyhow::{Context, bail, ensure};

use super::{
    ask, card, code, constant, controls, diff, exercise, figure, html, index, map, questions,
    source::{Source, Told},
    syntax::{self, Problem},
    tables, trainer, value,
};

/// mdBook's own; what is wrong with them is found elsewhere.
const OF_MDBOOK: [&str; 4] = ["include", "rustdoc_include", "playground", "title"];

/// Fills in a chapter. Returns its new text, and every directive that could not be filled in, with the reason.
/// An exhibit that cannot be shown is told by itself, once, and not with each directive.
pub(super) fn fill_in(source: &Source, chapter: &Path, text: &str) -> (String, Vec<Problem>) {
    let code = syntax::code(text);
    let (mut out, mut problems, mut end) = (String::new(), Vec::new(), 0);
    for range in syntax::all(text).into_iter().filter(|found| !code.iter().any(|code| code.contains(&found.start))) {
        let directive = &text[range.clone()];
        let place = Place { source, chapter, before: &text[..range.start], after: &text[range.end..] };
        let escaped = place.before.ends_with('\\');
        // An escaped directive loses the backslash and nothing else.
        out += &text[end..range.start - usize::from(escaped)];
        match place.expand(directive) {
            _ if escaped => out += directive,
            Ok(filled) => out += &filled,
            Err(error) => match error.downcast_ref::<Told>() {
                Some(told) => out += &placeholder(told, directive),
                None => problems.push(Problem { text: directive.to_owned(), at: None, why: format!("{error:#}") }),
            },
        }
        end = range.end;
    }
    (out + &text[end..], problems)
}

/// Stands in the place of a number that nobody recorded yet.
pub(super) const NOT_YET: &str = ">not recorded yet</em>";

/// What stands in the place of what nobody recorded yet. Readers never see it.
fn placeholder(told: &Told, directive: &str) -> String {
    match syntax::words(directive).first() {
        Some(&("value" | "claim")) => {
            format!("<em title=\"run {}\"{NOT_YET}", html::text(&format!("cargo lab record {}", told.name)))
        }
        _ => html::not_recorded(&told.name),
    }
}

/// Where a directive stands.
struct Place<'a> {
    source: &'a Source,
    chapter: &'a Path,
    before: &'a str,
    after: &'a str,
}

impl Place<'_> {
    fn expand(&self, directive: &str) -> anyhow::Result<String> {
        let words = syntax::words(directive);
        let [name, args @ ..] = words.as_slice() else { bail!("it says nothing") };
        if OF_MDBOOK.contains(name) {
            return Ok(directive.to_owned());
        }
        if *name == "claim" {
            let [claim, field] = args else { bail!("write `{{{{#claim NAME FIELD}}}}`") };
            return self.source.claim(claim, field);
        }
        if *name == "const" {
            let [name, file, constant] = args else { bail!("write `{{{{#const NAME FILE CONST}}}}`, as in `leak.rs`") };
            let text = self.source.file(name, file)?;
            return constant::words(&text, constant).with_context(|| format!("scenarios/{name}/{file}"));
        }
        if *name == "shown" {
            let [name, file] = args else { bail!("write `{{{{#shown NAME FILE}}}}`") };
            let shown = self.source.shown(name, file)?;
            self.ensure_alone()?;
            return Ok(exhibit(file, &shown));
        }
        if let Some(table) = self.of_all(name, args)? {
            self.ensure_alone()?;
            return Ok(table + "\n");
        }
        if let "predict" | "questions" = *name {
            let [page] = args else { bail!("write `{{{{#{name} PAGE}}}}`") };
            self.ensure_alone()?;
            return self.asked(name, page);
        }
        if *name == "trainer" || *name == "plan" {
            let [one] = args else { bail!("write `{{{{#{name} NAME}}}}`") };
            self.ensure_alone()?;
            return self.class(name, one);
        }
        if *name == "exercise" {
            let [exercise] = args else { bail!("write `{{{{#exercise NAME}}}}`") };
            self.ensure_alone()?;
            ensure!(
                self.page() == *exercise,
                "write `{{{{#exercise {}}}}}`: a page shows its own exercise",
                self.page()
            );
            return exercise::page(self.source, &self.id(), exercise);
        }
        let [scenario, rest @ ..] = args else { bail!("it names no scenario") };
        if *name == "value" {
            let [side, path] = rest else { bail!("write `{{{{#value NAME SIDE PATH}}}}`") };
            let recording = self.source.recorded(scenario, &[side])?;
            return value::value(self.source.scenario(scenario)?, &recording, side, path);
        }
        let block = self.block(name, scenario, rest)?;
        self.ensure_alone()?;
        // What follows is Markdown again only after an empty line.
        Ok(block + "\n")
    }

    /// What a trainer needs, with the directives of its texts filled in.
    fn class(&self, name: &str, one: &str) -> anyhow::Result<String> {
        if name == "plan" {
            return Ok(trainer::plan(self.source, self.source.root(), one)? + "\n");
        }
        let own = self.chapter.with_extension("");
        ensure!(own == Path::new(one), "write `{{{{#trainer {}}}}}`: a page shows its own notes", own.display());
        let (filled, problems) = fill_in(
            self.source,
            self.chapter,
            &trainer::trainer(self.source.root(), one, self.source.scenario(one).is_ok())?,
        );
        let said: Vec<_> = problems.into_iter().map(|Problem { text, why, .. }| format!("{text}: {why}")).collect();
        ensure!(said.is_empty(), "book/trainer/{one}.toml: {}", said.join("; "));
        Ok(filled)
    }

    /// Questions, with the directives of their texts filled in.
    fn asked(&self, name: &str, page: &str) -> anyhow::Result<String> {
        ensure!(self.page() == page, "write `{{{{#{name} {}}}}}`: a page shows its own questions", self.page());
        let text = if name == "predict" { ask::predict(self.source, page) } else { ask::others(self.source, page) };
        let (filled, problems) = fill_in(self.source, self.chapter, &text?);
        let said: Vec<_> = problems.into_iter().map(|Problem { text, why, .. }| format!("{text}: {why}")).collect();
        ensure!(said.is_empty(), "{}: {}", questions::file(page), said.join("; "));
        Ok(filled)
    }

    /// What is made of all scenarios, and so names none.
    fn of_all(&self, name: &str, args: &[&str]) -> anyhow::Result<Option<String>> {
        let table = match name {
            "card" => card::card,
            "controls" => controls::all,
            "symptoms" => index::symptoms,
            "moved" => index::moved,
            "waits" => index::waits,
            "movement" => index::movement,
            "late" => |source: &Source| Ok(index::late(source)),
            "glossary" => |source: &Source| source.glossary()?.list(),
            "map" => |source: &Source| Ok(map::map(source)),
            "exercises" => |source: &Source| Ok(exercise::list(source)),
            _ => return Ok(None),
        };
        ensure!(args.is_empty(), "write `{{{{#{name}}}}}`: it takes no argument");
        table(self.source).map(Some)
    }

    fn block(&self, name: &str, scenario: &str, rest: &[&str]) -> anyhow::Result<String> {
        let recording = || self.source.recording(scenario);
        match (name, rest) {
            ("chart", []) => figure::chart(self.source, &self.id(), scenario, &["leak", "fix"]),
            ("chart", sides) => figure::chart(self.source, &self.id(), scenario, sides),
            ("code", [anchor]) => code::code(self.source, scenario, anchor),
            ("code", _) => bail!("write `{{{{#code NAME ANCHOR}}}}`"),
            ("diff", [anchor]) => diff::diff(self.source, &self.id(), scenario, anchor, ["leak", "fix"]),
            ("diff", [anchor, a, b]) => diff::diff(self.source, &self.id(), scenario, anchor, [a, b]),
            ("diff", _) => bail!("write `{{{{#diff NAME ANCHOR}}}}` or `{{{{#diff NAME ANCHOR SIDE SIDE}}}}`"),
            ("control", []) => controls::one(self.source, scenario),
            ("sides", []) => tables::sides(self.source, &*recording()?),
            ("gauges", []) => tables::gauges(self.source, &*recording()?),
            ("survivors", [side]) => tables::survivors(&*self.source.recorded(scenario, &[side])?, side),
            ("survivors", _) => bail!("write `{{{{#survivors NAME SIDE}}}}`"),
            ("screen", []) => figure::screen(self.source, self.chapter, scenario),
            ("sides" | "gauges" | "screen" | "control", _) => bail!("write `{{{{#{name} NAME}}}}`"),
            _ => bail!(
                "unknown directive; there are chart, code, diff, control, controls, sides, gauges, survivors, screen, shown, value, claim, const, predict, \
                 questions, exercise, exercises, trainer, plan, map, glossary, card, symptoms, moved, movement, waits and late"
            ),
        }
    }

    /// The page's name.
    fn page(&self) -> String {
        self.chapter.with_extension("").display().to_string()
    }

    /// Different for every directive of the book: all chapters share one page in print.
    fn id(&self) -> String {
        format!("{}-{}", self.page().replace(['/', '\\'], "-"), self.before.len())
    }

    fn ensure_alone(&self) -> anyhow::Result<()> {
        let before = self.before.rsplit('\n').next().unwrap_or("");
        let after = self.after.split('\n').next().unwrap_or("");
        ensure!((before.to_owned() + after).trim().is_empty(), "it must stand alone on its line");
        Ok(())
    }
}

/// A table is Markdown already; anything else is shown letter by letter.
fn exhibit(file: &str, text: &str) -> String {
    if file.ends_with(".md") {
        return format!("\n{text}\n");
    }
    // Longer than any run of backticks inside.
    let fence = "`".repeat(3 + text.split(|c| c != '`').map(str::len).max().unwrap_or(0));
    format!("{fence}text\n{}\n{fence}\n", text.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(text: &str) -> (String, Vec<String>) {
        let (text, problems) = fill_in(&Source::fixture(), Path::new("unconsumed-send.md"), text);
        (text, problems.into_iter().map(|Problem { text, why, .. }| format!("{text}: {why}")).collect())
    }

    fn problem(text: &str) -> String {
        fill(text).1.join(" | ")
    }

    #[test]
    fn what_cannot_be_filled_in_is_named_with_the_reason() {
        assert_eq!(
            problem("{{#chrat unconsumed-send}}").split(';').next(),
            Some("{{#chrat unconsumed-send}}: unknown directive")
        );
        assert_eq!(problem("{{#chart}}"), "{{#chart}}: it names no scenario");
        assert_eq!(problem("{{#}}"), "{{#}}: it says nothing");
        assert_eq!(problem("{{#card x}}"), "{{#card x}}: write `{{#card}}`: it takes no argument");
        assert_eq!(problem("See {{#waits}}"), "{{#waits}}: it must stand alone on its line");
        assert_eq!(
            problem("{{#gauges unconsumed-send leak}}"),
            "{{#gauges unconsumed-send leak}}: write `{{#gauges NAME}}`"
        );
        assert_eq!(
            problem("See {{#gauges unconsumed-send}}"),
            "{{#gauges unconsumed-send}}: it must stand alone on its line"
        );
        assert_eq!(
            problem("{{#value unconsumed-send}}"),
            "{{#value unconsumed-send}}: write `{{#value NAME SIDE PATH}}`"
        );
        assert_eq!(
            problem("{{#const unconsumed-send leak.rs}}"),
            "{{#const unconsumed-send leak.rs}}: write `{{#const NAME FILE CONST}}`, as in `leak.rs`"
        );
        assert!(problem("{{#const unconsumed-send ../../Cargo.lock X}}").contains("is no file of the scenario"));
        assert!(
            problem("{{#const unconsumed-send leak.rs X}}")
                .contains("scenarios/unconsumed-send/leak.rs: no constant `X`")
        );
        assert_eq!(problem("{{#claim x}}"), "{{#claim x}}: write `{{#claim NAME FIELD}}`");
        assert_eq!(problem("{{#shown unconsumed-send}}"), "{{#shown unconsumed-send}}: write `{{#shown NAME FILE}}`");
        assert_eq!(
            problem("{{#shown unconsumed-send x.md}}"),
            "{{#shown unconsumed-send x.md}}: unconsumed-send shows no `x.md`: it shows guard.txt, ways.md"
        );
    }

    #[test]
    fn all_problems_are_named_at_once() {
        assert_eq!(fill("{{#chart a-b}}\n\n{{#chart c-d}}\n").1.len(), 2);
    }

    #[test]
    fn code_and_escaped_directives_stay_as_they_are() {
        for literal in [
            "```text\n{{#chart unconsumed-send}}\n```\n",
            "Write `{{#chart unconsumed-send}}` there.",
            "    {{#chart unconsumed-send}}\n",
            "{{#include ../x.rs}}",
        ] {
            assert_eq!(fill(literal), (literal.to_owned(), Vec::new()));
        }
        assert_eq!(fill("\\{{#chart x}}").0, "{{#chart x}}");
    }

    #[test]
    fn what_is_not_recorded_has_a_placeholder_and_is_told_once() {
        let source = Source::fixture();
        let text = "{{#claim x y}} and {{#claim x z}}";
        let (filled, problems) = fill_in(&source, Path::new("unconsumed-send.md"), text);
        assert!(filled.contains("not recorded yet</em> and <em") && problems.is_empty(), "{filled}");
        assert_eq!(source.told(), ["book/recordings/claims.json is missing: run `cargo lab record claims`"]);
    }

    #[test]
    fn an_exhibit_is_a_table_or_stands_in_a_fence_that_it_cannot_close() {
        assert_eq!(exhibit("a.md", "| a |\n"), "\n| a |\n\n");
        assert_eq!(exhibit("a.txt", "x ```` y\n"), "```````text\nx ```` y\n```````\n");
    }

    #[test]
    fn a_value_stands_in_a_sentence_in_a_table_and_in_html() {
        let (text, problems) = fill(
            "<p>Left: {{#value unconsumed-send leak after.tasks}}.</p>\n\n| a |\n|--|\n| {{#value unconsumed-send fix after.tasks}} |",
        );
        assert_eq!(problems, [] as [&str; 0]);
        assert_eq!(text, "<p>Left: 1,200.</p>\n\n| a |\n|--|\n| 0 |");
    }
}
