//! Until the other commands are there: `lab book [DEST]` and mdBook's `lab preprocess`.

use std::{path::Path, process::ExitCode};

fn main() -> anyhow::Result<ExitCode> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.split_first() {
        Some((command, rest)) if command == "preprocess" => lab::book::preprocess(rest),
        Some((command, rest)) if command == "book" => {
            println!("{}", lab::book::build(Path::new("."), rest.first().map(Path::new))?.display());
            Ok(ExitCode::SUCCESS)
        }
        _ => anyhow::bail!("usage: lab book [DEST] | lab preprocess [supports RENDERER]"),
    }
}
