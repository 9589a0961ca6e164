//! What the page `leak-test.md` shows, compiled and run.

mod fix;
mod leak;
mod running;
mod stays;
