//! The command line that both binaries share: run all claims or one,
//! as a table or as JSON, and record what was seen.

use std::{collections::BTreeMap, path::Path, process::ExitCode};

use clap::Parser;
use serde_json::Value;
use strsim::normalized_damerau_levenshtein as alike;

use crate::{
    claim::Claim,
    record::{self, Entry, MadeBy, Record},
};

/// What was seen, by the claim's name.
type Seen = BTreeMap<&'static str, Value>;

#[derive(Parser)]
#[command(
    about = "Runs the statements the book makes about Tokio",
    after_help = "Exit code: 0 all ran, 1 one failed, 2 wrong arguments."
)]
struct Args {
    /// Run this claim only
    name: Option<String>,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
    /// Write what was seen to book/recordings/claims.json
    #[arg(long)]
    record: bool,
}

/// Runs what the command line of `program` asks for.
pub fn run(program: &str, claims: &[&'static Claim]) -> ExitCode {
    let args = Args::parse();
    let chosen: Vec<_> = claims
        .iter()
        .copied()
        .filter(|c| args.name.as_ref().is_none_or(|n| c.name == n))
        .collect();
    if let (Some(name), []) = (&args.name, chosen.as_slice()) {
        eprintln!("{}", unknown(name, claims));
        return ExitCode::from(2);
    }
    let done = if args.record {
        record_all(&record::root(), program, &args, &chosen)
    } else {
        run_all(&args, &chosen).map(drop)
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs claims and prints what they saw.
fn run_all(
    args: &Args,
    chosen: &[&'static Claim],
) -> anyhow::Result<Seen> {
    let mut seen = Seen::new();
    for claim in chosen {
        let value = (claim.run)()
            .map_err(|error| error.context(claim.name))?;
        if !args.json {
            println!("{}", row(claim, &value));
        }
        seen.insert(claim.name, value);
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&seen)?);
    }
    Ok(seen)
}

/// Runs claims and records them: those that were chosen, and of the
/// program's others nothing; or all, and then no other name stays.
fn record_all(
    root: &Path,
    program: &str,
    args: &Args,
    chosen: &[&'static Claim],
) -> anyhow::Result<()> {
    // Before they run: who saves a source meanwhile has changed what
    // made them.
    let made_by: Vec<_> = chosen
        .iter()
        .map(|claim| MadeBy::now(root, program, claim))
        .collect::<anyhow::Result<_>>()?;
    let seen = run_all(args, chosen)?;
    let mut record = Record::read_or_new(root)?;
    if args.name.is_none() {
        record.forget(program);
    }
    for (claim, made_by) in chosen.iter().zip(made_by) {
        let seen = seen[&claim.name].clone();
        let entry = Entry { seen, made_by };
        record.claims.insert(claim.name.into(), entry);
    }
    record.write(root)
}

/// A claim and what was seen: `tasks_left: 9 · buffered: 1`.
fn row(claim: &Claim, seen: &Value) -> String {
    let fields: Vec<_> = seen
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| match value {
            Value::String(text) => format!("{name}: {text}"),
            value => format!("{name}: {value}"),
        })
        .collect();
    let noise =
        if claim.noisy { "   (varies from run to run)" } else { "" };
    let (name, says) = (claim.name, claim.says);
    format!(
        "{name:<24}{says}\n{:24}{}{noise}\n",
        "",
        fields.join(" · ")
    )
}

/// One line for a name that no claim has.
fn unknown(name: &str, claims: &[&Claim]) -> String {
    let names = || claims.iter().map(|claim| claim.name);
    let near = names()
        .map(|other| (alike(name, other), other))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match near {
        Some((likeness, near)) if likeness >= 0.5 => {
            format!("no claim `{name}`: did you mean `{near}`?")
        }
        _ => {
            let names: Vec<_> = names().collect();
            format!(
                "no claim `{name}`; there are: {}",
                names.join(", ")
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_brings_the_nearest_one_or_all() {
        let claims: Vec<_> = crate::channels::CLAIMS
            .iter()
            .chain(crate::cancellation::CLAIMS)
            .collect();
        let near = unknown("quiet-upstraem", &claims);
        assert_eq!(
            near,
            "no claim `quiet-upstraem`: did you mean `quiet-upstream`?"
        );
        let far = unknown("zzz", &claims);
        assert!(far.contains("timeout-handle"), "{far}");
        assert_eq!(far.lines().count(), 1);
    }

    const ONE: Claim =
        Claim::steady("one", "", || Ok(1.into())).made_by(&[], &[]);
    const TWO: Claim =
        Claim::steady("two", "", || Ok(2.into())).made_by(&[], &[]);

    #[test]
    fn a_recording_touches_what_was_asked_for_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        for folder in ["book/recordings", "crates/claims/src"] {
            std::fs::create_dir_all(root.join(folder)).unwrap();
        }
        std::fs::write(root.join("Cargo.lock"), "package = []")
            .unwrap();
        std::fs::write(root.join(file!()), "").unwrap();
        let record =
            |program, words: &[&str], claims: &[&'static Claim]| {
                let args = ["claims", "--json"].iter().chain(words);
                let args = Args::parse_from(args);
                record_all(root, program, &args, claims).unwrap();
                Record::read(root).unwrap().claims
            };
        record("claims", &[], &[&ONE, &TWO]);

        // Marked, to see which are written anew.
        let mut old = Record::read(root).unwrap();
        for claim in old.claims.values_mut() {
            claim.made_by.recorded = "long ago".into();
        }
        let other = old.claims["one"].clone();
        old.claims.insert("renamed".into(), other);
        old.write(root).unwrap();
        let is_old = |claims: &BTreeMap<String, Entry>| {
            claims
                .iter()
                .map(|(name, claim)| {
                    let recorded = &claim.made_by.recorded;
                    (name.clone(), recorded == "long ago")
                })
                .collect::<Vec<_>>()
        };
        let now = |name: &str, old| (name.to_owned(), old);

        let one = record("claims", &["two"], &[&TWO]);
        assert_eq!(
            is_old(&one),
            [
                now("one", true),
                now("renamed", true),
                now("two", false)
            ]
        );
        // Of another program all stay; of its own the unknown goes.
        let both = record("claims-console", &[], &[]);
        assert_eq!(is_old(&both), is_old(&one));
        let all = record("claims", &[], &[&ONE, &TWO]);
        assert_eq!(
            is_old(&all),
            [now("one", false), now("two", false)]
        );
    }
}
