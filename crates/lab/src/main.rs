//! `cargo lab`: see `cargo lab --help`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use lab::command;

#[derive(Parser)]
#[command(name = "cargo lab", about = "Runs, watches and judges leaking Tokio programs; serves the book")]
#[command(after_help = "Without a command: serve. Exit code: 0 as it should be, 1 not so, 2 wrong arguments.")]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Run a leak and its fix at the same time and judge both
    Pair(command::Pair),
    /// List the scenarios and their sides
    List(command::List),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        None => Ok(ExitCode::SUCCESS),
        Some(Command::Pair(pair)) => pair.run(),
        Some(Command::List(list)) => list.run(),
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::from(2)
    })
}
