//! Draws one gauge over time, a line for each side, as a small SVG that needs no script: for pages, for a live run, and
//! as a file of its own. Pure.

mod course;
mod draw;
mod live;
mod scale;
mod story;

pub use self::{
    course::{Course, gauges, label},
    draw::{divergence, svg},
    live::{Drawing, Live},
    scale::Scale,
    story::story,
};

#[cfg(test)]
mod tests;
