//! A channel that does not close: somebody holds the other end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, oneshot, watch};

use super::{Leak, in_this_file, keep, leak};

pub(super) fn all() -> impl Iterator<Item = Leak> {
    in_this_file!(
        "channels.rs",
        [
            leak!(sends_while_the_receiver_is_held, "linkerd/linkerd2-proxy#401", 1),
            leak!(sends_with_the_receiver_in_its_own_frame, "GoKer cockroach_35931", 1),
            leak!(every_replica_answers_and_one_answer_is_read, "GoKer moby_33293", 2),
            leak!(sends_to_its_own_full_mailbox, "gofiber/recipes#112", 1),
            leak!(ranges_over_a_channel_it_can_send_to, "dynamo#13410", 1),
            leak!(ranges_over_a_channel_whose_hub_it_shares, "dynamo#13410", 1),
            leak!(waits_for_the_hang_up_it_holds, "seanmonstar/warp#394", 1),
            leak!(a_cache_keeps_the_sender_of_an_evicted_client, "grpc/grpc-rust#2809", 1),
            leak!(a_reply_stays_registered_after_the_caller_gave_up, "nats-io/nats.rs#1617", 1),
            leak!(a_topic_is_never_removed, "tokio-rs/mini-redis#63", 3),
            leak!(a_watch_follows_a_configuration_that_stays, "AppFlowy-IO/AppFlowy-Cloud#1435", 1),
            leak!(a_quiet_upstream_hides_the_gone_consumer, "linkerd/linkerd2-proxy#220", 1),
            leak!(a_reserved_slot_is_never_used, "class: channel", 1),
            leak!(two_workers_wait_for_each_others_answer, "class: channel", 2),
            leak!(a_producer_ignores_that_its_consumer_left, "DioxusLabs/dioxus#3396", 1),
        ]
    )
}

/// The balancer is idle: it does not poll its updates, and it does not drop them.
async fn sends_while_the_receiver_is_held() {
    let (updates, balancer) = mpsc::channel(1);
    let resolution = async move {
        for endpoint in 0..8 {
            updates.send(endpoint).await.expect("the balancer holds the receiver");
        }
    };
    tokio::spawn(resolution); // LEAK
    keep(balancer);
}

async fn sends_with_the_receiver_in_its_own_frame() {
    let scan = async {
        let (rows, mut drained) = mpsc::channel(1);
        rows.send("row").await.expect("the receiver is a local");
        rows.send("error").await.expect("the receiver is a local");
        drained.close();
    };
    tokio::spawn(scan); // LEAK
}

/// One slot hides the first answer too many. The second and the third are stuck.
async fn every_replica_answers_and_one_answer_is_read() {
    let (answer, mut answers) = mpsc::channel(1);
    for replica in 0..4 {
        let answer = answer.clone();
        tokio::spawn(async move { answer.send(replica).await }); // LEAK x2
    }
    answers.recv().await.expect("four replicas answer");
    keep(answers);
}

async fn sends_to_its_own_full_mailbox() {
    let (mailbox, mut mail) = mpsc::channel(1);
    let own = mailbox.clone();
    let hub = async move {
        while let Some(message) = mail.recv().await {
            for echo in 0..2_u32 {
                own.send(message + echo).await.expect("the hub reads its mail");
            }
        }
    };
    tokio::spawn(hub); // LEAK
    mailbox.send(1).await.expect("the hub reads its mail");
}

async fn ranges_over_a_channel_it_can_send_to() {
    let (jobs, mut queue) = mpsc::channel::<u32>(4);
    let again = jobs.clone();
    let worker = async move {
        while let Some(job) = queue.recv().await {
            if job > 1 {
                again.send(job / 2).await.expect("the worker reads the queue");
            }
        }
    };
    tokio::spawn(worker); // LEAK
    jobs.send(8).await.expect("the worker reads the queue");
}

struct Hub {
    events: mpsc::Sender<u32>,
    seen: Mutex<u32>,
}

async fn ranges_over_a_channel_whose_hub_it_shares() {
    let (events, mut inbox) = mpsc::channel(4);
    let hub = Arc::new(Hub { events, seen: Mutex::new(0) });
    let shared = Arc::clone(&hub);
    let purge = async move {
        while let Some(event) = inbox.recv().await {
            *shared.seen.lock().expect("nothing panics with this lock") += event;
        }
    };
    tokio::spawn(purge); // LEAK
    hub.events.send(1).await.expect("the task reads");
}

/// Both ends of the hang-up channel were moved into the task that waits for the hang-up.
async fn waits_for_the_hang_up_it_holds() {
    let (mut user, connection) = oneshot::channel::<()>();
    let watcher = async move {
        user.closed().await;
        drop(connection);
    };
    tokio::spawn(watcher); // LEAK
}

async fn a_cache_keeps_the_sender_of_an_evicted_client() {
    let (requests, mut inbox) = mpsc::channel::<u32>(8);
    let cache = Mutex::new(HashMap::from([("10.0.0.7", requests.clone())]));
    tokio::spawn(async move { while inbox.recv().await.is_some() {} }); // LEAK
    requests.send(1).await.expect("the client reads");
    keep(cache);
}

async fn a_reply_stays_registered_after_the_caller_gave_up() {
    let (reply, answer) = oneshot::channel::<u32>();
    keep(HashMap::from([(17, reply)]));
    let request = tokio::spawn(answer); // LEAK
    tokio::time::timeout(Duration::from_millis(2), request).await.expect_err("nobody answers");
}

async fn a_topic_is_never_removed() {
    let (topic, _) = broadcast::channel::<u32>(4);
    for _ in 0..3 {
        let mut subscriber = topic.subscribe();
        tokio::spawn(async move { while subscriber.recv().await.is_ok() {} }); // LEAK x3
    }
    topic.send(1).expect("there are three subscribers");
    keep(HashMap::from([("prices", topic)]));
}

async fn a_watch_follows_a_configuration_that_stays() {
    let (configuration, mut changes) = watch::channel(1);
    tokio::spawn(async move { while changes.changed().await.is_ok() {} }); // LEAK
    configuration.send(2).expect("there is a follower");
    keep(configuration);
}

/// The pump learns that its consumer left only when it sends, and it has nothing to send.
async fn a_quiet_upstream_hides_the_gone_consumer() {
    let (upstream, mut profiles) = mpsc::channel::<u32>(4);
    let (forward, consumer) = mpsc::channel(4);
    let pump = async move {
        while let Some(profile) = profiles.recv().await {
            if forward.send(profile).await.is_err() {
                break;
            }
        }
    };
    tokio::spawn(pump); // LEAK
    keep(upstream);
    drop(consumer);
}

/// A permit is a slot in the buffer: while one caller keeps it, the next one waits.
async fn a_reserved_slot_is_never_used() {
    let (sender, receiver) = mpsc::channel::<u32>(1);
    let slot = sender.clone().reserve_owned().await.expect("the receiver is held");
    tokio::spawn(async move { sender.send(1).await }); // LEAK
    keep((slot, receiver));
}

async fn two_workers_wait_for_each_others_answer() {
    let (left, mut from_left) = mpsc::channel::<u32>(1);
    let (right, mut from_right) = mpsc::channel::<u32>(1);
    let first = async move {
        let request = from_right.recv().await.expect("the other worker lives");
        left.send(request).await
    };
    let second = async move {
        let request = from_left.recv().await.expect("the other worker lives");
        right.send(request).await
    };
    tokio::spawn(first); // LEAK
    tokio::spawn(second); // LEAK
}

async fn a_producer_ignores_that_its_consumer_left() {
    let (chunks, consumer) = mpsc::channel(1);
    let producer = async move {
        let mut tick = tokio::time::interval(Duration::from_millis(5));
        for chunk in 0_u64.. {
            tick.tick().await;
            _ = chunks.try_send(chunk);
        }
    };
    tokio::spawn(producer); // LEAK live
    drop(consumer);
}
