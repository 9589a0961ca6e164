//! Counts the living tasks of a registry into a report: by spawn location, by state and by parent.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::runtime::Handle;

use crate::{
    callers::{Callers, Origin, is_dependency},
    clock,
    registry::{Alive, Observation, Polled, Polls, Registry},
    report::{Body, Caller, Parent, Report, Survivors, shorten},
    sites::Site,
    threads::Poll,
    timers::NextTimer,
};

/// A poll that lasts this long, and still goes on when the wait is over, is one that never yields.
pub(crate) const STUCK_MIN: Duration = Duration::from_millis(50);
/// The first poll of a task may fall into the wait: the task was spawned at the very end of the body, and parks. A task with
/// this many polls is live.
const POLLS_OF_LIVE: u32 = 2;

impl Report {
    /// Counts the tasks that are alive now and were spawned since a generation began. Without a tracker nobody has waited,
    /// and the states are unknown.
    pub(crate) fn take(registry: &Registry, since: u64, polls: Option<&PollTracker>, body: Body) -> Self {
        let now = registry.threads.polling();
        let mut groups = BTreeMap::<_, Group>::new();
        let mut add = |task: &Alive| {
            let state = polls.map(|polls| polls.state(task, &now));
            groups.entry(position(task.site)).or_default().add(task, state);
        };
        let mut numbered = BTreeMap::<_, Vec<Alive>>::new();
        registry.for_each(|task| match task.allowance {
            _ if task.generation < since => {}
            0 => add(&task),
            allowance if registry.allowances.limit(allowance) < usize::MAX => {
                numbered.entry(allowance).or_default().push(task)
            }
            _ => {}
        });
        let mut allowed = registry.allowances.report();
        for (allowance, mut tasks) in numbered {
            // The oldest are the ones that were meant: a pool's keeper is there before what leaks.
            tasks.sort_by_key(|task| task.id);
            let surplus = tasks.get(registry.allowances.limit(allowance)..).unwrap_or_default();
            surplus.iter().for_each(&mut add);
            let allowed = &mut allowed[allowance as usize - 1];
            (allowed.tasks, allowed.surplus) = (allowed.tasks.saturating_sub(surplus.len()), surplus.len());
        }
        let finish = |(position, group): (_, Group)| group.finish(position, &registry.callers);
        let mut survivors: Vec<_> = groups.into_iter().map(finish).collect();
        survivors.sort_by_key(|group| Reverse(group.count));
        let mut report = Self { body, survivors, allowed, panics: registry.panics.since(since), ..Self::default() };
        if let Some(polls) = polls {
            polls.tell_the_parked_apart(&mut report, &now);
        }
        report
    }
}

/// What was seen of a runtime while the checker waited. While the tracker lives, the registry counts polls.
pub(crate) struct PollTracker {
    handle: Handle,
    registry: Arc<Registry>,
    /// The polls that are in progress, and when each was first seen.
    first_seen: Vec<(Poll, Instant)>,
    /// How many tasks were queued at the last look.
    queued: usize,
    next_timer: NextTimer,
    /// Whether nothing but tasks can wait for a timer: no body, and no closure that blocks on a future.
    only_tasks: bool,
    _counting: Observation,
}

impl PollTracker {
    /// Counts polls from zero.
    pub(crate) fn start(registry: &Arc<Registry>, handle: &Handle) -> Self {
        let counting = registry.observe();
        registry.forget_polls();
        let mut tracker = Self {
            handle: handle.clone(),
            registry: registry.clone(),
            first_seen: Vec::new(),
            queued: usize::MAX,
            next_timer: NextTimer::Unknown,
            only_tasks: false,
            _counting: counting,
        };
        tracker.update();
        tracker
    }

    /// Looks. Call it again and again while waiting, and once before the report.
    pub(crate) fn update(&mut self) {
        let now = Instant::now();
        let polls = self.registry.threads.polling().into_iter();
        let since = |poll| self.first_seen.iter().find(|seen| seen.0 == poll).map_or(now, |seen| seen.1);
        self.first_seen = polls.map(|poll| (poll, since(poll))).collect();
        self.queued = queued(&self.handle);
    }

    /// From now on polls are counted apart, as polls for which time had to pass. Call it when virtual time has begun to
    /// pass: by then the runtime was idle once, and each task has had its first poll.
    pub(crate) fn begin_virtual(&self) {
        self.registry.count(Polled::InVirtualTime);
    }

    /// From now on polls are counted as usual. Call it when virtual time passes no longer.
    pub(crate) fn end_virtual(&self) {
        self.registry.count(Polled::InRealTime);
    }

    /// Sets what is known of the runtime's timers at the end of the wait, and whether only tasks can wait for them.
    pub(crate) fn set_timers(&mut self, next: NextTimer, only_tasks: bool) {
        (self.next_timer, self.only_tasks) = (next, only_tasks);
    }

    /// Whether a poll that is in progress now was in progress long before.
    pub(crate) fn has_stuck(&self) -> bool {
        self.registry.threads.polling().iter().any(|poll| self.is_stuck(poll))
    }

    fn is_stuck(&self, poll: &Poll) -> bool {
        self.first_seen.iter().any(|(seen, since)| seen == poll && since.elapsed() >= STUCK_MIN)
    }

    fn state(&self, task: &Alive, now: &[Poll]) -> State {
        let mut own = now.iter().filter(|poll| poll.task == task.id).peekable();
        // The number of polls comes first: on a machine that is short of processor time a short poll may last long, and a
        // task that was polled often did yield.
        let Polls { real, in_virtual_time, never } = task.polls;
        // One poll of each kind is no sign of life: a first poll that came late, or a slow ticker and a long wait.
        if real.max(in_virtual_time) >= POLLS_OF_LIVE {
            State::Live
        } else if own.peek().is_some() {
            if own.any(|poll| self.is_stuck(poll)) { State::NeverYields } else { State::Live }
        } else if never {
            State::Starved
        } else if in_virtual_time > 0 && matches!(self.next_timer, NextTimer::In(_)) {
            // Time woke it once, and something still waits for time. Where nobody knows whether a timer is pending, the task may as
            // well have come to the line at which it is parked.
            State::Timer
        } else {
            State::Parked
        }
    }

    /// Moves parked tasks to another state where numbers prove it. Tokio tells how many tasks are queued, and not which; so
    /// of a group at least as many are queued as cannot be others.
    fn tell_the_parked_apart(&self, report: &mut Report, before: &[Poll]) {
        let now = self.registry.threads.polling();
        let polled = before.iter().filter(|poll| now.contains(poll)).count();
        let not_polled = self.handle.metrics().num_alive_tasks().saturating_sub(polled);
        // A task that is queued for a moment is no starved one: it must be so at both looks.
        let queued = self.queued.min(queued(&self.handle));
        let surely = |parked: usize| queued.saturating_sub(not_polled.saturating_sub(parked)).min(parked);
        let parked: usize = report.survivors.iter().map(|group| group.parked).sum();
        report.queued = surely(parked);
        for group in &mut report.survivors {
            let starved = surely(group.parked);
            group.parked -= starved;
            group.starved += starved;
            report.queued = report.queued.saturating_sub(starved);
        }
        let NextTimer::In(next) = self.next_timer else { return };
        if not_polled == 1 && self.only_tasks {
            // The only task that is alive, wherever it was spawned. If it is not in the report, nothing here is parked.
            for group in &mut report.survivors {
                group.timer += std::mem::take(&mut group.parked);
            }
        }
        let may_wait = report.survivors.iter().any(|group| group.parked + group.timer > 0);
        report.next_timer = may_wait.then_some(next);
    }
}

/// A check that is cancelled in virtual time leaves nothing behind that counts polls as such.
impl Drop for PollTracker {
    fn drop(&mut self) {
        self.end_virtual();
    }
}

/// How many tasks are queued to be polled.
#[cfg(tokio_unstable)]
fn queued(handle: &Handle) -> usize {
    let metrics = handle.metrics();
    let local = |worker| metrics.worker_local_queue_depth(worker);
    metrics.global_queue_depth() + (0..metrics.num_workers()).map(local).sum::<usize>()
}

#[cfg(not(tokio_unstable))]
fn queued(_: &Handle) -> usize {
    0
}

#[derive(Clone, Copy)]
enum State {
    Parked,
    Timer,
    Live,
    NeverYields,
    Starved,
}

/// File, line and column.
type Position = (&'static str, u32, u32);

fn position(site: Site) -> Position {
    (site.file(), site.line(), site.column())
}

/// The survivors of one spawn location while they are counted.
#[derive(Default)]
struct Group {
    counts: Survivors,
    ids: Vec<u64>,
    parents: BTreeMap<Option<Position>, usize>,
}

impl Group {
    fn add(&mut self, task: &Alive, state: Option<State>) {
        let counts = &mut self.counts;
        counts.count += 1;
        self.ids.push(task.id);
        *match state {
            Some(State::Parked) => &mut counts.parked,
            Some(State::Timer) => &mut counts.timer,
            Some(State::Live) => &mut counts.live,
            Some(State::NeverYields) => &mut counts.never_yields,
            Some(State::Starved) => &mut counts.starved,
            None => &mut counts.unknown,
        } += 1;
        let age = clock::now_ms().saturating_sub(task.spawned_ms);
        counts.oldest = counts.oldest.max(Duration::from_millis(age));
        *self.parents.entry(task.parent.map(position)).or_default() += 1;
    }

    fn finish(self, (file, line, column): Position, callers: &Callers) -> Survivors {
        let name = |(file, line, column): Position| format!("{}:{line}:{column}", shorten(file));
        let parents = self.parents.into_iter();
        let mut parents: Vec<_> = parents.map(|(parent, count)| Parent { location: parent.map(name), count }).collect();
        parents.sort_by_key(|parent| Reverse(parent.count));
        let callers = callers.of(&self.ids).into_iter();
        // What is spawned in the user's own code has a line of the user's.
        let location = |caller| if is_dependency(file) { caller } else { None };
        let callers =
            callers.map(|(Origin { caller, in_lazy }, count)| Caller { location: location(caller), in_lazy, count });
        let callers = callers.filter(|caller| caller.location.is_some() || caller.in_lazy).collect();
        Survivors { file: file.to_owned(), line, column, parents, callers, ..self.counts }
    }
}
