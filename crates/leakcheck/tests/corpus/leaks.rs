//! The leaking kernels: each is a small service on a bad day, and most name the public incident they are made after.
//!
//! A kernel marks the line that Tokio reports for a spawn with the comment `LEAK`, or `LEAK x3` where that line leaves
//! three tasks. The tasks are parked, unless the mark goes on: `live`, `never yields`, or one of several where that
//! depends on the runtime or the moment. The harness reads the marks from the source, so that no line number is typed.

use std::any::Any;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Mutex;

mod barriers;
mod blocking;
mod body;
mod channels;
mod cycles;
mod foreign;
mod live;
mod locks;
mod net;
mod sites;
mod streams;
mod tasks;
mod threads;
mod tokens;

/// A runtime that a kernel leaks on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flavor {
    /// One thread, the real clock.
    Current,
    /// One thread, the clock paused from the start.
    Paused,
    /// Two worker threads.
    Multi,
    /// A `LocalRuntime`, the real clock.
    Local,
}

const ALL: &[Flavor] = &[Flavor::Current, Flavor::Paused, Flavor::Multi];
/// For kernels with a timeout next to a blocking thread: Tokio does not advance a paused clock while that thread runs.
const REAL: &[Flavor] = &[Flavor::Current, Flavor::Multi];
/// For tasks that block their thread: on one thread, the body would never go on.
const MULTI: &[Flavor] = &[Flavor::Multi];
const ONE_THREAD: &[Flavor] = &[Flavor::Current, Flavor::Paused];
const LOCAL: &[Flavor] = &[Flavor::Local];

type Body = Pin<Box<dyn Future<Output = ()>>>;

/// A kernel, and what it leaves behind on purpose.
pub(crate) struct Leak {
    pub(crate) name: &'static str,
    /// The public incident that the kernel is made after, or the class of bugs where none fits.
    pub(crate) incident: &'static str,
    pub(crate) tasks: usize,
    pub(crate) blocking: usize,
    pub(crate) flavors: &'static [Flavor],
    pub(crate) returns: bool,
    pub(crate) run: fn() -> Body,
    /// The path of the kernel's file, as Tokio reports it.
    pub(crate) file: &'static str,
    source: &'static str,
}

impl Leak {
    fn new(name: &'static str, incident: &'static str, tasks: usize, run: fn() -> Body) -> Self {
        Self { name, incident, tasks, blocking: 0, flavors: ALL, returns: true, run, file: "", source: "" }
    }

    fn on(self, flavors: &'static [Flavor]) -> Self {
        Self { flavors, ..self }
    }

    fn blocking(self, blocking: usize) -> Self {
        Self { blocking, ..self }
    }

    fn never_returns(self) -> Self {
        Self { returns: false, ..self }
    }

    /// The marked lines of this kernel.
    pub(crate) fn marks(&self) -> BTreeMap<u32, Mark> {
        let head = format!("async fn {}()", self.name);
        let lines = (1..).zip(self.source.lines()).skip_while(|(_, line)| !line.starts_with(&head));
        lines.take_while(|(_, line)| *line != "}").filter_map(|(at, line)| Some((at, Mark::read(line)?))).collect()
    }
}

/// What a line leaves.
pub(crate) struct Mark {
    pub(crate) count: usize,
    pub(crate) state: State,
}

/// What the tasks of a line do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Parked,
    Live,
    /// One of these, by the runtime and the moment of the look.
    ParkedOrTimer,
    ParkedLiveOrTimer,
    ParkedOrStarved,
    NeverYields,
}

impl Mark {
    fn read(line: &str) -> Option<Self> {
        let mark = line.split_once("// LEAK")?.1.trim();
        let (count, state) = match mark.strip_prefix('x').map(|mark| mark.split_once(' ').unwrap_or((mark, ""))) {
            Some((count, state)) => (count.parse().expect("a mark is LEAK, or LEAK x and a number"), state),
            None => (1, mark),
        };
        let state = match state {
            "" => State::Parked,
            "live" => State::Live,
            "parked or timer" => State::ParkedOrTimer,
            "parked, live or timer" => State::ParkedLiveOrTimer,
            "parked or starved" => State::ParkedOrStarved,
            "never yields" => State::NeverYields,
            state => panic!("no task is {state}"),
        };
        Some(Self { count, state })
    }
}

macro_rules! leak {
    ($kernel:ident, $incident:literal, $tasks:literal) => {
        $crate::leaks::Leak::new(stringify!($kernel), $incident, $tasks, || Box::pin($kernel()))
    };
}
use leak;

macro_rules! in_this_file {
    ($source:literal, $leaks:expr) => {
        $leaks.into_iter().map(|leak| $crate::leaks::Leak { file: file!(), source: include_str!($source), ..leak })
    };
}
use in_this_file;

pub(crate) fn all() -> Vec<Leak> {
    let mut all: Vec<Leak> = Vec::new();
    all.extend(barriers::all());
    all.extend(blocking::all());
    all.extend(body::all());
    all.extend(channels::all());
    all.extend(cycles::all());
    all.extend(foreign::all());
    all.extend(live::all());
    all.extend(locks::all());
    all.extend(net::all());
    all.extend(sites::all());
    all.extend(streams::all());
    all.extend(tasks::all());
    all.extend(threads::all());
    all.extend(tokens::all());
    all
}

/// The registry that nobody cleans up: what it holds, it holds for as long as the process runs.
fn keep<T: Send + 'static>(value: T) {
    static REGISTRY: Mutex<Vec<Box<dyn Any + Send>>> = Mutex::new(Vec::new());
    REGISTRY.lock().expect("nothing panics while it holds this lock").push(Box::new(value));
}
