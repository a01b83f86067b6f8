//! The datasets that storage has told of are read anew, as background work.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::Utc;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};

use super::Inbox;
use crate::datasets::readers::DatasetUri;
use crate::datasets::sync::{Indexer, Refreshed};
use crate::datasets::write::Author;
use crate::entity::dataset_notification::Model;
use crate::failure::Failure;
use crate::time::Millis;
use crate::workers::{Outcome, Run, Schedule, Work, WorkerKind, WorkerProblem};

/// Who writes what is read.
const AUTHOR: &str = "storage notifications";
/// How often it is looked for what other processes have noted, and for what is to be tried again.
const EVERY: Duration = Duration::from_secs(5);
/// How long after the first event it begins: a dataset is told of object by object.
const SETTLE: Duration = Duration::from_millis(500);
/// Datasets that are read at once.
const READS_AT_ONCE: usize = 4;
/// How long until the second try, doubled with each further one up to the longest, in milliseconds.
const PAUSE: i64 = 5_000;
const LONGEST_PAUSE: i64 = 600_000;
/// How long it is tried, in milliseconds.
const GIVEN_UP: i64 = 24 * 3_600_000;

/// Reads the datasets in the inbox anew.
pub struct NotificationWork {
    /// What reads.
    pub indexer: Indexer,
    /// What is to be read.
    pub inbox: Inbox,
}

impl NotificationWork {
    /// Each dataset that is due, once.
    async fn pass(&self) -> Result<Outcome, Failure> {
        let now = Utc::now().millis();
        // Base URIs whose storage does not answer: that is waited for once.
        let silent = Mutex::default();
        let mut changes = 0;
        let mut after = String::new();
        loop {
            let rows = self.inbox.due(&after, now).await?;
            let Some(last) = rows.last() else { break };
            after.clone_from(&last.uri);
            let readings = stream::iter(rows).map(|row| self.read(row, &silent));
            let mut readings = readings.buffer_unordered(READS_AT_ONCE);
            while let Some(changed) = readings.next().await {
                changes += u64::from(changed?);
            }
        }
        // Which ones is not for all who see workers.
        let problems = match self.inbox.failing().await? {
            0 => Vec::new(),
            failing => vec![WorkerProblem {
                source: "datasets".into(),
                message: format!("{failing} cannot be read at present: the log says which"),
            }],
        };
        Ok(Outcome { changes, problems })
    }

    /// Reads one dataset; says whether the register was changed.
    async fn read(&self, row: Model, silent: &Mutex<HashSet<i64>>) -> Result<bool, Failure> {
        let lock = || silent.lock().unwrap_or_else(PoisonError::into_inner);
        let Ok(uri) = DatasetUri::parse(&row.uri) else {
            return self.inbox.done(&row).await.map(|()| false);
        };
        let is_silent = lock().contains(&row.base_uri_id);
        let refreshed = if is_silent {
            Err(Failure::SourceUnavailable("its storage is silent".into()))
        } else {
            self.indexer.refresh(&Author::Labql(AUTHOR), &uri).await
        };
        let (outcome, problem) = match refreshed {
            Ok((refreshed, problems)) => {
                let problem = problems.into_iter().find(|problem| problem.transient);
                (Some(refreshed), problem.map(|problem| problem.to_string()))
            }
            Err(Failure::Rejected(rejection)) => (None, Some(rejection.message)),
            Err(Failure::SourceUnavailable(problem)) => {
                lock().insert(row.base_uri_id);
                (None, Some(problem))
            }
            Err(failure) => return Err(failure),
        };
        match problem {
            None => self.inbox.done(&row).await?,
            Some(problem) => self.put_off(&row, &problem).await?,
        }
        let label = outcome.map_or("failed", Refreshed::as_str);
        metrics::counter!("labql_dataset_notifications_read_total", "outcome" => label)
            .increment(1);
        Ok(outcome.is_some_and(Refreshed::is_change))
    }

    async fn put_off(&self, row: &Model, problem: &str) -> Result<(), Failure> {
        let (uri, now) = (&row.uri, Utc::now().millis());
        if now.saturating_sub(row.notified_at) > GIVEN_UP {
            tracing::error!(%uri, problem, "a dataset that storage told of is given up");
            return self.inbox.done(row).await;
        }
        if row.attempts == 0 {
            tracing::warn!(%uri, problem, "a dataset that storage told of cannot be read yet");
        }
        let doublings = row.attempts.clamp(0, 16);
        let pause = (PAUSE << doublings).min(LONGEST_PAUSE);
        self.inbox.put_off(row, now.saturating_add(pause)).await
    }
}

impl Work for NotificationWork {
    fn name(&self) -> &'static str {
        "dataset-notifications"
    }

    fn kind(&self) -> WorkerKind {
        WorkerKind::DatasetNotifications
    }

    fn schedule(&self) -> Schedule {
        Schedule::Every(EVERY)
    }

    fn wake(&self) -> BoxFuture<'_, ()> {
        async {
            self.inbox.rung().await;
            tokio::time::sleep(SETTLE).await;
        }
        .boxed()
    }

    fn run<'a>(&'a self, run: &'a Run) -> BoxFuture<'a, Result<Outcome, Failure>> {
        async move {
            tokio::select! {
                biased;
                // What was not reached is still in the inbox.
                () = run.stop.cancelled() => Err(Failure::internal("broken off")),
                outcome = self.pass() => outcome,
            }
        }
        .boxed()
    }
}
