//! The corpus: programs that leak, and whether the checker finds each of them.

mod leaks;
mod recall;
