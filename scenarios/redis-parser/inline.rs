//! Inline commands: a line of words, as somebody types it with telnet. Quotes and escapes as Redis has them.

use crate::{Error, Frame, LINE_MAX};

/// A line ends with LF, and the CR before it is optional.
pub(crate) fn decode(
    bytes: &[u8],
) -> Result<Option<(Frame, usize)>, Error> {
    let look = &bytes[..bytes.len().min(LINE_MAX + 1)];
    let Some(end) = look.iter().position(|byte| *byte == b'\n')
    else {
        return if look.len() > LINE_MAX {
            Err(Error::LineTooLong)
        } else {
            Ok(None)
        };
    };
    let line =
        look[..end].strip_suffix(b"\r").unwrap_or(&look[..end]);
    Ok(Some((Frame::Array(words(line)?), end + 1)))
}

fn words(mut line: &[u8]) -> Result<Vec<Frame>, Error> {
    let mut words = Vec::new();
    loop {
        line = line.trim_ascii_start();
        let Some(first) = line.first() else { return Ok(words) };
        let (word, rest) = match first {
            quote @ (b'"' | b'\'') => quoted(&line[1..], *quote)?,
            _ => {
                let end = line
                    .iter()
                    .position(u8::is_ascii_whitespace)
                    .unwrap_or(line.len());
                (line[..end].to_vec(), &line[end..])
            }
        };
        words.push(Frame::Bulk(word));
        line = rest;
    }
}

/// What is between quotes, and what follows. After the closing quote there must be a space or the end.
fn quoted(line: &[u8], quote: u8) -> Result<(Vec<u8>, &[u8]), Error> {
    let (mut word, mut at) = (Vec::new(), 0);
    loop {
        match (line.get(at), line.get(at + 1)) {
            (None, _) => return Err(Error::Quotes),
            (Some(&byte), next) if byte == quote => {
                let ends = next.is_none_or(u8::is_ascii_whitespace);
                return if ends {
                    Ok((word, &line[at + 1..]))
                } else {
                    Err(Error::Quotes)
                };
            }
            (Some(b'\\'), Some(b'\'')) if quote == b'\'' => {
                word.push(b'\'');
                at += 2;
            }
            (Some(b'\\'), Some(&escape)) if quote == b'"' => {
                at += 1 + escaped(&line[at + 1..], escape, &mut word)
            }
            (Some(&byte), _) => {
                word.push(byte);
                at += 1;
            }
        }
    }
}

/// Appends what an escape stands for, and says how many bytes it had after the backslash.
fn escaped(rest: &[u8], escape: u8, word: &mut Vec<u8>) -> usize {
    let hex = |at: usize| {
        rest.get(at).and_then(|byte| char::from(*byte).to_digit(16))
    };
    if let (b'x', Some(high), Some(low)) = (escape, hex(1), hex(2)) {
        word.push((high * 16 + low) as u8);
        return 3;
    }
    word.push(match escape {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'a' => 7,
        b'b' => 8,
        other => other,
    });
    1
}
