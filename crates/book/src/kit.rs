//! An interview kit: a candidate's project without a word that tells, and an interviewer's sheet. Reads the workbook once
//! ([`Ingredients`]); all else is text in, text out. Who writes, builds and runs it is `lab`.

mod facts;
mod harness;
mod ingredients;
mod lock;
pub mod manifest;
pub mod nouns;
mod order;
mod readme;
mod rust;
mod service;
mod sheet;
pub mod telling;
mod words;

use anyhow::Context;
use serde::Deserialize;
use stage::Statement;

pub use self::{
    facts::{Facts, file as facts_file},
    ingredients::{Files, Ingredients},
    order::{Load, MINUTES, Order},
    service::MAIN,
};

/// The candidate's project, by the paths of its files, with `side` as its service: what is given away, or, to judge by, what is accepted.
///
/// # Errors
/// When something of the workbook is missing, or would tell.
pub fn candidate(of: &Ingredients, order: Order, side: &str) -> anyhow::Result<Files> {
    let nouns = order.nouns(&of.facts);
    let mut files = service::sources(of, side)?;
    files.values_mut().for_each(|text| *text = nouns.apply(text));
    let lock = lock::of(&of.lock, &manifest::needs(of)?)?;
    let readme = readme::text(of, order, &nouns, &files, lock.matches("[[package]]").count());
    files.extend(manifest::files(of, order, &nouns, &files)?);
    files.extend(harness::files(of)?);
    files.insert("README.md".to_owned(), readme);
    files.insert("Cargo.lock".to_owned(), lock);
    service::check(&files, &of.names)?;
    Ok(files)
}

/// Why the nouns of a kit cannot be replaced, each in one line.
///
/// # Errors
/// When a module of the service is missing.
pub fn noun_faults(of: &Ingredients) -> anyhow::Result<Vec<String>> {
    let mut texts = Vec::new();
    for side in of.accepted().into_iter().chain([of.given()]) {
        texts.extend(service::sources(of, side)?.into_values());
    }
    Ok(nouns::faults(&of.facts.nouns, &texts.iter().map(String::as_str).collect::<Vec<_>>()))
}

/// What a kit with these files states: its load, its gauges, and what must be left, as `side` has it.
///
/// # Errors
/// When the manifest is damaged.
pub fn statement(files: &Files, side: &str) -> anyhow::Result<Statement> {
    #[derive(Deserialize)]
    struct Manifest {
        package: Package,
    }
    #[derive(Deserialize)]
    struct Package {
        metadata: Metadata,
    }
    #[derive(Deserialize)]
    struct Metadata {
        lab: Statement,
    }
    let text = files.get("Cargo.toml").context("a kit has a Cargo.toml")?;
    let mut statement = toml::from_str::<Manifest>(text).context("Cargo.toml of the kit")?.package.metadata.lab;
    let goal = statement.survivors.remove(manifest::SIDE).context("a kit states what must be left")?;
    statement.survivors.insert(side.to_owned(), goal);
    Ok(statement)
}

/// The interviewer's sheet, as one file of HTML.
///
/// # Errors
/// When something of the workbook is missing.
pub fn interviewer(of: &Ingredients, order: Order) -> anyhow::Result<String> {
    sheet::html(of, order, &order.nouns(&of.facts), &candidate(of, order, of.given())?)
}
