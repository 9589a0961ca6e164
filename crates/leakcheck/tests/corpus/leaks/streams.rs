//! A stream that does not end, or one whose members are not polled.

use std::future::{pending, ready};
use std::time::Duration;

use futures_util::stream::{self, FuturesUnordered, StreamExt};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::time::interval;

use super::{Leak, in_this_file, keep, leak};

pub(super) fn all() -> impl Iterator<Item = Leak> {
    in_this_file!(
        "streams.rs",
        [
            leak!(folds_a_stream_that_never_ends, "64bit/async-openai#576", 1),
            leak!(drains_unordered_futures_with_one_that_hangs, "class: foreign future", 1),
            leak!(buffers_behind_the_first_that_hangs, "class: foreign future", 1),
            leak!(handles_each_item_and_one_hangs, "class: foreign future", 1),
            leak!(zips_with_a_stream_that_stopped, "class: foreign future", 1),
            leak!(chains_behind_a_stream_that_never_ends, "class: foreign future", 1),
            leak!(takes_until_a_signal_that_never_comes, "tokio-rs/axum#2673", 1),
            leak!(unfolds_a_receiver_whose_sender_stays, "tokio-rs/mini-redis#63", 1),
            leak!(forwards_a_lagging_broadcast_to_nobody, "quickwit-oss/quickwit#367", 1),
            leak!(repeats_a_ticker_as_a_stream, "class: live", 1),
        ]
    )
}

async fn folds_a_stream_that_never_ends() {
    let events = stream::iter(0..3).chain(stream::pending());
    tokio::spawn(events.fold(0, |sum, event| ready(sum + event))); // LEAK
}

async fn drains_unordered_futures_with_one_that_hangs() {
    let calls = (0..4).map(|call| async move {
        if call == 2 {
            pending::<()>().await;
        }
    });
    let calls: FuturesUnordered<_> = calls.collect();
    tokio::spawn(calls.count()); // LEAK
}

async fn buffers_behind_the_first_that_hangs() {
    let (hang, hangs) = oneshot::channel::<()>();
    let mut hangs = Some(hangs);
    let responses = stream::iter(0..8).map(move |_| {
        let response = hangs.take();
        async move {
            if let Some(response) = response {
                _ = response.await;
            }
        }
    });
    tokio::spawn(responses.buffered(2).count()); // LEAK
    keep(hang);
}

async fn handles_each_item_and_one_hangs() {
    let peers = stream::iter(0..8).for_each_concurrent(4, |peer| async move {
        if peer == 7 {
            pending::<()>().await;
        }
    });
    tokio::spawn(peers); // LEAK
}

async fn zips_with_a_stream_that_stopped() {
    let (results, stopped) = (stream::iter(0..8), stream::pending::<u32>());
    tokio::spawn(results.zip(stopped).count()); // LEAK
}

async fn chains_behind_a_stream_that_never_ends() {
    let difference = stream::pending::<u32>().chain(stream::iter(0..8));
    tokio::spawn(difference.count()); // LEAK
}

async fn takes_until_a_signal_that_never_comes() {
    let (shutdown, signal) = oneshot::channel::<()>();
    let body = stream::repeat(1).then(|chunk| async move {
        tokio::time::sleep(Duration::from_millis(5)).await;
        chunk
    });
    tokio::spawn(body.take_until(signal).count()); // LEAK live
    keep(shutdown);
}

async fn unfolds_a_receiver_whose_sender_stays() {
    let (topic, subscriber) = mpsc::channel::<u32>(1);
    let messages = stream::unfold(subscriber, |mut subscriber| async move {
        let message = subscriber.recv().await?;
        Some((message, subscriber))
    });
    tokio::spawn(messages.count()); // LEAK
    topic.send(1).await.expect("there is a subscriber");
    keep(topic);
}

async fn forwards_a_lagging_broadcast_to_nobody() {
    let (topic, mut subscriber) = broadcast::channel(1);
    let pump = async move {
        let (forward, nobody) = mpsc::channel::<u32>(1);
        drop(nobody);
        loop {
            match subscriber.recv().await {
                Ok(message) => _ = forward.send(message).await,
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return,
            }
        }
    };
    tokio::spawn(pump); // LEAK
    for message in 0..4 {
        topic.send(message).expect("there is a subscriber");
    }
    keep(topic);
}

async fn repeats_a_ticker_as_a_stream() {
    let files = stream::unfold(interval(Duration::from_millis(5)), |mut tick| async move {
        tick.tick().await;
        Some(((), tick))
    });
    tokio::spawn(files.for_each(|()| ready(()))); // LEAK live
}
