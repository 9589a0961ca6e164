//! Generated frames survive being written and read, in any pieces, and the crate `redis-protocol` reads and writes the same.

use proptest::{
    collection::vec,
    prelude::{
        Just, ProptestConfig, Strategy, any, prop_oneof, proptest,
    },
};
use redis_protocol::resp2::{
    decode::decode as decode_theirs,
    encode::encode as encode_theirs,
    types::{OwnedFrame, Resp2Frame},
};
use resp::{Frame, Framer, Speaks, check, decode, decode_command};

/// Any frame, up to four arrays deep.
fn frames() -> impl Strategy<Value = Frame> {
    let line = || "[^\r\n]{0,20}".prop_map(String::into_bytes);
    let leaf = prop_oneof![
        line().prop_map(Frame::Simple),
        line().prop_map(Frame::Error),
        any::<i64>().prop_map(Frame::Integer),
        vec(any::<u8>(), 0..64).prop_map(Frame::Bulk),
        Just(Frame::Null),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        vec(inner, 0..8).prop_map(Frame::Array)
    })
}

fn commands() -> impl Strategy<Value = Frame> {
    vec(vec(any::<u8>(), 0..32).prop_map(Frame::Bulk), 0..6)
        .prop_map(Frame::Array)
}

fn encoded(frame: &Frame) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame.encode(&mut bytes);
    bytes
}

fn theirs(frame: &Frame) -> OwnedFrame {
    match frame {
        Frame::Simple(text) => OwnedFrame::SimpleString(text.clone()),
        Frame::Error(text) => OwnedFrame::Error(
            String::from_utf8(text.clone()).unwrap(),
        ),
        Frame::Integer(number) => OwnedFrame::Integer(*number),
        Frame::Bulk(bytes) => OwnedFrame::BulkString(bytes.clone()),
        Frame::Null => OwnedFrame::Null,
        Frame::Array(items) => {
            OwnedFrame::Array(items.iter().map(theirs).collect())
        }
    }
}

fn encoded_theirs(frame: &OwnedFrame) -> Vec<u8> {
    let mut bytes = vec![0; frame.encode_len(false)];
    let length = encode_theirs(&mut bytes, frame, false).unwrap();
    bytes.truncate(length);
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_frame_survives_being_written_and_read(frame in frames(), after in vec(any::<u8>(), 0..8)) {
        let mut bytes = encoded(&frame);
        let length = bytes.len();
        bytes.extend(after);
        assert_eq!(decode(&bytes), Ok(Some((frame, length))));
    }

    #[test]
    fn the_other_crate_reads_and_writes_the_same(frame in frames()) {
        let (bytes, other) = (encoded(&frame), theirs(&frame));
        assert_eq!(encoded_theirs(&other), bytes, "written");
        assert_eq!(decode_theirs(&bytes).unwrap(), Some((other, bytes.len())), "read");
    }

    #[test]
    fn half_a_frame_is_half_a_frame_for_both(frame in frames(), share in 0.0..1.0f64) {
        let bytes = encoded(&frame);
        let part = &bytes[..(bytes.len() as f64 * share) as usize];
        assert_eq!(decode(part), Ok(None));
        assert_eq!(decode_theirs(part).unwrap(), None);
    }

    #[test]
    fn frames_in_a_row_come_out_of_any_pieces(
        frames in vec(frames(), 0..6),
        sizes in vec(1..40usize, 1..20),
    ) {
        let bytes: Vec<u8> = frames.iter().flat_map(encoded).collect();
        let (mut rest, mut sizes) = (bytes.as_slice(), sizes.iter().cycle());
        let (mut framer, mut found) = (Framer::new(Speaks::Replies), Vec::new());
        while !rest.is_empty() {
            let (piece, others) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
            framer.push(piece);
            while let Some(frame) = framer.next_frame().unwrap() {
                found.push(frame);
            }
            rest = others;
        }
        assert!(framer.is_empty());
        assert_eq!(found, frames);
    }

    #[test]
    fn a_command_is_what_a_server_takes(command in commands()) {
        let bytes = encoded(&command);
        assert_eq!(decode_command(&bytes), Ok(Some((command, bytes.len()))));
    }

    #[test]
    fn words_in_quotes_are_the_words(words in vec("[^\"\\\\\r\n]{0,12}", 0..5)) {
        let line: String = words.iter().map(|word| format!("\"{word}\" ")).collect();
        let expected = words.into_iter().map(|word| Frame::Bulk(word.into_bytes())).collect();
        let bytes = format!("{line}\r\n");
        assert_eq!(decode_command(bytes.as_bytes()), Ok(Some((Frame::Array(expected), bytes.len()))));
    }

    #[test]
    fn any_bytes_hold_to_what_is_checked(bytes in vec(any::<u8>(), 0..64)) {
        check(&bytes);
    }
}
