//! RESP2, the protocol of Redis, and a small store that speaks it. Every side of the scenario uses this, so that the
//! sides differ in their leak only.
//!
//! [`decode`] takes one frame from the front of a slice, [`decode_command`] one command as a server accepts it, inline
//! commands included, and [`borrow_command`] the same without a copy. [`Framer`] takes bytes in any pieces; [`Frames`] does it over a socket.
//!
//! The peer is not trusted. Every input ends in a frame, in "more, please" or in an [`Error`], and the [limits](Error)
//! hold before memory is taken: what is decoded occupies at most [`MEMORY_FACTOR`] times the bytes that were received.

mod check;
mod command;
mod decode;
mod framer;
mod frames;
mod inline;
mod serve;
mod store;

pub use check::check;
pub use command::{Words, borrow_command};
pub use decode::{decode, decode_command};
pub use framer::{Framer, Speaks};
pub use frames::{End, Frames};
pub use serve::{answer, serve};
pub use store::Store;

use std::fmt;

/// The longest line: a simple string, an error, a number or an inline command. Redis has the same limit.
pub const LINE_MAX: usize = 64 * 1024;
/// The longest bulk string. Redis allows 512 MB unless told otherwise.
pub const BULK_MAX: usize = 1024 * 1024;
/// The most items of one array. Redis has the same limit.
pub const ITEMS_MAX: usize = 1024 * 1024;
/// Arrays in arrays: more than any reply of Redis has, and little enough for the stack.
pub const DEPTH_MAX: usize = 32;
/// The longest frame in all, as bytes on the wire.
pub const FRAME_MAX: usize = 4 * 1024 * 1024;
/// Decoded, a frame takes at most this many times its bytes on the wire, and a constant. The worst is an array of empty
/// arrays: four bytes there, one `Frame` here, and a vector that has just doubled.
pub const MEMORY_FACTOR: usize = 3 * size_of::<Frame>() / 4;

/// One value of the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// `+OK`
    Simple(Vec<u8>),
    /// `-ERR what is wrong`
    Error(Vec<u8>),
    /// `:42`
    Integer(i64),
    /// `$3`, then three bytes, whatever they are.
    Bulk(Vec<u8>),
    /// `$-1` or `*-1`; written as the first.
    Null,
    /// `*2`, then two frames.
    Array(Vec<Frame>),
}

/// Why bytes are no frame. After it the stream is lost: nobody can tell where the next frame begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// A frame begins with `+`, `-`, `:`, `$` or `*`.
    Type(u8),
    /// Not a decimal number of 64 bits.
    Number,
    /// A length below −1.
    Length,
    /// A line ends with CR LF, and has neither of the two within.
    Newline,
    /// After a bulk string comes CR LF.
    BulkEnd,
    /// Longer than [`LINE_MAX`].
    LineTooLong,
    /// Longer than [`BULK_MAX`].
    BulkTooLong,
    /// More than [`ITEMS_MAX`].
    TooManyItems,
    /// Deeper than [`DEPTH_MAX`].
    TooDeep,
    /// Longer than [`FRAME_MAX`].
    FrameTooLong,
    /// An inline command with a quote that does not end.
    Quotes,
    /// A command is an array of bulk strings.
    Command,
}

impl Frame {
    /// An error reply.
    pub fn error(text: impl fmt::Display) -> Self {
        Self::Error(format!("ERR {text}").into_bytes())
    }

    /// The first word of a command, as text; empty for a frame that is no command.
    pub fn name(&self) -> String {
        match self {
            Self::Array(items) => match items.first() {
                Some(Self::Bulk(name)) => {
                    String::from_utf8_lossy(name).to_ascii_uppercase()
                }
                _ => String::new(),
            },
            _ => String::new(),
        }
    }

    /// Appends the frame as it is on the wire.
    ///
    /// A simple string or an error must have no newline in it; whoever makes one from a peer's words uses a bulk string.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Simple(text) => line(out, b'+', text),
            Self::Error(text) => line(out, b'-', text),
            Self::Integer(number) => {
                line(out, b':', number.to_string().as_bytes())
            }
            Self::Null => line(out, b'$', b"-1"),
            Self::Bulk(bytes) => {
                line(out, b'$', bytes.len().to_string().as_bytes());
                out.extend_from_slice(bytes);
                out.extend_from_slice(b"\r\n");
            }
            Self::Array(items) => {
                line(out, b'*', items.len().to_string().as_bytes());
                items.iter().for_each(|item| item.encode(out));
            }
        }
    }
}

fn line(out: &mut Vec<u8>, kind: u8, text: &[u8]) {
    out.push(kind);
    out.extend_from_slice(text);
    out.extend_from_slice(b"\r\n");
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Type(byte) => write!(
                f,
                "no frame begins with {:?}",
                char::from(*byte)
            ),
            Self::Number => {
                f.write_str("not a decimal number of 64 bits")
            }
            Self::Length => f.write_str("a length is negative"),
            Self::Newline => f.write_str(
                "a line must end with CR LF and have neither within",
            ),
            Self::BulkEnd => {
                f.write_str("a bulk string is not followed by CR LF")
            }
            Self::LineTooLong => {
                write!(f, "a line is longer than {LINE_MAX} bytes")
            }
            Self::BulkTooLong => write!(
                f,
                "a bulk string is longer than {BULK_MAX} bytes"
            ),
            Self::TooManyItems => {
                write!(f, "an array has more than {ITEMS_MAX} items")
            }
            Self::TooDeep => {
                write!(f, "arrays are nested deeper than {DEPTH_MAX}")
            }
            Self::FrameTooLong => {
                write!(f, "a frame is longer than {FRAME_MAX} bytes")
            }
            Self::Quotes => {
                f.write_str("unbalanced quotes in an inline command")
            }
            Self::Command => {
                f.write_str("a command is an array of bulk strings")
            }
        }
    }
}

impl std::error::Error for Error {}
