//! What a candidate reads first. Neutral: what stays, and why, is theirs to find. Pure.

use stage::{gauge::Gauge, wire::Stated};

use super::{
    ingredients::{Files, Ingredients},
    manifest,
    nouns::Nouns,
    order::Order,
    service,
};

/// The candidate's README.
pub(super) fn text(of: &Ingredients, order: Order, nouns: &Nouns, sources: &Files, crates: usize) -> String {
    let statement = &of.scenario.statement;
    let load = order.load(statement.units, statement.rate);
    let units = nouns.apply(&statement.units_name());
    let seconds = (load.units as f64 / load.rate).ceil().max(1.0);
    format!(
        "# The task\n\n{}\n\nYou have **{} minutes**, the conversation included. Think aloud: the way counts as much as the result.\n\n\
         ## Run it\n\n```sh\ncargo run\n```\n\nThe first build fetches and compiles some {} crates: do it before the interview. A run offers {} {units} in \
         about {seconds} s, waits until the counts stand still, and reports. Its last line says `GREEN` or `RED` and why; the exit code is 0 \
         or 1, and 3 when the machine was too busy to tell. `cargo run -- --help` has more: fewer units, another rate.\n\n\
         While it runs, it prints a line a second:\n\n{}\n\
         If you know tokio-console (`cargo install tokio-console`), it connects while the service runs: `cargo run -- --hold`, and \
         `tokio-console` in another terminal. You can do without.\n\n\
         ## What must be so at the end\n\n{}\n\
         ## Rules\n\n\
         - The service is `src/main.rs`. Change what you like there, add files and tests; its public functions keep their names.\n\
         - What lies around it stays as it is: {}and all of `harness/`. They are put back before your work is judged.\n\
         - Another crate is fine, if you can say why.\n\
         - The net, documentation and your own tools are fine. Say what you look up.\n\
         - It counts that the work is still done: the same answers, each piece of work once, no slower than it has to be.\n\
         - At the end: say what stayed, why, what ended it, what your change costs, and how a test would have told.\n",
        nouns.apply(&of.facts.task),
        order.minutes,
        crates,
        load.units,
        columns(of, nouns, sources),
        goal(of, nouns),
        around(sources),
    )
}

fn around(sources: &Files) -> String {
    let others = sources.keys().filter(|path| *path != service::MAIN);
    others.map(|path| format!("`{path}`, ")).collect()
}

/// What the columns are. Those of the service have no head where they come late.
fn columns(of: &Ingredients, nouns: &Nouns, sources: &Files) -> String {
    let units = nouns.apply(&of.scenario.statement.units_name());
    let mut text = format!(
        "| column | what it counts |\n| --- | --- |\n| `{units}` | {units} that have got their answer |\n| `tasks` | tasks that are alive |\n\
         | `blocking`, `threads` | threads for blocking work, and all threads |\n| `fds`, `sockets` | open files, and sockets among them |\n\
         | `RSS` | memory of the process |\n| `panics` | panics so far |\n"
    );
    let mut own = gauges(sources);
    if of.exercise.is_some() {
        own.extend(["heap_kib", "repeated", "unfinished"].map(str::to_owned));
    }
    own.sort();
    let said = |name: &String| match name.as_str() {
        "heap_kib" => "bytes that are allocated, in KiB".to_owned(),
        "repeated" => format!("{units} that were done more than once"),
        "unfinished" => format!("{units} that were accepted, and neither done nor refused"),
        own => format!("the service's own: {}", Gauge::named(own).title()),
    };
    if !own.is_empty() {
        let rows: String = own.iter().map(|name| format!("| `{name}` | {} |\n", said(name))).collect();
        text += &rows;
        let names: Vec<_> = own.iter().map(|name| format!("`{name}`")).collect();
        text += &format!("\nThe last columns may have no head; they are, from left to right, {}.\n", names.join(", "));
    }
    text
}

/// The gauges that the sources add, by name.
pub(super) fn gauges(sources: &Files) -> Vec<String> {
    let mut names: Vec<_> = sources
        .values()
        .flat_map(|text| text.split(".gauge(").skip(1))
        .filter_map(|rest| rest.trim_start().strip_prefix('"')?.split_once('"').map(|(name, _)| name.to_owned()))
        .collect();
    names.sort();
    names.dedup();
    names
}

/// The goal in words.
fn goal(of: &Ingredients, nouns: &Nouns) -> String {
    let statement = &of.scenario.statement;
    let unit = nouns.apply(&statement.unit);
    let line = |(name, stated): (&String, &Stated)| {
        let name = nouns.apply(name);
        match stated {
            Stated::AtMost { at_most: 0 } => format!("- `{name}` is no higher than before the load.\n"),
            Stated::AtMost { at_most } => format!("- `{name}` is at most {at_most} higher than before the load.\n"),
            Stated::PerUnit(left) if *left == 0.0 => format!("- `{name}` is back where it was before the load.\n"),
            Stated::PerUnit(left) => format!("- `{name}` rises by {left} per {unit}: that is part of the work.\n"),
        }
    };
    let mut text: String = statement.survivors[of.goal()].iter().map(line).collect();
    text += &format!("- Every {unit} gets its right answer, and nothing panics{}.\n", panics(of));
    if let Some(exercise) = &of.exercise {
        text +=
            "\nBeside these, what you hand in is run next to a finished version of it, and held to these limits:\n\n";
        text += &format!(
            "- All of it holds with four times as many {}.\n- A {unit} takes at most {} times as long as there.\n\
             - The service ends within {} ms, with what is under way done or refused.\n",
            nouns.apply(&statement.units_name()),
            exercise.facts.latency,
            exercise.facts.close_ms
        );
        let limit =
            |(name, most): (&String, &u64)| format!("- `{}` never rises by more than {most}.\n", nouns.apply(name));
        text += &exercise.facts.limits.iter().map(limit).collect::<String>();
    }
    text += &format!("\n`Cargo.toml` states this in `[package.metadata.lab.survivors.{}]`.\n", manifest::SIDE);
    text
}

fn panics(of: &Ingredients) -> &'static str {
    if of.scenario.statement.survivors[of.goal()].contains_key("panics") { " beyond what is stated above" } else { "" }
}
