use std::{panic::Location, sync::mpsc, thread};

use super::*;

fn site() -> Site {
    Location::caller()
}

/// Ids of living tasks that were spawned since the generation.
fn since(registry: &Registry, generation: u64) -> Vec<u64> {
    let mut ids = Vec::new();
    registry.for_each(|task| {
        if task.generation >= generation {
            ids.push(task.id);
        }
    });
    ids.sort_unstable();
    ids
}

/// One scope for each request uses up 32 bits. A generation that wraps would make all old tasks new.
#[test]
fn a_scope_after_four_billion_others_still_tells_old_tasks_from_new_ones() {
    let registry = Registry::new(Vec::new());
    registry.generation.store(u64::from(u32::MAX) - 1, Ordering::Relaxed);
    let colliding = (SEGMENT * SEGMENTS) as u64;
    let mut id = 0;
    for _ in 0..4 {
        // One task in its slot, and one that finds the slot taken.
        let old = since(&registry, 0);
        let generation = registry.next_generation();
        assert!(!registry.has_since(generation), "generation {generation}");
        assert_eq!(since(&registry, generation), [] as [u64; 0], "generation {generation}");
        id += 1;
        registry.spawned(id, site());
        registry.spawned(id + colliding, site());
        assert!(registry.has_since(generation), "generation {generation}");
        assert_eq!(since(&registry, generation), [id, id + colliding], "generation {generation}");
        assert_eq!(since(&registry, 0).len(), old.len() + 2);
    }
    assert!(registry.generation.load(Ordering::Relaxed) > u64::from(u32::MAX), "the test went past 32 bits");
}

/// The first lines of the module say so: every lock is held here while another thread runs a task's whole life.
#[test]
fn a_task_that_nothing_allows_takes_no_lock() {
    let registry = Registry::new(Vec::new());
    let known = site();
    registry.spawned(1, known);
    registry.ended(1, false);
    let _counting = registry.observe();
    let _allowed = registry.allowances.lock_all();
    let _overflow: Vec<_> = registry.overflow.iter().map(Shard::lock).collect();
    let _sites = registry.sites.lock_all();
    let (done, is_done) = mpsc::channel();
    let hooks = registry.clone();
    thread::spawn(move || {
        hooks.spawned(2, known);
        hooks.polled(2);
        hooks.ended(2, false);
        done.send(()).unwrap();
    });
    is_done.recv_timeout(std::time::Duration::from_secs(10)).expect("the hooks waited for a lock");
}
