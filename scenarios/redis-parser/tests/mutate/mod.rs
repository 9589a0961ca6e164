//! A blind fuzzer: it takes seeds, changes some bytes, cuts and joins, and gives the result to `resp::check`.

use std::fmt;

/// What the inputs were, by how `decode` took them. A mutator that makes only rubbish tests only the first branch.
#[derive(Default)]
pub(crate) struct Seen {
    /// A frame at the front.
    pub(crate) frames: u64,
    /// The beginning of one.
    pub(crate) unfinished: u64,
    /// Neither.
    pub(crate) errors: u64,
}

/// Runs the fuzz target `count` times. The same `seed` gives the same inputs.
///
/// # Panics
/// When the target does; the input is printed.
pub(crate) fn run(count: u64, seed: u64) -> Seen {
    let seeds = seeds();
    let (mut random, mut seen) =
        (Random(seed.max(1)), Seen::default());
    for _ in 0..count {
        let input = mutate(&seeds, &mut random);
        if let Err(panic) =
            std::panic::catch_unwind(|| resp::check(&input))
        {
            eprintln!(
                "the input was {:?}",
                input.escape_ascii().to_string()
            );
            std::panic::resume_unwind(panic);
        }
        match resp::decode(&input) {
            Ok(Some(_)) => seen.frames += 1,
            Ok(None) => seen.unfinished += 1,
            Err(_) => seen.errors += 1,
        }
    }
    seen
}

/// The corpus of the fuzz target, in the order of its names.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let folder =
        concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/decode");
    let entries = std::fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{folder}: {error}"));
    let mut files: Vec<_> =
        entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

/// Longer inputs are cut.
const LENGTH_MAX: usize = 512;
/// Bytes the grammar has a meaning for.
const BYTES: &[u8] = b"$*+-:019\r\n\"\\ ";
/// And words.
const WORDS: [&[u8]; 20] = [
    b"\r\n",
    b"\r",
    b"\n",
    b"$-1\r\n",
    b"*-1\r\n",
    b"*0\r\n",
    b"*1\r\n",
    b"*2\r\n",
    b"$0\r\n\r\n",
    b"$1\r\na\r\n",
    b":1\r\n",
    b":-9223372036854775808\r\n",
    b"9223372036854775808",
    b"+OK\r\n",
    b"-ERR\r\n",
    b"$1048577\r\n",
    b"*1048577\r\n",
    b"\"",
    b"\\x4",
    b" ",
];

fn mutate(seeds: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut input = seeds[random.below(seeds.len())].clone();
    for _ in 0..random.below(6) {
        let at = random.below(input.len() + 1);
        match random.below(7) {
            0 if at < input.len() => input[at] = random.next() as u8,
            1 if at < input.len() => {
                input[at] ^= 1 << random.below(8)
            }
            2 if at < input.len() => drop(input.remove(at)),
            3 => input.truncate(at),
            4 => drop(input.splice(
                at..at,
                WORDS[random.below(WORDS.len())].iter().copied(),
            )),
            5 => input
                .extend_from_slice(&seeds[random.below(seeds.len())]),
            _ => input.insert(at, BYTES[random.below(BYTES.len())]),
        }
    }
    input.truncate(LENGTH_MAX);
    input
}

/// xorshift: the same numbers on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 11) as usize % limit
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} frames, {} unfinished, {} errors",
            self.frames, self.unfinished, self.errors
        )
    }
}
