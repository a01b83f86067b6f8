//! What a kind of background work provides.

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, pending};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::schedule::Schedule;
use crate::failure::Failure;

/// The kinds of background work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum WorkerKind {
    /// Follows an Autosubmit root.
    AutosubmitMirror,
    /// Cuts old events off the log.
    EventRetention,
    /// Reads datasets that storage has told of.
    DatasetNotifications,
    /// Removes runs of workflows that are kept no longer.
    FlowRetention,
    /// Has something made of the best runs of workflows.
    FlowPostProcessing,
}

impl WorkerKind {
    /// All kinds.
    pub const ALL: [Self; 5] = [
        Self::AutosubmitMirror,
        Self::EventRetention,
        Self::DatasetNotifications,
        Self::FlowRetention,
        Self::FlowPostProcessing,
    ];

    /// The name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AutosubmitMirror => "AUTOSUBMIT_MIRROR",
            Self::EventRetention => "EVENT_RETENTION",
            Self::DatasetNotifications => "DATASET_NOTIFICATIONS",
            Self::FlowRetention => "FLOW_RETENTION",
            Self::FlowPostProcessing => "FLOW_POST_PROCESSING",
        }
    }
}

/// A piece of background work.
pub trait Work: Send + Sync + 'static {
    /// What it is known by, in the whole database: every process that names this does the same work.
    fn name(&self) -> &str;

    /// Of which kind it is.
    fn kind(&self) -> WorkerKind;

    /// When it is due.
    fn schedule(&self) -> Schedule;

    /// Waits until there is something to do before it is due; by default for ever. It is called anew after each run, and
    /// must remember what happens while nobody waits. While runs fail it is not heeded, so that the back-off holds.
    fn wake(&self) -> BoxFuture<'_, ()> {
        pending().boxed()
    }

    /// Does the work once. What it leaves half done, another process may find.
    fn run<'a>(&'a self, run: &'a Run) -> BoxFuture<'a, Result<Outcome, Failure>>;
}

/// Why a run began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Its time had come.
    Due,
    /// The work said that there was something to do.
    Woken,
    /// An administrator asked for it.
    Requested,
}

/// One run.
#[derive(Debug)]
pub struct Run {
    /// Why it began.
    pub cause: Cause,
    /// Cancelled when the process ends or the lease is lost: who does not end within two seconds is dropped.
    pub stop: CancellationToken,
}

/// How a run went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// How much it changed, such as rows.
    pub changes: u64,
    /// What it could not do, although it went on. The first 100 are kept.
    pub problems: Vec<WorkerProblem>,
}

/// Something that a run could not do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerProblem {
    /// With what, such as a file.
    pub source: String,
    /// What is wrong with it.
    pub message: String,
}
