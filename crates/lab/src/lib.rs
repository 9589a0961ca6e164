//! The lab: runs, watches, judges, records and draws the scenarios, and builds and serves the book.
//!
//! Left to right: `scenario` → `cargo` → `child` → `record` → `series` → `verdict` and `chart` → terminal, file or page.
//! Everything to the right of [`series`] is pure.

pub mod screen;
pub mod series;
