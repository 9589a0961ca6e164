//! What somebody asks of a kit, and what a seed makes of it: other nouns, another load. Pure.

use anyhow::ensure;
use fastrand::Rng;

use super::{facts::Facts, nouns::Nouns};

/// How long an interview may be.
pub const MINUTES: [u32; 2] = [20, 45];
/// What a seed makes of the number of units and of their rate, in per cent: enough that two candidates see other numbers, and no more,
/// for what a service holds is stated for the load that it was proven with.
const PER_CENT: [u64; 6] = [80, 85, 90, 110, 115, 120];
/// In many services every fourth unit is another one: a load of whole fours leaves whole numbers.
const STEP: u64 = 4;

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    /// 20 or 45.
    pub minutes: u32,
    /// 0 leaves everything as it is in the workbook.
    pub seed: u64,
}

/// How much work is offered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// Units in all.
    pub units: u64,
    /// Units per second.
    pub rate: f64,
}

impl Order {
    /// Checks the minutes.
    ///
    /// # Errors
    /// When there is no plan for so many.
    pub fn new(minutes: u32, seed: u64) -> anyhow::Result<Self> {
        ensure!(MINUTES.contains(&minutes), "there is no plan for {minutes} minutes: `--minutes 20` or `--minutes 45`");
        Ok(Self { minutes, seed })
    }

    /// The nouns of this kit.
    pub fn nouns(self, facts: &Facts) -> Nouns {
        Nouns::pick(&facts.nouns, self.seed)
    }

    /// The load of this kit.
    pub fn load(self, units: u64, rate: f64) -> Load {
        if self.seed == 0 {
            return Load { units, rate };
        }
        let per_cent = PER_CENT[Rng::with_seed(self.seed ^ 0x10AD).usize(..PER_CENT.len())];
        let share = |whole: u64| (whole * per_cent).div_ceil(100);
        let units = if units < STEP { units } else { share(units).div_ceil(STEP) * STEP };
        // As many seconds as before: what is slow by itself stays as slow.
        Load { units, rate: (rate * per_cent as f64 / 10.0).round() / 10.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_another_load_within_a_fifth_and_the_same_each_time() {
        let load = |seed| Order { minutes: 45, seed }.load(200, 50.0);
        assert_eq!(load(0), Load { units: 200, rate: 50.0 });
        assert_eq!(load(5), load(5));
        for seed in 1..50 {
            let Load { units, rate } = load(seed);
            assert!((160..=240).contains(&units) && units != 200 && units.is_multiple_of(STEP), "{units}");
            assert!((40.0..=60.0).contains(&rate), "{rate}");
        }
        assert_eq!(Order { minutes: 45, seed: 3 }.load(1, 2.0).units, 1);
    }

    #[test]
    fn there_are_two_plans() {
        assert!(Order::new(45, 0).is_ok() && Order::new(20, 0).is_ok());
        let said = Order::new(30, 0).unwrap_err().to_string();
        assert_eq!(said, "there is no plan for 30 minutes: `--minutes 20` or `--minutes 45`");
    }
}
