//! The ways to parse one command, for the benchmark and for the count of allocations.

use std::{hint::black_box, io::Cursor};

use resp::{End, Frame, Frames, borrow_command, decode_command};
use tokio::{
    runtime::{Builder, Runtime},
    sync::mpsc,
};

/// What redis-benchmark sends for `SET`.
const COMMAND: &[u8] =
    b"*3\r\n$3\r\nSET\r\n$16\r\nkey:000000000042\r\n$3\r\nxxx\r\n";

/// A name, and what parses the command that many times.
pub(crate) type Way = (&'static str, Box<dyn FnMut(u32)>);

/// All of them; the order is that of the table.
pub(crate) fn all() -> [Way; 5] {
    let workers = Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .expect("a runtime");
    let alone =
        Builder::new_current_thread().build().expect("a runtime");
    [
        (
            "in place, borrowed: the fix",
            Box::new(|times| (0..times).for_each(|_| borrowed())),
        ),
        (
            "in place, owned",
            Box::new(|times| (0..times).for_each(|_| owned())),
        ),
        (
            "in place, owned, by `redis-protocol`",
            Box::new(|times| (0..times).for_each(|_| theirs())),
        ),
        (
            "by a task, `current_thread`",
            Box::new(move |times| by_task(&alone, times)),
        ),
        (
            "by a task, two workers",
            Box::new(move |times| by_task(&workers, times)),
        ),
    ]
}

/// Every word is looked at.
fn borrowed() {
    let found =
        borrow_command(black_box(COMMAND)).expect("a command");
    let (words, _) = found.expect("all of it");
    words.for_each(|word| drop(black_box(word)));
}

fn owned() {
    black_box(decode_command(black_box(COMMAND)))
        .expect("a command")
        .expect("all of it");
}

fn theirs() {
    black_box(redis_protocol::resp2::decode::decode(black_box(
        COMMAND,
    )))
    .expect("a command")
    .expect("all of it");
}

/// Inside one task of the runtime, as a server does it.
fn by_task(runtime: &Runtime, times: u32) {
    let all = async move {
        for _ in 0..times {
            let mut commands =
                parse(Cursor::new(black_box(COMMAND).to_vec()));
            black_box(commands.recv().await)
                .expect("a parser")
                .expect("a command");
        }
    };
    runtime.block_on(async {
        tokio::spawn(all).await.expect("no panic")
    });
}

/// As in `port.rs`. The parser sends; the caller receives, and may drop it.
fn parse(
    source: Cursor<Vec<u8>>,
) -> mpsc::Receiver<Result<Frame, End>> {
    let (tx, rx) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut commands = Frames::commands(source);
        loop {
            let command = commands.next().await;
            let ended = command.is_err();
            if tx.send(command).await.is_err() || ended {
                return;
            }
        }
    });
    rx
}
