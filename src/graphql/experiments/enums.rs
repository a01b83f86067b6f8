//! The field's own words.

use async_graphql::Enum;
use macros::row;

use crate::experiments::read;
use crate::experiments::status;
use crate::graphql::json::json_enums;

/// The status of a job, in Autosubmit's words.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "status::JobStatus")]
pub enum JobStatus {
    /// Taken out by a person; it will not run until it is put back.
    Suspended,
    /// Waits for its parents.
    Waiting,
    /// Waits for a moment that its configuration names.
    Delayed,
    /// About to be packed into a wrapper.
    Prepared,
    /// Its parents are done: it can be submitted.
    Ready,
    /// Sent to the scheduler.
    Submitted,
    /// Held by the scheduler.
    Held,
    /// In the scheduler's queue.
    Queuing,
    /// Runs.
    Running,
    /// Left out by its configuration.
    Skipped,
    /// Ended with an error.
    Failed,
    /// Autosubmit does not know.
    Unknown,
    /// Ended well.
    Completed,
}

/// Whether Autosubmit is at work on an experiment.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "status::ExperimentStatus")]
pub enum ExperimentStatus {
    /// Autosubmit runs it.
    Running,
    /// Autosubmit does not run it.
    NotRunning,
}

/// What an experiment is for, as the first character of its expid tells.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "status::ExperimentKind")]
pub enum ExperimentKind {
    /// A scientific experiment.
    Experiment,
    /// A test (`t…`).
    Test,
    /// Operational (`o…`).
    Operational,
    /// An evaluation (`e…`).
    Evaluation,
}

/// The direction of an order.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub enum OrderDirection {
    /// From low to high.
    Asc,
    /// From high to low.
    Desc,
}

/// By what experiments can be ordered.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "read::experiments::ExperimentOrderField")]
pub enum ExperimentOrderField {
    /// The expid.
    Expid,
    /// When it was made; unknown times count as the earliest.
    CreatedAt,
    /// When its job list last changed; unknown times count as the earliest.
    ModifiedAt,
    /// The description.
    Description,
    /// Not running before running.
    Status,
}

/// By what jobs can be ordered; equal ones are ordered by name.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "read::jobs::JobOrderField")]
pub enum JobOrderField {
    /// The name, without regard to ASCII case.
    Name,
    /// Autosubmit's status code.
    Status,
    /// The section.
    Section,
    /// The priority.
    Priority,
    /// Start date, then member, then chunk.
    Date,
}

json_enums!(JobStatus, ExperimentStatus, ExperimentKind);

/// How many jobs have a status.
#[derive(Clone, Debug)]
pub struct JobCount {
    /// The status.
    pub status: JobStatus,
    /// How many jobs have it.
    pub count: i32,
}

/// How many jobs have a status.
#[row]
impl JobCount {
    /// The status.
    fn status(&self) -> JobStatus {
        self.status
    }

    /// How many jobs have it.
    fn count(&self) -> i32 {
        self.count
    }
}
