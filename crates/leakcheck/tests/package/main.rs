//! The two crates as they would be published: they build from what is packed, somebody else's test finds a leak with them, and the
//! oldest Tokio that the manifest allows works.
//!
//! Everything is built in a folder of its own. Cargo takes crates from its cache where it has them, so with `CARGO_NET_OFFLINE=true`
//! this works without a network, too.
#![cfg(all(tokio_unstable, target_os = "linux"))]

mod foreign;
mod packed;
mod versions;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn root() -> PathBuf {
    here().ancestors().nth(2).expect("the crate lies two folders below the root").to_owned()
}

/// A folder for this part of the tests alone: cargo locks it while it builds.
fn target(name: &str) -> PathBuf {
    root().join("target/package-tests").join(name)
}

/// Runs a program, and returns whether it succeeded and all that it said.
fn run(command: &mut Command) -> (bool, String) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.success(), text)
}

/// A cargo that knows nothing of the one that runs this test, but for its own settings: neither its flags nor its package.
fn cargo() -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    for (name, _) in std::env::vars_os() {
        let of_a_package = name.to_str().is_some_and(|name| {
            ["CARGO_PKG_", "CARGO_BIN_", "CARGO_MANIFEST_"].iter().any(|start| name.starts_with(start))
        });
        if of_a_package || ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUST_BACKTRACE"].iter().any(|other| name == *other)
        {
            cargo.env_remove(name);
        }
    }
    cargo
}
