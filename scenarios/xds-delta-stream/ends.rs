//! Every other end of a stream, on the fix.

use futures_util::stream;
use tonic::Code;
use xds::TYPES;

use super::*;

/// One request, and nothing more; the client keeps its half of the stream open.
fn one_request() -> Incoming {
    let request =
        Request { type_url: TYPES[0].into(), ..Default::default() };
    stream::iter([Ok(request)]).chain(stream::pending()).boxed()
}

#[leakcheck::test(start_paused = true)]
async fn a_client_that_keeps_its_half_open_keeps_no_reader() {
    let plane = Arc::new(Plane::default());
    plane.inventory.fail(20);
    let streams = leakcheck::scope();
    for id in 0..20 {
        let (tx, _rx) = mpsc::channel(1);
        let end = plane.clone().process(id, one_request(), tx).await;
        assert_eq!(end.unwrap_err().code(), Code::Unavailable);
    }
    streams.assert().await;
    assert_eq!(plane.streams(), 0);
}

#[leakcheck::test(start_paused = true)]
async fn a_client_that_leaves_takes_all_with_it() {
    let plane = Arc::new(Plane::default());
    let streams = leakcheck::scope();
    let (tx, _rx) = mpsc::channel(1);
    let leaves =
        stream::iter([Err(Status::cancelled("reset"))]).boxed();
    plane.clone().process(0, leaves, tx).await.unwrap();
    streams.assert().await;
    assert_eq!(plane.streams(), 0);
}

#[leakcheck::test(start_paused = true)]
async fn a_stop_ends_every_stream() {
    let plane = Arc::new(Plane::default());
    let streams = leakcheck::scope();
    let mut open = JoinSet::new();
    for id in 0..20 {
        let (tx, _rx) = mpsc::channel(1);
        open.spawn(plane.clone().process(id, one_request(), tx));
    }
    // They are parked on their queues before they are told.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(plane.streams(), 20);
    plane.stop.cancel();
    while let Some(end) = open.join_next().await {
        end.unwrap().unwrap();
    }
    streams.assert().await;
    assert_eq!(plane.streams(), 0);
}
