//! The metrics page.

use std::{collections::BTreeMap, future::pending, time::Duration, time::UNIX_EPOCH};

use prometheus_client::{encoding::text::encode, registry::Registry};
use tokio::runtime::Builder;

use crate::service;

/// The samples of a page by series, in the order of their names.
fn samples(page: &str) -> BTreeMap<String, f64> {
    let sample = |line: &str| {
        let (series, value) = line.rsplit_once(' ').expect("a series and its value");
        (series.to_owned(), value.parse().expect("a number"))
    };
    page.lines().filter(|line| !line.starts_with('#')).map(sample).collect()
}

#[test]
fn a_page_has_every_metric_of_every_line_and_its_type() {
    let (runtime, watch) = service(0);
    let spawn = |ends: bool| {
        runtime.spawn(async move {
            if !ends {
                pending().await
            }
        })
    };
    spawn(false);
    runtime.block_on(spawn(true)).unwrap();
    let mut registry = Registry::default();
    registry
        .register_collector(Box::new(watch.collector().ages(&[Duration::from_secs(60), Duration::from_millis(1_500)])));
    // On the runtime of an admin port.
    let admin = Builder::new_current_thread().build().unwrap();
    let page = admin.block_on(async {
        let mut page = String::new();
        encode(&mut page, &registry).unwrap();
        page
    });
    let ledger = watch.ledger();
    let location = &ledger.lines[0].location;
    assert!(location.starts_with(&format!("{}:", file!())), "{location}");
    let birth = ledger.lines[0].oldest.unwrap().birth.duration_since(UNIX_EPOCH).unwrap();
    let of = |name: &str| format!("{name}{{line=\"{location}\"}}");
    let older = |seconds: &str| format!("tokio_tasks_older_than{{line=\"{location}\",seconds=\"{seconds}\"}}");
    let expected = BTreeMap::from([
        (of("tokio_tasks_spawned_total"), 2.0),
        (of("tokio_tasks_ended_total"), 1.0),
        (of("tokio_tasks_panicked_total"), 0.0),
        (of("tokio_tasks_alive"), 1.0),
        (of("tokio_tasks_allowed"), 0.0),
        (older("60"), 0.0),
        (older("1.5"), 0.0),
        (of("tokio_tasks_oldest_birth_seconds"), birth.as_millis() as f64 / 1e3),
    ]);
    assert_eq!(samples(&page), expected, "{page}");
    for kind in [
        "# TYPE tokio_tasks_spawned counter",
        "# TYPE tokio_tasks_ended counter",
        "# TYPE tokio_tasks_panicked counter",
        "# TYPE tokio_tasks_alive gauge",
        "# TYPE tokio_tasks_older_than gauge",
        "# TYPE tokio_tasks_oldest_birth_seconds gauge",
        "# UNIT tokio_tasks_oldest_birth_seconds seconds",
    ] {
        assert!(page.lines().any(|line| line == kind), "{kind} is not in\n{page}");
    }
    assert!(page.ends_with("# EOF\n"), "{page}");
}

/// The birth is one number for as long as the task lives, or `changes()` would count changes that are none.
#[test]
fn the_birth_is_the_same_number_in_every_scrape_and_gone_with_the_task() {
    let (runtime, watch) = service(0);
    let stays = runtime.spawn(pending::<()>());
    let births = || {
        let page = samples(&watch.ledger().to_openmetrics());
        page.into_iter()
            .filter(|(series, _)| series.contains("oldest_birth"))
            .map(|(_, value)| value)
            .collect::<Vec<_>>()
    };
    let first = births();
    assert_eq!(first.len(), 1);
    for _ in 0..20 {
        std::thread::sleep(Duration::from_millis(10));
        assert_eq!(births(), first);
    }
    stays.abort();
    runtime.block_on(stays).unwrap_err();
    assert_eq!(births(), Vec::<f64>::new());
}

#[test]
fn a_page_without_a_line_is_a_page() {
    let (_runtime, watch) = service(0);
    assert_eq!(watch.ledger().to_openmetrics(), "# EOF\n");
}
