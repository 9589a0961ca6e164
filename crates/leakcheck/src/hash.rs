//! Task ids and addresses as keys of hash maps, and the number inside a task's id.

use std::hash::{Hash, Hasher};

use tokio::task;

/// The number inside a task's id. Tokio has no accessor for the number, but the id hashes as this one number.
pub(crate) fn number(id: task::Id) -> u64 {
    let mut hasher = Spread::default();
    id.hash(&mut hasher);
    hasher.0
}

/// A hasher for a single number. The keys of one map differ by multiples of 8 or 64, so most of their low bits are equal; the
/// product with an odd constant carries the difference into the upper bits, and the rotation brings some of these down to the
/// low bits, by which a map chooses its bucket.
#[derive(Default)]
pub(crate) struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(26)
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }

    fn write_usize(&mut self, number: usize) {
        self.0 = number as u64;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn hash(number: u64) -> u64 {
        let mut hasher = Spread::default();
        hasher.write_u64(number);
        hasher.finish()
    }

    /// A map takes its bucket from the low bits, and a tag that saves comparisons from the upper seven.
    #[test]
    fn keys_with_equal_low_bits_are_spread_over_buckets_and_tags() {
        for step in [1, 8, 24, 64, 4_096] {
            let hashes: Vec<_> = (0..1_024).map(|key| hash(key * step)).collect();
            let buckets: HashSet<_> = hashes.iter().map(|hash| hash % 1_024).collect();
            let tags: HashSet<_> = hashes.iter().map(|hash| hash >> 57).collect();
            // Random numbers would meet 647 of the 1,024 buckets, and all tags.
            assert!(buckets.len() > 500, "a step of {step}: {} of 1,024 buckets", buckets.len());
            assert!(tags.len() > 100, "a step of {step}: {} of 128 tags", tags.len());
        }
    }
}
