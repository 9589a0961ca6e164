//! A client against a server that sends what no real program does.

use std::time::Instant;

use console_api::{
    Id,
    instrument::{
        InstrumentRequest, PauseRequest, PauseResponse, ResumeRequest, ResumeResponse, State, StateRequest,
        TaskDetailsRequest, Update,
        instrument_server::{Instrument, InstrumentServer},
    },
    tasks::{Task, TaskDetails, TaskUpdate},
};
use futures_util::stream::{self, BoxStream, StreamExt};
use tokio::net::TcpListener;
use tonic::Response;

use super::*;

/// Sends these updates, and then none for ever.
struct Server(Vec<Update>);

#[tonic::async_trait]
impl Instrument for Server {
    type WatchUpdatesStream = BoxStream<'static, Result<Update, Status>>;
    type WatchTaskDetailsStream = BoxStream<'static, Result<TaskDetails, Status>>;
    type WatchStateStream = BoxStream<'static, Result<State, Status>>;

    async fn watch_updates(&self, _: Request<InstrumentRequest>) -> Result<Response<Self::WatchUpdatesStream>, Status> {
        let updates: Vec<_> = self.0.iter().cloned().map(Ok).collect();
        Ok(Response::new(stream::iter(updates).chain(stream::pending()).boxed()))
    }

    async fn watch_task_details(
        &self,
        _: Request<TaskDetailsRequest>,
    ) -> Result<Response<Self::WatchTaskDetailsStream>, Status> {
        Err(Status::unimplemented("not needed"))
    }

    async fn watch_state(&self, _: Request<StateRequest>) -> Result<Response<Self::WatchStateStream>, Status> {
        Err(Status::unimplemented("not needed"))
    }

    async fn pause(&self, _: Request<PauseRequest>) -> Result<Response<PauseResponse>, Status> {
        Err(Status::unimplemented("not needed"))
    }

    async fn resume(&self, _: Request<ResumeRequest>) -> Result<Response<ResumeResponse>, Status> {
        Err(Status::unimplemented("not needed"))
    }
}

/// So many births.
fn births(ids: std::ops::Range<u64>) -> Update {
    let new_tasks = ids.map(|id| Task { id: Some(Id { id }), ..Task::default() }).collect();
    Update { task_update: Some(TaskUpdate { new_tasks, ..TaskUpdate::default() }), ..Update::default() }
}

/// Serves the updates to a client that takes messages of at most `message_max` bytes, and lets `check` use it.
async fn with_client<T>(updates: Vec<Update>, message_max: usize, check: impl AsyncFnOnce(&mut Console) -> T) -> T {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let server = tonic::transport::Server::builder()
        .add_service(InstrumentServer::new(Server(updates)))
        .serve_with_incoming(tonic::transport::server::TcpIncoming::from(listener));
    let check = async {
        let mut console = Console::attach(addr, message_max).await.unwrap();
        check(&mut console).await
    };
    tokio::select! {
        _ = server => panic!("the server ended"),
        checked = check => checked,
    }
}

#[tokio::test]
async fn in_a_large_message_others_have_their_turn_again_and_again() {
    let tasks = 50_000;
    let longest = with_client(vec![births(0..tasks)], MESSAGE_MAX, async |console| {
        // The message is here once its first part is taken in.
        while console.rest.is_none() {
            console.portion().await.unwrap();
        }
        let (mut last, mut longest) = (Instant::now(), Duration::ZERO);
        let mut turns = 0;
        loop {
            tokio::select! {
                biased;
                more = console.update() => {
                    assert!(more);
                    break;
                }
                () = yield_now() => {
                    longest = longest.max(last.elapsed());
                    last = Instant::now();
                    turns += 1;
                }
            }
        }
        assert_eq!(console.tasks(), tasks);
        assert!(turns as u64 >= tasks / PORTION as u64 / 4, "only {turns} turns");
        longest
    })
    .await;
    println!("the longest time without a turn: {longest:?}");
}

#[tokio::test]
async fn a_count_is_that_of_whole_messages() {
    with_client(vec![births(0..10_000), births(0..10_001)], MESSAGE_MAX, async |console| {
        let mut counts = Vec::new();
        while counts.last() != Some(&10_001) {
            // Dropped in the middle of a message, most of the time.
            tokio::select! {
                biased;
                _ = console.update() => {}
                () = yield_now() => {}
            }
            if counts.last() != Some(&console.tasks()) {
                counts.push(console.tasks());
            }
        }
        assert_eq!(counts, [0, 10_000, 10_001]);
    })
    .await;
}

#[tokio::test]
async fn a_message_that_is_too_large_ends_the_following_with_the_reason() {
    with_client(vec![births(0..10), births(10..10_000)], 10_000, async |console| {
        while console.update().await {}
        let view = console.view().await;
        assert_eq!(view.tasks, 10);
        assert!(view.ended.as_ref().is_some_and(|why| why.contains("the limit is: 10000 bytes")), "{:?}", view.ended);
    })
    .await;
}

#[leakcheck::test]
async fn a_console_that_does_not_answer_is_given_up() {
    // It takes the connection and says nothing.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::time::pause();
    let Err(error) = Console::attach(addr, MESSAGE_MAX).await else { panic!("nobody answered") };
    assert_eq!(error.to_string(), format!("the console at {addr} did not answer within 5 s"));
    drop(listener);
}
