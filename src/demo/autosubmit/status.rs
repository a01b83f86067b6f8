/// The state of a job, numbered as in `autosubmit.job.job_common.Status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i8)]
pub enum JobStatus {
    /// Set aside by a person.
    Suspended = -3,
    /// Failed, and no attempt is left.
    Failed = -1,
    /// Some parent has not completed.
    Waiting = 0,
    /// All parents have completed.
    Ready = 1,
    /// Handed to the scheduler.
    Submitted = 2,
    /// In the scheduler's queue.
    Queuing = 3,
    /// Running.
    Running = 4,
    /// Done.
    Completed = 5,
}

impl JobStatus {
    /// The number in pickled job lists.
    pub fn code(self) -> i8 {
        self as i8
    }

    /// The name in databases and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Suspended => "SUSPENDED",
            Self::Failed => "FAILED",
            Self::Waiting => "WAITING",
            Self::Ready => "READY",
            Self::Submitted => "SUBMITTED",
            Self::Queuing => "QUEUING",
            Self::Running => "RUNNING",
            Self::Completed => "COMPLETED",
        }
    }

    /// Whether the scheduler has the job.
    pub fn in_flight(self) -> bool {
        matches!(self, Self::Submitted | Self::Queuing | Self::Running)
    }
}
