//! Frames out of bytes that come in any pieces. What was scanned is not scanned again: a peer that sends one byte at a time must
//! not buy a parse of everything with each.

use crate::{
    DEPTH_MAX, Error, Frame, LINE_MAX,
    decode::{Head, command, decode, head},
    inline,
};

/// What the peer speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaks {
    /// A server: any frame.
    Replies,
    /// A client: arrays of bulk strings, and lines of words.
    Commands,
}

/// Takes bytes, gives frames. What it keeps between two calls is one unfinished frame, so it has the limits of a frame.
#[derive(Debug)]
pub struct Framer {
    speaks: Speaks,
    bytes: Vec<u8>,
    /// Where the frame begins that is being read.
    from: usize,
    /// How far into it the scan came.
    scanned: usize,
    /// How far no end of the line was seen that begins there; 0 if it waits for something else.
    looked: usize,
    /// For each open array, the items that are still missing.
    open: Vec<usize>,
}

impl Framer {
    /// An empty one.
    pub fn new(speaks: Speaks) -> Self {
        Self {
            speaks,
            bytes: Vec::new(),
            from: 0,
            scanned: 0,
            looked: 0,
            open: Vec::new(),
        }
    }

    /// Adds what came.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer().extend_from_slice(bytes);
    }

    /// Where what comes is appended. Nothing else may be done to it.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        self.bytes.drain(..self.from);
        self.from = 0;
        &mut self.bytes
    }

    /// Whether nothing is begun: here a connection may end.
    pub fn is_empty(&self) -> bool {
        self.from == self.bytes.len()
    }

    /// The next frame, if all of it is here.
    ///
    /// # Errors
    /// As [`decode`]. Then the stream is lost, and the framer with it.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, Error> {
        let is_inline = self.speaks == Speaks::Commands
            && self.rest().first().is_some_and(|byte| *byte != b'*');
        let ends: &[u8] = if is_inline { b"\n" } else { b"\r\n" };
        if self.line_goes_on(ends) {
            return Ok(None);
        }
        let found = match is_inline {
            true => inline::decode(self.rest())?,
            false if self.scan()? => decode(self.rest())?,
            false => None,
        };
        let Some((frame, length)) = found else {
            // Of an empty line not even the first byte was seen.
            let (rest, line) =
                (self.rest(), &self.rest()[self.scanned..]);
            let goes_on = !line.is_empty()
                && !line.iter().any(|byte| ends.contains(byte));
            self.looked = if goes_on { rest.len() } else { 0 };
            return Ok(None);
        };
        self.from += length;
        self.scanned = 0;
        Ok(Some(if self.speaks == Speaks::Commands {
            command(frame)?
        } else {
            frame
        }))
    }

    fn rest(&self) -> &[u8] {
        &self.bytes[self.from..]
    }

    /// Whether a line had not ended before, and has not yet.
    fn line_goes_on(&mut self, ends: &[u8]) -> bool {
        let (rest, looked) = (self.rest(), self.looked);
        let goes_on = looked > 0
            && rest.len() - self.scanned <= LINE_MAX
            && !rest[looked..].iter().any(|byte| ends.contains(byte));
        self.looked = if goes_on { rest.len() } else { 0 };
        goes_on
    }

    /// Goes on to the end of the frame; `true` if all of it is here.
    fn scan(&mut self) -> Result<bool, Error> {
        let rest = &self.bytes[self.from..];
        loop {
            let Some(head) = head(rest, &mut self.scanned)? else {
                return Ok(false);
            };
            if let Head::Items(count) = head {
                if self.open.len() == DEPTH_MAX {
                    return Err(Error::TooDeep);
                }
                if count > 0 {
                    self.open.push(count);
                    continue;
                }
            }
            // Something is complete. It may complete what is around it.
            while let Some(missing) = self.open.last_mut() {
                *missing -= 1;
                if *missing > 0 {
                    break;
                }
                self.open.pop();
            }
            if self.open.is_empty() {
                return Ok(true);
            }
        }
    }
}
