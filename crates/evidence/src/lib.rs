//! What scenarios state and what their runs said. Reads it, checks it, judges it and draws it; starts nothing and waits for nothing, so that
//! a wrong verdict is reproduced from a stored recording.
//!
//! [`catalogue`], [`exercise`], [`exhibit`], [`made_by`], [`recording`], [`root`] and [`scenario`] read files. All else is pure: it takes values, and touches neither files nor
//! clocks.

pub mod catalogue;
pub mod chart;
pub mod contract;
pub mod exercise;
pub mod exhibit;
pub mod guard;
pub mod key;
pub mod made_by;
pub mod plot;
pub mod recording;
pub mod root;
pub mod scenario;
pub mod screen;
pub mod series;
pub mod side;
pub mod topic;
pub mod verdict;
pub mod words;
