//! Which letter each key of the book gets, and in which order a question's options stand: shuffled by a seed, so that the same seed
//! gives the same book. Keys come from bags with the same number of each letter, as cards from a deck: no letter is rare, and
//! whoever takes the others' longest or the second option learns nothing by it.

use fastrand::Rng;

use super::questions::OPTIONS;

/// What a book without a seed of its own is shuffled with.
pub const SEED: u64 = 2026;
/// Of each letter in a bag. With one, the last of four keys would be known.
const EACH: usize = 2;
/// So often the deck is shuffled anew when a page would have one letter throughout; with pages of four keys, next to never.
const SHUFFLES: usize = 1_000;

/// For each page, given by how many questions it has, the order of the options of each question: places of the wrong options and
/// [`KEY`], as the page shows them.
pub fn deal(seed: u64, pages: &[usize]) -> Vec<Vec<[Card; OPTIONS]>> {
    let mut rng = Rng::with_seed(seed);
    let letters = letters(&mut rng, pages);
    letters.into_iter().map(|page| page.into_iter().map(|letter| order(&mut rng, letter)).collect()).collect()
}

/// What stands at a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Card {
    /// The right option.
    Key,
    /// A wrong one, by its place among the wrong ones of the file.
    Wrong(usize),
}

/// The letter of each key, page by page.
fn letters(rng: &mut Rng, pages: &[usize]) -> Vec<Vec<usize>> {
    let mut dealt = Vec::new();
    for _ in 0..SHUFFLES {
        let mut deck = deck(rng, pages.iter().sum()).into_iter();
        dealt = pages.iter().map(|questions| deck.by_ref().take(*questions).collect()).collect();
        if !dealt.iter().any(|page: &Vec<usize>| is_uniform(page)) {
            break;
        }
    }
    dealt
}

fn deck(rng: &mut Rng, keys: usize) -> Vec<usize> {
    let mut deck = Vec::with_capacity(keys + EACH * OPTIONS);
    while deck.len() < keys {
        let mut bag: Vec<_> = (0..EACH * OPTIONS).map(|card| card % OPTIONS).collect();
        rng.shuffle(&mut bag);
        deck.extend(bag);
    }
    deck
}

fn is_uniform(page: &[usize]) -> bool {
    page.len() > 1 && page.iter().all(|letter| *letter == page[0])
}

fn order(rng: &mut Rng, letter: usize) -> [Card; OPTIONS] {
    let mut wrong: Vec<_> = (0..OPTIONS - 1).map(Card::Wrong).collect();
    rng.shuffle(&mut wrong);
    wrong.insert(letter, Card::Key);
    std::array::from_fn(|at| wrong[at])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(seed: u64, pages: &[usize]) -> Vec<Vec<usize>> {
        let key = |order: &[Card; OPTIONS]| order.iter().position(|card| *card == Card::Key).unwrap();
        deal(seed, pages).iter().map(|page| page.iter().map(key).collect()).collect()
    }

    #[test]
    fn a_seed_gives_one_order_and_another_seed_another() {
        let pages = [4; 17];
        assert_eq!(deal(1, &pages), deal(1, &pages));
        assert_ne!(deal(1, &pages), deal(2, &pages));
        assert_ne!(keys(1, &pages), keys(2, &pages));
    }

    #[test]
    fn no_letter_is_rare_and_no_page_has_one_throughout() {
        for (seed, pages) in (0..200).flat_map(|seed| [(seed, vec![4; 17]), (seed, vec![2; 20]), (seed, vec![2])]) {
            let keys = keys(seed, &pages);
            assert!(!keys.iter().any(|page| is_uniform(page)), "seed {seed}: {keys:?}");
            let all: Vec<_> = keys.concat();
            let counts = [0, 1, 2, 3].map(|letter| all.iter().filter(|key| **key == letter).count());
            // Whole bags are even; the last one may be cut.
            let even = all.len() / (EACH * OPTIONS) * EACH;
            assert!(counts.iter().all(|count| (even..=even + EACH).contains(count)), "seed {seed}: {counts:?}");
        }
    }

    #[test]
    fn the_wrong_options_are_shuffled_and_all_there() {
        let mut seen = std::collections::BTreeSet::new();
        for order in deal(7, &[4; 40]).concat() {
            let wrong: Vec<_> =
                order.iter().filter_map(|card| if let Card::Wrong(at) = card { Some(*at) } else { None }).collect();
            let mut sorted = wrong.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2]);
            seen.insert(wrong);
        }
        assert_eq!(seen.len(), 6, "all orders of three");
    }
}
