//! Interview kits: of every scenario and exercise there is one, nothing in it tells, it builds as it is locked, and what is given away is red
//! and what is accepted green. `KITS=all cargo test --test kit` builds and judges all of them, `KITS=NAME,NAME` some.

mod builds;
mod command;
mod written;

use std::path::PathBuf;

use book::kit::{Ingredients, facts_file};
use evidence::{catalogue::Catalogue, root};

fn root() -> PathBuf {
    root::find().expect("the tests run inside the workbook")
}

/// Every scenario and every exercise, by name; whether it is an exercise.
fn names() -> Vec<(String, bool)> {
    let catalogue = Catalogue::read(&root()).unwrap();
    let scenarios = catalogue.scenarios.iter().map(|one| (one.name.clone(), false));
    scenarios.chain(catalogue.exercises.iter().map(|one| (one.name().to_owned(), true))).collect()
}

/// What the kits are made of; those that lack their facts are left out, for one test names them.
fn kits() -> Vec<Ingredients> {
    let root = root();
    let has_facts = |(name, is_exercise): &(String, bool)| root.join(facts_file(name, *is_exercise)).is_file();
    let names = names().into_iter().filter(has_facts);
    names.map(|(name, _)| Ingredients::read(&root, &name).unwrap_or_else(|error| panic!("{name}: {error:#}"))).collect()
}
