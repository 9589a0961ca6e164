//! Tasks that end because their channel does.

use tokio::{
    sync::{Notify, broadcast, mpsc, oneshot, watch},
    task::{JoinSet, yield_now},
};
use tokio_util::sync::CancellationToken;

use super::programs;

programs! {
    EVERYWHERE: [
        reply_nobody_waits_for,
        request_and_reply,
        worker_ends_with_its_last_sender,
        worker_still_draining_at_the_end,
        producer_ends_with_its_receiver,
        producer_blocked_on_a_full_channel_is_let_go,
        receiver_closes_and_drains,
        worker_keeps_a_weak_sender,
        worker_gives_its_own_sender_back,
        pipeline_of_three_stages,
        many_producers_and_one_consumer,
        permits_reserved_and_used,
        watch_ends_with_its_sender,
        watch_stop_flag,
        watch_wait_for_a_value,
        broadcast_ends_with_its_sender,
        broadcast_listener_that_lags,
        select_with_else,
        select_that_tests_for_none,
        select_with_token,
        async_channel_closed,
        async_channel_ends_with_its_senders,
        poison_message,
    ],
}

/// A `oneshot` send never waits: the task ends though nobody reads its answer.
async fn reply_nobody_waits_for() {
    let (reply, answer) = oneshot::channel();
    drop(answer);
    let task = tokio::spawn(async move { reply.send(42).is_ok() });
    assert!(!task.await.unwrap());
}

async fn request_and_reply() {
    let (requests, mut inbox) = mpsc::channel::<(u32, oneshot::Sender<u32>)>(4);
    tokio::spawn(async move {
        while let Some((number, reply)) = inbox.recv().await {
            // The caller may have gone away.
            let _ = reply.send(number + 1);
        }
    });
    for number in 0..10 {
        let (reply, answer) = oneshot::channel();
        requests.send((number, reply)).await.unwrap();
        assert_eq!(answer.await.unwrap(), number + 1);
    }
}

async fn worker_ends_with_its_last_sender() {
    let (jobs, mut inbox) = mpsc::channel(8);
    let worker = tokio::spawn(async move {
        let mut sum = 0;
        while let Some(job) = inbox.recv().await {
            sum += job;
        }
        sum
    });
    let second = jobs.clone();
    jobs.send(1).await.unwrap();
    second.send(2).await.unwrap();
    drop((jobs, second));
    assert_eq!(worker.await.unwrap(), 3);
}

/// Nobody joins the worker. When the body returns, the worker has a hundred messages to go.
async fn worker_still_draining_at_the_end() {
    let (jobs, mut inbox) = mpsc::channel(100);
    tokio::spawn(async move {
        while inbox.recv().await.is_some() {
            yield_now().await;
        }
    });
    for job in 0..100 {
        jobs.send(job).await.unwrap();
    }
}

async fn producer_ends_with_its_receiver() {
    let (numbers, mut inbox) = mpsc::channel(1);
    let producer = tokio::spawn(async move { while numbers.send(1).await.is_ok() {} });
    assert_eq!(inbox.recv().await, Some(1));
    drop(inbox);
    producer.await.unwrap();
}

/// The receiver lives to the end of the body, so the producers are parked until then.
async fn producer_blocked_on_a_full_channel_is_let_go() {
    let (numbers, _inbox) = mpsc::channel(1);
    for _ in 0..5 {
        let numbers = numbers.clone();
        tokio::spawn(async move { while numbers.send(1).await.is_ok() {} });
    }
    yield_now().await;
}

async fn receiver_closes_and_drains() {
    let (jobs, mut inbox) = mpsc::channel(4);
    let mut producers = JoinSet::new();
    for _ in 0..3 {
        let jobs = jobs.clone();
        producers.spawn(async move { while jobs.send(()).await.is_ok() {} });
    }
    assert!(inbox.recv().await.is_some());
    inbox.close();
    drop(jobs);
    while inbox.recv().await.is_some() {}
    producers.join_all().await;
}

/// With a strong sender of its own, the worker would keep itself alive.
async fn worker_keeps_a_weak_sender() {
    let (jobs, mut inbox) = mpsc::channel(8);
    let again = jobs.downgrade();
    tokio::spawn(async move {
        while let Some(tries) = inbox.recv().await {
            if let (1.., Some(again)) = (tries, again.upgrade()) {
                again.send(tries - 1).await.unwrap();
            }
        }
    });
    jobs.send(3).await.unwrap();
}

async fn worker_gives_its_own_sender_back() {
    let (jobs, mut inbox) = mpsc::channel(8);
    let own = jobs.clone();
    let worker = tokio::spawn(async move {
        own.send("started").await.unwrap();
        drop(own);
        let mut seen = 0;
        while inbox.recv().await.is_some() {
            seen += 1;
        }
        seen
    });
    jobs.send("a job").await.unwrap();
    drop(jobs);
    assert_eq!(worker.await.unwrap(), 2);
}

async fn pipeline_of_three_stages() {
    let (raw, mut to_parse) = mpsc::channel(2);
    let (parsed, mut to_sum) = mpsc::channel(2);
    tokio::spawn(async move {
        for number in 0..50 {
            raw.send(number.to_string()).await.unwrap();
        }
    });
    tokio::spawn(async move {
        while let Some(text) = to_parse.recv().await {
            parsed.send(text.parse::<u32>().unwrap()).await.unwrap();
        }
    });
    let mut sum = 0;
    while let Some(number) = to_sum.recv().await {
        sum += number;
    }
    assert_eq!(sum, 1225);
}

async fn many_producers_and_one_consumer() {
    let (numbers, mut inbox) = mpsc::channel(1);
    for number in 0..100 {
        let numbers = numbers.clone();
        tokio::spawn(async move { numbers.send(number).await.unwrap() });
    }
    drop(numbers);
    let mut seen = Vec::new();
    while inbox.recv_many(&mut seen, 10).await > 0 {}
    assert_eq!(seen.len(), 100);
}

async fn permits_reserved_and_used() {
    let (numbers, mut inbox) = mpsc::channel(2);
    let producer = tokio::spawn(async move {
        let permits = numbers.reserve_many(2).await.unwrap();
        permits.for_each(|permit| permit.send(7));
    });
    assert_eq!((inbox.recv().await, inbox.recv().await), (Some(7), Some(7)));
    producer.await.unwrap();
    assert_eq!(inbox.recv().await, None);
}

async fn watch_ends_with_its_sender() {
    let (configuration, mut changes) = watch::channel(0);
    tokio::spawn(async move { while changes.changed().await.is_ok() {} });
    configuration.send(1).unwrap();
    yield_now().await;
}

async fn watch_stop_flag() {
    let (stop, flag) = watch::channel(false);
    let mut workers = JoinSet::new();
    for _ in 0..5 {
        let mut flag = flag.clone();
        workers.spawn(async move { flag.wait_for(|stop| *stop).await.is_ok() });
    }
    drop(flag);
    stop.send(true).unwrap();
    assert_eq!(workers.join_all().await, [true; 5]);
}

/// The value comes; the sender outlives the waiting task.
async fn watch_wait_for_a_value() {
    let (ready, mut seen) = watch::channel(0);
    let waiter = tokio::spawn(async move { *seen.wait_for(|value| *value >= 3).await.unwrap() });
    for value in 1..=3 {
        ready.send(value).unwrap();
        yield_now().await;
    }
    assert_eq!(waiter.await.unwrap(), 3);
    ready.send_replace(4);
}

async fn broadcast_ends_with_its_sender() {
    let (news, _) = broadcast::channel(16);
    for _ in 0..5 {
        let mut inbox = news.subscribe();
        tokio::spawn(async move { while inbox.recv().await.is_ok() {} });
    }
    news.send("first edition").unwrap();
}

async fn broadcast_listener_that_lags() {
    let (news, mut inbox) = broadcast::channel(2);
    for number in 0..10 {
        news.send(number).unwrap();
    }
    let listener = tokio::spawn(async move {
        let mut missed = 0;
        loop {
            match inbox.recv().await {
                Ok(_) => {}
                Err(broadcast::error::RecvError::Lagged(count)) => missed += count,
                Err(broadcast::error::RecvError::Closed) => return missed,
            }
        }
    });
    drop(news);
    assert_eq!(listener.await.unwrap(), 8);
}

/// Without the `else`, the task would wait for the notification for ever.
async fn select_with_else() {
    let (jobs, mut inbox) = mpsc::channel(4);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                Some(()) = inbox.recv() => {}
                else => break,
            }
        }
    });
    jobs.send(()).await.unwrap();
}

async fn select_that_tests_for_none() {
    let (jobs, mut inbox) = mpsc::channel(4);
    let flush = std::sync::Arc::new(Notify::new());
    tokio::spawn({
        let flush = flush.clone();
        async move {
            loop {
                tokio::select! {
                    job = inbox.recv() => match job {
                        Some(()) => {}
                        None => break,
                    },
                    () = flush.notified() => {}
                }
            }
        }
    });
    jobs.send(()).await.unwrap();
    flush.notify_one();
}

/// The channel stays open, the token ends the loop.
async fn select_with_token() {
    let (jobs, mut inbox) = mpsc::channel(4);
    let token = CancellationToken::new();
    let worker = tokio::spawn({
        let token = token.clone();
        async move {
            loop {
                tokio::select! {
                    () = token.cancelled() => break,
                    Some(()) = inbox.recv() => {}
                }
            }
        }
    });
    jobs.send(()).await.unwrap();
    token.cancel();
    worker.await.unwrap();
    assert!(jobs.is_closed());
}

/// A channel that is not Tokio's: the checker cannot see into it.
async fn async_channel_closed() {
    let (jobs, inbox) = async_channel::bounded(4);
    for _ in 0..3 {
        let inbox = inbox.clone();
        tokio::spawn(async move { while inbox.recv().await.is_ok() {} });
    }
    jobs.send(()).await.unwrap();
    jobs.close();
}

async fn async_channel_ends_with_its_senders() {
    let (jobs, inbox) = async_channel::bounded::<u32>(1);
    for number in 0..5 {
        let jobs = jobs.clone();
        tokio::spawn(async move { jobs.send(number).await.unwrap() });
    }
    drop(jobs);
    let mut sum = 0;
    while let Ok(number) = inbox.recv().await {
        sum += number;
    }
    assert_eq!(sum, 10);
}

/// The worker ends by message, while its channel stays open.
async fn poison_message() {
    let (jobs, mut inbox) = mpsc::channel(4);
    let worker = tokio::spawn(async move { while let Some(Some(())) = inbox.recv().await {} });
    for job in [Some(()), Some(()), None] {
        jobs.send(job).await.unwrap();
    }
    worker.await.unwrap();
    assert!(jobs.is_closed());
}
