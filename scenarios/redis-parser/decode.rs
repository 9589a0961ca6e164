//! One frame from the front of a slice, in one pass and without a task.

use crate::{
    BULK_MAX, DEPTH_MAX, Error, FRAME_MAX, Frame, ITEMS_MAX,
    LINE_MAX, inline,
};

/// The first allocation for an array that claims more items. A claim costs its sender ten bytes, so it buys no more.
const ITEMS_AT_FIRST: usize = 64;

/// No number of 64 bits has more.
const DIGITS_MAX: usize = 19;

/// What a frame begins with.
pub(crate) enum Head<'a> {
    /// All of it.
    Whole(Whole<'a>),
    /// That many frames follow.
    Items(usize),
}

/// A frame without frames within.
pub(crate) enum Whole<'a> {
    Simple(&'a [u8]),
    Error(&'a [u8]),
    Integer(i64),
    Bulk(&'a [u8]),
    Null,
}

/// Takes the frame at the front of `bytes`, and says how many bytes it had. `None`: more bytes are needed.
///
/// # Errors
/// When the bytes cannot become a frame, whatever follows, or would pass a limit.
pub fn decode(bytes: &[u8]) -> Result<Option<(Frame, usize)>, Error> {
    let mut at = 0;
    let frame = value(bytes, &mut at, 0)?;
    Ok(frame.map(|frame| (frame, at)))
}

/// Takes the command at the front of `bytes`: an array of bulk strings, or a line of words as somebody types it with telnet.
/// An empty line is an empty array.
///
/// # Errors
/// As [`decode`].
pub fn decode_command(
    bytes: &[u8],
) -> Result<Option<(Frame, usize)>, Error> {
    match bytes.first() {
        None => Ok(None),
        Some(b'*') => match decode(bytes)? {
            Some((frame, at)) => Ok(Some((command(frame)?, at))),
            None => Ok(None),
        },
        Some(_) => inline::decode(bytes),
    }
}

pub(crate) fn command(frame: Frame) -> Result<Frame, Error> {
    match frame {
        Frame::Null => Ok(Frame::Array(Vec::new())),
        Frame::Array(items)
            if items
                .iter()
                .all(|item| matches!(item, Frame::Bulk(_))) =>
        {
            Ok(Frame::Array(items))
        }
        _ => Err(Error::Command),
    }
}

/// Recursion ends at [`DEPTH_MAX`].
fn value(
    bytes: &[u8],
    at: &mut usize,
    depth: usize,
) -> Result<Option<Frame>, Error> {
    let Some(head) = head(bytes, at)? else { return Ok(None) };
    let count = match head {
        Head::Whole(whole) => return Ok(Some(whole.to_frame())),
        Head::Items(count) => count,
    };
    if depth == DEPTH_MAX {
        return Err(Error::TooDeep);
    }
    let mut items = Vec::with_capacity(count.min(ITEMS_AT_FIRST));
    for _ in 0..count {
        let Some(item) = value(bytes, at, depth + 1)? else {
            return Ok(None);
        };
        items.push(item);
    }
    Ok(Some(Frame::Array(items)))
}

/// Reads what stands at `at`, and moves on behind it. This is the grammar; both ways to read use it.
pub(crate) fn head<'a>(
    bytes: &'a [u8],
    at: &mut usize,
) -> Result<Option<Head<'a>>, Error> {
    let Some(&kind) = bytes.get(*at) else { return Ok(None) };
    if !matches!(kind, b'+' | b'-' | b':' | b'$' | b'*') {
        return Err(Error::Type(kind));
    }
    let mut end = *at + 1;
    let head = if matches!(kind, b'$' | b'*') {
        let is_bulk = kind == b'$';
        let Some(length) = length(bytes, &mut end, is_bulk)? else {
            return Ok(None);
        };
        match length {
            None => Head::Whole(Whole::Null),
            Some(count) if !is_bulk => Head::Items(count),
            Some(length) => match bulk(bytes, &mut end, length)? {
                Some(bulk) => Head::Whole(Whole::Bulk(bulk)),
                None => return Ok(None),
            },
        }
    } else {
        let Some(text) = line(bytes, &mut end)? else {
            return Ok(None);
        };
        Head::Whole(match kind {
            b'+' => Whole::Simple(text),
            b'-' => Whole::Error(text),
            _ => Whole::Integer(number(text)?),
        })
    };
    if end > FRAME_MAX {
        return Err(Error::FrameTooLong);
    }
    *at = end;
    Ok(Some(head))
}

fn line<'a>(
    bytes: &'a [u8],
    at: &mut usize,
) -> Result<Option<&'a [u8]>, Error> {
    let rest = &bytes[*at..];
    let look = &rest[..rest.len().min(LINE_MAX + 1)];
    let Some(length) =
        look.iter().position(|byte| matches!(byte, b'\r' | b'\n'))
    else {
        return if look.len() > LINE_MAX {
            Err(Error::LineTooLong)
        } else {
            Ok(None)
        };
    };
    match (rest[length], rest.get(length + 1)) {
        (b'\r', Some(b'\n')) => {
            *at += length + 2;
            Ok(Some(&rest[..length]))
        }
        (b'\r', None) => Ok(None),
        _ => Err(Error::Newline),
    }
}

fn bulk<'a>(
    bytes: &'a [u8],
    at: &mut usize,
    length: usize,
) -> Result<Option<&'a [u8]>, Error> {
    let end = *at + length;
    if end + 2 > FRAME_MAX {
        return Err(Error::FrameTooLong);
    }
    match (bytes.get(end), bytes.get(end + 1)) {
        (Some(b'\r'), Some(b'\n')) => {
            let bulk = &bytes[*at..end];
            *at = end + 2;
            Ok(Some(bulk))
        }
        (None | Some(b'\r'), None) => Ok(None),
        _ => Err(Error::BulkEnd),
    }
}

fn number(text: &[u8]) -> Result<i64, Error> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    // Zeros in front could make a long line of it, to be read again and again.
    if !(1..=DIGITS_MAX).contains(&digits.len()) {
        return Err(Error::Number);
    }
    // Downwards: the lowest number has no positive twin.
    let below = |sum: i64, digit: &u8| match digit {
        b'0'..=b'9' => {
            sum.checked_mul(10)?.checked_sub(i64::from(digit - b'0'))
        }
        _ => None,
    };
    let sum =
        digits.iter().try_fold(0, below).ok_or(Error::Number)?;
    if negative {
        Ok(sum)
    } else {
        sum.checked_neg().ok_or(Error::Number)
    }
}

/// The length in a line; the inner `None` is the length −1.
#[inline]
pub(crate) fn length(
    bytes: &[u8],
    at: &mut usize,
    is_bulk: bool,
) -> Result<Option<Option<usize>>, Error> {
    // Nearly every length has one digit or two.
    let (digits, end) = match &bytes[*at..] {
        [a @ b'0'..=b'9', b'\r', b'\n', ..] => {
            (usize::from(a - b'0'), 3)
        }
        [a @ b'0'..=b'9', b @ b'0'..=b'9', b'\r', b'\n', ..] => {
            (usize::from(a - b'0') * 10 + usize::from(b - b'0'), 4)
        }
        _ => return long_length(bytes, at, is_bulk),
    };
    *at += end;
    Ok(Some(Some(digits)))
}

fn long_length(
    bytes: &[u8],
    at: &mut usize,
    is_bulk: bool,
) -> Result<Option<Option<usize>>, Error> {
    let Some(text) = line(bytes, at)? else { return Ok(None) };
    let (max, too_long) = if is_bulk {
        (BULK_MAX, Error::BulkTooLong)
    } else {
        (ITEMS_MAX, Error::TooManyItems)
    };
    match number(text)? {
        -1 => Ok(Some(None)),
        length => match usize::try_from(length) {
            Ok(length) if length <= max => Ok(Some(Some(length))),
            Ok(_) => Err(too_long),
            Err(_) => Err(Error::Length),
        },
    }
}

impl Whole<'_> {
    fn to_frame(&self) -> Frame {
        match *self {
            Self::Simple(text) => Frame::Simple(text.to_vec()),
            Self::Error(text) => Frame::Error(text.to_vec()),
            Self::Integer(number) => Frame::Integer(number),
            Self::Bulk(bytes) => Frame::Bulk(bytes.to_vec()),
            Self::Null => Frame::Null,
        }
    }
}
