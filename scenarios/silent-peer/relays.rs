//! When a relay between two TCP connections ends, by what copies and by who is silent, as a table.
//!
//! Run it: `cargo run --example silent-peer-relays`

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy, copy_bidirectional},
    net::{TcpListener, TcpStream},
    time::timeout,
};

/// The other half may go on for so long after the first has ended.
const LINGER: Duration = Duration::from_secs(1);
/// What is open by then waits for ever.
const LONG: Duration = Duration::from_secs(6);

#[tokio::main]
async fn main() -> io::Result<()> {
    print!("{}", table().await?);
    Ok(())
}

async fn table() -> io::Result<String> {
    let head = "| what copies | the answer to a client that has closed its half | the relay, if no answer comes | the relay, if both are silent |";
    let mut table = format!("{head}\n|---|---|---|---|\n");
    table += &row("`copy_bidirectional`", async |mut a, mut b| {
        copy_bidirectional(&mut a, &mut b).await.map(drop)
    })
    .await?;
    table += &row("`select!` over two copies", either).await?;
    table +=
        &row("two copies, and a limit on the second half", linger)
            .await?;
    Ok(table)
}

async fn row(
    name: &str,
    relay: impl AsyncFn(TcpStream, TcpStream) -> io::Result<()>,
) -> io::Result<String> {
    let (answered, silent, idle) = tokio::try_join!(
        run(&relay, true, true),
        run(&relay, true, false),
        run(&relay, false, false),
    )?;
    let got = if answered.0 { "comes" } else { "is lost" };
    let ends = |(_, ended)| if ended { "ends" } else { "waits" };
    Ok(format!(
        "| {name} | {got} | {} | {} |\n",
        ends(silent),
        ends(idle)
    ))
}

/// Whether the answer came, and whether the relay ended.
async fn run(
    relay: impl AsyncFn(TcpStream, TcpStream) -> io::Result<()>,
    half_closes: bool,
    answers: bool,
) -> io::Result<(bool, bool)> {
    let (mut client, near) = pair().await?;
    let (far, mut server) = pair().await?;
    let talk = async {
        client.write_all(b"a question").await?;
        if half_closes {
            client.shutdown().await?;
        }
        let mut answer = String::new();
        let got = timeout(LONG, client.read_to_string(&mut answer));
        let _ = got.await;
        Ok::<_, io::Error>(answer == "an answer")
    };
    let serve = async {
        let mut question = [0; 64];
        while server.read(&mut question).await? > 0 {}
        if answers {
            server.write_all(b"an answer").await?;
            server.shutdown().await?;
        }
        Ok::<_, io::Error>(())
    };
    let relay = async {
        let ended = timeout(LONG, relay(near, far)).await;
        Ok::<_, io::Error>(ended.is_ok())
    };
    // Where nobody hangs up, the server reads on.
    let serve = async { Ok(timeout(LONG, serve).await.is_ok()) };
    let (got, _, ended) = tokio::try_join!(talk, serve, relay)?;
    Ok((got, ended))
}

async fn pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let here = TcpStream::connect(listener.local_addr()?).await?;
    Ok((here, listener.accept().await?.0))
}

/// Ends both directions when one has ended.
async fn either(
    mut a: TcpStream,
    mut b: TcpStream,
) -> io::Result<()> {
    let (mut from_a, mut to_a) = a.split();
    let (mut from_b, mut to_b) = b.split();
    tokio::select! {
        there = copy(&mut from_a, &mut to_b) => there.map(drop),
        back = copy(&mut from_b, &mut to_a) => back.map(drop),
    }
}

// ANCHOR: linger
/// Hands an end of data on, and then limits the other direction.
async fn linger(
    mut a: TcpStream,
    mut b: TcpStream,
) -> io::Result<()> {
    let (mut from_a, mut to_a) = a.split();
    let (mut from_b, mut to_b) = b.split();
    let there = async {
        copy(&mut from_a, &mut to_b).await?;
        to_b.shutdown().await
    };
    let back = async {
        copy(&mut from_b, &mut to_a).await?;
        to_a.shutdown().await
    };
    tokio::pin!(there, back);
    let rest = tokio::select! {
        there = &mut there => { there?; timeout(LINGER, back).await }
        back = &mut back => { back?; timeout(LINGER, there).await }
    };
    rest.unwrap_or_else(|late| Err(late.into()))
}
// ANCHOR_END: linger

#[tokio::test]
async fn the_page_shows_what_this_program_prints() {
    let table = table().await.unwrap();
    assert_eq!(table, include_str!("relays.md"));
}
