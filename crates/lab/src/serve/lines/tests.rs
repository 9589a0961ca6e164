use std::{path::Path, time::Duration};

use evidence::{catalogue::Catalogue, chart::Live};
use futures_util::StreamExt;
use stage::wire::{Phase, Sample};

use super::*;
use crate::pair::Event;

/// Nothing that is waited for takes longer, on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

fn sample(i: u64) -> Sample {
    let gauges = [("tasks".to_owned(), i)].into();
    Sample { elapsed_ms: i * 250, phase: Phase::Load, units_done: i, gauges }
}

/// What is drawn of one sample of one side.
fn drawings() -> Vec<Drawing> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../evidence/tests/fixture");
    let catalogue = Catalogue::read(&root).unwrap();
    let statement = &catalogue.find("unconsumed-send").unwrap().statement;
    Live::new(statement.clone(), vec!["leak".to_owned()], None).push("leak", &sample(1), 1)
}

#[tokio::test]
async fn a_run_ends_without_waiting_for_a_page_that_does_not_read_and_the_page_has_its_end() {
    let (done_tx, done) = oneshot::channel();
    let lines = lines_of(|page| async move {
        for i in 0..3 * EVENTS_MAX as u64 {
            page.tell(Event::Sample { side: "leak".to_owned(), sample: sample(i), console_tasks: i });
        }
        page.tell(Event::Error { message: "the end".to_owned() });
        page.end(drawings().into_iter().take(1).collect());
        let _ = done_tx.send(());
    });
    tokio::time::timeout(LIMIT, done).await.expect("the run does not wait").unwrap();
    let lines: Vec<_> = lines.map(Result::unwrap).collect().await;
    let samples = lines.iter().filter(|line| line.contains(r#""event":"sample""#)).count();
    assert_eq!(samples, EVENTS_MAX, "what there was no room for is left out");
    let [.., drawing, error] = lines.as_slice() else { panic!("{lines:?}") };
    assert!(
        drawing.starts_with(r#"{"event":"drawing","gauge":"tasks","#) && drawing.contains(r#""svg":"<svg"#),
        "{drawing}"
    );
    assert!(error.contains("the end"), "{error}");
}

#[tokio::test]
async fn a_page_that_closes_ends_its_run() {
    let (alive, gone) = oneshot::channel::<()>();
    let lines = lines_of(|_page| async move {
        let _alive = alive;
        std::future::pending::<()>().await;
    });
    drop(lines);
    tokio::time::timeout(LIMIT, gone).await.expect("the run is dropped").unwrap_err();
}
