//! Peers on plain threads: their sockets are real and their time is real.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, UdpSocket},
    os::unix::net::UnixStream as StdUnixStream,
    sync::mpsc,
    thread,
    time::Duration,
};

use tokio::{net::UnixStream, sync::oneshot};

/// How long a healthy peer takes.
pub(crate) const AT_ONCE: Duration = Duration::from_millis(5);
/// How long a slow one takes: longer than the checker waits for nothing, far shorter than any limit here.
pub(crate) const SLOW: Duration = Duration::from_millis(600);

/// Answers each byte of each connection with the same byte, after a pause.
pub(crate) fn tcp(pause: Duration) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        for peer in listener.incoming().flatten() {
            thread::spawn(move || echo(peer, pause));
        }
    });
    address
}

/// The same over a Unix socket, whose other end is returned.
pub(crate) fn unix(pause: Duration) -> UnixStream {
    let (near, far) = StdUnixStream::pair().expect("a pair of sockets");
    thread::spawn(move || echo(far, pause));
    near.set_nonblocking(true).expect("a socket may be");
    UnixStream::from_std(near).expect("on a runtime")
}

fn echo(mut peer: impl Read + Write, pause: Duration) {
    let mut byte = [0];
    while peer.read(&mut byte).is_ok_and(|read| read > 0) {
        thread::sleep(pause);
        if peer.write_all(&byte).is_err() {
            break;
        }
    }
}

/// Says a byte now and then, for as long as somebody listens.
pub(crate) fn talker(every: Duration) -> UnixStream {
    let (near, mut far) = StdUnixStream::pair().expect("a pair of sockets");
    thread::spawn(move || {
        while far.write_all(b"b").is_ok() {
            thread::sleep(every);
        }
    });
    near.set_nonblocking(true).expect("a socket may be");
    UnixStream::from_std(near).expect("on a runtime")
}

/// Answers each datagram, after a pause.
pub(crate) fn udp(pause: Duration) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let address = socket.local_addr().expect("it is bound");
    thread::spawn(move || {
        let mut bytes = [0; 16];
        while let Ok((size, from)) = socket.recv_from(&mut bytes) {
            thread::sleep(pause);
            // The other side may have gone.
            let _ = socket.send_to(&bytes[..size], from);
        }
    });
    address
}

/// A thread that owns something and is asked by messages, as the thread of a synchronous database connection is. Between two
/// messages it waits without a limit.
#[derive(Clone)]
pub(crate) struct Owner(mpsc::Sender<oneshot::Sender<u8>>);

impl Owner {
    pub(crate) fn start(pause: Duration) -> Self {
        let (ask, asked) = mpsc::channel::<oneshot::Sender<u8>>();
        thread::spawn(move || {
            for answer in asked {
                thread::sleep(pause);
                // Whoever asked may have given up.
                let _ = answer.send(1);
            }
        });
        Self(ask)
    }

    pub(crate) async fn ask(&self) -> u8 {
        let (answer, answered) = oneshot::channel();
        self.0.send(answer).expect("the thread lives as long as this");
        answered.await.expect("the thread answers")
    }
}
