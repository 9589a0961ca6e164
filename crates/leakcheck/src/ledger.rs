//! What a running service tells of its tasks: how many each spawn line has spawned, and how many are left.

pub(crate) mod counts;
mod course;
mod data;
#[cfg(feature = "metrics")]
mod metrics;
mod take;
mod text;

#[cfg(feature = "metrics")]
pub use self::metrics::TaskCollector;
pub use self::{
    course::{Convergence, Course, LineCourse},
    data::{Ledger, Line, Older, Oldest},
};
