//! Sets the registry's hooks in a runtime that is about to be built, beside hooks of the user's own.

use std::sync::Arc;

use tokio::runtime::Builder;
#[cfg(tokio_unstable)]
use tokio::runtime::TaskMeta;

#[cfg(tokio_unstable)]
use crate::hash::number;
use crate::{allow::Allow, panics, registry::Registry, watch::Watch};

/// Attaches the checker to a runtime you build yourself.
///
/// Call this function last: Tokio keeps one callback for each hook, and a later one replaces the earlier. Hooks of your own
/// go through [`Attach`], which calls both.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// let mut builder = tokio::runtime::Builder::new_current_thread();
/// let watch = leakcheck::attach(builder.enable_all()).install();
/// let runtime = builder.build()?;
/// runtime.block_on(async {
///     tokio::spawn(std::future::pending::<()>());
///     assert_eq!(watch.find().await.tasks(), 1);
/// });
/// # Ok(())
/// # }
/// ```
pub fn attach(builder: &mut Builder) -> Attach<'_> {
    Attach { builder, allow: Vec::new(), hooks: Hooks::default(), marks: false }
}

/// Options for a checker that is attached to a runtime. [`install`](Self::install) sets the hooks.
#[must_use = "nothing is attached before `install`"]
pub struct Attach<'b> {
    builder: &'b mut Builder,
    allow: Vec<Allow>,
    hooks: Hooks,
    /// Whether the runtime's threads are marked, so that the threads that they start are known.
    marks: bool,
}

#[cfg(tokio_unstable)]
type Hook = Box<dyn Fn(&TaskMeta<'_>) + Send + Sync>;

/// The user's own hooks.
#[derive(Default)]
struct Hooks {
    #[cfg(tokio_unstable)]
    spawn: Vec<Hook>,
    #[cfg(tokio_unstable)]
    terminate: Vec<Hook>,
    #[cfg(tokio_unstable)]
    before_poll: Vec<Hook>,
    #[cfg(tokio_unstable)]
    after_poll: Vec<Hook>,
    thread_start: Vec<Box<dyn Fn() + Send + Sync>>,
}

impl Attach<'_> {
    /// Allows a spawn site: see [`Allow`] for the forms.
    ///
    /// # Panics
    ///
    /// If the allowance cannot be read; the message says what to write.
    #[track_caller]
    pub fn allow(self, allowance: &str) -> Self {
        // In a closure, the panic would not be at the caller's line.
        match Allow::parse(allowance) {
            Ok(allowance) => self.allowing(allowance),
            Err(error) => panic!("{error}"),
        }
    }

    /// Allows a spawn site for this many tasks at most: see [`Checker::allow_at_most`](crate::Checker::allow_at_most).
    ///
    /// # Panics
    ///
    /// If the allowance cannot be read, or the number is 0.
    #[track_caller]
    pub fn allow_at_most(self, allowance: &str, tasks: usize) -> Self {
        match Allow::parse(allowance).and_then(|allowance| allowance.at_most(tasks)) {
            Ok(allowance) => self.allowing(allowance),
            Err(error) => panic!("{error}"),
        }
    }

    pub(crate) fn allowing(mut self, allowance: Allow) -> Self {
        self.allow.push(allowance);
        self
    }

    pub(crate) fn marking(mut self) -> Self {
        self.marks = true;
        self
    }

    /// Adds a hook that Tokio would have called on each spawn.
    #[cfg(tokio_unstable)]
    pub fn on_task_spawn(mut self, hook: impl Fn(&TaskMeta<'_>) + Send + Sync + 'static) -> Self {
        self.hooks.spawn.push(Box::new(hook));
        self
    }

    /// Adds a hook that Tokio would have called at each task's end.
    #[cfg(tokio_unstable)]
    pub fn on_task_terminate(mut self, hook: impl Fn(&TaskMeta<'_>) + Send + Sync + 'static) -> Self {
        self.hooks.terminate.push(Box::new(hook));
        self
    }

    /// Adds a hook that Tokio would have called before each poll.
    #[cfg(tokio_unstable)]
    pub fn on_before_task_poll(mut self, hook: impl Fn(&TaskMeta<'_>) + Send + Sync + 'static) -> Self {
        self.hooks.before_poll.push(Box::new(hook));
        self
    }

    /// Adds a hook that Tokio would have called after each poll.
    #[cfg(tokio_unstable)]
    pub fn on_after_task_poll(mut self, hook: impl Fn(&TaskMeta<'_>) + Send + Sync + 'static) -> Self {
        self.hooks.after_poll.push(Box::new(hook));
        self
    }

    /// Adds a hook that Tokio would have called when a thread of the runtime starts.
    pub fn on_thread_start(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.hooks.thread_start.push(Box::new(hook));
        self
    }

    /// Sets the hooks in the builder. Build the runtime next.
    ///
    /// The first call in a process also sets a panic hook, for [`Report::panics`](crate::Report::panics); it calls the hook that
    /// was set before.
    pub fn install(self) -> Watch {
        panics::watch();
        let registry = Registry::new(self.allow);
        self.hooks.set(self.builder, &registry, self.marks);
        Watch::new(registry)
    }
}

impl Hooks {
    fn set(self, builder: &mut Builder, registry: &Arc<Registry>, marks: bool) {
        let (own, hooks) = (registry.clone(), self.thread_start);
        builder.on_thread_start(move || {
            own.threads.add_current();
            own.threads.note_runtime();
            if marks {
                own.threads.mark_current();
            }
            hooks.iter().for_each(|hook| hook());
        });
        #[cfg(tokio_unstable)]
        {
            builder
                .on_task_spawn(chain(registry, self.spawn, |own, task| {
                    let id = number(task.id());
                    own.callers.spawned(id);
                    own.spawned(id, task.spawned_at());
                }))
                .on_task_terminate(chain(registry, self.terminate, |own, task| {
                    let id = number(task.id());
                    let panic = panics::take(id);
                    let by_panic = panic.is_some();
                    if let Some(panic) = panic {
                        own.panicked(panic, task.spawned_at());
                    }
                    own.callers.ended(id);
                    own.ended(id, by_panic);
                }))
                .on_before_task_poll(chain(registry, self.before_poll, |own, task| {
                    let id = number(task.id());
                    own.threads.enter(id);
                    own.polled(id);
                }))
                .on_after_task_poll(chain(registry, self.after_poll, |own, _| {
                    own.threads.leave();
                    own.clock_guard.after_poll();
                }));
        }
    }
}

/// One hook that calls the registry's and then the user's. The registry's comes first, because a hook of the user's may panic.
#[cfg(tokio_unstable)]
fn chain(
    registry: &Arc<Registry>,
    hooks: Vec<Hook>,
    own_hook: impl Fn(&Registry, &TaskMeta<'_>) + Send + Sync + 'static,
) -> impl Fn(&TaskMeta<'_>) + Send + Sync + 'static {
    let registry = registry.clone();
    move |task| {
        own_hook(&registry, task);
        hooks.iter().for_each(|hook| hook(task));
    }
}
