//! `cargo lab`: see `cargo lab --help`.

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand, error::ErrorKind};
use lab::command;

#[derive(Parser)]
#[command(name = "cargo lab", bin_name = "cargo lab")]
#[command(about = "Runs, watches and judges leaking Tokio programs; builds and serves the book")]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Without a command: serve, with the options above. Works in every folder of the workbook.\nExit code: 0 as it should be, 1 not so, 2 wrong arguments or surroundings, 130 Ctrl-C, 143 SIGTERM, 129 SIGHUP."
)]
struct Cli {
    #[command(flatten)]
    serve: command::Serve,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the book on this machine, with programs that run from its pages
    Serve(command::Serve),
    /// Run a leak and its fix at the same time, and judge both
    Pair(command::Pair),
    /// List the exercises, or practise one: it is checked whenever you save
    Practice(command::Practice),
    /// Answer the four questions of an exercise, and have them graded
    Answer(command::Answer),
    /// Try the guard of an exercise on the given service and on your copy
    Guard(command::Guard),
    /// Check an exercise: your copy of the service beside a solution
    Check(command::Check),
    /// List the scenarios and their sides, and the exercises
    List(command::List),
    /// Run every side of scenarios and keep the numbers for the book
    Record(command::Record),
    /// Build the book into target/book, as plain files for any host
    Book(command::Book),
    /// Say what is wrong with this machine, and how to mend it
    Doctor(command::Doctor),
    /// What scripts/pair opens, in lines that it reads
    #[command(hide = true)]
    PairPlan(command::PairPlan),
    /// mdBook's preprocessor protocol
    #[command(hide = true)]
    Preprocess(command::Preprocess),
    /// A captured terminal as a picture: OUT.svg TITLE=FILE…
    #[command(hide = true)]
    Screen(command::Screen),
}

fn main() -> ExitCode {
    let Cli { serve, command } = parse();
    let result = match command {
        None => serve.run(),
        Some(Command::Serve(serve)) => serve.run(),
        Some(Command::Pair(pair)) => pair.run(),
        Some(Command::Practice(practice)) => practice.run(),
        Some(Command::Answer(answer)) => answer.run(),
        Some(Command::Guard(guard)) => guard.run(),
        Some(Command::Check(check)) => check.run(),
        Some(Command::List(list)) => list.run(),
        Some(Command::Record(record)) => record.run(),
        Some(Command::Book(book)) => book.run(),
        Some(Command::Doctor(doctor)) => doctor.run(),
        Some(Command::PairPlan(plan)) => plan.run(),
        Some(Command::Preprocess(preprocess)) => preprocess.run(),
        Some(Command::Screen(screen)) => screen.run(),
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::from(2)
    })
}

/// The arguments, or the end: with the parser's words, or, where the programs' arguments stand in the wrong place, the right command.
fn parse() -> Cli {
    let args: Vec<_> = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
    Cli::try_parse().unwrap_or_else(|error| {
        let is_unknown = error.kind() == ErrorKind::UnknownArgument;
        if let Some(command) = command::repair(&Cli::command(), &args).filter(|_| is_unknown) {
            eprintln!("error: what the programs are to take stands behind `--`: {command}");
            std::process::exit(2);
        }
        error.exit()
    })
}
