//! What it costs to look instead of to wait: processor time for the same ten seconds, side by side in one process. The clock is
//! paused, so that both kinds of loop have as much to do on a busy machine as on an idle one.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::{sync::mpsc, task::JoinSet, time::sleep};

const LOOPS: usize = 50;
const TICK: Duration = Duration::from_millis(10);
const A_WHILE: Duration = Duration::from_secs(10);
/// Looking must cost at least this many times what waiting costs.
const RATIO_MIN: u128 = 10;

#[leakcheck::test(start_paused = true)]
async fn a_loop_that_looks_every_ten_milliseconds_costs_more_than_one_that_waits()
 {
    let waiting = in_a_while(|mut samples| async move {
        while samples.recv().await.is_some() {}
    });
    let waiting = waiting.await;
    let looking = in_a_while(|mut samples| async move {
        while !samples.is_closed() {
            while samples.try_recv().is_ok() {}
            sleep(TICK).await;
        }
    });
    let looking = looking.await;
    assert!(
        looking > RATIO_MIN * waiting,
        "{looking} ns against {waiting} ns"
    );
}

/// Processor time of ten seconds in which nothing is sent.
async fn in_a_while<F: Future<Output = ()> + Send + 'static>(
    run: impl Fn(mpsc::Receiver<u8>) -> F,
) -> u128 {
    // This function would send, the loops receive; it closes.
    let (mut senders, mut loops) = (Vec::new(), JoinSet::new());
    for _ in 0..LOOPS {
        let (sender, samples) = mpsc::channel(1);
        senders.push(sender);
        loops.spawn(run(samples));
    }
    let before = processor_time();
    sleep(A_WHILE).await;
    let used = processor_time() - before;
    drop(senders);
    loops.join_all().await;
    used
}

fn processor_time() -> u128 {
    // The test's own thread: others of the process do other things.
    let used = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = Duration::from_secs(used.tv_sec.unsigned_abs());
    let nanos = Duration::from_nanos(used.tv_nsec.unsigned_abs());
    (seconds + nanos).as_nanos()
}
