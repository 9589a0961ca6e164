//! F2: a leaked connection with a heartbeat. Its peer is healthy and lives in real time, so the heartbeat's own limit never
//! ends the task; a clock that runs ahead does.

use std::{net::SocketAddr, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
    process::Command,
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};

use crate::{
    common::{ALL, on},
    peers::{self, AT_ONCE, Owner},
};

const PING: Duration = Duration::from_secs(2);
const LIMIT: Duration = Duration::from_secs(4);

#[test]
fn f02_a_connection_that_is_pinged() {
    const SPAWN: u32 = line!() + 3;
    on(ALL).leaks(&[(SPAWN, 1)], || async {
        let mut stream = TcpStream::connect(peers::tcp(AT_ONCE)).await.expect("it listens");
        tokio::spawn(async move {
            let (mut ping, mut byte) = (interval(PING), [0]);
            loop {
                ping.tick().await;
                stream.write_all(b"p").await.expect("the peer reads");
                if timeout(LIMIT, stream.read_exact(&mut byte)).await.is_err() {
                    return;
                }
            }
        });
    });
}

#[test]
fn a_session_over_udp() {
    const SPAWN: u32 = line!() + 4;
    on(ALL).leaks(&[(SPAWN, 1)], || async {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
        socket.connect(peers::udp(AT_ONCE)).await.expect("an address");
        tokio::spawn(async move {
            loop {
                socket.send(b"keep").await.expect("the peer is there");
                if timeout(LIMIT, socket.recv(&mut [0; 16])).await.is_err() {
                    return;
                }
                sleep(PING).await;
            }
        });
    });
}

/// Two tasks with a time between them: when the last answer came.
#[test]
fn a_reader_and_a_keeper() {
    const READER: u32 = line!() + 5;
    const KEEPER: u32 = READER + 8;
    on(ALL).leaks(&[(READER, 1), (KEEPER, 1)], || async {
        let (mut reader, mut writer) = peers::unix(AT_ONCE).into_split();
        let (pongs, mut inbox) = mpsc::channel(1);
        tokio::spawn(async move {
            let mut byte = [0];
            while reader.read_exact(&mut byte).await.is_ok() {
                if pongs.send(Instant::now()).await.is_err() {
                    return;
                }
            }
        });
        tokio::spawn(async move {
            let mut ping = interval(PING);
            ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut last = Instant::now();
            while last.elapsed() < LIMIT {
                ping.tick().await;
                while let Ok(pong) = inbox.try_recv() {
                    last = pong;
                }
                if writer.write_all(b"p").await.is_err() {
                    return;
                }
            }
        });
    });
}

/// The server speaks, and the client gives up when it is silent for long.
#[test]
fn a_subscription_with_an_idle_limit() {
    const SPAWN: u32 = line!() + 3;
    on(ALL).leaks(&[(SPAWN, 1)], || async {
        let mut events = peers::talker(Duration::from_millis(300));
        tokio::spawn(async move { while let Ok(Ok(1..)) = timeout(LIMIT, events.read(&mut [0; 16])).await {} });
    });
}

#[test]
fn a_helper_process_that_is_pinged_through_its_pipes() {
    const SPAWN: u32 = line!() + 5;
    on(ALL).with_children().leaks(&[(SPAWN, 1)], || async {
        let mut helper = Command::new("cat");
        let mut helper = helper.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn().expect("a cat");
        let (mut input, mut output) = (helper.stdin.take().expect("piped"), helper.stdout.take().expect("piped"));
        tokio::spawn(async move {
            let (_helper, mut byte) = (helper, [0]);
            loop {
                input.write_all(b"p").await.expect("the helper reads");
                if timeout(LIMIT, output.read_exact(&mut byte)).await.is_err() {
                    return;
                }
                sleep(PING).await;
            }
        });
    });
}

/// No socket is open between two looks: each opens its own.
#[test]
fn a_health_check_that_connects_anew_each_time() {
    async fn is_well(address: SocketAddr) -> bool {
        let ask = async {
            let mut stream = TcpStream::connect(address).await?;
            stream.write_all(b"p").await?;
            stream.read_u8().await
        };
        timeout(LIMIT, ask).await.is_ok_and(|answer| answer.is_ok())
    }
    const SPAWN: u32 = line!() + 3;
    on(ALL).leaks(&[(SPAWN, 1)], || async {
        let address = peers::tcp(AT_ONCE);
        tokio::spawn(async move {
            while is_well(address).await {
                sleep(PING).await;
            }
        });
    });
}

/// Nothing is open at all: the other side is a thread that is at rest between two questions.
#[test]
fn a_watchdog_of_a_thread_that_owns_a_database() {
    const SPAWN: u32 = line!() + 3;
    on(ALL).leaks(&[(SPAWN, 1)], || async {
        let owner = Owner::start(AT_ONCE);
        tokio::spawn(async move {
            while timeout(LIMIT, owner.ask()).await.is_ok() {
                sleep(PING).await;
            }
        });
    });
}
