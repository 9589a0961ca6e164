//! Your guard: one `#[leakcheck::test]` that passes on `start.rs`, and fails when more stays than may. `cargo lab guard image-cache` tries
//! it. `World::open()` gives you the peers and the service, `unit(n)` asks for one unit of work.
