//! The counts of a task's polls, as bits of one word: 15 for polls in real time, 15 for polls in virtual time, and one that says
//! that the task was polled at all.

const COUNT: u32 = 0x7fff;
const SHIFT: u32 = 15;
const EVER: u32 = 1 << 31;
/// What is left when the polls in real time are forgotten, and when all counts are.
pub(super) const ALL_BUT_REAL: u32 = !COUNT;
pub(super) const EVER_ONLY: u32 = EVER;

/// How often a task was polled while polls were counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Polls {
    pub(crate) real: u32,
    /// While the checker let virtual time pass.
    pub(crate) in_virtual_time: u32,
    /// Whether the task was never polled since it was spawned, so far as that is known.
    pub(crate) never: bool,
}

impl Polls {
    /// `from_start` says that no poll of the runtime went uncounted.
    pub(super) fn of(word: u32, from_start: bool) -> Self {
        let (real, in_virtual_time) = (word & COUNT, word >> SHIFT & COUNT);
        Self { real, in_virtual_time, never: from_start && word & EVER == 0 }
    }
}

/// How a poll is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Polled {
    InRealTime = 1,
    InVirtualTime = 1 << SHIFT,
}

impl Polled {
    pub(super) fn from_word(word: u32) -> Option<Self> {
        [Self::InRealTime, Self::InVirtualTime].into_iter().find(|polled| *polled as u32 == word)
    }

    /// What one more poll adds to the word. A count stops at its highest value. A task's first poll in virtual time does not
    /// count: that time passes is not why it was polled.
    pub(super) fn step(self, word: u32) -> u32 {
        let (unit, ever) = (self as u32, EVER & !word);
        let full = word & (COUNT * unit) == COUNT * unit;
        let first = self == Self::InVirtualTime && ever > 0;
        (if full || first { 0 } else { unit }) + ever
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_poll_of_a_task_says_nothing_of_virtual_time() {
        let first = Polled::InVirtualTime.step(0);
        assert_eq!(Polls::of(first, true), Polls { real: 0, in_virtual_time: 0, never: false });
        let second = first + Polled::InVirtualTime.step(first);
        assert_eq!(Polls::of(second, true), Polls { real: 0, in_virtual_time: 1, never: false });
    }

    #[test]
    fn a_count_that_is_full_leaves_the_other_alone() {
        let mut word = 0;
        assert_eq!(Polls::of(word, true), Polls { real: 0, in_virtual_time: 0, never: true });
        assert!(!Polls::of(word, false).never, "a poll may have gone uncounted");
        for _ in 0..40_000 {
            word += Polled::InRealTime.step(word);
        }
        word += Polled::InVirtualTime.step(word);
        assert_eq!(Polls::of(word, true), Polls { real: COUNT, in_virtual_time: 1, never: false });
        for _ in 0..40_000 {
            word += Polled::InVirtualTime.step(word);
        }
        assert_eq!(Polls::of(word & ALL_BUT_REAL, true), Polls { real: 0, in_virtual_time: COUNT, never: false });
        assert_eq!(Polls::of(word & EVER_ONLY, true), Polls { real: 0, in_virtual_time: 0, never: false });
    }
}
