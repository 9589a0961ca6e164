//! The manifests of a kit. Versions, features and profiles are the workbook's, so that whoever has built it compiles little. Pure.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use stage::wire::Stated;
use toml::{Table, Value};

use super::{
    harness,
    ingredients::{Files, Ingredients},
    nouns::Nouns,
    order::Order,
    service,
};

/// The package of a candidate's service.
pub const PACKAGE: &str = "interview";
/// What the harness calls it: the goal is stated of this side.
pub const SIDE: &str = "service";
/// Its binary.
pub const BIN: &str = "interview-service";
/// The table that says which kit it is.
pub const METADATA: &str = "kit";
/// Crates of the workbook that a kit has, as far as it needs them.
const HARNESS: [&str; 2] = ["stage", "exercise"];

/// Names of crates, and of which each needs which: `interview`, and the crates of the harness.
pub type Needs = BTreeMap<String, Vec<String>>;

/// The manifests, by their paths in the kit.
///
/// # Errors
/// When a manifest of the workbook is damaged.
pub fn files(of: &Ingredients, order: Order, nouns: &Nouns, sources: &Files) -> anyhow::Result<Files> {
    let needs = needs(of)?;
    let mut files = Files::from([("Cargo.toml".to_owned(), root(of, order, nouns, sources)?)]);
    for (krate, needed) in needs.iter().filter(|(krate, _)| *krate != PACKAGE) {
        let mut text = head(krate, None);
        text += &dependencies(needed);
        text += LINTS;
        files.insert(format!("{}{krate}/Cargo.toml", harness::FOLDER), text);
    }
    files.insert(".cargo/config.toml".to_owned(), CONFIG.to_owned());
    files.insert(".gitignore".to_owned(), "/target\n".to_owned());
    files.insert("rustfmt.toml".to_owned(), of.format.clone());
    // Nobody changes it, and neither does `cargo fmt --all`.
    files.insert(format!("{}rustfmt.toml", harness::FOLDER), "disable_all_formatting = true\n".to_owned());
    Ok(files)
}

const CONFIG: &str = "# The harness counts tasks with hooks that tokio has behind this flag.\n[target.\"cfg(all())\"]\nrustflags = [\"--cfg\", \"tokio_unstable\"]\n";

const LINTS: &str = "\n[lints.rust]\nunexpected_cfgs = { level = \"warn\", check-cfg = [\"cfg(tokio_unstable)\"] }\n";

/// What each crate of the kit depends on.
///
/// # Errors
/// When a manifest of the workbook is damaged.
pub fn needs(of: &Ingredients) -> anyhow::Result<Needs> {
    let own = of.package.get("Cargo.toml").context("the package has no Cargo.toml")?;
    let mut needs = Needs::from([(PACKAGE.to_owned(), needed(own)?)]);
    for krate in HARNESS.iter().filter(|krate| **krate == "stage" || of.exercise.is_some()) {
        let text = of
            .harness
            .get(&format!("{krate}/Cargo.toml"))
            .with_context(|| format!("crates/{krate} has no Cargo.toml"))?;
        needs.insert((*krate).to_owned(), needed(text)?);
    }
    Ok(needs)
}

fn needed(manifest: &str) -> anyhow::Result<Vec<String>> {
    let manifest: Table = manifest.parse()?;
    Ok(manifest.get("dependencies").and_then(Value::as_table).into_iter().flat_map(Table::keys).cloned().collect())
}

fn root(of: &Ingredients, order: Order, nouns: &Nouns, sources: &Files) -> anyhow::Result<String> {
    let needs = needs(of)?;
    let mut text = "[workspace]\nresolver = \"3\"\nmembers = [\"harness/*\"]\n\n".to_owned();
    text += &head(PACKAGE, Some(&nouns.apply(&of.scenario.about)));
    text += &format!("[[bin]]\nname = \"{BIN}\"\npath = \"{}\"\n\n", service::MAIN);
    if let Some((name, path)) = service::library(of) {
        text += &format!("[lib]\nname = {}\npath = {}\n\n", quoted(&name), quoted(&format!("src/{path}")));
    }
    text += &dependencies(&needs[PACKAGE]);
    text += "\n[workspace.dependencies]\n";
    let known = of.manifest.get("workspace").and_then(|one| one.get("dependencies")).and_then(Value::as_table);
    let known = known.context("Cargo.toml has no [workspace.dependencies]")?;
    let mut all: Vec<_> = needs.values().flatten().collect();
    all.sort();
    all.dedup();
    for name in all {
        let specification = match known.get(name) {
            _ if HARNESS.contains(&name.as_str()) => format!("{{ path = \"{}{name}\" }}", harness::FOLDER),
            Some(specification) => inline(specification),
            None => anyhow::bail!("Cargo.toml knows no version of {name}"),
        };
        text += &format!("{name} = {specification}\n");
    }
    text += &profiles(of);
    text += &goal(of, order, nouns, sources)?;
    text += &format!("\n[package.metadata.{METADATA}]\nid = \"{}\"\nseed = {}\n", id(&of.scenario.name), order.seed);
    Ok(text)
}

fn head(name: &str, about: Option<&str>) -> String {
    let about = about.map_or_else(String::new, |about| format!("description = {}\n", quoted(about)));
    format!("[package]\nname = \"{name}\"\n{about}version = \"0.1.0\"\nedition = \"2024\"\npublish = false\n\n")
}

fn dependencies(needed: &[String]) -> String {
    let lines: String = needed.iter().map(|name| format!("{name}.workspace = true\n")).collect();
    format!("[dependencies]\n{lines}")
}

/// The workbook's profiles, but for what is said of a single crate: it may not be here.
fn profiles(of: &Ingredients) -> String {
    let dev = of.manifest.get("profile").and_then(|one| one.get("dev")).and_then(Value::as_table);
    let line = |(key, value): (&String, &Value)| format!("{key} = {}\n", inline(value));
    let (mut scalars, mut tables) = ("\n[profile.dev]\n".to_owned(), String::new());
    for (key, value) in dev.into_iter().flatten() {
        match value {
            Value::Table(table) if key == "package" => {
                let all = table.get("*").and_then(Value::as_table).into_iter().flatten();
                tables += &format!("\n[profile.dev.package.\"*\"]\n{}", all.map(line).collect::<String>());
            }
            Value::Table(table) => {
                tables += &format!("\n[profile.dev.{key}]\n{}", table.iter().map(line).collect::<String>())
            }
            value => scalars += &line((key, value)),
        }
    }
    scalars + &tables
}

/// What must be left: what the goal's side states, said of the service.
fn goal(of: &Ingredients, order: Order, nouns: &Nouns, sources: &Files) -> anyhow::Result<String> {
    let statement = &of.scenario.statement;
    let load = order.load(statement.units, statement.rate);
    let word = |word: &str| quoted(&nouns.apply(word));
    let mut text = format!(
        "\n[package.metadata.lab]\nunit = {}\nunits_name = {}\n",
        word(&statement.unit),
        word(&statement.units_name())
    );
    text += &format!("units = {}\nrate = {:?}\ngauge = {}\n", load.units, load.rate, word(&statement.gauge));
    text += "\n[package.metadata.lab.gauges]\n";
    // What only other sides count would be a hint.
    let counts = |name: &str| sources.values().any(|text| text.contains(&format!("\"{}\"", nouns.apply(name))));
    for (name, shape) in statement.gauges.iter().filter(|(name, _)| counts(name)) {
        let (kind, unit) = (inline(&Value::try_from(shape.kind)?), inline(&Value::try_from(shape.unit)?));
        text += &format!("{} = {{ kind = {kind}, unit = {unit} }}\n", nouns.apply(name));
    }
    let stated = statement.survivors.get(of.goal()).with_context(|| format!("it states nothing of `{}`", of.goal()))?;
    ensure!(!stated.is_empty(), "it states nothing");
    let left = |(name, stated): (&String, &Stated)| match stated {
        Stated::PerUnit(left) => format!("{} = {left:?}\n", nouns.apply(name)),
        Stated::AtMost { at_most } => format!("{} = {{ at_most = {at_most} }}\n", nouns.apply(name)),
    };
    text += "\n# What must be left of each count: so many per unit of work, or at most so many.\n";
    Ok(text + &format!("[package.metadata.lab.survivors.{SIDE}]\n{}", stated.iter().map(left).collect::<String>()))
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// A value on one line.
fn inline(value: &Value) -> String {
    match value {
        Value::Table(table) => {
            let pairs: Vec<_> = table.iter().map(|(key, value)| format!("{key} = {}", inline(value))).collect();
            format!("{{ {} }}", pairs.join(", "))
        }
        Value::Array(all) => format!("[{}]", all.iter().map(inline).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

/// A number that says which kit this is, and not what it is about.
pub fn id(name: &str) -> String {
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    format!("{:016x}", name.bytes().fold(0xcbf2_9ce4_8422_2325, mix))
}
