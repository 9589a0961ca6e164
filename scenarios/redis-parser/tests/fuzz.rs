//! The fuzz target on a stable compiler: its seeds, and mutations of them. `fuzz/run` does the same guided by coverage.

mod mutate;

#[test]
fn the_seeds_hold_to_what_is_checked() {
    let seeds = mutate::seeds();
    assert!(
        seeds.len() >= 15,
        "fuzz/corpus/decode has {} seeds",
        seeds.len()
    );
    seeds.iter().for_each(|seed| resp::check(seed));
}

#[test]
fn mutations_of_the_seeds_hold_and_reach_every_outcome() {
    let count = 50_000;
    let seen = mutate::run(count, 0x5eed);
    let enough = count / 20;
    assert!(
        seen.frames > enough
            && seen.unfinished > enough
            && seen.errors > enough,
        "one-sided: {seen}"
    );
}
