//! The lab: runs, watches, judges, records and draws the scenarios, and builds and serves the book.
//!
//! Left to right: [`catalogue`] → [`cargo`] → [`child`] → [`console`] → [`series`] → [`verdict`] and [`chart`] → terminal, file or
//! page. Everything to the right of [`series`] is pure.

pub mod book;
mod browser;
pub mod cargo;
pub mod catalogue;
pub mod chart;
pub mod child;
pub mod command;
pub mod console;
pub mod doctor;
pub mod exhibit;
pub mod guard;
pub mod made_by;
pub mod measure;
pub mod pair;
pub mod plan;
pub mod plot;
pub mod recording;
pub mod renew;
pub mod root;
mod same_site;
pub mod screen;
pub mod series;
pub mod serve;
pub mod side;
pub mod topic;
pub mod verdict;
pub mod view;
pub mod words;
