//! What is no frame ends in a clear error, what is half a frame in "more, please", and no input in a panic.

use std::io::Cursor;

use resp::{
    BULK_MAX, DEPTH_MAX, End, Error, FRAME_MAX, Frame, Framer,
    Frames, ITEMS_MAX, LINE_MAX, Speaks, check, decode,
    decode_command,
};

fn refuses(bytes: &[u8], error: Error) {
    assert_eq!(decode(bytes), Err(error), "{}", bytes.escape_ascii());
    check(bytes);
}

fn words(words: &[&str]) -> Frame {
    Frame::Array(
        words
            .iter()
            .map(|word| Frame::Bulk(word.as_bytes().to_vec()))
            .collect(),
    )
}

#[test]
fn malformed_input_is_refused_with_its_reason() {
    refuses(b"hello\r\n", Error::Type(b'h'));
    refuses(b"*1\r\n?", Error::Type(b'?'));
    refuses(b":\r\n", Error::Number);
    refuses(b":-\r\n", Error::Number);
    refuses(b":1 \r\n", Error::Number);
    refuses(b"$00000000000000000001\r\n", Error::Number);
    refuses(b":9223372036854775808\r\n", Error::Number);
    refuses(b"$x\r\n", Error::Number);
    refuses(b"$-2\r\n", Error::Length);
    refuses(b"*-2\r\n", Error::Length);
    refuses(b"+two\nlines\r\n", Error::Newline);
    refuses(b"+two\rlines\r\n", Error::Newline);
    refuses(b"$2\r\nabc\r\n", Error::BulkEnd);
    refuses(b"$2\r\nab\rX", Error::BulkEnd);
}

#[test]
fn every_limit_is_refused_before_the_bytes_come() {
    refuses(
        format!("${}\r\n", BULK_MAX + 1).as_bytes(),
        Error::BulkTooLong,
    );
    refuses(
        format!("*{}\r\n", ITEMS_MAX + 1).as_bytes(),
        Error::TooManyItems,
    );
    refuses(
        &[b"+".as_slice(), &vec![b'a'; LINE_MAX + 1]].concat(),
        Error::LineTooLong,
    );
    refuses(&b"*1\r\n".repeat(DEPTH_MAX + 1), Error::TooDeep);
    refuses(&b"*1\r\n".repeat(100_000), Error::TooDeep);
    let bulk = [
        format!("${BULK_MAX}\r\n").into_bytes(),
        vec![0; BULK_MAX],
        b"\r\n".to_vec(),
    ]
    .concat();
    refuses(
        &[
            b"*9\r\n".to_vec(),
            bulk.repeat(FRAME_MAX / bulk.len()),
            bulk,
        ]
        .concat(),
        Error::FrameTooLong,
    );
}

#[test]
fn what_is_just_within_the_limits_is_taken() {
    let line =
        [b"+".as_slice(), &vec![b'a'; LINE_MAX], b"\r\n"].concat();
    assert_eq!(
        decode(&line),
        Ok(Some((Frame::Simple(vec![b'a'; LINE_MAX]), line.len())))
    );
    let deep =
        [b"*1\r\n".repeat(DEPTH_MAX), b":7\r\n".to_vec()].concat();
    assert_eq!(decode(&deep).unwrap().unwrap().1, deep.len());
    let bulk = [
        format!("${BULK_MAX}\r\n").into_bytes(),
        vec![0; BULK_MAX],
        b"\r\n".to_vec(),
    ]
    .concat();
    assert_eq!(
        decode(&bulk),
        Ok(Some((Frame::Bulk(vec![0; BULK_MAX]), bulk.len())))
    );
    assert_eq!(
        decode(b":-9223372036854775808\r\n"),
        Ok(Some((Frame::Integer(i64::MIN), 23)))
    );
}

#[test]
fn a_frame_cut_off_anywhere_asks_for_more() {
    let whole =
        b"*4\r\n$3\r\nSET\r\n+a\r\n*2\r\n:1\r\n$-1\r\n-ERR no\r\n";
    assert_eq!(decode(whole).unwrap().unwrap().1, whole.len());
    for length in 0..whole.len() {
        assert_eq!(
            decode(&whole[..length]),
            Ok(None),
            "{length} bytes"
        );
    }
}

#[test]
fn commands_are_arrays_of_bulk_strings_or_lines_of_words() {
    let takes = |bytes: &[u8], expected: &[&str]| {
        assert_eq!(
            decode_command(bytes),
            Ok(Some((words(expected), bytes.len()))),
            "{}",
            bytes.escape_ascii()
        );
        check(bytes);
    };
    takes(b"*2\r\n$4\r\nECHO\r\n$1\r\nx\r\n", &["ECHO", "x"]);
    takes(b"  set  a\tb \r\n", &["set", "a", "b"]);
    takes(b"PING\n", &["PING"]);
    takes(b"\r\n", &[]);
    takes(b"*-1\r\n", &[]);
    takes(
        b"ECHO \"a b\\x41\\n\\\"\" 'it\\'s' \"\"\r\n",
        &["ECHO", "a bA\n\"", "it's", ""],
    );
    for bytes in [
        b"ECHO \"half\r\n".as_slice(),
        b"ECHO 'half\r\n",
        b"ECHO \"a\"b\r\n",
    ] {
        assert_eq!(
            decode_command(bytes),
            Err(Error::Quotes),
            "{}",
            bytes.escape_ascii()
        );
    }
    for bytes in [
        b"*1\r\n:1\r\n".as_slice(),
        b"*1\r\n*1\r\n$1\r\na\r\n",
        b"*1\r\n$-1\r\n",
    ] {
        assert_eq!(
            decode_command(bytes),
            Err(Error::Command),
            "{}",
            bytes.escape_ascii()
        );
    }
    assert_eq!(
        decode_command(&vec![b'a'; LINE_MAX + 1]),
        Err(Error::LineTooLong)
    );
}

/// With the sender's own pace, each byte may cost little more than itself.
#[test]
fn a_byte_at_a_time_costs_the_receiver_no_more_than_all_at_once() {
    let line = [b"+".as_slice(), &vec![b'a'; LINE_MAX]].concat();
    let bulk = [
        format!("${BULK_MAX}\r\n").into_bytes(),
        vec![b'a'; BULK_MAX],
    ]
    .concat();
    let many =
        [b"*100000\r\n".to_vec(), b":1\r\n".repeat(100_000 - 1)]
            .concat();
    for (speaks, bytes) in [
        (Speaks::Replies, &line),
        (Speaks::Replies, &bulk),
        (Speaks::Replies, &many),
        (Speaks::Commands, &vec![b'\r'; LINE_MAX]),
    ] {
        let mut framer = Framer::new(speaks);
        for byte in bytes.chunks(1) {
            framer.push(byte);
            assert_eq!(framer.next_frame(), Ok(None));
        }
    }
}

#[leakcheck::test]
async fn a_stream_says_how_it_ended() {
    let mut clean = Frames::commands(Cursor::new(b"PING\r\n"));
    assert_eq!(clean.next().await.unwrap(), words(&["PING"]));
    assert!(matches!(clean.next().await, Err(End::Closed)));
    let mut cut = Frames::replies(Cursor::new(b"+OK\r\n$5\r\nhal"));
    assert_eq!(
        cut.next().await.unwrap(),
        Frame::Simple(b"OK".to_vec())
    );
    assert!(matches!(cut.next().await, Err(End::Truncated)));
    let mut wrong =
        Frames::replies(Cursor::new(b"HTTP/1.1 400 Bad Request\r\n"));
    let end = wrong.next().await.unwrap_err();
    assert_eq!(
        end.to_string(),
        "Protocol error: no frame begins with 'H'"
    );
}

#[leakcheck::test]
async fn bytes_that_come_one_by_one_give_the_same_frames() {
    let (client, mut server) = tokio::io::duplex(1);
    let bytes =
        b"*2\r\n$4\r\nECHO\r\n$2\r\n\r\n\r\nPING\r\n".as_slice();
    let sends = async move {
        tokio::io::AsyncWriteExt::write_all(&mut server, bytes)
            .await
            .unwrap();
    };
    let mut frames = Frames::commands(client);
    let reads = async {
        (frames.next().await.unwrap(), frames.next().await.unwrap())
    };
    let ((), (first, second)) = tokio::join!(sends, reads);
    assert_eq!(
        (first, second),
        (words(&["ECHO", "\r\n"]), words(&["PING"]))
    );
}

/// What the chapter says of the line by line port: it cannot have Go's capacity.
#[test]
#[should_panic(expected = "buffer")]
fn tokio_has_no_channel_without_a_buffer() {
    drop(tokio::sync::mpsc::channel::<Frame>(0));
}
