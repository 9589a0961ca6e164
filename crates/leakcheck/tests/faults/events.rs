//! F7: an event from outside comes a little later than the checker waits for nothing, and ends the task.

use std::{future::pending, sync::mpsc as std_mpsc, thread, time::Duration};

use leakcheck::Checker;
use tokio::{
    io::AsyncReadExt,
    net::TcpStream,
    process::Command,
    runtime::{Builder, Handle},
    sync::{mpsc, oneshot},
    task::spawn_blocking,
    time::sleep,
};

use crate::{
    common::{ALL, Done, REAL_TIME, on},
    peers::{self, SLOW},
};

#[test]
fn f07_a_child() {
    on(ALL).with_children().ends(|| async {
        Done::when(async { Command::new("sleep").arg("0.6").status().await.is_ok_and(|status| status.success()) })
    });
}

#[test]
fn f07_a_child_in_spawn_blocking() {
    on(ALL).with_children().ends(|| async {
        let done = Done::default();
        let told = done.clone();
        spawn_blocking(move || {
            let status = std::process::Command::new("sleep").arg("0.6").status();
            assert!(status.expect("the system starts it").success());
            told.set();
        });
        done
    });
}

#[test]
fn f07_an_answer_from_a_thread() {
    on(ALL).ends(|| async {
        let (send, answer) = oneshot::channel();
        thread::spawn(move || {
            thread::sleep(SLOW);
            // Nobody listens after a verdict that came too early.
            let _ = send.send(1);
        });
        Done::when(async { answer.await.is_ok() })
    });
}

/// Its pipes are open as well.
#[test]
fn the_output_of_a_child() {
    on(ALL).with_children().ends(|| async {
        Done::when(async {
            let output = Command::new("sh").args(["-c", "sleep 0.6; echo done"]).output().await;
            output.is_ok_and(|output| output.stdout == b"done\n")
        })
    });
}

#[test]
fn an_answer_over_a_socket() {
    on(ALL).ends(|| async {
        let peer = peers::tcp(SLOW);
        Done::when(async move {
            let mut stream = TcpStream::connect(peer).await.expect("it listens");
            stream.try_write(b"a").expect("there is room");
            stream.read_u8().await.is_ok()
        })
    });
}

/// The thread makes progress, a line at a time.
#[test]
fn lines_from_a_thread() {
    on(ALL).ends(|| async {
        let (lines, mut inbox) = mpsc::channel(1);
        thread::spawn(move || {
            for line in 0..10 {
                thread::sleep(Duration::from_millis(100));
                if lines.blocking_send(line).is_err() {
                    return;
                }
            }
        });
        Done::when(async move {
            let mut count = 0;
            while inbox.recv().await.is_some() {
                count += 1;
            }
            count == 10
        })
    });
}

/// A library whose thread drives a runtime of its own, as blocking HTTP clients have.
#[test]
fn an_answer_from_another_runtime() {
    on(ALL).ends(|| async {
        let (send, answer) = oneshot::channel();
        thread::spawn(move || {
            let library = Builder::new_current_thread().enable_all().build().expect("a runtime");
            library.block_on(async { sleep(SLOW).await });
            // Nobody listens after a verdict that came too early.
            let _ = send.send(1);
        });
        Done::when(async { answer.await.is_ok() })
    });
}

/// The task waits for a thread that waits without a limit for one that sleeps.
#[test]
fn an_answer_that_comes_through_two_threads() {
    on(ALL).ends(|| async {
        let ((first, second), (send, answer)) = (std_mpsc::channel(), oneshot::channel());
        thread::spawn(move || {
            thread::sleep(SLOW);
            first.send(1)
        });
        thread::spawn(move || {
            let number = second.recv().expect("the first thread sends");
            // Nobody listens after a verdict that came too early.
            let _ = send.send(number);
        });
        Done::when(async { answer.await.is_ok() })
    });
}

/// A synchronous client on a thread waits for its socket without a limit.
#[test]
fn an_answer_that_a_thread_reads_from_a_socket() {
    on(ALL).ends(|| async {
        let (peer, (send, answer)) = (peers::tcp(SLOW), oneshot::channel());
        thread::spawn(move || {
            use std::io::{Read, Write};
            let mut stream = std::net::TcpStream::connect(peer).expect("it listens");
            stream.write_all(b"a").expect("there is room");
            stream.read_exact(&mut [0]).expect("the peer answers");
            // Nobody listens after a verdict that came too early.
            let _ = send.send(1);
        });
        Done::when(async { answer.await.is_ok() })
    });
}

/// The thread's future sleeps on this runtime's clock. When the clock has moved, the thread still has to run.
#[test]
fn a_thread_that_blocks_on_this_runtimes_timer() {
    on(REAL_TIME).ends(|| async {
        let (handle, (send, answer)) = (Handle::current(), oneshot::channel());
        thread::spawn(move || {
            handle.block_on(async { sleep(SLOW).await });
            // Nobody listens after a verdict that came too early.
            let _ = send.send(1);
        });
        Done::when(async { answer.await.is_ok() })
    });
}

/// No descriptor tells of this child, and no thread waits for it.
#[test]
fn a_child_that_is_looked_at_again_and_again() {
    on(ALL).with_children().ends(|| async {
        Done::when(async {
            // Begun when virtual time may already pass.
            sleep(Duration::from_secs(1)).await;
            let mut convert = std::process::Command::new("sleep").arg("0.6").spawn().expect("the system starts it");
            for _ in 0..40 {
                if convert.try_wait().is_ok_and(|status| status.is_some()) {
                    return true;
                }
                sleep(Duration::from_millis(50)).await;
            }
            convert.kill().expect("it can be killed");
            drop(convert.wait());
            false
        })
    });
}

/// Two seconds are less than the six that an event from outside has.
#[test]
fn a_child_of_two_seconds() {
    on(ALL).with_children().ends(|| async {
        Done::when(async { Command::new("sleep").arg("2").status().await.is_ok_and(|status| status.success()) })
    });
}

/// Nothing is outside, so nothing is waited for, and the report says which setting gives more time.
#[test]
fn a_report_says_how_long_it_waited_and_what_gives_more() {
    for checker in [Checker::current_thread(), Checker::multi_thread(2)] {
        let found = checker.find(|| async { drop(tokio::spawn(pending::<()>())) });
        let text = found.report.to_string();
        assert!(text.contains("waited") && text.contains("settle"), "{text}");
    }
}
