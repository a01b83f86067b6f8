//! What Autosubmit says of a job: its status, and of an experiment: its kind.

use std::fmt;

/// The status of a job, in Autosubmit's logical order: suspended jobs first, completed ones last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum JobStatus {
    /// Taken out of the workflow by hand.
    Suspended,
    /// Waits for its parents.
    Waiting,
    /// Waits for a moment in time.
    Delayed,
    /// Its wrapper is being built.
    Prepared,
    /// May be submitted.
    Ready,
    /// Handed to the platform.
    Submitted,
    /// Held by the platform.
    Held,
    /// In the platform's queue.
    Queuing,
    /// Runs.
    Running,
    /// Left out.
    Skipped,
    /// Ended badly.
    Failed,
    /// The platform no longer knows it.
    Unknown,
    /// Ended well.
    Completed,
}

impl JobStatus {
    /// All statuses in logical order.
    pub const ALL: [Self; 13] = [
        Self::Suspended,
        Self::Waiting,
        Self::Delayed,
        Self::Prepared,
        Self::Ready,
        Self::Submitted,
        Self::Held,
        Self::Queuing,
        Self::Running,
        Self::Skipped,
        Self::Failed,
        Self::Unknown,
        Self::Completed,
    ];

    /// The number that job lists store (`autosubmit.job.job_common.Status`).
    pub const fn code(self) -> i16 {
        match self {
            Self::Suspended => -3,
            Self::Unknown => -2,
            Self::Failed => -1,
            Self::Waiting => 0,
            Self::Ready => 1,
            Self::Submitted => 2,
            Self::Queuing => 3,
            Self::Running => 4,
            Self::Completed => 5,
            Self::Held => 6,
            Self::Prepared => 7,
            Self::Skipped => 8,
            Self::Delayed => 9,
        }
    }

    /// The status of a number, if it is one of the thirteen.
    pub fn from_code(code: i64) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|status| i64::from(status.code()) == code)
    }

    /// The status of a name; ASCII case is ignored.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str().eq_ignore_ascii_case(name))
    }

    /// Whether the scheduler has the job.
    pub const fn in_flight(self) -> bool {
        matches!(self, Self::Submitted | Self::Queuing | Self::Running)
    }

    /// The name as Autosubmit writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Suspended => "SUSPENDED",
            Self::Waiting => "WAITING",
            Self::Delayed => "DELAYED",
            Self::Prepared => "PREPARED",
            Self::Ready => "READY",
            Self::Submitted => "SUBMITTED",
            Self::Held => "HELD",
            Self::Queuing => "QUEUING",
            Self::Running => "RUNNING",
            Self::Skipped => "SKIPPED",
            Self::Failed => "FAILED",
            Self::Unknown => "UNKNOWN",
            Self::Completed => "COMPLETED",
        }
    }

    /// The CSS colour that Autosubmit's own plots and its GUI give it (`autosubmit.monitor.monitor`).
    pub const fn color(self) -> &'static str {
        match self {
            Self::Suspended => "orange",
            Self::Unknown => "white",
            Self::Failed => "red",
            Self::Waiting => "#aaaaaa",
            Self::Ready => "lightblue",
            Self::Submitted => "cyan",
            Self::Queuing => "lightpink",
            Self::Running => "green",
            Self::Completed => "yellow",
            Self::Held => "salmon",
            Self::Prepared => "lightsalmon",
            Self::Skipped => "lightyellow",
            Self::Delayed => "lightcyan",
        }
    }
}

impl fmt::Display for JobStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The kind of an experiment, which the first character of its expid tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ExperimentKind {
    /// A scientific experiment, the usual kind.
    Experiment,
    /// A test (`t...`).
    Test,
    /// Operational (`o...`).
    Operational,
    /// An evaluation (`e...`, Autosubmit 4.1.12 and newer).
    Evaluation,
}

impl ExperimentKind {
    /// The kind that an expid's first character stands for.
    pub fn from_expid(expid: &str) -> Self {
        match expid.bytes().next() {
            Some(b't') => Self::Test,
            Some(b'o') => Self::Operational,
            Some(b'e') => Self::Evaluation,
            _ => Self::Experiment,
        }
    }

    /// The kind's name in capitals.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Experiment => "EXPERIMENT",
            Self::Test => "TEST",
            Self::Operational => "OPERATIONAL",
            Self::Evaluation => "EVALUATION",
        }
    }
}

impl ExperimentKind {
    /// The code that the database keeps.
    pub const fn code(self) -> i16 {
        match self {
            Self::Experiment => 0,
            Self::Test => 1,
            Self::Operational => 2,
            Self::Evaluation => 3,
        }
    }

    /// The kind of a code.
    pub const fn from_code(code: i16) -> Self {
        match code {
            1 => Self::Test,
            2 => Self::Operational,
            3 => Self::Evaluation,
            _ => Self::Experiment,
        }
    }
}

/// Whether Autosubmit is at work on an experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExperimentStatus {
    /// It runs.
    Running,
    /// It does not.
    NotRunning,
}

impl ExperimentStatus {
    /// The code that the database keeps.
    pub const fn code(self) -> i16 {
        match self {
            Self::NotRunning => 0,
            Self::Running => 1,
        }
    }

    /// The status of a code; anything unknown does not run.
    pub const fn from_code(code: i16) -> Self {
        match code {
            1 => Self::Running,
            _ => Self::NotRunning,
        }
    }
}
