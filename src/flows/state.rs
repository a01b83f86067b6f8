//! The states of runs and their steps, and which may follow which.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A state of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RunState {
    /// It waits for its turn.
    Pending,
    /// Its steps run.
    Running,
    /// It is to end, and something of it may still run.
    Canceling,
    /// It has ended well, and its outputs are there.
    Success,
    /// It has ended badly.
    Error,
    /// It was ended by somebody.
    Canceled,
}

/// A state of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StepState {
    /// Its turn has not come, or comes again.
    Pending,
    /// It is being handed to what runs it; whether it runs is not known.
    Starting,
    /// It runs.
    Running,
    /// It has ended well.
    Success,
    /// It has ended badly, and does not run again.
    Error,
    /// It was ended by somebody, or its turn never came.
    Canceled,
    /// It is left out: the run was not given what it does.
    Skipped,
}

/// Which state of a run may follow which. All others are final.
pub const RUN_TRANSITIONS: [(RunState, RunState); 8] = [
    (RunState::Pending, RunState::Running),
    // What it needs cannot be had.
    (RunState::Pending, RunState::Error),
    // Nothing of it runs.
    (RunState::Pending, RunState::Canceled),
    (RunState::Running, RunState::Canceling),
    (RunState::Running, RunState::Success),
    (RunState::Running, RunState::Error),
    (RunState::Canceling, RunState::Canceled),
    // What runs of it cannot be ended, or nobody knows whether it has.
    (RunState::Canceling, RunState::Error),
];

/// Which state of a step may follow which. All others are final.
pub const STEP_TRANSITIONS: [(StepState, StepState); 11] = [
    (StepState::Pending, StepState::Starting),
    (StepState::Pending, StepState::Skipped),
    (StepState::Pending, StepState::Canceled),
    (StepState::Starting, StepState::Running),
    // It could not be started.
    (StepState::Starting, StepState::Error),
    (StepState::Starting, StepState::Canceled),
    // It runs again.
    (StepState::Starting, StepState::Pending),
    (StepState::Running, StepState::Pending),
    (StepState::Running, StepState::Success),
    (StepState::Running, StepState::Error),
    (StepState::Running, StepState::Canceled),
];

/// A state that may not follow another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{from} cannot become {to}")]
pub struct IllegalTransition<S: fmt::Display + fmt::Debug> {
    /// The state that is.
    pub from: S,
    /// The state that was to be.
    pub to: S,
}

impl RunState {
    /// All states, in the order in which a run takes them.
    pub const ALL: [Self; 6] = [
        Self::Pending,
        Self::Running,
        Self::Canceling,
        Self::Success,
        Self::Error,
        Self::Canceled,
    ];

    /// The name that is stored and shown: `PENDING`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Running => "RUNNING",
            Self::Canceling => "CANCELING",
            Self::Success => "SUCCESS",
            Self::Error => "ERROR",
            Self::Canceled => "CANCELED",
        }
    }

    /// The state of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// Whether nothing follows.
    pub fn is_final(self) -> bool {
        !RUN_TRANSITIONS.iter().any(|(from, _)| *from == self)
    }

    /// Whether this state may follow; false if it is the state already, which is no fault.
    ///
    /// # Errors
    /// If it may not.
    pub fn becomes(self, to: Self) -> Result<bool, IllegalTransition<Self>> {
        becomes(&RUN_TRANSITIONS, self, to)
    }

    /// The states that this one may follow: what an update in the database expects to find.
    pub fn origins(self) -> Vec<Self> {
        origins(&RUN_TRANSITIONS, self)
    }
}

impl StepState {
    /// All states, in the order in which a step takes them.
    pub const ALL: [Self; 7] = [
        Self::Pending,
        Self::Starting,
        Self::Running,
        Self::Success,
        Self::Error,
        Self::Canceled,
        Self::Skipped,
    ];

    /// The name that is stored and shown: `PENDING`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Starting => "STARTING",
            Self::Running => "RUNNING",
            Self::Success => "SUCCESS",
            Self::Error => "ERROR",
            Self::Canceled => "CANCELED",
            Self::Skipped => "SKIPPED",
        }
    }

    /// The state of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// Whether nothing follows.
    pub fn is_final(self) -> bool {
        !STEP_TRANSITIONS.iter().any(|(from, _)| *from == self)
    }

    /// Whether this state may follow; false if it is the state already, which is no fault.
    ///
    /// # Errors
    /// If it may not.
    pub fn becomes(self, to: Self) -> Result<bool, IllegalTransition<Self>> {
        becomes(&STEP_TRANSITIONS, self, to)
    }

    /// The states that this one may follow: what an update in the database expects to find.
    pub fn origins(self) -> Vec<Self> {
        origins(&STEP_TRANSITIONS, self)
    }
}

fn becomes<S>(table: &[(S, S)], from: S, to: S) -> Result<bool, IllegalTransition<S>>
where
    S: Copy + PartialEq + fmt::Display + fmt::Debug,
{
    if from == to {
        Ok(false)
    } else if table.contains(&(from, to)) {
        Ok(true)
    } else {
        Err(IllegalTransition { from, to })
    }
}

fn origins<S: Copy + PartialEq>(table: &[(S, S)], state: S) -> Vec<S> {
    let into = table.iter().filter(|(_, to)| *to == state);
    into.map(|(from, _)| *from).collect()
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for StepState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a run or an attempt at a step did not end well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Reason {
    /// A command ended with another code than 0.
    StepFailed,
    /// A signal ended it that did not come from here.
    StepSignaled,
    /// It could not be started.
    NotStarted,
    /// Its time was up.
    TimedOut,
    /// It needed more memory than it may have.
    OutOfMemory,
    /// It wrote a larger file than it may.
    FileTooLarge,
    /// A file that is declared was not made.
    OutputMissing,
    /// A file that is declared is no regular file, or too large to be kept.
    OutputRefused,
    /// A file that it is to be given is not there any more.
    InputMissing,
    /// It is gone, and nobody knows how it ended.
    Lost,
    /// Somebody ended it.
    Canceled,
    /// labql itself failed.
    Internal,
}

impl Reason {
    /// All reasons.
    pub const ALL: [Self; 12] = [
        Self::StepFailed,
        Self::StepSignaled,
        Self::NotStarted,
        Self::TimedOut,
        Self::OutOfMemory,
        Self::FileTooLarge,
        Self::OutputMissing,
        Self::OutputRefused,
        Self::InputMissing,
        Self::Lost,
        Self::Canceled,
        Self::Internal,
    ];

    /// The name that is stored and shown: `STEP_FAILED`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StepFailed => "STEP_FAILED",
            Self::StepSignaled => "STEP_SIGNALED",
            Self::NotStarted => "NOT_STARTED",
            Self::TimedOut => "TIMED_OUT",
            Self::OutOfMemory => "OUT_OF_MEMORY",
            Self::FileTooLarge => "FILE_TOO_LARGE",
            Self::OutputMissing => "OUTPUT_MISSING",
            Self::OutputRefused => "OUTPUT_REFUSED",
            Self::InputMissing => "INPUT_MISSING",
            Self::Lost => "LOST",
            Self::Canceled => "CANCELED",
            Self::Internal => "INTERNAL",
        }
    }

    /// The reason of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == name)
    }

    /// Whether another attempt may end otherwise.
    pub const fn may_pass(self) -> bool {
        !matches!(
            self,
            Self::Canceled | Self::InputMissing | Self::OutputRefused
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn final_states_stay() {
        let last = RunState::ALL.into_iter().filter(|state| state.is_final());
        let last: Vec<_> = last.collect();
        assert_eq!(
            last,
            [RunState::Success, RunState::Error, RunState::Canceled]
        );
        let last = StepState::ALL.into_iter().filter(|state| state.is_final());
        assert_eq!(last.count(), 4);
        for from in RunState::ALL {
            assert_eq!(from.becomes(from), Ok(false));
            for to in RunState::ALL {
                let legal = from == to || to.origins().contains(&from);
                assert_eq!(from.becomes(to).is_ok(), legal, "{from} {to}");
            }
        }
        let error = RunState::Success.becomes(RunState::Canceling).unwrap_err();
        assert_eq!(error.to_string(), "SUCCESS cannot become CANCELING");
    }

    #[test]
    fn names_come_back() {
        for state in RunState::ALL {
            assert_eq!(RunState::from_name(state.as_str()), Some(state));
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
        for state in StepState::ALL {
            assert_eq!(StepState::from_name(state.as_str()), Some(state));
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
        for reason in Reason::ALL {
            assert_eq!(Reason::from_name(reason.as_str()), Some(reason));
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
        }
    }

    proptest! {
        /// From each state there is a way to an end, and none leads out of it.
        #[test]
        fn every_way_ends(choices in prop::collection::vec(0_usize..8, 0..20)) {
            let mut state = RunState::Pending;
            for choice in choices {
                let next: Vec<_> = RunState::ALL
                    .into_iter()
                    .filter(|to| state.becomes(*to) == Ok(true))
                    .collect();
                prop_assert_eq!(next.is_empty(), state.is_final());
                if next.is_empty() {
                    break;
                }
                state = next[choice % next.len()];
            }
        }
    }
}
