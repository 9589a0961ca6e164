//! Builds the book again when something it is made from has changed, and stands still.
//!
//! Looked at four times a second, as mdBook does it too: the system's notifications would also report our own reading.

use std::{
    collections::BTreeSet,
    convert::Infallible,
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use book::For;
use tokio::{sync::watch, time::Instant};

use super::folder::Folder;

/// How often the sources are looked at.
const LOOK: Duration = Duration::from_millis(250);
/// A change is built when so many looks in a row saw the same: git writes for a while.
const STILL: u32 = 3;
/// Whatever never stands still is built after this.
const STILL_LIMIT: Duration = Duration::from_secs(10);
/// The book's own files, and what its records are held against. What pages include is found in the pages.
const OWN: [&str; 7] = ["Cargo.lock", "book", "book.toml", "controls", "crates/stage/src", "exercises", "scenarios"];
/// Where exercises are, and the files of each that are the reader's own: no page shows them, and each save would build the book.
const EXERCISES: &str = "exercises";
const OF_THE_READER: [&str; 2] = ["mine.rs", "guard.rs"];

/// The book as it is served now.
#[derive(Clone, Debug, Default)]
pub(super) struct Site {
    /// Where its pages are; empty before the first build.
    pub(super) folder: PathBuf,
    /// Grows with every build that succeeds, also from one server to the next.
    pub(super) build: u64,
    /// Why the sources of this moment do not build.
    pub(super) problem: Option<String>,
}

/// What there is to see of the sources: names, times and sizes. Two that are equal need no build between them.
type Stamp = u64;

/// Builds the book, and again when it changes.
pub(super) struct Builder {
    root: Arc<Path>,
    /// Removed with the builder. Another server of the same workbook has its own.
    folder: Folder,
    site: watch::Sender<Site>,
    sources: Arc<BTreeSet<PathBuf>>,
    whom: For,
    built: Stamp,
}

impl Builder {
    /// Builds for the first time.
    ///
    /// # Errors
    /// When the book does not build, or there is no place for it.
    pub(super) async fn new(root: &Arc<Path>, whom: For) -> anyhow::Result<Self> {
        let folder = Folder::new(root)?;
        let site = watch::Sender::new(Site::default());
        let mut builder = Self { root: root.clone(), folder, site, sources: Arc::default(), whom, built: 0 };
        let built = builder.build().await?;
        builder.publish(built);
        Ok(builder)
    }

    /// The book as it is served, now and later.
    pub(super) fn site(&self) -> watch::Receiver<Site> {
        self.site.subscribe()
    }

    /// Builds whenever the sources have changed.
    pub(super) async fn follow(mut self) -> Infallible {
        loop {
            self.changed().await;
            match self.build().await {
                Ok(folder) => {
                    if self.publish(folder) {
                        eprintln!("the book builds again");
                    }
                }
                Err(error) => {
                    let problem = format!("{error:#}");
                    if self.complain(&problem) {
                        eprintln!("the book does not build; the last good one is served:\n{problem}");
                    }
                }
            }
        }
    }

    /// Never into the folder that is served: the renderer empties its folder first.
    async fn build(&mut self) -> anyhow::Result<PathBuf> {
        let root = self.root.clone();
        let found = tokio::task::spawn_blocking(move || sources(&root)).await?;
        Arc::make_mut(&mut self.sources).extend(found);
        // Before the build: what changes during it is built again.
        self.built = self.stamp().await?;
        let dest = self.folder.other_than(&self.site.borrow().folder);
        let (root, whom) = (self.root.clone(), self.whom);
        tokio::task::spawn_blocking(move || book::build(&root, Some(&dest), whom)).await?
    }

    /// Serves a new build; true when the one before had failed.
    fn publish(&self, folder: PathBuf) -> bool {
        let before = self.site.borrow().clone();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
        self.site.send_replace(Site { folder, build: now.max(before.build + 1), problem: None });
        before.problem.is_some()
    }

    /// Keeps the last good build; true when this was not said of it already.
    fn complain(&self, problem: &str) -> bool {
        self.site.send_if_modified(|site| {
            let is_news = site.problem.as_deref() != Some(problem);
            site.problem = Some(problem.to_owned());
            is_news
        })
    }

    /// Waits until the sources are others than those last built, and stand still.
    async fn changed(&self) {
        let (mut last, mut same, mut since) = (self.built, 0, None);
        loop {
            tokio::time::sleep(LOOK).await;
            // Somebody without a descriptor to spare sees no files. That is no change.
            let Ok(now) = self.stamp().await else { continue };
            same = if now == last { same + 1 } else { 0 };
            last = now;
            if now == self.built && !self.is_gone() {
                since = None;
                continue;
            }
            let waited = since.get_or_insert_with(Instant::now).elapsed();
            if same + 1 >= STILL || waited > STILL_LIMIT {
                return;
            }
        }
    }

    async fn stamp(&self) -> io::Result<Stamp> {
        let (root, sources) = (self.root.clone(), self.sources.clone());
        // Some hundred files: not for a thread that serves pages.
        tokio::task::spawn_blocking(move || look(&root, &sources)).await.map_err(io::Error::other)?
    }

    /// True when somebody removed what is served: `cargo clean` does.
    fn is_gone(&self) -> bool {
        let site = self.site.borrow();
        site.problem.is_none() && !site.folder.join("index.html").exists()
    }
}

/// Every file and folder that the book is made from, relative to the root.
pub(super) fn sources(root: &Path) -> BTreeSet<PathBuf> {
    OWN.map(PathBuf::from).into_iter().chain(book::included(root)).collect()
}

fn look(root: &Path, sources: &BTreeSet<PathBuf>) -> io::Result<Stamp> {
    let mut hasher = DefaultHasher::new();
    sources.iter().try_for_each(|path| look_into(&root.join(path), &mut hasher))?;
    Ok(hasher.finish())
}

fn look_into(path: &Path, hasher: &mut DefaultHasher) -> io::Result<()> {
    if is_of_the_reader(path) {
        return Ok(());
    }
    let meta = match fs::metadata(path) {
        Ok(meta) => meta,
        // Removed since it was listed; the next look sees the rest.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !meta.is_dir() {
        (path, meta.len(), meta.modified()?).hash(hasher);
        return Ok(());
    }
    let mut entries = fs::read_dir(path)?.collect::<io::Result<Vec<_>>>()?;
    entries.retain(|entry| !passes(&entry.file_name().to_string_lossy()));
    entries.sort_by_key(fs::DirEntry::file_name);
    entries.iter().try_for_each(|entry| look_into(&entry.path(), hasher))
}

/// `exercises/NAME/mine.rs`, and what else a reader keeps there.
fn is_of_the_reader(path: &Path) -> bool {
    let in_exercise = path.ancestors().nth(2).is_some_and(|folder| folder.ends_with(EXERCISES));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // And what a reset keeps of them: `mine.rs.old-1`.
    in_exercise && OF_THE_READER.iter().any(|own| name.starts_with(own))
}

/// Names of files that editors and builds make beside those that somebody writes.
fn passes(name: &str) -> bool {
    // vim asks with a file `4913` whether it may write there.
    let exact = ["target", "node_modules", "4913"].contains(&name);
    let start = name.starts_with('.') || name.starts_with('#') || name.starts_with("___jb_");
    exact || start || ["~", ".swp", ".tmp", ".part", ".bak", ".orig", ".rej"].iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests;
