//! The outbox on disk: what was accepted, and what was pushed. A real service would take a database for it.
//!
//! One record a line: a checksum, then words. `accept ID…` before a caller hears "accepted", `begin BATCH ID…` before
//! the first push of a batch, `commit BATCH ID…` after the last. Each is on the disk (`fsync`) before anyone goes on.

use std::{
    collections::{BTreeMap, VecDeque},
    fs::{File, OpenOptions, rename},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use anyhow::{Context, bail, ensure};
use tokio::task::spawn_blocking;

/// What waits to be pushed. Above this nothing is accepted: callers get "try again later".
const WAITING_MAX: usize = 1_000;

/// One notification.
pub(crate) type Id = u64;

pub(crate) struct Outbox {
    /// None after a failed write: what follows half a record could not be read back.
    journal: Arc<Mutex<Option<File>>>,
    waiting: Arc<Mutex<Waiting>>,
    /// Batches that an earlier instance began and did not commit.
    pub(crate) torn: u64,
}

struct Waiting {
    ids: VecDeque<Id>,
    batches: u64,
}

/// What is being pushed. Dropped without a commit, it is torn: the journal has its beginning and no end.
pub(crate) struct Batch {
    number: u64,
    pub(crate) ids: Vec<Id>,
}

impl Outbox {
    /// Reads the journal of the instance before, and begins a new one with what that one left.
    pub(crate) async fn open(dir: &Path) -> anyhow::Result<Self> {
        let dir = dir.to_owned();
        spawn_blocking(move || open(&dir))
            .await
            .context("opening the outbox panicked")?
    }

    /// When this returns, the ids survive the end of the process. A caller that hangs up before may find them pushed, or not.
    pub(crate) async fn accept(
        &self,
        ids: &[Id],
    ) -> anyhow::Result<()> {
        self.append(words("accept", ids), ids.to_owned()).await
    }

    /// Takes at most `max` of those that wait; none where nothing waits.
    pub(crate) async fn begin(
        &self,
        max: usize,
    ) -> anyhow::Result<Option<Batch>> {
        let batch = {
            let mut waiting = self.waiting.lock().unwrap();
            let ids: Vec<_> = (0..max)
                .map_while(|_| waiting.ids.pop_front())
                .collect();
            if ids.is_empty() {
                return Ok(None);
            }
            waiting.batches += 1;
            Batch { number: waiting.batches, ids }
        };
        self.append(
            words(&format!("begin {}", batch.number), &batch.ids),
            Vec::new(),
        )
        .await?;
        Ok(Some(batch))
    }

    /// Ends a batch of which the first `pushed` were pushed. The others wait again, in front.
    pub(crate) async fn commit(
        &self,
        batch: Batch,
        pushed: usize,
    ) -> anyhow::Result<()> {
        let (done, rest) = batch.ids.split_at(pushed);
        self.append(
            words(&format!("commit {}", batch.number), done),
            Vec::new(),
        )
        .await?;
        let mut waiting = self.waiting.lock().unwrap();
        rest.iter().rev().for_each(|id| waiting.ids.push_front(*id));
        Ok(())
    }

    /// On a blocking thread, which no `abort()` can cut: a record that was begun is written to its end, and only then `new` waits.
    async fn append(
        &self,
        words: String,
        new: Vec<Id>,
    ) -> anyhow::Result<()> {
        let (journal, waiting) =
            (self.journal.clone(), self.waiting.clone());
        let append = move || {
            let mut slot = journal.lock().unwrap();
            let room = WAITING_MAX
                .saturating_sub(waiting.lock().unwrap().ids.len());
            ensure!(
                new.len() <= room,
                "full: {WAITING_MAX} may wait"
            );
            let mut file =
                slot.take().context("an earlier write failed")?;
            let written = file
                .write_all(record(&words).as_bytes())
                .and_then(|()| file.sync_data());
            written.context("cannot write the journal")?;
            *slot = Some(file);
            waiting.lock().unwrap().ids.extend(new);
            Ok(())
        };
        spawn_blocking(append).await.context("a write panicked")?
    }
}

/// What a journal says.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Replayed {
    /// Accepted, and in no committed batch.
    pub(crate) waiting: Vec<Id>,
    /// Batches that were begun and not committed.
    pub(crate) torn_batches: u64,
    /// Whether the last record is half written.
    pub(crate) torn_write: bool,
}

/// Reads a journal. A record without its end is possible at the very end: nobody had gone on after it. Anything else that is
/// broken means that the disk lost something, which no program can mend.
pub(crate) fn replay(journal: &[u8]) -> anyhow::Result<Replayed> {
    let (mut waiting, mut begun) =
        (BTreeMap::<Id, ()>::new(), BTreeMap::<Id, ()>::new());
    let (mut said, mut at) = (Replayed::default(), 0);
    for line in journal.split_inclusive(|byte| *byte == b'\n') {
        if !line.ends_with(b"\n") {
            said.torn_write = true;
            break;
        }
        let words = words_of(line).with_context(|| {
            format!(
                "the record at byte {at} of the journal is broken"
            )
        })?;
        let (kind, ids) =
            words.split_once(' ').unwrap_or((words, ""));
        let ids = ids
            .split_whitespace()
            .map(str::parse)
            .collect::<Result<Vec<Id>, _>>()
            .context("not a number")?;
        match (kind, ids.as_slice()) {
            ("accept", ids) => {
                waiting.extend(ids.iter().map(|id| (*id, ())))
            }
            ("begin", [batch, ..]) => drop(begun.insert(*batch, ())),
            ("commit", [batch, ids @ ..]) => {
                begun.remove(batch);
                waiting.retain(|id, ()| !ids.contains(id));
            }
            _ => bail!(
                "the record at byte {at} of the journal is unknown: {words}"
            ),
        }
        at += line.len();
    }
    said.torn_batches = begun.len() as u64;
    said.waiting = waiting.into_keys().collect();
    Ok(said)
}

/// The journal in `dir`.
pub(crate) fn journal_in(dir: &Path) -> PathBuf {
    dir.join("journal")
}

fn open(dir: &Path) -> anyhow::Result<Outbox> {
    let path = journal_in(dir);
    let old = match std::fs::read(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Vec::new()
        }
        old => old.with_context(|| {
            format!("cannot read {}", path.display())
        })?,
    };
    let said = replay(&old)?;
    // Written beside the old one and renamed over it: at every moment one whole journal has this name.
    let new = path.with_extension("new");
    let mut file = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .open(&new)?;
    if !said.waiting.is_empty() {
        file.write_all(
            record(&words("accept", &said.waiting)).as_bytes(),
        )?;
    }
    file.sync_data()?;
    rename(&new, &path)?;
    File::open(dir)?.sync_all()?;
    let waiting = Waiting { ids: said.waiting.into(), batches: 0 };
    Ok(Outbox {
        journal: Arc::new(Mutex::new(Some(file))),
        waiting: Arc::new(Mutex::new(waiting)),
        torn: said.torn_batches,
    })
}

fn words(kind: &str, ids: &[Id]) -> String {
    ids.iter()
        .fold(kind.to_owned(), |words, id| format!("{words} {id}"))
}

fn record(words: &str) -> String {
    format!("{:08x} {words}\n", crc32(words.as_bytes()))
}

/// The words of a whole record.
fn words_of(line: &[u8]) -> Option<&str> {
    let line = std::str::from_utf8(line).ok()?.strip_suffix('\n')?;
    let (sum, words) = line.split_once(' ')?;
    (sum.len() == 8
        && u32::from_str_radix(sum, 16)
            == Ok(crc32(words.as_bytes())))
    .then_some(words)
}

/// The checksum of Ethernet and zip. It tells a half-written record; it does not tell a forged one.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    let byte = |sum: u32, byte: &u8| {
        (0..8).fold(sum ^ u32::from(*byte), bit)
    };
    fn bit(sum: u32, _: u8) -> u32 {
        (sum >> 1) ^ (0xEDB8_8320 & (sum & 1).wrapping_neg())
    }
    !bytes.iter().fold(!0, byte)
}
