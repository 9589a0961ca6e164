//! All that the console has told so far about what is alive. Pure.
//!
//! The rules that make the count right were found by running: metadata first, tasks kept by id (the first publish after
//! attaching repeats what the initial message held), statistics replace, `dropped_at` ends a task.

use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
    sync::Arc,
};

use console_api::{Field, Location, field, resources, tasks};
use evidence::series::Group;
use prost_types::Timestamp;
use tokio::task::yield_now;

use super::message::Part;

/// So many texts that occur again and again are kept once. Where there are more, they do not occur again.
const SHARED_MAX: usize = 10_000;

#[derive(Default)]
pub(super) struct Seen {
    field_names: HashMap<u64, Vec<String>>,
    tasks: HashMap<u64, Task>,
    resources: HashMap<u64, Arc<Made>>,
    ops: HashMap<u64, Op>,
    births: Shared<Birth>,
    makes: Shared<Made>,
    sources: Shared<String>,
    /// Of the tasks, those that the program itself counts. Kept, because a sample every 250 ms asks for it.
    spawned: u64,
    dropped_events: u64,
}

struct Task {
    birth: Arc<Birth>,
    polls: u64,
    state: &'static str,
}

/// What all tasks of one line have in common.
#[derive(PartialEq, Eq, Hash)]
struct Birth {
    name: String,
    kind: String,
    spawned_at: String,
}

/// What all resources of one line have in common.
#[derive(PartialEq, Eq, Hash)]
struct Made {
    concrete_type: String,
    made_at: String,
    is_internal: bool,
}

/// An operation under way: somebody may wait for it.
struct Op {
    source: Arc<String>,
    resource: Option<u64>,
    task: Option<u64>,
}

/// What a task waits on.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Wait {
    source: Arc<String>,
    made: Option<Arc<Made>>,
}

impl Seen {
    pub(super) fn take_in(&mut self, part: Part) {
        match part {
            Part::Metadata(new) => {
                if let (Some(id), Some(metadata)) = (new.id, new.metadata) {
                    self.field_names.insert(id.id, metadata.field_names);
                }
            }
            Part::Task(new) => self.task(&new),
            Part::TaskStats(id, stats) => self.task_stats(id, &stats),
            Part::Resource(new) => self.resource(new),
            Part::ResourceStats(id, stats) => {
                if stats.dropped_at.is_some() {
                    self.resources.remove(&id);
                }
            }
            Part::Op(new) => {
                let Some(id) = new.id else { return };
                let op =
                    Op { source: self.sources.get(new.source), resource: new.resource_id.map(|id| id.id), task: None };
                self.ops.insert(id.id, op);
            }
            Part::OpStats(id, stats) if stats.dropped_at.is_some() => drop(self.ops.remove(&id)),
            Part::OpStats(id, stats) => {
                if let Some(op) = self.ops.get_mut(&id) {
                    op.task = stats.task_id.map(|id| id.id);
                }
            }
            Part::Lost(events) => self.dropped_events += events,
            Part::Other => {}
        }
    }

    fn task(&mut self, new: &tasks::Task) {
        let Some(id) = new.id else { return };
        let named = |name: &str| new.fields.iter().find(|field| self.field_name(field) == name).map(text);
        let birth = Birth {
            name: named("task.name").unwrap_or_default(),
            kind: named("kind").unwrap_or_else(|| "task".to_owned()),
            spawned_at: new.location.as_ref().map(place).unwrap_or_default(),
        };
        let birth = self.births.get(birth);
        let is_spawned = birth.is_spawned();
        let known = self.tasks.entry(id.id);
        if let std::collections::hash_map::Entry::Vacant(new) = known {
            new.insert(Task { birth, polls: 0, state: "idle" });
            self.spawned += u64::from(is_spawned);
        }
    }

    fn task_stats(&mut self, id: u64, stats: &tasks::Stats) {
        if stats.dropped_at.is_some() {
            // Whoever remembered what has ended would leak too.
            let ended = self.tasks.remove(&id);
            self.spawned -= u64::from(ended.is_some_and(|task| task.birth.is_spawned()));
        } else if let Some(task) = self.tasks.get_mut(&id) {
            task.polls = stats.poll_stats.as_ref().map_or(0, |polls| polls.polls);
            task.state = state(stats);
        }
    }

    fn resource(&mut self, new: resources::Resource) {
        let Some(id) = new.id else { return };
        let made_at = new.location.as_ref().map(place).unwrap_or_default();
        let made = Made { concrete_type: new.concrete_type, made_at, is_internal: new.is_internal };
        self.resources.insert(id.id, self.makes.get(made));
    }

    fn field_name<'a>(&'a self, field: &'a Field) -> &'a str {
        match &field.name {
            Some(field::Name::StrName(name)) => name,
            Some(field::Name::NameIdx(index)) => {
                let names = field.metadata_id.as_ref().and_then(|id| self.field_names.get(&id.id));
                names.and_then(|names| names.get(*index as usize)).map_or("", String::as_str)
            }
            None => "",
        }
    }

    /// Live tasks, the ones the program itself counts.
    pub(super) fn tasks(&self) -> u64 {
        self.spawned
    }

    pub(super) fn dropped_events(&self) -> u64 {
        self.dropped_events
    }

    /// How much is remembered.
    pub(super) fn known(&self) -> usize {
        self.tasks.len() + self.resources.len() + self.ops.len()
    }

    /// What is alive now, alike tasks together, most first. Others have their turn after each `portion`.
    pub(super) async fn groups(&self, portion: usize) -> Vec<Group> {
        let waits = self.waits(portion).await;
        let mut groups = HashMap::<_, (u64, (u64, u64))>::new();
        for (i, (id, task)) in self.tasks.iter().enumerate() {
            let key = (&task.birth, task.state, waits.get(id).map(|(_, wait)| wait));
            let (count, (fewest, most)) = groups.entry(key).or_insert((0, (task.polls, task.polls)));
            *count += 1;
            (*fewest, *most) = ((*fewest).min(task.polls), (*most).max(task.polls));
            pause(i, portion).await;
        }
        let group = |((birth, state, wait), (count, polls)): ((&Arc<Birth>, &str, Option<&Wait>), _)| Group {
            count,
            spawned_at: birth.spawned_at.clone(),
            name: birth.name.clone(),
            kind: birth.kind.clone(),
            state: state.to_owned(),
            waits_on: wait.map(Wait::text),
            polls,
        };
        let mut groups: Vec<_> = groups.into_iter().map(group).collect();
        groups.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| order(a).cmp(&order(b))));
        groups
    }

    /// What each task waits on. Operations nest (`Mutex::lock` uses a semaphore): the resource that the user made wins.
    async fn waits(&self, portion: usize) -> HashMap<u64, ((bool, u64), Wait)> {
        let mut waits = HashMap::<u64, ((bool, u64), Wait)>::new();
        for (i, (id, op)) in self.ops.iter().enumerate() {
            pause(i, portion).await;
            let Some(task) = op.task else { continue };
            let made = op.resource.and_then(|id| self.resources.get(&id));
            let rank = (made.is_some_and(|made| !made.is_internal), *id);
            if waits.get(&task).is_none_or(|(other, _)| rank > *other) {
                waits.insert(task, (rank, Wait { source: op.source.clone(), made: made.cloned() }));
            }
        }
        waits
    }
}

async fn pause(i: usize, portion: usize) {
    if i % portion == portion - 1 {
        yield_now().await;
    }
}

impl Birth {
    fn is_spawned(&self) -> bool {
        self.kind == "task"
    }
}

/// Groups of one size stand in this order.
fn order(group: &Group) -> impl Ord {
    let Group { spawned_at, name, kind, state, waits_on, .. } = group.clone();
    (spawned_at, name, kind, state, waits_on)
}

impl Wait {
    /// `Semaphore, internal to another type, in Acquire::new`; `Mutex made at src/a.rs:1:2, in Mutex::lock`.
    fn text(&self) -> String {
        let what = match self.made.as_deref() {
            Some(made) if made.is_internal => format!("{}, internal to another type", made.concrete_type),
            Some(made) if made.made_at.is_empty() => made.concrete_type.clone(),
            Some(made) => format!("{} made at {}", made.concrete_type, made.made_at),
            None => "a resource".to_owned(),
        };
        format!("{what}, in {}", self.source)
    }
}

/// Values that occur again and again, each kept once.
struct Shared<T>(HashSet<Arc<T>>);

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self(HashSet::new())
    }
}

impl<T: Eq + Hash> Shared<T> {
    fn get(&mut self, value: T) -> Arc<T> {
        if let Some(known) = self.0.get(&value) {
            return known.clone();
        }
        if self.0.len() >= SHARED_MAX {
            self.0.clear();
        }
        let value = Arc::new(value);
        self.0.insert(value.clone());
        value
    }
}

/// The rule of tokio-console itself.
fn state(stats: &tasks::Stats) -> &'static str {
    let at = |time: &Option<Timestamp>| time.as_ref().map(|time| (time.seconds, time.nanos));
    let polls = stats.poll_stats.as_ref();
    let started = polls.and_then(|polls| at(&polls.last_poll_started));
    let ended = polls.and_then(|polls| at(&polls.last_poll_ended));
    if started > ended {
        "busy"
    } else if at(&stats.last_wake) > started {
        "scheduled"
    } else {
        "idle"
    }
}

fn text(field: &Field) -> String {
    match &field.value {
        Some(field::Value::DebugVal(text) | field::Value::StrVal(text)) => text.clone(),
        Some(field::Value::U64Val(n)) => n.to_string(),
        Some(field::Value::I64Val(n)) => n.to_string(),
        Some(field::Value::BoolVal(b)) => b.to_string(),
        None => String::new(),
    }
}

/// `file:line:column`, without the folder of cargo's registry.
fn place(location: &Location) -> String {
    let (Some(file), Some(line)) = (&location.file, location.line) else { return String::new() };
    stage::wire::shorten(&format!("{file}:{line}:{}", location.column.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use console_api::{Id, instrument::Update, tasks::TaskUpdate};
    use prost::Message as _;

    use super::*;
    use crate::console::message::Message;

    fn born(id: u64) -> TaskUpdate {
        let location = Location { file: Some("a.rs".into()), line: Some(1), column: Some(2), ..Location::default() };
        let task = tasks::Task { id: Some(Id { id }), location: Some(location), ..tasks::Task::default() };
        TaskUpdate { new_tasks: vec![task], ..TaskUpdate::default() }
    }

    fn with(id: u64, stats: tasks::Stats) -> TaskUpdate {
        TaskUpdate { stats_update: std::collections::HashMap::from([(id, stats)]), ..TaskUpdate::default() }
    }

    fn ended(id: u64) -> TaskUpdate {
        with(id, tasks::Stats { dropped_at: Some(Timestamp { seconds: 1, nanos: 0 }), ..tasks::Stats::default() })
    }

    fn after(updates: Vec<TaskUpdate>) -> Seen {
        let mut seen = Seen::default();
        for update in updates {
            let update = Update { task_update: Some(update), ..Update::default() };
            let mut message = Message::open(update.encode_to_vec().into()).unwrap();
            while let Some(part) = message.next_part().unwrap() {
                seen.take_in(part);
            }
        }
        seen
    }

    #[leakcheck::test]
    async fn a_task_that_is_told_twice_counts_once() {
        let seen = after(vec![born(1), born(1), born(2)]);
        assert_eq!((seen.tasks(), seen.known()), (2, 2));
        assert_eq!(seen.groups(1).await[0].count, 2);
    }

    #[test]
    fn a_task_that_ended_is_forgotten_even_when_its_end_is_told_again() {
        assert_eq!(after(vec![born(1), ended(1), ended(1)]).known(), 0);
        assert_eq!(after(vec![born(1), ended(1), ended(1), born(2)]).tasks(), 1);
        assert_eq!(after(vec![ended(1)]).tasks(), 0);
    }

    #[test]
    fn lost_events_add_up() {
        let lost = |n| TaskUpdate { dropped_events: n, ..TaskUpdate::default() };
        assert_eq!(after(vec![lost(2), born(1), lost(3)]).dropped_events(), 5);
    }

    #[leakcheck::test]
    async fn tasks_of_one_line_in_different_states_are_two_groups() {
        let woken = tasks::Stats { last_wake: Some(Timestamp { seconds: 1, nanos: 0 }), ..tasks::Stats::default() };
        let groups = after(vec![born(1), born(2), born(3), with(3, woken)]).groups(2).await;
        let told: Vec<_> = groups.iter().map(|group| (group.count, group.state.as_str())).collect();
        assert_eq!(told, [(2, "idle"), (1, "scheduled")]);
    }

    #[test]
    fn texts_that_never_come_again_are_not_kept_for_ever() {
        let mut shared = Shared::default();
        for n in 0..3 * SHARED_MAX {
            shared.get(n);
        }
        assert!(shared.0.len() <= SHARED_MAX);
    }
}
