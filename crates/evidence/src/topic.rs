//! The headings of the index of symptoms.

use serde::Deserialize;

/// Under which heading of the index a remark stands, in the order of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Topic {
    /// Resident memory.
    Memory,
    /// What the service itself holds: lengths of queues and maps, permits.
    Queues,
    /// What is alive.
    Tasks,
    /// What is open: connections, files, pipes.
    Connections,
    /// What callers see.
    Errors,
    /// The end of the process, and of a part of it.
    Stop,
    /// Who works, and who stands still.
    Processor,
}

impl Topic {
    /// All, in the order of the page.
    pub const ALL: [Self; 7] =
        [Self::Memory, Self::Queues, Self::Tasks, Self::Connections, Self::Errors, Self::Stop, Self::Processor];

    /// The heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Memory => "Memory",
            Self::Queues => "Queues, maps and pools",
            Self::Tasks => "Tasks",
            Self::Connections => "Connections and files",
            Self::Errors => "Latency and errors",
            Self::Stop => "Stopping and restarting",
            Self::Processor => "Processor",
        }
    }
}
