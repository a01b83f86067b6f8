//! The runs that this process moves.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tokio::sync::Notify;
use tokio::task::{AbortHandle, Id, JoinSet};

use super::Mover;
use super::run::RunTask;
use crate::flows::settings::ExecutorName;

/// The runs that this process moves, each in a task of its own.
#[derive(Default)]
pub(super) struct Held {
    tasks: JoinSet<()>,
    by_task: HashMap<Id, i64>,
    runs: HashMap<i64, One>,
}

struct One {
    task: AbortHandle,
    /// Its row may have been changed by somebody else.
    changed: Arc<Notify>,
    executor: Option<ExecutorName>,
    /// It was told that it is to end.
    is_told: bool,
}

impl Held {
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// How many of them are on an executor.
    pub fn on(&self, executor: ExecutorName) -> usize {
        let on = |one: &&One| one.executor == Some(executor);
        self.runs.values().filter(on).count()
    }

    /// Moves a run that was just claimed, as `task` has it.
    pub fn add(&mut self, id: i64, executor: &str, task: impl FnOnce(Arc<Notify>) -> RunTask) {
        let changed = Arc::new(Notify::new());
        let following = task(Arc::clone(&changed)).follow();
        let task = self.tasks.spawn(following);
        self.by_task.insert(task.id(), id);
        let one = One {
            task,
            changed,
            executor: ExecutorName::from_name(executor),
            is_told: false,
        };
        self.runs.insert(id, one);
        metrics::gauge!("labql_flow_runs_held").increment(1.0);
    }

    /// Moves a run that was begun before. If it was moved from here until its lease ended, whoever moved it knows nothing of what
    /// others have done since.
    pub fn take_over(&mut self, mover: &Arc<Mover>, id: i64, executor: &str) {
        if let Some(old) = self.runs.remove(&id) {
            old.task.abort();
            self.by_task.remove(&old.task.id());
            metrics::gauge!("labql_flow_runs_held").decrement(1.0);
        }
        tracing::info!(run = id, "took over a run that is under way");
        self.add(id, executor, |changed| {
            RunTask::taken_over(mover, changed, id)
        });
    }

    /// A run is to end.
    pub fn cancel(&mut self, id: i64) {
        if let Some(one) = self.runs.get_mut(&id) {
            one.is_told = true;
            one.changed.notify_one();
        }
    }

    /// The runs that this process holds by the database, and whether they are to end. Those that it moves are told if they are
    /// not among these, or are to end; those that it does not move although it holds them are given.
    pub fn compare(&mut self, rows: &[(i64, String, bool)]) -> Vec<(i64, String)> {
        let held: HashSet<i64> = rows.iter().map(|(id, ..)| *id).collect();
        for (id, one) in &self.runs {
            if !held.contains(id) {
                one.changed.notify_one();
            }
        }
        let mut others = Vec::new();
        for (id, executor, is_to_end) in rows {
            match self.runs.get(id) {
                None => others.push((*id, executor.clone())),
                Some(one) if *is_to_end && !one.is_told => self.cancel(*id),
                Some(_) => {}
            }
        }
        others
    }

    /// Waits for one to be left, for ever if there is none.
    pub async fn left(&mut self) {
        let task = match self.tasks.join_next_with_id().await {
            Some(Ok((task, ()))) => task,
            Some(Err(error)) => {
                if !error.is_cancelled() {
                    tracing::error!(%error, "moving a run failed");
                }
                error.id()
            }
            None => std::future::pending().await,
        };
        if let Some(id) = self.by_task.remove(&task) {
            self.runs.remove(&id);
            metrics::gauge!("labql_flow_runs_held").decrement(1.0);
        }
    }

    /// Waits until all are left.
    pub async fn all_left(&mut self) {
        while !self.tasks.is_empty() {
            self.left().await;
        }
    }
}
