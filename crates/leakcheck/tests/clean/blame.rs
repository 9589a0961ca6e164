//! Leaking and clean tests side by side, in one process: each gets the blame that is its own, and no other.
//!
//! `LEAKCHECK_BLAME=1000` is the full measurement.

use crate::{
    harness::{Load, assert_none, find, in_parallel, noise, repeats},
    leaks::{self, Leak},
    programs::{self, Clean, Flavor},
};

const FLAVORS: [Flavor; 3] = [Flavor::CurrentThread, Flavor::Paused, Flavor::MultiThread];

#[derive(Clone, Copy)]
enum Neighbour {
    Leaking(Leak, Flavor),
    Quiet(Clean, Flavor),
}

/// In each repeat every leaking program runs once, each time on another flavor, with a clean one on either side.
fn neighbours(repeats: usize) -> Vec<Neighbour> {
    let (leaks, clean) = (leaks::all(), programs::all());
    let mut cleans = clean.iter().cycle();
    let mut street = Vec::new();
    for repeat in 0..repeats {
        for (number, leak) in leaks.iter().enumerate() {
            let flavor = FLAVORS[(repeat + number) % FLAVORS.len()];
            street.push(Neighbour::Leaking(*leak, flavor));
            street.extend(cleans.by_ref().take(2).map(|clean| quiet(*clean, repeat)));
        }
    }
    street
}

fn quiet(clean: Clean, repeat: usize) -> Neighbour {
    Neighbour::Quiet(clean, clean.flavors[repeat % clean.flavors.len()])
}

/// The faults of a report that should name one location, and the number of tasks from there.
pub(crate) fn wrong_blame(leak: &Leak, flavor: Flavor, allow: &[&str]) -> Option<String> {
    let found = find(flavor, allow, leak.run);
    let blamed: Vec<_> =
        found.report.survivors.iter().map(|group| (format!("{}:{}", group.file, group.line), group.count)).collect();
    (blamed != [(leak.place.to_owned(), leak.count)])
        .then(|| format!("{} on {flavor:?}, wanted {} times {}: {}", leak.name, leak.count, leak.place, found.report))
}

#[test]
fn neighbours_are_never_mixed_up() {
    let _load = Load::if_asked();
    let street = neighbours(repeats("LEAKCHECK_BLAME", 50));
    let wrong = in_parallel(&street, |neighbour| match neighbour {
        Neighbour::Leaking(leak, flavor) => wrong_blame(leak, *flavor, &[]),
        Neighbour::Quiet(clean, flavor) => {
            let problem = noise(&find(*flavor, clean.allow, clean.run))?;
            Some(format!("{} on {flavor:?}: {problem}", clean.name))
        }
    });
    println!("{} runs beside each other, {} wrong", street.len(), wrong.len());
    assert_none(&wrong, street.len());
}

#[test]
fn an_allowance_hides_only_what_it_names() {
    let leaks = leaks::all();
    let wrong = in_parallel(&leaks, |leak| {
        let others: Vec<_> =
            leaks::all().iter().map(|other| other.place).filter(|place| *place != leak.place).collect();
        wrong_blame(leak, Flavor::Paused, &others)
    });
    assert_none(&wrong, leaks.len());
}
