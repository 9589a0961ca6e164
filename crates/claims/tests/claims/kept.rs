//! What is kept of the claims, against the claims: the record, the
//! anchors that pages show, the command line.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::Command,
};

use claims::record::{self, Entry, MadeBy, Record};
use serde_json::Value;

#[test]
fn the_record_says_what_runs_now() {
    let recorded = recorded();
    for claim in claims::all().filter(|claim| !claim.noisy) {
        let name = claim.name;
        let seen = (claim.run)().unwrap();
        assert_eq!(
            Some(&seen),
            recorded.get(name).map(|claim| &claim.seen),
            "{name}: run `cargo run --bin claims -- {name} --record`"
        );
    }
}

#[test]
fn the_record_has_every_claim_made_by_its_own_module_and_no_other() {
    let recorded = recorded();
    for claim in claims::all() {
        record::check_fresh(&record::root(), claim.name)
            .unwrap_or_else(|stale| panic!("{stale:#}"));
        let made_by = &recorded[claim.name].made_by;
        let now =
            MadeBy::now(&record::root(), "claims", claim).unwrap();
        let parts = |made: &MadeBy| {
            (made.program.clone(), made.files.clone())
        };
        assert_eq!(parts(made_by), parts(&now), "{}", claim.name);
    }
    let names: Vec<_> = claims::all().map(|c| c.name).collect();
    for (name, claim) in &recorded {
        assert!(
            claim.made_by.program != "claims"
                || names.contains(&name.as_str()),
            "no claim has the name {name} any more: run `cargo run --bin claims -- --record`"
        );
    }
}

fn recorded() -> BTreeMap<String, Entry> {
    Record::read(&record::root()).unwrap().claims
}

#[test]
fn every_anchor_is_a_claim_and_every_claim_an_anchor() {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src");
    let mut anchors = BTreeSet::new();
    for entry in fs::read_dir(source).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("// ANCHOR: ") {
                assert!(
                    anchors.insert(name.to_owned()),
                    "{name} twice"
                );
                assert!(
                    text.contains(&format!("ANCHOR_END: {name}\n"))
                );
            }
        }
    }
    let names: BTreeSet<_> =
        claims::all().map(|claim| claim.name.to_owned()).collect();
    assert_eq!(anchors, names);
}

#[test]
fn an_unknown_claim_ends_with_code_2_and_a_known_one_with_0() {
    let claims = |args: &[&str]| {
        let bin = env!("CARGO_BIN_EXE_claims");
        Command::new(bin).args(args).output().unwrap()
    };
    let unknown = claims(&["timeout-handel"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert_eq!(
        String::from_utf8(unknown.stderr).unwrap(),
        "no claim `timeout-handel`: did you mean `timeout-handle`?\n"
    );
    let known = claims(&["timeout-handle", "--json"]);
    assert_eq!(known.status.code(), Some(0));
    let seen: Value = serde_json::from_slice(&known.stdout).unwrap();
    assert_eq!(seen["timeout-handle"]["tasks_left"], 10);
}
