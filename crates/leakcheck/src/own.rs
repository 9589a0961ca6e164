//! The runtime that a check builds. Tokio has two types of them, which do the same for a check.

use std::io;

use tokio::runtime::{Builder, Handle, Runtime};
#[cfg(tokio_unstable)]
use tokio::runtime::{LocalOptions, LocalRuntime};

/// Which runtime a check builds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Flavor {
    CurrentThread,
    /// With this many workers.
    MultiThread(usize),
    /// One on which `spawn_local` needs no `LocalSet`.
    #[cfg(tokio_unstable)]
    Local,
}

pub(crate) enum OwnRuntime {
    Shared(Runtime),
    #[cfg(tokio_unstable)]
    Local(LocalRuntime),
}

impl Flavor {
    /// Whether the thread that runs the body also runs the tasks, and the clock can be paused.
    pub(crate) fn has_one_thread(self) -> bool {
        !matches!(self, Self::MultiThread(_))
    }

    pub(crate) fn builder(self) -> Builder {
        match self {
            Self::MultiThread(workers) => {
                let mut builder = Builder::new_multi_thread();
                builder.worker_threads(workers);
                builder
            }
            _ => Builder::new_current_thread(),
        }
    }

    pub(crate) fn build(self, builder: &mut Builder) -> io::Result<OwnRuntime> {
        match self {
            #[cfg(tokio_unstable)]
            Self::Local => builder.build_local(LocalOptions::default()).map(OwnRuntime::Local),
            _ => builder.build().map(OwnRuntime::Shared),
        }
    }
}

impl OwnRuntime {
    pub(crate) fn handle(&self) -> &Handle {
        match self {
            Self::Shared(runtime) => runtime.handle(),
            #[cfg(tokio_unstable)]
            Self::Local(runtime) => runtime.handle(),
        }
    }

    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        match self {
            Self::Shared(runtime) => runtime.block_on(future),
            #[cfg(tokio_unstable)]
            Self::Local(runtime) => runtime.block_on(future),
        }
    }

    pub(crate) fn shutdown_background(self) {
        match self {
            Self::Shared(runtime) => runtime.shutdown_background(),
            #[cfg(tokio_unstable)]
            Self::Local(runtime) => runtime.shutdown_background(),
        }
    }
}
