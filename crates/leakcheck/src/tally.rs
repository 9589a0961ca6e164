//! Counts the living tasks of a registry into a report: by spawn location, by state and by parent.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    callers::{Callers, Origin, is_dependency},
    clock,
    registry::{Alive, Observation, Registry},
    report::{Body, Caller, Parent, Report, Survivors, shorten},
    sites::Site,
    threads::Poll,
};

/// A poll that lasts this long, and still goes on when the wait is over, is one that never yields.
pub(crate) const STUCK_MIN: Duration = Duration::from_millis(50);
/// The first poll of a task may fall into the wait: the task was spawned at the very end of the body, and parks. A task with
/// this many polls is live.
const POLLS_OF_LIVE: u32 = 2;

impl Report {
    /// Counts the tasks that are alive now and were spawned since a generation began.
    pub(crate) fn take(registry: &Registry, since: u64, polls: Option<&PollTracker>, body: Body) -> Self {
        let now = registry.threads.polling();
        let mut groups = BTreeMap::<_, Group>::new();
        let mut add =
            |task: &Alive| groups.entry(position(task.site)).or_default().add(task, State::of(task, &now, polls));
        let mut numbered = BTreeMap::<_, Vec<Alive>>::new();
        registry.for_each(|task| match task.allowance {
            _ if task.generation < since => {}
            0 => add(&task),
            allowance if registry.limit(allowance) < usize::MAX => numbered.entry(allowance).or_default().push(task),
            _ => {}
        });
        let mut allowed = registry.allowed();
        for (allowance, mut tasks) in numbered {
            // The oldest are the ones that were meant: a pool's keeper is there before what leaks.
            tasks.sort_by_key(|task| task.id);
            let surplus = tasks.get(registry.limit(allowance)..).unwrap_or_default();
            surplus.iter().for_each(&mut add);
            let allowed = &mut allowed[allowance as usize - 1];
            (allowed.tasks, allowed.surplus) = (allowed.tasks.saturating_sub(surplus.len()), surplus.len());
        }
        let finish = |(position, group): (_, Group)| group.finish(position, &registry.callers);
        let mut survivors: Vec<_> = groups.into_iter().map(finish).collect();
        survivors.sort_by_key(|group| Reverse(group.count));
        Self { body, survivors, allowed, panics: registry.panics.since(since), ..Self::default() }
    }
}

/// The polls that are in progress, and when each was first seen. While the tracker lives, the registry counts polls.
pub(crate) struct PollTracker {
    first_seen: Vec<(Poll, Instant)>,
    _counting: Observation,
}

impl PollTracker {
    pub(crate) fn start(registry: &Arc<Registry>) -> Self {
        let mut tracker = Self { first_seen: Vec::new(), _counting: registry.observe() };
        tracker.update(registry);
        tracker
    }

    pub(crate) fn update(&mut self, registry: &Registry) {
        let now = Instant::now();
        let polls = registry.threads.polling().into_iter();
        let since = |poll| self.first_seen.iter().find(|seen| seen.0 == poll).map_or(now, |seen| seen.1);
        self.first_seen = polls.map(|poll| (poll, since(poll))).collect();
    }

    /// Whether a poll that is in progress now was in progress long before.
    fn is_stuck(&self, poll: &Poll) -> bool {
        self.first_seen.iter().any(|(seen, since)| seen == poll && since.elapsed() >= STUCK_MIN)
    }
}

enum State {
    Parked,
    Live,
    NeverYields,
}

impl State {
    fn of(task: &Alive, now: &[Poll], polls: Option<&PollTracker>) -> Self {
        let mut own = now.iter().filter(|poll| poll.task == task.id).peekable();
        // The number of polls comes first: on a machine that is short of processor time a short poll may last long, and a
        // task that was polled often did yield.
        if task.polls >= POLLS_OF_LIVE {
            Self::Live
        } else if own.peek().is_none() {
            Self::Parked
        } else if own.any(|poll| polls.is_some_and(|polls| polls.is_stuck(poll))) {
            Self::NeverYields
        } else {
            Self::Live
        }
    }
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
    fn add(&mut self, task: &Alive, state: State) {
        let counts = &mut self.counts;
        counts.count += 1;
        self.ids.push(task.id);
        *match state {
            State::Parked => &mut counts.parked,
            State::Live => &mut counts.live,
            State::NeverYields => &mut counts.never_yields,
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
