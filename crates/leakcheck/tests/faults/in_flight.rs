//! F4: what is on its way to a living task when the body ends. The task is allowed, and what it spawns next is not.

use std::{future::pending, mem::forget, sync::Arc};

use leakcheck::daemon;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UdpSocket},
    sync::{Semaphore, mpsc, watch},
    task::yield_now,
};

use crate::common::{ALL, Done, on};

#[test]
fn f04_a_message_to_a_daemon() {
    const SPAWN: u32 = line!() + 6;
    on(ALL).leaks(&[(SPAWN, 1)], || async {
        let (send, mut inbox) = mpsc::channel::<u32>(1);
        daemon("hub", || {
            tokio::spawn(async move {
                while inbox.recv().await.is_some() {
                    tokio::spawn(pending::<()>());
                }
            })
        });
        send.try_send(1).expect("there is room");
        forget(send);
    });
}

#[test]
fn f04_a_connection_to_a_server() {
    const SPAWN: u32 = line!() + 7;
    on(ALL).scope_finds(&[(SPAWN, 1)], || async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        daemon("server", || {
            tokio::spawn(async move {
                while let Ok((mut peer, _)) = listener.accept().await {
                    tokio::spawn(async move { while peer.read(&mut [0; 64]).await.is_ok_and(|read| read > 0) {} });
                }
            })
        });
        let scope = leakcheck::scope();
        let mut peer = TcpStream::connect(address).await.expect("it listens");
        peer.write_all(b"half").await.expect("there is room");
        let report = scope.find().await;
        drop(peer);
        report
    });
}

/// Each hop is a poll of another task.
#[test]
fn a_message_that_goes_through_twenty_tasks() {
    const SPAWN: u32 = line!() + 9;
    on(ALL).leaks(&[(SPAWN, 1)], || async {
        let mut next: Option<mpsc::Sender<()>> = None;
        for _ in 0..20 {
            let ((send, mut inbox), to) = (mpsc::channel(1), next.take());
            let hop = async move {
                while inbox.recv().await.is_some() {
                    match &to {
                        Some(to) => to.send(()).await.expect("the next one lives"),
                        None => drop(tokio::spawn(pending::<()>())),
                    }
                }
            };
            daemon("hop", || tokio::spawn(hop));
            next = Some(send);
        }
        let first = next.expect("there are twenty");
        first.try_send(()).expect("there is room");
        forget(first);
    });
}

#[test]
fn a_new_value_in_a_watch() {
    const SPAWN: u32 = line!() + 6;
    on(ALL).leaks(&[(SPAWN, 1)], || async {
        let (config, mut seen) = watch::channel(0);
        daemon("reload", || {
            tokio::spawn(async move {
                while seen.changed().await.is_ok() {
                    tokio::spawn(pending::<()>());
                }
            })
        });
        config.send_replace(1);
        forget(config);
    });
}

/// The body's last act is a drop, as with every connection of a pool.
#[test]
fn a_connection_that_goes_back_to_its_pool() {
    struct Pooled(mpsc::Sender<u32>);
    impl Drop for Pooled {
        fn drop(&mut self) {
            self.0.try_send(1).expect("the pool has room");
        }
    }
    const SPAWN: u32 = line!() + 7;
    on(ALL).leaks(&[(SPAWN, 1)], || async {
        let (send, mut returned) = mpsc::channel(1);
        forget(send.clone());
        daemon("pool", || {
            tokio::spawn(async move {
                while returned.recv().await.is_some() {
                    tokio::spawn(pending::<()>());
                }
            })
        });
        let _connection = Pooled(send);
    });
}

#[test]
fn a_permit_that_is_given_back() {
    const SPAWN: u32 = line!() + 8;
    on(ALL).leaks(&[(SPAWN, 1)], || async {
        let slots = Arc::new(Semaphore::new(1));
        let permit = slots.clone().acquire_owned().await.expect("it is open");
        daemon("queue", || {
            tokio::spawn(async move {
                loop {
                    slots.acquire().await.expect("it is open").forget();
                    tokio::spawn(pending::<()>());
                }
            })
        });
        yield_now().await;
        drop(permit);
    });
}

/// It is in the kernel when the body ends.
#[test]
fn a_datagram_to_a_server() {
    const SPAWN: u32 = line!() + 7;
    on(ALL).leaks(&[(SPAWN, 1)], || async {
        let server = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
        let address = server.local_addr().expect("it is bound");
        daemon("server", || {
            tokio::spawn(async move {
                while server.recv_from(&mut [0; 16]).await.is_ok() {
                    tokio::spawn(pending::<()>());
                }
            })
        });
        let client = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
        client.send_to(b"a job", address).await.expect("it is sent");
    });
}

/// The server reads all that was sent, then the end, and only then cleans up.
#[test]
fn a_client_that_hangs_up() {
    const SPAWN: u32 = line!() + 8;
    on(ALL).leaks(&[(SPAWN, 1)], || async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        daemon("server", || {
            tokio::spawn(async move {
                while let Ok((mut peer, _)) = listener.accept().await {
                    while peer.read(&mut [0; 2]).await.is_ok_and(|read| read > 0) {}
                    tokio::spawn(pending::<()>());
                }
            })
        });
        let mut client = TcpStream::connect(address).await.expect("it listens");
        client.write_all(b"some words").await.expect("there is room");
    });
}

/// Between the message and the spawn the daemon works for a while.
#[test]
fn a_daemon_that_yields_before_it_spawns() {
    const SPAWN: u32 = line!() + 9;
    on(ALL).leaks(&[(SPAWN, 1)], || async {
        let (send, mut inbox) = mpsc::channel::<u32>(1);
        daemon("hub", || {
            tokio::spawn(async move {
                while inbox.recv().await.is_some() {
                    for _ in 0..100 {
                        yield_now().await;
                    }
                    tokio::spawn(pending::<()>());
                }
            })
        });
        send.try_send(1).expect("there is room");
        forget(send);
    });
}

/// Nothing leaks here: the last line of a log has to be written before the runtime goes.
#[test]
fn a_daemons_last_message_is_handled() {
    on(ALL).ends(|| async {
        let (lines, mut inbox) = mpsc::channel(1);
        let done = Done::default();
        let told = done.clone();
        daemon("log", || {
            tokio::spawn(async move {
                while inbox.recv().await.is_some() {
                    told.set();
                }
            })
        });
        lines.try_send("the last line").expect("there is room");
        forget(lines);
        done
    });
}
