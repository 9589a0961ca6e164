//! The lines that left tasks await, from a task dump of a runtime that nobody needs any more.
//!
//! A dump polls every idle task once more. At tokio 1.54.1 it can hang or panic, and so can the drop of the runtime afterwards.
//! A dump is therefore the last thing that happens to a runtime, the caller waits for the dump no longer than stated, and the
//! runtime is never dropped.

use crate::{own::OwnRuntime, registry::Registry, report::Report};

/// The report with await lines, or with the reason why there are none. The runtime is given up.
#[cfg(all(
    tokio_unstable,
    feature = "await-lines",
    target_os = "linux",
    any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64", target_arch = "s390x")
))]
pub(crate) fn with_await_lines(runtime: OwnRuntime, registry: &Registry, report: Report) -> Report {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    let handle = runtime.handle().clone();
    let dump = catch_unwind(AssertUnwindSafe(|| runtime.block_on(handle.dump())));
    // Not `shutdown_background`: that drops the tasks, which is what can hang.
    std::mem::forget(runtime);
    match dump {
        Ok(dump) => traces::add(&dump, registry, report),
        Err(_) => Report { no_await_lines: Some("the task dump panicked (tokio issue 8391)".into()), ..report },
    }
}

#[cfg(not(all(
    tokio_unstable,
    feature = "await-lines",
    target_os = "linux",
    any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64", target_arch = "s390x")
)))]
pub(crate) fn with_await_lines(runtime: OwnRuntime, _: &Registry, report: Report) -> Report {
    runtime.shutdown_background();
    let why = "they need Linux and leakcheck's feature `await-lines`";
    Report { no_await_lines: Some(why.into()), ..report }
}

#[cfg(all(
    tokio_unstable,
    feature = "await-lines",
    target_os = "linux",
    any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64", target_arch = "s390x")
))]
mod traces {
    use std::{
        collections::{BTreeMap, HashMap},
        path::{Path, PathBuf},
    };

    use tokio::runtime::{Dump, dump::Trace};

    use crate::{
        hash::number,
        registry::Registry,
        report::{Await, Report},
    };

    /// Counts, for each spawn line, the lines its tasks await.
    pub(super) fn add(dump: &Dump, registry: &Registry, mut report: Report) -> Report {
        let mut sites = HashMap::new();
        registry.for_each(|task| {
            sites.insert(task.id, task.site);
        });
        let mut awaits = BTreeMap::<_, BTreeMap<(PathBuf, u32, u32), usize>>::new();
        for task in dump.tasks().iter() {
            let Some(site) = sites.get(&number(task.id())) else { continue };
            let place = (site.file().to_owned(), site.line(), site.column());
            for line in lines(task.trace(), Path::new(site.file())) {
                *awaits.entry(place.clone()).or_default().entry(line).or_default() += 1;
            }
        }
        for group in &mut report.survivors {
            let found = awaits.remove(&(group.file.clone(), group.line, group.column)).unwrap_or_default();
            let found = found.into_iter().map(|((file, line, column), count)| Await {
                location: format!("{}:{line}:{column}", file.display()),
                count,
            });
            group.awaits = found.collect();
            group.awaits.sort_by_key(|line| std::cmp::Reverse(line.count));
        }
        if report.survivors.iter().all(|group| group.awaits.is_empty()) {
            report.no_await_lines =
                Some("the dump names no line of yours: optimised builds and foreign primitives hide them".into());
        }
        report
    }

    /// For each branch of the trace, the innermost line that belongs neither to tokio nor to the standard library. A line
    /// of the user's own code is preferred to a line of a dependency.
    fn lines(trace: &Trace, spawned_in: &Path) -> Vec<(PathBuf, u32, u32)> {
        let mut lines = Vec::new();
        for branch in trace.resolve_backtraces() {
            let symbols = branch.frames().flat_map(|frame| frame.symbols());
            let places: Vec<_> = symbols
                .filter_map(|symbol| {
                    Some((symbol.filename()?.to_owned(), symbol.lineno()?, symbol.colno().unwrap_or(0)))
                })
                .filter(|(file, ..)| !is_machinery(file))
                .collect();
            let own = places.iter().find(|(file, ..)| !is_dependency(file)).or(places.first());
            if let Some((file, line, column)) = own {
                let line = (shorten(file, spawned_in), *line, *column);
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
}
