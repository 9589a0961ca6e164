use futures_util::StreamExt;
use stage::wire::{Phase, Sample};

use super::*;

/// Nothing that is waited for takes longer, on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

fn scenario() -> Scenario {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixture");
    Catalogue::read(&root).unwrap().find("unconsumed-send").unwrap().clone()
}

fn sample(side: &str, i: u64) -> Event {
    let gauges = BTreeMap::from([("tasks".to_owned(), i)]);
    let sample = Sample { elapsed_ms: i * 250, phase: Phase::Load, units_done: i, gauges };
    Event::Sample { side: side.to_owned(), sample, console_tasks: i }
}

#[test]
fn two_runs_of_two_sides_or_one_of_more() {
    let runs = Arc::new(Semaphore::new(RUNS_MAX as usize));
    let ask = |sides: usize| runs.clone().try_acquire_many_owned(places(sides)).ok();
    let (first, second) = (ask(2), ask(1));
    assert!(first.is_some() && second.is_some());
    assert!(ask(1).is_none());
    drop(first);
    assert!(ask(3).is_none(), "a run of three beside another");
    drop(second);
    let alone = ask(8);
    assert!(alone.is_some() && ask(1).is_none());
}

#[tokio::test]
async fn a_run_ends_without_waiting_for_a_page_that_does_not_read_and_the_page_has_its_verdict() {
    let (done_tx, done) = oneshot::channel();
    let lines = lines_of(scenario(), |page| async move {
        (0..3 * EVENTS_MAX as u64).for_each(|i| page.tell(sample("leak", i)));
        page.tell(Event::Error { message: "the end".to_owned() });
        let _ = done_tx.send(());
    });
    tokio::time::timeout(LIMIT, done).await.expect("the run does not wait").unwrap();
    let lines: Vec<_> = lines.map(Result::unwrap).collect().await;
    let samples = lines.iter().filter(|line| line.contains(r#""event":"sample""#)).count();
    assert_eq!(samples, EVENTS_MAX, "what there was no room for is left out");
    assert!(lines.last().unwrap().contains("the end"), "{lines:?}");
    assert!(lines[lines.len() - 2].contains(r#""event":"drawing","gauge":"tasks","svg":"<svg"#));
}

#[tokio::test]
async fn drawings_come_with_the_samples_and_show_all_sides() {
    let (go, wait) = oneshot::channel();
    let lines = lines_of(scenario(), |page| async move {
        page.tell(sample("leak", 1));
        page.tell(sample("fix", 2));
        let _ = wait.await;
        page.tell(Event::Error { message: "the end".to_owned() });
    });
    let mut lines = Box::pin(lines.map(Result::unwrap));
    let mut next = async || lines.next().await.unwrap();
    assert!(next().await.contains("sample") && next().await.contains("sample"));
    let drawn = next().await;
    assert!(drawn.contains("drawing") && drawn.contains("wb-leak") && drawn.contains("wb-fix"), "{drawn}");
    go.send(()).unwrap();
    assert!(next().await.contains("drawing") && next().await.contains("the end"));
}

#[tokio::test]
async fn a_page_that_closes_ends_its_run() {
    let (alive, gone) = oneshot::channel::<()>();
    let lines = lines_of(scenario(), |_page| async move {
        let _alive = alive;
        std::future::pending::<()>().await;
    });
    drop(lines);
    tokio::time::timeout(LIMIT, gone).await.expect("the run is dropped").unwrap_err();
}
