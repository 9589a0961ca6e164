//! What a hostile peer sends buys at most a stated multiple of its own bytes in memory.

use std::alloc::System;

use resp::{
    BULK_MAX, FRAME_MAX, Framer, ITEMS_MAX, MEMORY_FACTOR, Speaks,
    decode,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static COUNTED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// First allocations of open arrays, and the framer's own.
const CONSTANT: usize = 64 * 1024;

/// All that is allocated, whether or not it is given back: more than what is ever held at once.
fn allocated(work: impl FnOnce()) -> usize {
    let region = Region::new(COUNTED);
    work();
    region.change().bytes_allocated
}

/// One test, and so one thread: the allocator counts for the process.
/// Inputs that claim more than they bring, by what they are.
fn inputs() -> [(&'static str, Vec<u8>); 7] {
    let whole = FRAME_MAX / 4;
    let claim = |text: String, bytes: &[u8]| {
        [text.as_bytes(), bytes].concat()
    };
    [
        (
            "a claim of a long bulk string",
            claim(format!("${BULK_MAX}\r\n"), b""),
        ),
        (
            "claims of many items, nested",
            claim(
                String::new(),
                &format!("*{ITEMS_MAX}\r\n").repeat(32).into_bytes(),
            ),
        ),
        (
            "empty arrays",
            claim(
                format!("*{}\r\n", whole - 8),
                &b"*0\r\n".repeat(whole - 8),
            ),
        ),
        (
            "empty arrays, one missing",
            claim(
                format!("*{}\r\n", whole - 8),
                &b"*0\r\n".repeat(whole - 9),
            ),
        ),
        (
            "arrays of one",
            claim(
                "*100000\r\n".to_owned(),
                &b"*1\r\n:1\r\n".repeat(100_000),
            ),
        ),
        (
            "arrays of many claims",
            claim(
                format!("*{}\r\n", whole / 4),
                &b"*9999\r\n".repeat(whole / 8),
            ),
        ),
        ("a line without an end", vec![b'+'; 3 * FRAME_MAX]),
    ]
}

#[test]
fn memory_is_bounded_by_what_was_received() {
    for (name, input) in inputs() {
        let limit = MEMORY_FACTOR * input.len() + CONSTANT;
        let slice = allocated(|| drop(decode(&input)));
        assert!(
            slice <= limit,
            "{name}: {slice} bytes for {} from the slice, stated {limit}",
            input.len()
        );
        // The framer also keeps the bytes, in a buffer that doubles.
        let limit = limit + 2 * input.len();
        let pieces = allocated(|| {
            let mut framer = Framer::new(Speaks::Replies);
            for piece in input.chunks(4096) {
                framer.push(piece);
                if !matches!(framer.next_frame(), Ok(None)) {
                    break;
                }
            }
        });
        assert!(
            pieces <= limit,
            "{name}: {pieces} bytes for {} in pieces, stated {limit}",
            input.len()
        );
    }
}
