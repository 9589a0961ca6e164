//! Task dumps, where the build can take them.

use std::{
    collections::{BTreeMap, HashMap},
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    pin::{Pin, pin},
    task::Poll,
};

use tokio::runtime::{Dump, Handle, dump::Trace};

use super::lines::{ByPlace, Lines};
use crate::{hash::number, registry::Registry, report::Await};

pub(super) const MISSING: Option<&str> = None;

/// The body, so that its backtraces end at it.
pub(crate) fn rooted<F: Future>(body: F) -> impl Future<Output = F::Output> {
    Trace::root(body)
}

/// Polls the body once for the lines that it awaits. Fails with the body's value if that ends the body.
pub(crate) async fn body_lines<T>(mut body: Pin<&mut impl Future<Output = T>>) -> Result<Vec<String>, T> {
    let root = workspace();
    poll_fn(|cx| {
        let (polled, trace) = Trace::capture(|| body.as_mut().poll(cx));
        let relative = |file: &Path| file.strip_prefix(&root).unwrap_or(file).to_owned();
        Poll::Ready(match polled {
            Poll::Ready(value) => Err(value),
            Poll::Pending => {
                let lines = lines(&trace, relative).into_iter();
                Ok(lines.map(|(file, line, column)| format!("{}:{line}:{column}", file.display())).collect())
            }
        })
    })
    .await
}

/// The lines that the runtime's tasks await. May never complete: see the module.
pub(crate) async fn task_lines(handle: &Handle, registry: &Registry) -> Lines {
    let mut dump = pin!(handle.dump());
    let dump = poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| dump.as_mut().poll(cx))) {
        Ok(polled) => polled.map(Some),
        Err(_) => Poll::Ready(None),
    });
    match dump.await {
        Some(dump) => Lines { tasks: by_place(&dump, registry), ..Lines::default() },
        None => Lines { why: Some("the task dump panicked (tokio issue 8391)".into()), ..Lines::default() },
    }
}

/// Counts, for each spawn line, the lines its tasks await.
fn by_place(dump: &Dump, registry: &Registry) -> ByPlace {
    let mut sites = HashMap::new();
    registry.for_each(|task| {
        sites.insert(task.id, task.site);
    });
    let mut awaits = BTreeMap::<_, BTreeMap<(PathBuf, u32, u32), usize>>::new();
    for task in dump.tasks().iter() {
        let Some(site) = sites.get(&number(task.id())) else { continue };
        let place = (site.file().to_owned(), site.line(), site.column());
        for line in lines(task.trace(), |file| shorten(file, Path::new(site.file()))) {
            *awaits.entry(place.clone()).or_default().entry(line).or_default() += 1;
        }
    }
    let counted = |((file, line, column), count): ((PathBuf, u32, u32), usize)| Await {
        location: format!("{}:{line}:{column}", file.display()),
        count,
    };
    awaits.into_iter().map(|(place, lines)| (place, lines.into_iter().map(counted).collect())).collect()
}

/// For each branch of the trace, the innermost line that belongs neither to tokio nor to the standard library. A line
/// of the user's own code is preferred to a line of a dependency.
fn lines(trace: &Trace, shorten: impl Fn(&Path) -> PathBuf) -> Vec<(PathBuf, u32, u32)> {
    let mut lines = Vec::new();
    for branch in trace.resolve_backtraces() {
        let symbols = branch.frames().flat_map(|frame| frame.symbols());
        let places: Vec<_> = symbols
            .filter_map(|symbol| Some((symbol.filename()?.to_owned(), symbol.lineno()?, symbol.colno().unwrap_or(0))))
            .filter(|(file, ..)| !is_machinery(file))
            .collect();
        let own = places.iter().find(|(file, ..)| !is_dependency(file)).or(places.first());
        if let Some((file, line, column)) = own {
            let line = (shorten(file), *line, *column);
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
    }
    lines
}

/// The standard library's files, and tokio's.
fn is_machinery(file: &Path) -> bool {
    let mut folders = file.iter().map(|folder| folder.to_string_lossy());
    file.starts_with("/rustc") || folders.any(|folder| folder == "rustlib" || is_tokio(&folder))
}

fn is_tokio(folder: &str) -> bool {
    folder.strip_prefix("tokio-").is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
}

fn is_dependency(file: &Path) -> bool {
    file.iter().any(|folder| folder == ".cargo" || folder == "registry" || folder == "checkouts")
}

/// The path as the compiler was given it, like that of a spawn line: without the folder to which the spawn line's file is
/// relative.
fn shorten(file: &Path, spawned_in: &Path) -> PathBuf {
    if file.ends_with(spawned_in) {
        return spawned_in.to_owned();
    }
    match std::env::current_dir()
        .ok()
        .as_deref()
        .and_then(|here| here.ancestors().find(|root| root.join(spawned_in).exists()))
    {
        Some(root) => file.strip_prefix(root).unwrap_or(file).to_owned(),
        None => file.to_owned(),
    }
}

/// The folder to which the compiler's paths are relative, as far as it can be told: the outermost one with a lock file.
fn workspace() -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    let roots = here.ancestors().filter(|folder| folder.join("Cargo.lock").exists());
    roots.last().unwrap_or(&here).to_owned()
}
