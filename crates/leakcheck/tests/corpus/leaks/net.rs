//! A socket, a pipe or a process whose other side stays silent. No deadline guards the wait.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, copy, copy_bidirectional, duplex, split};
use tokio::net::{TcpListener, TcpStream, UdpSocket, UnixStream};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

use super::{Leak, in_this_file, keep, leak};

pub(super) fn all() -> impl Iterator<Item = Leak> {
    in_this_file!(
        "net.rs",
        [
            leak!(accepts_for_ever, "denoland/deno#35136", 1),
            leak!(reads_from_a_silent_peer, "actix/actix-net#392", 1),
            leak!(serves_a_connection_per_silent_peer, "dsx-ai-factory/infra-controller#5712", 4),
            leak!(writes_to_a_peer_that_does_not_read, "actix/actix-web#2441", 1),
            leak!(reads_datagrams_for_ever, "class: silent peer", 1),
            leak!(reads_a_unix_socket_without_an_end, "class: silent peer", 1),
            leak!(reads_lines_of_a_pipe_without_an_end, "linkerd/linkerd2-proxy#463", 1),
            leak!(fills_a_pipe_nobody_reads, "class: silent peer", 1),
            leak!(joins_two_copies_and_one_side_is_quiet, "linkerd/linkerd2-proxy#463", 1),
            leak!(copies_both_ways_and_one_side_is_quiet, "rathole-org/rathole#470", 1),
            leak!(the_write_half_in_a_task_keeps_the_pipe_open, "tokio-rs/axum#1507", 1),
            leak!(waits_for_a_child_process, "vercel/turborepo#8854", 1),
            leak!(waits_for_a_signal, "class: signal waiter", 1),
        ]
    )
}

async fn connected() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
    (client.expect("the listener accepts"), accepted.expect("the client connects").0)
}

async fn accepts_for_ever() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move { while listener.accept().await.is_ok() {} }); // LEAK
    TcpStream::connect(address).await.expect("the task accepts");
}

async fn reads_from_a_silent_peer() {
    let (peer, mut server) = connected().await;
    let handshake = async move { server.read_exact(&mut [0; 4]).await };
    tokio::spawn(handshake); // LEAK
    keep(peer);
}

async fn serves_a_connection_per_silent_peer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let (served, mut serving) = tokio::sync::mpsc::channel(3);
    let serve = async move {
        while let Ok((mut peer, _)) = listener.accept().await {
            tokio::spawn(async move { peer.read_u8().await }); // LEAK x3
            served.send(()).await.expect("the body counts");
        }
    };
    tokio::spawn(serve); // LEAK
    for _ in 0..3 {
        keep(TcpStream::connect(address).await.expect("the task accepts"));
        serving.recv().await.expect("the task serves");
    }
    keep(serving);
}

async fn writes_to_a_peer_that_does_not_read() {
    let (peer, mut server) = connected().await;
    let response = async move { while server.write_all(&[0; 1 << 16]).await.is_ok() {} };
    tokio::spawn(response); // LEAK
    keep(peer);
}

async fn reads_datagrams_for_ever() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
    let receive = async move { while socket.recv(&mut [0; 16]).await.is_ok() {} };
    tokio::spawn(receive); // LEAK
}

async fn reads_a_unix_socket_without_an_end() {
    let (session, mut server) = UnixStream::pair().expect("a pair of sockets");
    let read = async move { server.read_to_end(&mut Vec::new()).await };
    tokio::spawn(read); // LEAK
    keep(session);
}

async fn reads_lines_of_a_pipe_without_an_end() {
    let (mut client, server) = duplex(64);
    let read = async move {
        let mut lines = BufReader::new(server).lines();
        while let Ok(Some(_)) = lines.next_line().await {}
    };
    tokio::spawn(read); // LEAK
    client.write_all(b"one line\nhalf a line").await.expect("there is room");
    keep(client);
}

async fn fills_a_pipe_nobody_reads() {
    let (mut process, terminal) = duplex(8);
    tokio::spawn(async move { process.write_all(&[0; 64]).await }); // LEAK
    keep(terminal);
}

/// One side hangs up. The other copy still waits for a side that is quiet.
async fn joins_two_copies_and_one_side_is_quiet() {
    let ((client, left), (server, right)) = (duplex(8), duplex(8));
    let proxy = async move {
        let (mut from_client, mut to_client) = split(left);
        let (mut from_server, mut to_server) = split(right);
        tokio::join!(copy(&mut from_client, &mut to_server), copy(&mut from_server, &mut to_client))
    };
    tokio::spawn(proxy); // LEAK
    drop(client);
    keep(server);
}

async fn copies_both_ways_and_one_side_is_quiet() {
    let ((client, mut left), (server, mut right)) = (connected().await, connected().await);
    let proxy = async move { copy_bidirectional(&mut left, &mut right).await };
    tokio::spawn(proxy); // LEAK
    drop(client);
    keep(server);
}

/// The reader waits for the end of its own pipe, and it holds the half that would have to go.
async fn the_write_half_in_a_task_keeps_the_pipe_open() {
    let (read, write) = tokio::net::unix::pipe::pipe().map(|(write, read)| (read, write)).expect("a pipe");
    let chat = async move {
        let mut read = read;
        let end = read.read_to_end(&mut Vec::new()).await;
        drop(write);
        end
    };
    tokio::spawn(chat); // LEAK
}

/// The process ends with the task that holds its input, at the latest when the runtime is dropped.
async fn waits_for_a_child_process() {
    let mut build = Command::new("cat").stdin(Stdio::piped()).kill_on_drop(true).spawn().expect("there is a cat");
    let input = build.stdin.take().expect("it is piped");
    let wait = async move {
        let ended = build.wait().await;
        drop(input);
        ended
    };
    tokio::spawn(wait); // LEAK
}

async fn waits_for_a_signal() {
    let mut reload = signal(SignalKind::user_defined2()).expect("it may be handled");
    tokio::spawn(async move { while reload.recv().await.is_some() {} }); // LEAK
}
