//! Programs on which the checker was wrong in November 2026, and others of their kinds: what lives in real time beside a
//! runtime whose clock may be moved, and what is on its way when the body ends.
//!
//! A test whose name begins with `f` and a number is the report's own input.

mod allowed_closures;
mod common;
mod early_limits;
mod events;
#[path = "../outside/gate.rs"]
mod gate;
mod heartbeats;
mod horizon;
mod in_flight;
mod long_timers;
mod peers;
mod relays;
mod scopes;
mod std_clock;
mod strangers;
