//! The retention of the event log as background work.

use std::time::Duration;

use chrono::Utc;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::{Outcome, Run, Schedule, Work, WorkerKind};
use crate::database::Database;
use crate::events::Retention;
use crate::failure::Failure;

/// How often old events are looked for.
const EVERY: Duration = Duration::from_hours(1);

/// Cuts off events that are not to be kept any longer.
pub struct EventRetention {
    /// How long they are.
    pub retention: Retention,
    /// Where they are.
    pub database: Database,
}

impl Work for EventRetention {
    fn name(&self) -> &'static str {
        "event-retention"
    }

    fn kind(&self) -> WorkerKind {
        WorkerKind::EventRetention
    }

    fn schedule(&self) -> Schedule {
        Schedule::Every(EVERY)
    }

    fn run<'a>(&'a self, run: &'a Run) -> BoxFuture<'a, Result<Outcome, Failure>> {
        async move {
            tokio::select! {
                biased;
                // What is cut off is cut off; the next run goes on.
                () = run.stop.cancelled() => Err(Failure::internal("broken off")),
                cut = self.retention.apply(&self.database, Utc::now()) => Ok(Outcome {
                    changes: cut?,
                    problems: Vec::new(),
                }),
            }
        }
        .boxed()
    }
}
