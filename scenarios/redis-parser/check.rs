//! What must hold for any bytes. The fuzz target is this function, and nothing else.

use crate::{
    Error, Frame, Framer, Speaks, borrow_command, decode,
    decode_command,
};

/// Decodes `bytes` in every way there is.
///
/// # Panics
/// When the ways do not agree, a frame does not survive being written and read, or half a frame is taken for a whole one.
pub fn check(bytes: &[u8]) {
    one(bytes, Speaks::Replies, decode);
    one(bytes, Speaks::Commands, decode_command);
    borrowed(bytes);
}

/// Borrowed words are the owned ones. An array that is refused may be refused sooner: at its first item that is no bulk string,
/// and not when all of it is here.
fn borrowed(bytes: &[u8]) {
    let words = borrow_command(bytes).map(|found| {
        found.map(|(words, length)| {
            let words =
                words.map(|word| Frame::Bulk(word.into_owned()));
            (Frame::Array(words.collect()), length)
        })
    });
    if words != Err(Error::Command) {
        assert_eq!(
            words,
            decode_command(bytes),
            "borrowed and owned"
        );
    } else {
        let whole = decode_command(bytes);
        assert!(
            !matches!(whole, Ok(Some(_))),
            "{whole:?} is refused"
        );
    }
}

type Decode = fn(&[u8]) -> Result<Option<(Frame, usize)>, Error>;

fn one(bytes: &[u8], speaks: Speaks, decode: Decode) {
    let result = decode(bytes);
    if let Ok(Some((frame, length))) = &result {
        assert!(
            (1..=bytes.len()).contains(length),
            "{length} bytes of {}",
            bytes.len()
        );
        let mut again = Vec::new();
        frame.encode(&mut again);
        assert_eq!(
            decode(&again),
            Ok(Some((frame.clone(), again.len()))),
            "written and read again"
        );
        assert_eq!(
            decode(&bytes[..length - 1]),
            Ok(None),
            "a frame without its last byte"
        );
    }
    // In pieces, as sockets give them: whole, and in sizes taken from the input itself.
    assert_eq!(
        in_pieces(bytes, bytes.len().max(1), speaks),
        in_turn(bytes, decode),
        "all at once"
    );
    let size =
        1 + usize::from(bytes.last().copied().unwrap_or(0) % 7);
    assert_eq!(
        in_pieces(bytes, size, speaks),
        in_turn(bytes, decode),
        "{size} bytes at a time"
    );
}

/// The frames of `bytes`, and the error after them.
fn in_turn(
    mut bytes: &[u8],
    decode: Decode,
) -> (Vec<Frame>, Option<Error>) {
    let mut frames = Vec::new();
    loop {
        match decode(bytes) {
            Ok(Some((frame, length))) => {
                frames.push(frame);
                bytes = &bytes[length..];
            }
            Ok(None) => return (frames, None),
            Err(error) => return (frames, Some(error)),
        }
    }
}

fn in_pieces(
    bytes: &[u8],
    size: usize,
    speaks: Speaks,
) -> (Vec<Frame>, Option<Error>) {
    let (mut frames, mut framer) = (Vec::new(), Framer::new(speaks));
    for piece in bytes.chunks(size) {
        framer.push(piece);
        loop {
            match framer.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
    }
    (frames, None)
}
