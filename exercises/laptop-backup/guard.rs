//! Your guard: one `#[leakcheck::test]` that fails on `start.rs` and passes on your copy. `cargo lab guard laptop-backup` tries it on
//! both. `World::open()` gives you the peers and the service, `unit(n)` asks for one unit of work, `close()` ends the service.
