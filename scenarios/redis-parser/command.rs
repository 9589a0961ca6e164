//! A command that is read where it lies. A function may borrow the
//! slice for as long as it looks at it; a task would have to own it.

use std::borrow::Cow;

use crate::{
    Error, Frame,
    decode::{Head, Whole, head, length},
    inline,
};

/// The words of one command: a plain iterator.
#[derive(Clone, Debug)]
pub struct Words<'a>(Kind<'a>);

#[derive(Clone, Debug)]
enum Kind<'a> {
    /// Checked already; so many bulk strings are left.
    Array { bytes: &'a [u8], left: usize },
    /// A line has escapes, so its words are made anew.
    Line(std::vec::IntoIter<Frame>),
}

/// As [`decode_command`](crate::decode_command), and nothing is copied unless the command is a line.
///
/// # Errors
/// The same.
pub fn borrow_command(
    bytes: &[u8],
) -> Result<Option<(Words<'_>, usize)>, Error> {
    match bytes.first() {
        None => return Ok(None),
        Some(b'*') => {}
        Some(_) => {
            let line = inline::decode(bytes)?;
            return Ok(line.map(|(frame, end)| {
                let Frame::Array(words) = frame else {
                    return (
                        Words(Kind::Line(Vec::new().into_iter())),
                        end,
                    );
                };
                (Words(Kind::Line(words.into_iter())), end)
            }));
        }
    }
    let mut at = 0;
    let left = match head(bytes, &mut at)? {
        None => return Ok(None),
        Some(Head::Items(left)) => left,
        Some(Head::Whole(_)) => 0,
    };
    let from = at;
    for _ in 0..left {
        match head(bytes, &mut at)? {
            None => return Ok(None),
            Some(Head::Whole(Whole::Bulk(_))) => {}
            Some(_) => return Err(Error::Command),
        }
    }
    let bytes = &bytes[from..at];
    Ok(Some((Words(Kind::Array { bytes, left }), at)))
}

impl Words<'_> {
    /// The first word; empty for an empty command.
    pub fn name(&self) -> String {
        let name = self.clone().next().unwrap_or_default();
        String::from_utf8_lossy(&name).to_ascii_uppercase()
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = Cow<'a, [u8]>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Kind::Line(words) => match words.next()? {
                Frame::Bulk(word) => Some(Cow::Owned(word)),
                _ => None,
            },
            Kind::Array { left: 0, .. } => None,
            Kind::Array { bytes, left } => {
                // Behind the `$`. What was checked is not checked
                // again.
                let mut at = 1;
                let length =
                    length(bytes, &mut at, true).ok()???;
                let word = bytes.get(at..at + length)?;
                *bytes = bytes.get(at + length + 2..)?;
                *left -= 1;
                Some(Cow::Borrowed(word))
            }
        }
    }
}
