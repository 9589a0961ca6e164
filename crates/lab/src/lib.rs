//! The lab: runs, watches, judges, records and draws the scenarios, and builds and serves the book.
//!
//! Left to right: [`catalogue`] → [`cargo`] → [`child`] → [`record`] → [`series`] → [`verdict`] and [`chart`] → terminal, file or
//! page. Everything to the right of [`series`] is pure.

pub mod book;
mod browser;
pub mod cargo;
pub mod catalogue;
pub mod chart;
pub mod child;
pub mod command;
pub mod doctor;
pub mod measure;
pub mod pair;
pub mod plot;
pub mod record;
pub mod recording;
pub mod root;
mod same_site;
pub mod screen;
pub mod series;
pub mod serve;
pub mod side;
pub mod verdict;
pub mod view;
pub mod words;
