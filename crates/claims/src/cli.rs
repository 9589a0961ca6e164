//! The command line that both binaries share: run all claims or one,
//! as a table or as JSON, and record what was seen.

use std::process::ExitCode;

use clap::Parser;
use serde_json::Value;

use crate::{
    Claim,
    record::{self, Seen},
};

/// What the binaries take.
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

/// Runs what the command line asks for.
pub fn run(claims: &[&'static Claim]) -> ExitCode {
    let args = Args::parse();
    let chosen: Vec<_> = match &args.name {
        None => claims.to_vec(),
        Some(name) => claims
            .iter()
            .copied()
            .filter(|c| c.name == *name)
            .collect(),
    };
    if let (Some(name), []) = (&args.name, chosen.as_slice()) {
        eprintln!("{}", unknown(name, claims));
        return ExitCode::from(2);
    }
    match run_all(&args, &chosen) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run_all(args: &Args, chosen: &[&Claim]) -> anyhow::Result<()> {
    let mut seen = Seen::new();
    for claim in chosen {
        let value = (claim.run)()
            .map_err(|error| error.context(claim.name))?;
        if !args.json {
            println!("{}", row(claim, &value));
        }
        seen.insert(claim.name.into(), value);
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&seen)?);
    }
    if args.record {
        record::write(seen)?;
    }
    Ok(())
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
    let near = claims.iter().min_by_key(|c| distance(name, c.name));
    match near {
        Some(near) if distance(name, near.name) <= name.len() / 2 => {
            format!(
                "no claim `{name}`: did you mean `{}`?",
                near.name
            )
        }
        _ => {
            let names: Vec<_> =
                claims.iter().map(|c| c.name).collect();
            format!(
                "no claim `{name}`; there are: {}",
                names.join(", ")
            )
        }
    }
}

/// Letters to add, drop or change to make one word the other.
fn distance(a: &str, b: &str) -> usize {
    let mut costs: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        costs[0] = i + 1;
        for (j, y) in b.chars().enumerate() {
            let change = diagonal + usize::from(x != y);
            diagonal = costs[j + 1];
            costs[j + 1] = change.min(diagonal + 1).min(costs[j] + 1);
        }
    }
    costs[b.chars().count()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_brings_the_nearest_one_or_all() {
        let claims: Vec<_> = crate::all().collect();
        let near = unknown("quiet-upstraem", &claims);
        assert_eq!(
            near,
            "no claim `quiet-upstraem`: did you mean `quiet-upstream`?"
        );
        let far = unknown("zzz", &claims);
        assert!(far.contains("timeout-handle"), "{far}");
        assert_eq!(far.lines().count(), 1);
    }

    #[test]
    fn distance_counts_letters() {
        assert_eq!(distance("leak", "leak"), 0);
        assert_eq!(distance("", "leak"), 4);
        assert_eq!(distance("lake", "leak"), 2);
    }
}
