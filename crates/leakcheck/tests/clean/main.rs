//! Programs that leave nothing behind: the checker must never blame one.

mod blame;
mod controls;
mod endurance;
mod harness;
mod leaks;
mod programs;
mod quiet;
