//! Sockets and pipes that both ends close.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, copy, copy_bidirectional, duplex, split},
    net::{TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixStream, lookup_host},
    task::JoinSet,
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::programs;

programs! {
    EVERYWHERE: [
        tcp_echo_both_closed,
        tcp_server_notices_the_client,
        tcp_client_notices_the_server,
        accept_loop_with_token,
        accept_loop_aborted,
        connections_outlive_the_accept_loop,
        proxy_ends_with_either_side,
        keep_alive_client_dropped,
        half_closed_upload,
        refused_connection,
        duplex_echo,
        duplex_split_halves,
        unix_stream_pair,
        unix_datagram_pair,
        udp_listener_with_token,
        name_looked_up,
    ],
    REAL_TIME: [idle_connection_timed_out],
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Sends back what it gets, until the other side closes.
async fn echo(mut stream: TcpStream) {
    let (mut reader, mut writer) = stream.split();
    // A peer that goes away is no error.
    let _ = copy(&mut reader, &mut writer).await;
}

async fn tcp_echo_both_closed() {
    let (listener, address) = listen().await;
    let server = tokio::spawn(async move { echo(listener.accept().await.unwrap().0).await });
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(b"ping").await.unwrap();
    let mut answer = [0; 4];
    client.read_exact(&mut answer).await.unwrap();
    drop(client);
    server.await.unwrap();
    assert_eq!(&answer, b"ping");
}

/// Nobody joins the server's task. The task ends when it reads the end of the stream, after the body.
async fn tcp_server_notices_the_client() {
    let (listener, address) = listen().await;
    let client = TcpStream::connect(address).await.unwrap();
    tokio::spawn(echo(listener.accept().await.unwrap().0));
    client.set_nodelay(true).unwrap();
}

async fn tcp_client_notices_the_server() {
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        let mut lines = BufReader::new(TcpStream::connect(address).await.unwrap()).lines();
        while let Ok(Some(_)) = lines.next_line().await {}
    });
    let (mut stream, _) = listener.accept().await.unwrap();
    stream.write_all(b"one\ntwo\n").await.unwrap();
}

/// Accepts until the token is cancelled, then waits for its connections.
async fn serve(listener: TcpListener, token: CancellationToken) {
    let connections = TaskTracker::new();
    loop {
        tokio::select! {
            () = token.cancelled() => break,
            Ok((stream, _)) = listener.accept() => drop(connections.spawn(echo(stream))),
        }
    }
    connections.close();
    connections.wait().await;
}

async fn accept_loop_with_token() {
    let (listener, address) = listen().await;
    let token = CancellationToken::new();
    let server = tokio::spawn(serve(listener, token.clone()));
    for _ in 0..3 {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(b"x").await.unwrap();
        assert_eq!(client.read_u8().await.unwrap(), b'x');
    }
    token.cancel();
    server.await.unwrap();
}

/// The connections are in a set of the loop's own, so they end with it.
async fn accept_loop_aborted() {
    let (listener, address) = listen().await;
    let server = tokio::spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            connections.spawn(echo(stream));
        }
    });
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(b"x").await.unwrap();
    assert_eq!(client.read_u8().await.unwrap(), b'x');
    server.abort();
    assert!(server.await.unwrap_err().is_cancelled());
    assert_eq!(client.read(&mut [0]).await.unwrap_or(0), 0);
}

/// The loop is over first; the connection ends with its client, at the end of the body.
async fn connections_outlive_the_accept_loop() {
    let (listener, address) = listen().await;
    let token = CancellationToken::new();
    tokio::spawn(serve(listener, token.clone()));
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(b"x").await.unwrap();
    assert_eq!(client.read_u8().await.unwrap(), b'x');
    token.cancel();
    client.write_all(b"y").await.unwrap();
    assert_eq!(client.read_u8().await.unwrap(), b'y');
}

async fn proxy_ends_with_either_side() {
    let (backend, backend_address) = listen().await;
    let (front, front_address) = listen().await;
    tokio::spawn(async move { echo(backend.accept().await.unwrap().0).await });
    tokio::spawn(async move {
        let (mut client, _) = front.accept().await.unwrap();
        let mut server = TcpStream::connect(backend_address).await.unwrap();
        copy_bidirectional(&mut client, &mut server).await.unwrap();
    });
    let mut client = TcpStream::connect(front_address).await.unwrap();
    client.write_all(b"through").await.unwrap();
    client.shutdown().await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, "through");
}

/// The connection stays open between two requests, and ends with the client that owns it.
async fn keep_alive_client_dropped() {
    let (listener, address) = listen().await;
    tokio::spawn(async move { echo(listener.accept().await.unwrap().0).await });
    let mut idle = Some(TcpStream::connect(address).await.unwrap());
    for request in 0..2 {
        let mut connection = idle.take().unwrap();
        connection.write_u8(request).await.unwrap();
        assert_eq!(connection.read_u8().await.unwrap(), request);
        idle = Some(connection);
    }
}

async fn half_closed_upload() {
    let (listener, address) = listen().await;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut body = Vec::new();
        stream.read_to_end(&mut body).await.unwrap();
        stream.write_u32(u32::try_from(body.len()).unwrap()).await.unwrap();
    });
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(&[0; 100_000]).await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(client.read_u32().await.unwrap(), 100_000);
    server.await.unwrap();
}

async fn refused_connection() {
    let (listener, address) = listen().await;
    drop(listener);
    let attempt = tokio::spawn(TcpStream::connect(address));
    assert!(attempt.await.unwrap().is_err());
}

async fn duplex_echo() {
    let (mut client, mut server) = duplex(8);
    tokio::spawn(async move {
        let mut bytes = [0; 8];
        while let Ok(1..) = server.read(&mut bytes).await {
            server.write_all(&bytes).await.unwrap();
        }
    });
    client.write_all(b"12345678").await.unwrap();
    let mut answer = [0; 8];
    client.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"12345678");
}

/// A pipe closes when both halves are gone; the writing half is shut down, so the reader need not wait for the other.
async fn duplex_split_halves() {
    let (near, mut far) = duplex(64);
    let (mut reader, mut writer) = split(near);
    let received = tokio::spawn(async move {
        let mut text = String::new();
        reader.read_to_string(&mut text).await.unwrap();
        text
    });
    writer.write_all(b"question").await.unwrap();
    writer.shutdown().await.unwrap();
    let mut question = String::new();
    far.read_to_string(&mut question).await.unwrap();
    far.write_all(b"answer").await.unwrap();
    drop(far);
    assert_eq!((question.as_str(), received.await.unwrap().as_str()), ("question", "answer"));
}

async fn unix_stream_pair() {
    let (mut client, mut server) = UnixStream::pair().unwrap();
    tokio::spawn(async move { while server.read_u8().await.is_ok() {} });
    client.write_all(b"some bytes").await.unwrap();
}

async fn unix_datagram_pair() {
    let (client, server) = UnixDatagram::pair().unwrap();
    let task = tokio::spawn(async move { server.recv(&mut [0; 16]).await.unwrap() });
    client.send(b"hello").await.unwrap();
    assert_eq!(task.await.unwrap(), 5);
}

/// A datagram socket has no end of its own: only the token ends the listener.
async fn udp_listener_with_token() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let token = CancellationToken::new();
    let guard = token.clone().drop_guard();
    tokio::spawn(token.run_until_cancelled_owned(async move {
        let mut packet = [0; 16];
        while let Ok((length, sender)) = socket.recv_from(&mut packet).await {
            socket.send_to(&packet[..length], sender).await.unwrap();
        }
    }));
    let client = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    client.send_to(b"ping", address).await.unwrap();
    assert_eq!(client.recv(&mut [0; 16]).await.unwrap(), 4);
    drop(guard);
}

/// Resolves in the blocking pool, without a name server.
async fn name_looked_up() {
    let found = tokio::spawn(async { lookup_host("localhost:80").await.map(Iterator::count) });
    assert!(found.await.unwrap().unwrap() > 0);
}

/// The server closes what is silent for 100 ms, after the body.
async fn idle_connection_timed_out() {
    let (mut client, mut server) = UnixStream::pair().unwrap();
    tokio::spawn(async move {
        let idle = Duration::from_millis(100);
        while let Ok(Ok(_)) = timeout(idle, server.read_u8()).await {}
    });
    tokio::spawn(async move { client.read(&mut [0]).await });
}
