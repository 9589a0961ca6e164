//! F3: a limit of the program's own must not fire before its time, neither in the task that is waited for nor anywhere else.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
    process::Command,
    select,
    sync::oneshot,
    time::{sleep, timeout},
};

use crate::{
    common::{ALL, Done, REAL_TIME, on},
    peers::{self, AT_ONCE, Owner, SLOW},
};

const LIMIT: Duration = Duration::from_secs(3);

async fn ask(peer: SocketAddr) -> bool {
    let answer = async {
        let mut stream = TcpStream::connect(peer).await?;
        stream.write_all(b"a").await?;
        stream.read_u8().await
    };
    timeout(LIMIT, answer).await.is_ok_and(|answer| answer.is_ok())
}

#[test]
fn f03_a_retry_with_a_limit_per_try() {
    on(ALL).ends(|| async {
        let peer = peers::tcp(SLOW);
        Done::when(async move {
            for _ in 0..10 {
                if ask(peer).await {
                    return true;
                }
            }
            false
        })
    });
}

#[test]
fn f03_a_scope_that_waits_for_an_answer() {
    on(REAL_TIME).ends(|| async {
        let peer = peers::tcp(SLOW);
        let scope = leakcheck::scope();
        let done = Done::when(ask(peer));
        scope.assert().await;
        assert!(done.is_set(), "the scope has waited for the answer");
        done
    });
}

/// A connection says good-bye, and is closed by force when the answer does not come in time.
#[test]
fn a_farewell_that_is_answered() {
    on(ALL).ends(|| async {
        let mut session = peers::unix(SLOW);
        Done::when(async move {
            session.write_all(b"q").await.expect("the peer reads");
            timeout(LIMIT, session.read_exact(&mut [0])).await.is_ok_and(|farewell| farewell.is_ok())
        })
    });
}

/// The datagram is sent again each second, five times at most.
#[test]
fn a_datagram_that_is_resent_until_it_is_answered() {
    on(ALL).ends(|| async {
        let peer = peers::udp(SLOW);
        Done::when(async move {
            let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
            socket.connect(peer).await.expect("an address");
            for _ in 0..5 {
                socket.send(b"a").await.expect("the peer is there");
                if timeout(Duration::from_secs(1), socket.recv(&mut [0; 16])).await.is_ok() {
                    return true;
                }
            }
            false
        })
    });
}

#[test]
fn a_thread_whose_answer_has_a_limit() {
    on(ALL).ends(|| async {
        let (send, answer) = oneshot::channel();
        std::thread::spawn(move || {
            std::thread::sleep(SLOW);
            // Nobody listens if the limit has fired.
            let _ = send.send(());
        });
        Done::when(async { timeout(LIMIT, answer).await.is_ok() })
    });
}

#[test]
fn a_child_that_is_killed_if_it_takes_too_long() {
    on(ALL).with_children().ends(|| async {
        Done::when(async {
            let mut convert = Command::new("sleep").arg("0.6").spawn().expect("the system starts it");
            select! {
                status = convert.wait() => status.is_ok_and(|status| status.success()),
                () = sleep(LIMIT) => {
                    convert.kill().await.expect("it can be killed");
                    false
                }
            }
        })
    });
}

/// When the pause begins, nothing outside is open.
#[test]
fn a_request_after_a_pause() {
    on(ALL).ends(|| async {
        let peer = peers::tcp(AT_ONCE);
        Done::when(async move {
            sleep(Duration::from_secs(1)).await;
            ask(peer).await
        })
    });
}

/// When the pause begins, the thread is at rest.
#[test]
fn a_question_to_an_idle_thread_after_a_pause() {
    on(ALL).ends(|| async {
        let owner = Owner::start(Duration::from_millis(50));
        Done::when(async move {
            sleep(Duration::from_secs(1)).await;
            timeout(LIMIT, owner.ask()).await.is_ok()
        })
    });
}

/// The thread begins when virtual time already runs.
#[test]
fn a_thread_started_after_a_pause() {
    on(ALL).ends(|| async {
        Done::when(async {
            sleep(Duration::from_secs(1)).await;
            let (send, answer) = oneshot::channel();
            std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(50));
                let _ = send.send(());
            });
            timeout(LIMIT, answer).await.is_ok()
        })
    });
}
