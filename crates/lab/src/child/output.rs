//! Reads what a program says, and keeps no more of it than a person reads.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};

/// A line of `--json` has some hundred bytes; one that is longer than this is not read to its end.
const LINE_MAX: usize = 1024 * 1024;
/// So much of error output is kept, from its beginning: the first panic is the cause.
const SAID_MAX: usize = 8 * 1024;
/// So many lines of it are shown.
const SAID_LINES_MAX: usize = 12;
/// Lines that tell why a run failed are shown wherever they stand: so many.
const TELLING_MAX: usize = 4;
/// What such a line says: the stage's words for the first unit that failed, and those of a panic.
const TELLING: [&str; 3] = ["first failed unit: ", "first late unit: ", " panicked at "];
/// A line that is quoted is cut to this many characters.
const QUOTE_MAX: usize = 200;

/// Lines of bytes, none longer than [`LINE_MAX`].
pub(super) struct Lines<R> {
    reader: BufReader<R>,
    /// The beginning of a line whose end has not come yet.
    begun: Vec<u8>,
}

/// Why a line could not be read.
pub(super) enum Unread {
    /// It has no end within the limit.
    TooLong {
        limit: usize,
        start: String,
    },
    Failed(io::Error),
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(super) fn of(reader: R) -> Self {
        Self { reader: BufReader::new(reader), begun: Vec::new() }
    }

    /// The next line, without its end; none when there will be none. May be dropped at any moment and called again.
    pub(super) async fn next_line(&mut self) -> Result<Option<Vec<u8>>, Unread> {
        loop {
            let chunk = self.reader.fill_buf().await.map_err(Unread::Failed)?;
            if chunk.is_empty() {
                let rest = std::mem::take(&mut self.begun);
                return Ok(Some(rest).filter(|rest| !rest.is_empty()));
            }
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(chunk.len(), |end| end + 1);
            self.begun.extend_from_slice(&chunk[..end.unwrap_or(taken)]);
            self.reader.consume(taken);
            if self.begun.len() > LINE_MAX {
                return Err(Unread::TooLong { limit: LINE_MAX, start: quote(&self.begun) });
            }
            if end.is_some() {
                return Ok(Some(std::mem::take(&mut self.begun)));
            }
        }
    }
}

/// Error output, of which the beginning is kept.
pub(super) struct ErrorOutput<R> {
    /// None after its end.
    reader: Option<R>,
    kept: Vec<u8>,
    lines: usize,
    /// The line that is being read, as far as it is quoted.
    line: Vec<u8>,
    telling: Vec<String>,
}

impl<R: AsyncRead + Unpin> ErrorOutput<R> {
    pub(super) fn of(reader: R) -> Self {
        Self { reader: Some(reader), kept: Vec::new(), lines: 0, line: Vec::new(), telling: Vec::new() }
    }

    /// Never ends. May be dropped at any moment and called again.
    pub(super) async fn read_for_ever(&mut self) {
        self.read_to_end().await;
        std::future::pending().await
    }

    pub(super) async fn read_to_end(&mut self) {
        let mut chunk = [0; 1024];
        while let Some(reader) = &mut self.reader {
            let n = reader.read(&mut chunk).await.unwrap_or(0);
            let room = SAID_MAX.saturating_sub(self.kept.len()).min(n);
            self.kept.extend_from_slice(&chunk[..room]);
            for &byte in &chunk[..n] {
                self.look_at(byte);
            }
            if n == 0 {
                self.reader = None;
            }
        }
    }

    fn look_at(&mut self, byte: u8) {
        if byte != b'\n' {
            // A character has at most four bytes.
            if self.line.len() < QUOTE_MAX * 4 {
                self.line.push(byte);
            }
            return;
        }
        self.lines += 1;
        let line = std::mem::take(&mut self.line);
        let tells = |text: &str| TELLING.iter().any(|part| text.contains(part));
        // What a panic says stands on the line after.
        let after_panic = self.telling.last().is_some_and(|last| last.contains(TELLING[2]) && last.ends_with(':'));
        if after_panic && let Some(last) = self.telling.last_mut() {
            *last = format!("{last} {}", quote(line.trim_ascii_end()));
        } else if self.telling.len() < TELLING_MAX && tells(&String::from_utf8_lossy(&line)) {
            self.telling.push(quote(line.trim_ascii_end()));
        }
    }

    /// Lines that tell why a run failed, a panic with its message.
    pub(super) fn telling(&self) -> &[String] {
        &self.telling
    }

    /// The first lines, cut to what a person reads.
    pub(super) fn said(&self) -> Vec<String> {
        let lines = self.kept.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
        let mut said: Vec<_> = lines.take(SAID_LINES_MAX).map(|line| quote(line.trim_ascii_end())).collect();
        let more = self.lines.saturating_sub(said.len());
        if more > 0 && said.len() == SAID_LINES_MAX {
            said.push(format!("… and {more} more lines"));
        }
        said
    }
}

/// A line as it may be shown in a terminal: cut, and what would steer the terminal written out.
pub(super) fn quote(line: &[u8]) -> String {
    // A character has at most four bytes.
    let text = String::from_utf8_lossy(&line[..line.len().min(QUOTE_MAX * 4)]);
    let mut quoted = String::new();
    for character in text.chars().take(QUOTE_MAX) {
        match character {
            '\t' => quoted.push(character),
            control if control.is_control() => quoted.extend(control.escape_default()),
            other => quoted.push(other),
        }
    }
    if text.chars().count() > QUOTE_MAX || line.len() > text.len() { quoted + "…" } else { quoted }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn lines_of(text: &[u8]) -> Result<Vec<String>, usize> {
        let (mut lines, mut read) = (Lines::of(text), Vec::new());
        loop {
            match lines.next_line().await {
                Ok(Some(line)) => read.push(String::from_utf8(line).unwrap()),
                Ok(None) => return Ok(read),
                Err(Unread::TooLong { limit, .. }) => return Err(limit),
                Err(Unread::Failed(error)) => panic!("{error}"),
            }
        }
    }

    #[leakcheck::test]
    async fn lines_come_whole_and_so_does_a_last_one_without_an_end() {
        assert_eq!(lines_of(b"").await.unwrap(), [""; 0]);
        assert_eq!(lines_of(b"a\n\nbc").await.unwrap(), ["a", "", "bc"]);
        let long = "x".repeat(LINE_MAX);
        assert_eq!(lines_of(format!("{long}\n1").as_bytes()).await.unwrap(), [long.as_str(), "1"]);
    }

    #[leakcheck::test]
    async fn a_line_without_an_end_is_given_up() {
        let long = "x".repeat(LINE_MAX + 1);
        assert_eq!(lines_of(long.as_bytes()).await, Err(LINE_MAX));
        assert_eq!(lines_of(format!("{long}\n").as_bytes()).await, Err(LINE_MAX));
    }

    async fn said(text: &[u8]) -> Vec<String> {
        let mut stderr = ErrorOutput::of(text);
        stderr.read_to_end().await;
        stderr.said()
    }

    #[leakcheck::test]
    async fn of_much_error_output_the_beginning_is_kept_and_the_rest_counted() {
        let much: String = (1..=50_000).map(|n| format!("line {n}\n")).collect();
        let said = said(much.as_bytes()).await;
        assert_eq!((said.len(), said[0].as_str()), (SAID_LINES_MAX + 1, "line 1"));
        assert_eq!(said[SAID_LINES_MAX], "… and 49988 more lines");
    }

    #[leakcheck::test]
    async fn what_tells_why_a_run_failed_is_found_behind_much_else_and_a_panic_with_its_message() {
        let noise = "hello\n".repeat(10_000);
        let text =
            format!("{noise}\nthread 'main' (7) panicked at a.rs:1:2:\nno desk\n{noise}first failed unit: no answer\n");
        let mut stderr = ErrorOutput::of(text.as_bytes());
        stderr.read_to_end().await;
        let telling = ["thread 'main' (7) panicked at a.rs:1:2: no desk", "first failed unit: no answer"];
        assert_eq!(stderr.telling(), telling);
    }

    #[leakcheck::test]
    async fn noise_is_short_and_cannot_steer_a_terminal() {
        let mut noise = vec![0x1b, b'[', b'2', b'J', 0, 0xff];
        noise.resize(3_000_000, 0x9b);
        let said = said(&noise).await;
        assert_eq!(said.len(), 1);
        assert!(said[0].starts_with("\\u{1b}[2J\\u{0}") && said[0].ends_with('…'), "{}", said[0]);
        assert!(said[0].chars().all(|c| !c.is_control()) && said[0].len() < 2_000, "{} bytes", said[0].len());
    }
}
