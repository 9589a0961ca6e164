//! Watches a program through tokio-console's own protocol. The only module that knows it.
//!
//! The rules that make the count right were found by running: metadata first, tasks kept by id (the first publish after
//! attaching repeats what the initial message held), statistics replace, `dropped_at` ends a task.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    time::Duration,
};

use anyhow::Context;
use console_api::{
    Field, Location, async_ops, field,
    instrument::{InstrumentRequest, Update, instrument_client::InstrumentClient},
    resources, tasks,
};
use prost_types::Timestamp;
use tonic::{Streaming, transport::Endpoint};

use crate::series::{ConsoleView, Group};

/// A program that has said where its console is, is there.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// A subscription to one program's console.
pub struct Recorder {
    updates: Streaming<Update>,
    seen: Seen,
}

/// All that the console has told so far about what is alive.
#[derive(Default)]
struct Seen {
    field_names: HashMap<u64, Vec<String>>,
    tasks: HashMap<u64, Task>,
    resources: HashMap<u64, resources::Resource>,
    resource_stats: HashMap<u64, resources::Stats>,
    ops: HashMap<u64, async_ops::AsyncOp>,
    op_stats: HashMap<u64, async_ops::Stats>,
    dropped_events: u64,
}

struct Task {
    name: String,
    kind: String,
    spawned_at: String,
    stats: tasks::Stats,
}

impl Recorder {
    /// Subscribes to the console at `addr`.
    ///
    /// # Errors
    /// When nobody answers there within five seconds.
    pub async fn connect(addr: SocketAddr) -> anyhow::Result<Self> {
        let endpoint = Endpoint::from_shared(format!("http://{addr}"))?.connect_timeout(CONNECT_LIMIT);
        let channel = endpoint.connect().await.with_context(|| format!("no console at {addr}"))?;
        // The default limit of 4 MiB ends the stream at about 10,000 tasks.
        let mut client = InstrumentClient::new(channel).max_decoding_message_size(usize::MAX);
        let updates = client.watch_updates(InstrumentRequest {}).await.context("the console refused")?.into_inner();
        Ok(Self { updates, seen: Seen::default() })
    }

    /// Takes in the next update; false when the program has ended.
    pub async fn update(&mut self) -> bool {
        // A program that ends breaks the stream with an error; that is how it always ends.
        match self.updates.message().await {
            Ok(Some(update)) => {
                self.seen.apply(update);
                true
            }
            Ok(None) | Err(_) => false,
        }
    }

    /// Live tasks, the ones the program itself counts: neither blocking closures nor `block_on` nor local tasks.
    pub fn tasks(&self) -> u64 {
        self.seen.tasks.values().filter(|task| task.kind == "task").count() as u64
    }

    /// Events lost so far. Above 0 the count is wrong for good: a task whose birth was lost never shows.
    pub fn dropped_events(&self) -> u64 {
        self.seen.dropped_events
    }

    /// What is alive now, alike tasks together.
    pub fn view(&self) -> ConsoleView {
        ConsoleView { tasks: self.tasks(), dropped_events: self.seen.dropped_events, groups: self.seen.groups() }
    }
}

impl Seen {
    fn apply(&mut self, update: Update) {
        // First of all: later parts of the same message refer to it.
        for new in update.new_metadata.into_iter().flat_map(|new| new.metadata) {
            if let (Some(id), Some(metadata)) = (new.id, new.metadata) {
                self.field_names.insert(id.id, metadata.field_names);
            }
        }
        if let Some(update) = update.task_update {
            self.apply_tasks(update);
        }
        if let Some(update) = update.resource_update {
            self.dropped_events += update.dropped_events;
            let new = update.new_resources.into_iter().filter_map(|new| Some((new.id.as_ref()?.id, new)));
            self.resources.extend(new);
            self.resource_stats.extend(update.stats_update);
        }
        if let Some(update) = update.async_op_update {
            self.dropped_events += update.dropped_events;
            let new = update.new_async_ops.into_iter().filter_map(|new| Some((new.id.as_ref()?.id, new)));
            self.ops.extend(new);
            self.op_stats.extend(update.stats_update);
        }
        self.forget_what_ended();
    }

    fn apply_tasks(&mut self, update: tasks::TaskUpdate) {
        self.dropped_events += update.dropped_events;
        for new in update.new_tasks {
            let Some(id) = new.id.as_ref().map(|id| id.id) else { continue };
            let stats = self.tasks.remove(&id).map(|task| task.stats).unwrap_or_default();
            let named = |name: &str| new.fields.iter().find(|field| self.field_name(field) == name).map(text);
            let task = Task {
                name: named("task.name").unwrap_or_default(),
                kind: named("kind").unwrap_or_else(|| "task".to_owned()),
                spawned_at: new.location.as_ref().map(place).unwrap_or_default(),
                stats,
            };
            self.tasks.insert(id, task);
        }
        for (id, stats) in update.stats_update {
            if let Some(task) = self.tasks.get_mut(&id) {
                task.stats = stats;
            }
        }
    }

    /// The recorder would leak too, if it kept these.
    fn forget_what_ended(&mut self) {
        self.tasks.retain(|_, task| task.stats.dropped_at.is_none());
        let Self { ops, op_stats, resources, resource_stats, .. } = self;
        op_stats.retain(|id, stats| {
            let alive = stats.dropped_at.is_none();
            if !alive {
                ops.remove(id);
            }
            alive
        });
        resource_stats.retain(|id, stats| {
            let alive = stats.dropped_at.is_none();
            if !alive {
                resources.remove(id);
            }
            alive
        });
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

    fn groups(&self) -> Vec<Group> {
        let waits = self.waits();
        let mut groups = BTreeMap::<_, (u64, (u64, u64))>::new();
        for (id, task) in &self.tasks {
            let key = (&task.spawned_at, &task.name, &task.kind, state(&task.stats), waits.get(id));
            let polls = task.stats.poll_stats.as_ref().map_or(0, |polls| polls.polls);
            let (count, (fewest, most)) = groups.entry(key).or_insert((0, (polls, polls)));
            *count += 1;
            (*fewest, *most) = ((*fewest).min(polls), (*most).max(polls));
        }
        let mut groups: Vec<_> = groups
            .into_iter()
            .map(|((spawned_at, name, kind, state, waits_on), (count, polls))| Group {
                count,
                spawned_at: spawned_at.clone(),
                name: name.clone(),
                kind: kind.clone(),
                state: state.to_owned(),
                waits_on: waits_on.cloned(),
                polls,
            })
            .collect();
        groups.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.spawned_at.cmp(&b.spawned_at)));
        groups
    }

    /// What each task waits on. Operations nest (`Mutex::lock` uses a semaphore): the resource that the user made wins.
    fn waits(&self) -> HashMap<u64, String> {
        let mut waits = HashMap::<u64, ((bool, u64), String)>::new();
        for (id, op) in &self.ops {
            let Some(task) = self.op_stats.get(id).and_then(|stats| stats.task_id.as_ref()) else { continue };
            let resource = op.resource_id.as_ref().and_then(|id| self.resources.get(&id.id));
            let rank = (resource.is_some_and(|resource| !resource.is_internal), *id);
            if waits.get(&task.id).is_none_or(|(other, _)| rank > *other) {
                waits.insert(task.id, (rank, describe(op, resource)));
            }
        }
        waits.into_iter().map(|(task, (_, text))| (task, text)).collect()
    }
}

/// `Semaphore inside a channel or lock, in Acquire::new`; `Mutex made at src/a.rs:1:2, in Mutex::lock`.
fn describe(op: &async_ops::AsyncOp, resource: Option<&resources::Resource>) -> String {
    let what = match resource {
        Some(resource) if resource.is_internal => format!("{}, internal to another type", resource.concrete_type),
        Some(resource) => match resource.location.as_ref().map(place) {
            Some(place) if !place.is_empty() => format!("{} made at {place}", resource.concrete_type),
            _ => resource.concrete_type.clone(),
        },
        None => "a resource".to_owned(),
    };
    format!("{what}, in {}", op.source)
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
    use console_api::{Id, tasks::TaskUpdate};

    use super::*;

    fn born(id: u64) -> TaskUpdate {
        let location = Location { file: Some("a.rs".into()), line: Some(1), column: Some(2), ..Location::default() };
        let task = tasks::Task { id: Some(Id { id }), location: Some(location), ..tasks::Task::default() };
        TaskUpdate { new_tasks: vec![task], ..TaskUpdate::default() }
    }

    fn ended(id: u64) -> TaskUpdate {
        let stats = tasks::Stats { dropped_at: Some(Timestamp { seconds: 1, nanos: 0 }), ..tasks::Stats::default() };
        TaskUpdate { stats_update: HashMap::from([(id, stats)]), ..TaskUpdate::default() }
    }

    fn after(updates: Vec<TaskUpdate>) -> Seen {
        let mut seen = Seen::default();
        for update in updates {
            seen.apply(Update { task_update: Some(update), ..Update::default() });
        }
        seen
    }

    #[test]
    fn a_task_that_is_told_twice_counts_once() {
        assert_eq!(after(vec![born(1), born(1), born(2)]).groups()[0].count, 2);
    }

    #[test]
    fn a_task_that_ended_is_forgotten_even_when_told_again() {
        assert!(after(vec![born(1), ended(1)]).tasks.is_empty());
        assert!(after(vec![ended(1)]).tasks.is_empty());
    }

    #[test]
    fn lost_events_add_up() {
        let lost = |n| TaskUpdate { dropped_events: n, ..TaskUpdate::default() };
        assert_eq!(after(vec![lost(2), born(1), lost(3)]).dropped_events, 5);
    }
}
