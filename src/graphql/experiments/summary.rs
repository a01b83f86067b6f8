//! The types `JobSummary` and `Eta`.

use std::collections::HashMap;

use chrono::Utc;
use macros::row;

use crate::database::Database;
use crate::experiments::performance::eta;
use crate::experiments::read::performance::{self as read, SimulationSummary};
use crate::experiments::status::JobStatus;
use crate::failure::Failure;
use crate::graphql::level::{ChildList, Level};
use crate::graphql::number::count;
use crate::time::Millis;

/// What the jobs of an experiment do now, and how long they take on average.
///
/// Where it is not known how long a completed job took, it counts with 0 seconds, as in Autosubmit API.
#[derive(Clone, Default)]
pub struct JobSummary(read::JobSummary);

impl JobSummary {
    fn count(&self, status: JobStatus) -> i32 {
        count(
            self.0
                .counts
                .get(&status.code())
                .copied()
                .unwrap_or_default(),
        )
    }
}

/// What the jobs of an experiment do now, and how long they take on average.
///
/// Where it is not known how long a completed job took, it counts with 0 seconds, as in Autosubmit API.
#[row]
impl JobSummary {
    /// Jobs that were sent to the scheduler.
    fn submitted_count(&self) -> i32 {
        self.count(JobStatus::Submitted)
    }

    /// Jobs in the scheduler's queue.
    fn queuing_count(&self) -> i32 {
        self.count(JobStatus::Queuing)
    }

    /// Jobs that run.
    fn running_count(&self) -> i32 {
        self.count(JobStatus::Running)
    }

    /// Jobs that a person took out.
    fn suspended_count(&self) -> i32 {
        self.count(JobStatus::Suspended)
    }

    /// Jobs that failed; `jobs(filter: { statuses: [FAILED] })` names them.
    fn failed_count(&self) -> i32 {
        self.count(JobStatus::Failed)
    }

    /// Jobs that are completed.
    fn completed_count(&self) -> i32 {
        self.count(JobStatus::Completed)
    }

    /// Mean seconds in the queue of the jobs that are submitted, queuing, running, completed or failed: to their start, or
    /// to now. Jobs inside a wrapper count without what they waited for others of it. Null without such jobs.
    fn mean_queue_seconds(&self) -> Option<f64> {
        self.0.queue.value()
    }

    /// Mean seconds running of the jobs that run, are completed or failed: to their end, or to now. Null without such jobs.
    fn mean_run_seconds(&self) -> Option<f64> {
        self.0.run.value()
    }

    /// The same of the jobs of the section SIM.
    fn simulation(&self) -> SimulationJobs {
        SimulationJobs(self.0.simulation)
    }
}

/// The jobs of an experiment that simulate: those of the section SIM.
#[derive(Clone, Copy)]
pub struct SimulationJobs(SimulationSummary);

/// The jobs of an experiment that simulate: those of the section SIM.
#[row]
impl SimulationJobs {
    /// How many there are.
    fn count(&self) -> i32 {
        count(self.0.count)
    }

    /// How many of them have waited: the jobs of which `meanQueueSeconds` is the mean.
    fn queued_count(&self) -> i32 {
        count(self.0.queue.count)
    }

    /// How many of them have run: the jobs of which `meanRunSeconds` is the mean.
    fn run_count(&self) -> i32 {
        count(self.0.run.count)
    }

    /// Mean seconds in the queue.
    fn mean_queue_seconds(&self) -> Option<f64> {
        self.0.queue.value()
    }

    /// Mean seconds running.
    fn mean_run_seconds(&self) -> Option<f64> {
        self.0.run.value()
    }
}

/// The summaries of experiments.
#[derive(Clone, Copy, Hash, PartialEq, Eq)]
pub(super) struct SummaryList;

impl ChildList for SummaryList {
    type Children = JobSummary;

    async fn load(
        &self,
        database: &Database,
        level: &Level,
    ) -> Result<HashMap<i64, Self::Children>, Failure> {
        let summaries = read::summaries(database, level.parents(), Utc::now().millis()).await?;
        let summary = |(id, summary)| (id, JobSummary(summary));
        Ok(summaries.into_iter().map(summary).collect())
    }
}

/// How far the chunks of a section are, and how long they still take if the rest takes as long as those before.
#[derive(Clone, Copy)]
pub struct Eta(eta::Eta);

/// How far the chunks of a section are, and how long they still take if the rest takes as long as those before.
#[row]
impl Eta {
    /// Seconds to go: the mean time of a chunk times those that remain. 0 when all are done; null as long as none is.
    fn seconds(&self) -> Option<f64> {
        self.0.seconds
    }

    /// Chunks; one for all start dates and members together.
    fn chunks_total(&self) -> i32 {
        count(self.0.chunks_total)
    }

    /// Chunks of which a job is not completed.
    fn chunks_remaining(&self) -> i32 {
        count(self.0.chunks_remaining)
    }

    /// The mean time of a chunk that is done, in seconds: from the first start to the last end among its jobs.
    fn average_seconds_per_chunk(&self) -> Option<f64> {
        self.0.average_seconds
    }
}

/// How far a section of experiments is.
#[derive(Clone, Hash, PartialEq, Eq)]
pub(super) struct EtaList(pub String);

impl ChildList for EtaList {
    type Children = Option<Eta>;

    async fn load(
        &self,
        database: &Database,
        level: &Level,
    ) -> Result<HashMap<i64, Self::Children>, Failure> {
        let etas = read::etas(database, level.parents(), &self.0).await?;
        let eta = |(id, eta)| (id, Some(Eta(eta)));
        Ok(etas.into_iter().map(eta).collect())
    }
}
