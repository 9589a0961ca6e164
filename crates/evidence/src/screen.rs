//! Draws captured terminal screens (`tmux capture-pane -e -p`) as one SVG, for the book. Pure.
//!
//! Every run of characters is pinned to the cell grid by `textLength`: a browser takes `⏸` from another font than the
//! letters, and columns and borders must still meet. The crate `anstyle-svg` does not pin cells, hence this module.
//! Colours are attributes, not classes, so that the picture can stand inline in a page without changing it.
//! Every character counts as one cell: true of all that tokio-console draws, wrong for wide scripts and emoji.

use std::{fmt::Write as _, iter::Peekable, str::Chars};

/// A cell's size in SVG units, and where in it the letters stand.
const CELL_WIDTH: usize = 8;
const CELL_HEIGHT: usize = 16;
const BASELINE: usize = 12;
const MARGIN: usize = 12;
/// A terminal has its own background, so the picture reads the same on a light and on a dark page.
const BACKGROUND: &str = "#1b1f27";
const FOREGROUND: &str = "#d8dee9";
const TITLE: &str = "#ffd68a";
const PALETTE: [&str; 16] = [
    "#2e3440", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#d8dee9", "#7f8796", "#ff7b86",
    "#b5e890", "#ffd68a", "#82c7ff", "#e29bf5", "#7fdbe6", "#ffffff",
];

/// One picture of all panes, `(title, text with colour escapes)`, one below the other.
pub fn svg(panes: &[(&str, &str)]) -> String {
    let (mut body, mut row, mut columns) = (String::new(), 0, 0);
    for (title, text) in panes {
        let y = MARGIN + row * CELL_HEIGHT + BASELINE;
        // Writing to a String cannot fail, here and below.
        let _ =
            writeln!(body, r#"<text x="{MARGIN}" y="{y}" fill="{TITLE}" font-weight="bold">{}</text>"#, escape(title));
        row += 1;
        let lines = parse(text);
        for line in &lines {
            columns = columns.max(line.iter().map(|run| run.column + run.len()).max().unwrap_or(0));
            line.iter().for_each(|run| run.draw(row, &mut body));
            row += 1;
        }
        row += 1;
    }
    let width = 2 * MARGIN + columns * CELL_WIDTH;
    let height = 2 * MARGIN + row.saturating_sub(1) * CELL_HEIGHT;
    let names: Vec<_> = panes.iter().map(|(title, _)| escape(title)).collect();
    let about = if names.is_empty() { "No screen".to_owned() } else { format!("Terminal: {}", names.join(" and ")) };
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" font-family="ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace" font-size="13" fill="{FOREGROUND}"><title>{about}</title>
<rect x=".5" y=".5" width="{}" height="{}" rx="6" fill="{BACKGROUND}" stroke="{}"/>
{body}</svg>
"#,
        width - 1,
        height - 1,
        PALETTE[8],
    )
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Style {
    front: Option<String>,
    back: Option<String>,
    bold: bool,
    dim: bool,
    reverse: bool,
}

/// Neighbouring cells of one line that look alike.
#[derive(Debug, PartialEq)]
struct Run {
    column: usize,
    text: String,
    style: Style,
}

impl Run {
    fn len(&self) -> usize {
        self.text.chars().count()
    }

    fn draw(&self, row: usize, out: &mut String) {
        let (x, y) = (MARGIN + self.column * CELL_WIDTH, MARGIN + row * CELL_HEIGHT);
        let style = &self.style;
        let (mut front, mut back) = (style.front.as_deref(), style.back.as_deref());
        if style.reverse {
            (front, back) = (back.or(Some(BACKGROUND)), front.or(Some(FOREGROUND)));
        }
        if let Some(back) = back {
            let width = self.len() * CELL_WIDTH;
            let _ = writeln!(out, r#"<rect x="{x}" y="{y}" width="{width}" height="{CELL_HEIGHT}" fill="{back}"/>"#);
        }
        let mut x = x;
        // A renderer may fold two spaces into one, words further apart are placed one by one.
        for words in self.text.split("  ") {
            self.draw_words(words, front, (x, y + BASELINE), out);
            x += (words.chars().count() + 2) * CELL_WIDTH;
        }
    }

    fn draw_words(&self, words: &str, front: Option<&str>, (x, y): (usize, usize), out: &mut String) {
        let text = words.trim_start();
        let x = x + (words.len() - text.len()) * CELL_WIDTH;
        let text = text.trim_end();
        if text.is_empty() {
            return;
        }
        let style = &self.style;
        let _ = write!(out, r#"<text x="{x}" y="{y}" textLength="{}""#, text.chars().count() * CELL_WIDTH);
        if !text.is_ascii() {
            // Lines must not fall into dashes.
            *out += r#" lengthAdjust="spacingAndGlyphs""#;
        }
        if let Some(front) = front {
            let _ = write!(out, r#" fill="{front}""#);
        }
        if style.bold {
            *out += r#" font-weight="bold""#;
        }
        if style.dim {
            *out += r#" opacity=".7""#;
        }
        let _ = writeln!(out, ">{}</text>", escape(text));
    }
}

/// The lines of a capture. A style lasts until it is changed, over line ends too: so tmux writes it.
fn parse(text: &str) -> Vec<Vec<Run>> {
    let mut style = Style::default();
    text.trim_end().lines().map(|line| parse_line(line, &mut style)).collect()
}

fn parse_line(line: &str, style: &mut Style) -> Vec<Run> {
    let (mut runs, mut column) = (Vec::<Run>::new(), 0);
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\x1b' => escape_sequence(&mut chars, style),
            // XML has no way to write them.
            c if c.is_control() => {}
            c => {
                let c = printable(c);
                match runs.last_mut() {
                    Some(run) if run.style == *style && alike(&run.text, c) => run.text.push(c),
                    _ => runs.push(Run { column, text: c.into(), style: style.clone() }),
                }
                column += 1;
            }
        }
    }
    runs
}

/// What few fonts have, or have as a coloured picture, becomes a near relative that most have.
fn printable(c: char) -> char {
    match c {
        '⏸' => '‖',
        '⏹' => '■',
        c => c,
    }
}

/// Characters of different fonts do not share a run: stretching one would shift the other.
fn alike(text: &str, c: char) -> bool {
    text.is_ascii() == c.is_ascii()
}

/// Reads one escape sequence to its end. Only colours and weight mean something in a still picture.
fn escape_sequence(chars: &mut Peekable<Chars>, style: &mut Style) {
    match chars.next() {
        Some('[') => {
            let mut parameters = String::new();
            for c in chars.by_ref() {
                if ('@'..='~').contains(&c) {
                    if c == 'm' {
                        select_graphics(&parameters, style);
                    }
                    return;
                }
                parameters.push(c);
            }
        }
        // A command to the terminal (its title, a link) ends with BEL or ESC \.
        Some(']' | 'P' | '_' | '^') => {
            while let Some(c) = chars.next() {
                if c == '\x07' || (c == '\x1b' && chars.next_if_eq(&'\\').is_some()) {
                    return;
                }
            }
        }
        // A choice of character set has one more character.
        Some('(' | ')' | '*' | '+') => drop(chars.next()),
        _ => {}
    }
}

fn select_graphics(parameters: &str, style: &mut Style) {
    let mut codes = parameters.split([';', ':']).map(|code| code.parse::<u8>().unwrap_or(0));
    while let Some(code) = codes.next() {
        match code {
            0 => *style = Style::default(),
            1 => style.bold = true,
            2 => style.dim = true,
            7 => style.reverse = true,
            22 => (style.bold, style.dim) = (false, false),
            27 => style.reverse = false,
            30..=37 => style.front = Some(indexed(code - 30)),
            38 => style.front = extended(&mut codes),
            39 => style.front = None,
            40..=47 => style.back = Some(indexed(code - 40)),
            48 => style.back = extended(&mut codes),
            49 => style.back = None,
            90..=97 => style.front = Some(indexed(code - 82)),
            100..=107 => style.back = Some(indexed(code - 92)),
            _ => {}
        }
    }
}

/// `5;N` is a colour of the palette, `2;R;G;B` any; none when cut short.
fn extended(codes: &mut impl Iterator<Item = u8>) -> Option<String> {
    match codes.next()? {
        5 => Some(indexed(codes.next()?)),
        2 => Some(format!("#{:02x}{:02x}{:02x}", codes.next()?, codes.next()?, codes.next()?)),
        _ => None,
    }
}

/// The 256 colours: 16 named ones, a cube of 6 × 6 × 6, and 24 greys.
fn indexed(n: u8) -> String {
    let level = |v: u8| if v == 0 { 0 } else { 55 + v * 40 };
    match n {
        0..=15 => PALETTE[usize::from(n)].to_owned(),
        16..=231 => {
            let n = n - 16;
            format!("#{:02x}{:02x}{:02x}", level(n / 36), level(n / 6 % 6), level(n % 6))
        }
        232.. => format!("#{0:02x}{0:02x}{0:02x}", 8 + (n - 232) * 10),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPTURE: &str = include_str!("../tests/data/screen.ansi");

    fn drawn(text: &str) -> String {
        svg(&[("pane", text)])
    }

    #[test]
    fn no_panes_are_an_empty_picture() {
        assert!(svg(&[]).contains("<title>No screen</title>"));
    }

    #[test]
    fn unknown_escape_sequences_leave_no_trace() {
        let svg = drawn("a\x1b[2Jb\x1b[?25lc\x1b]0;title\x07d\x1b(Be\x1b]8;;http://x\x1b\\f\x0e\x1b[99mg\x1b=h");
        assert!(svg.contains(">abcdefgh</text>"), "{svg}");
    }

    #[test]
    fn an_unterminated_escape_ends_with_its_line() {
        for cut in ["\x1b", "\x1b[", "\x1b[38;5", "\x1b]0;title", "\x1b("] {
            let svg = drawn(&format!("before{cut}\nafter"));
            assert!(svg.contains(">before</text>") && svg.contains(">after</text>"), "{cut:?}: {svg}");
        }
        assert!(drawn("\x1b[38;5mx").contains(">x</text>"));
        assert!(drawn("\x1b[38;2;1;2mx").contains(">x</text>"));
    }

    #[test]
    fn markup_in_a_title_or_on_a_screen_is_text() {
        let svg = svg(&[("<a>&", "<cargo>/tokio")]);
        assert!(svg.contains("&lt;a&gt;&amp;") && svg.contains("&lt;cargo&gt;/tokio") && !svg.contains("<cargo>"));
    }

    #[test]
    fn a_style_lasts_over_the_end_of_its_line() {
        let style = Style { bold: true, front: Some(PALETTE[2].to_owned()), ..Style::default() };
        let lines = parse("\x1b[1;32mone\ntwo\x1b[0m three");
        assert_eq!(lines[0], [Run { column: 0, text: "one".into(), style: style.clone() }]);
        assert_eq!(lines[1][0], Run { column: 0, text: "two".into(), style });
        assert_eq!(lines[1][1], Run { column: 3, text: " three".into(), style: Style::default() });
    }

    #[test]
    fn words_apart_are_placed_one_by_one() {
        let svg = drawn("a   b");
        assert!(svg.contains(r#"x="12" y="40" textLength="8">a<"#), "{svg}");
        assert!(svg.contains(r#"x="44" y="40" textLength="8">b<"#), "{svg}");
    }

    #[test]
    fn colours_of_every_form_are_drawn() {
        let svg = drawn("\x1b[38;5;44ma\x1b[38;2;1;2;3mb\x1b[91mc\x1b[0;48;5;232md\x1b[0;7me");
        for part in ["#00d7d7", "#010203", PALETTE[9], "fill=\"#080808\"/>", "fill=\"#1b1f27\">e"] {
            assert!(svg.contains(part), "{part} is missing in {svg}");
        }
    }

    #[test]
    fn a_real_capture_is_drawn_whole_on_its_grid_and_small() {
        let svg = svg(&[("unconsumed-send-leak", CAPTURE), ("unconsumed-send-fix", CAPTURE)]);
        assert!(svg.len() < 60_000, "{} bytes", svg.len());
        assert!(svg.contains("<title>Terminal: unconsumed-send-leak and unconsumed-send-fix</title>"));
        assert_eq!(svg.matches(">Tasks (1203)</text>").count(), 2, "{svg}");
        assert!(svg.matches("scenarios/unconsumed-send/leak.rs:47:13").count() >= 20);
        assert!(!svg.contains('\x1b') && !svg.contains("[39m"));
        // 120 columns, and 24 rows and a title for each pane with an empty row between.
        assert!(svg.contains(&format!("viewBox=\"0 0 {} {}\"", 24 + 120 * 8, 24 + 51 * 16)), "{}", &svg[..200]);
    }
}
