//! A console client without a screen: it keeps what tokio-console
//! would show.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use anyhow::Context;
use console_api::{
    Field, Id, field,
    instrument::{
        InstrumentRequest, PauseRequest, ResumeRequest,
        TaskDetailsRequest, Update,
        instrument_client::InstrumentClient,
    },
    resources,
    tasks::{self, task_details::PollTimesHistogram},
};
use tokio::time::{Instant, timeout, timeout_at};
use tonic::{Streaming, transport::Channel};

/// Waits for what must come: long, on a machine that is busy.
pub(crate) const LONG: Duration = Duration::from_secs(120);

/// How large a message a client takes; tonic's default is the TUI's.
#[derive(Clone, Copy)]
pub(crate) enum Limit {
    /// 4 MiB.
    Tui,
    /// None.
    Any,
}

pub(crate) struct Watcher {
    client: InstrumentClient<Channel>,
    stream: Streaming<Update>,
    field_names: HashMap<u64, Vec<String>>,
    tasks: HashMap<u64, Task>,
    resources: HashMap<u64, resources::Resource>,
    /// Waits: by operation, the resource and the task.
    ops: HashMap<u64, (Option<u64>, Option<u64>)>,
    /// Events the server says it lost.
    pub(crate) dropped_events: u64,
    /// Messages so far.
    pub(crate) updates: u64,
    /// Why the stream ended, where it did.
    pub(crate) ended: Option<String>,
}

/// One row of the tasks view.
#[derive(Default)]
struct Task {
    tokio_id: String,
    kind: String,
    ended: bool,
    polls: u64,
}

impl Watcher {
    pub(crate) async fn attach(
        addr: &str,
        limit: Limit,
    ) -> anyhow::Result<Self> {
        let channel = Channel::from_shared(format!("http://{addr}"))?
            .connect()
            .await?;
        let mut client = InstrumentClient::new(channel);
        if let Limit::Any = limit {
            client = client.max_decoding_message_size(usize::MAX);
        }
        let stream =
            client.watch_updates(InstrumentRequest {}).await?;
        Ok(Self {
            client,
            stream: stream.into_inner(),
            field_names: HashMap::new(),
            tasks: HashMap::new(),
            resources: HashMap::new(),
            ops: HashMap::new(),
            dropped_events: 0,
            updates: 0,
            ended: None,
        })
    }

    /// Reads updates until `enough`, or until the stream ends.
    ///
    /// # Errors
    /// When neither comes: then nothing was seen, and to go on would
    /// record that a busy machine was slow.
    pub(crate) async fn must(
        &mut self,
        enough: impl Fn(&Self) -> bool,
    ) -> anyhow::Result<()> {
        self.until(LONG, &enough).await?;
        anyhow::ensure!(
            enough(self) || self.ended.is_some(),
            "the console did not show it within {LONG:?}: this machine is too busy, or the claim no longer holds"
        );
        Ok(())
    }

    /// Reads updates until `enough`, or until the limit is reached.
    pub(crate) async fn until(
        &mut self,
        limit: Duration,
        enough: impl Fn(&Self) -> bool,
    ) -> anyhow::Result<()> {
        let end = Instant::now() + limit;
        while self.ended.is_none() && !enough(self) {
            match timeout_at(end, self.stream.message()).await {
                Err(_) => break,
                Ok(Ok(Some(update))) => self.apply(update),
                Ok(Ok(None)) => self.ended = Some("closed".into()),
                Ok(Err(status)) => {
                    self.ended = Some(format!("{:?}", status.code()));
                }
            }
        }
        Ok(())
    }

    pub(crate) async fn pause(&mut self) -> anyhow::Result<()> {
        self.client.pause(PauseRequest {}).await?;
        Ok(())
    }

    pub(crate) async fn resume(&mut self) -> anyhow::Result<()> {
        let resume = self.client.resume(ResumeRequest {});
        timeout(Duration::from_secs(5), resume).await??;
        Ok(())
    }

    /// Where the histograms of a live task end.
    pub(crate) async fn histogram_max(
        &mut self,
    ) -> anyhow::Result<Duration> {
        let live = |task: &Task| task.kind == "task" && !task.ended;
        let id = self.tasks.iter().find(|(_, task)| live(task));
        let (&id, _) = id.context("no live task")?;
        let request = TaskDetailsRequest { id: Some(Id { id }) };
        let details = self.client.watch_task_details(request).await?;
        let mut details = details.into_inner();
        let first =
            timeout(Duration::from_secs(5), details.message())
                .await??;
        match first.and_then(|first| first.poll_times_histogram) {
            Some(PollTimesHistogram::Histogram(histogram)) => {
                Ok(Duration::from_nanos(histogram.max_value))
            }
            _ => anyhow::bail!("the server sent no histogram"),
        }
    }

    /// Rows as the screen's title counts them: ended ones included.
    pub(crate) fn rows(&self) -> usize {
        self.spawned().count()
    }

    /// Rows of tasks that have not ended.
    pub(crate) fn live(&self) -> usize {
        self.spawned().filter(|task| !task.ended).count()
    }

    /// The most polls that a live task has had.
    pub(crate) fn polls_max(&self) -> u64 {
        let live = self.spawned().filter(|task| !task.ended);
        live.map(|task| task.polls).max().unwrap_or(0)
    }

    /// Rows of another kind than `task` are the runtime's own.
    fn spawned(&self) -> impl Iterator<Item = &Task> {
        self.tasks.values().filter(|task| task.kind == "task")
    }

    /// What each task waits on, by tokio's own task id. A task that
    /// is not here waits for something the console does not see.
    pub(crate) fn waits(&self) -> BTreeMap<&str, String> {
        let mut waits = BTreeMap::new();
        for (resource, task) in self.ops.values() {
            let made =
                resource.and_then(|id| self.resources.get(&id));
            let task = task.and_then(|id| self.tasks.get(&id));
            let (Some(made), Some(task)) = (made, task) else {
                continue;
            };
            // Waits nest: a Mutex waits on a Semaphore inside it. What
            // the program made itself is what it should be shown.
            let name = waits.entry(task.tokio_id.as_str());
            if made.is_internal {
                name.or_insert(format!(
                    "{}, internal",
                    made.concrete_type
                ));
            } else {
                name.insert_entry(made.concrete_type.clone());
            }
        }
        waits
    }

    fn apply(&mut self, update: Update) {
        self.updates += 1;
        // Names first: the rest of the message refers to them.
        for new in
            update.new_metadata.into_iter().flat_map(|m| m.metadata)
        {
            if let (Some(id), Some(meta)) = (new.id, new.metadata) {
                self.field_names.insert(id.id, meta.field_names);
            }
        }
        self.apply_tasks(update.task_update.unwrap_or_default());
        let resources = update.resource_update.unwrap_or_default();
        self.dropped_events += resources.dropped_events;
        for new in resources.new_resources {
            self.resources.extend(new.id.map(|id| (id.id, new)));
        }
        let ops = update.async_op_update.unwrap_or_default();
        self.dropped_events += ops.dropped_events;
        for new in ops.new_async_ops {
            if let Some(id) = new.id {
                let op = self.ops.entry(id.id).or_default();
                op.0 = new.resource_id.map(|id| id.id);
            }
        }
        for (id, stats) in ops.stats_update {
            let task = stats.task_id.map(|id| id.id);
            self.ops.entry(id).or_default().1 = task;
            if stats.dropped_at.is_some() {
                self.ops.remove(&id);
            }
        }
    }

    fn apply_tasks(&mut self, update: tasks::TaskUpdate) {
        self.dropped_events += update.dropped_events;
        for new in update.new_tasks {
            let Some(id) = new.id else { continue };
            // The first update after attaching may repeat a task.
            let mut task =
                self.tasks.remove(&id.id).unwrap_or_default();
            for field in &new.fields {
                match self.field_name(field) {
                    "task.id" => task.tokio_id = text(field),
                    "kind" => task.kind = text(field),
                    _ => {}
                }
            }
            self.tasks.insert(id.id, task);
        }
        for (id, stats) in update.stats_update {
            if let Some(task) = self.tasks.get_mut(&id) {
                task.ended = stats.dropped_at.is_some();
                task.polls = stats.poll_stats.map_or(0, |p| p.polls);
            }
        }
    }

    fn field_name<'a>(&'a self, field: &'a Field) -> &'a str {
        let index = match &field.name {
            Some(field::Name::StrName(name)) => return name,
            Some(field::Name::NameIdx(index)) => *index as usize,
            None => return "",
        };
        let id =
            field.metadata_id.map(|id| id.id).unwrap_or_default();
        let names = self.field_names.get(&id);
        names.and_then(|names| names.get(index)).map_or("", |s| s)
    }
}

fn text(field: &Field) -> String {
    use field::Value::{BoolVal, DebugVal, I64Val, StrVal, U64Val};
    match &field.value {
        Some(DebugVal(text) | StrVal(text)) => text.clone(),
        Some(U64Val(number)) => number.to_string(),
        Some(I64Val(number)) => number.to_string(),
        Some(BoolVal(yes)) => yes.to_string(),
        None => String::new(),
    }
}
