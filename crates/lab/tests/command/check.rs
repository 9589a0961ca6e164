//! `cargo lab check` as a reader meets it: a copy that is right or not, and whatever else a copy may be. Each time one clear line, the
//! exit code, and nothing that still runs.

mod broken;
mod scratch;
mod surroundings;
