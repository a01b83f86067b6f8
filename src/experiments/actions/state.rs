//! The states of an action, which may follow which, and why one ended.

use sea_orm::ColumnTrait;
use sea_orm::sea_query::SimpleExpr;
use serde::{Deserialize, Serialize};

use crate::entity::action::Column;

/// Where an action stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ActionState {
    /// It was asked for and has not begun.
    Requested,
    /// Autosubmit is at it, or is about to be: from here on it is never begun again.
    Running,
    /// Autosubmit said that it went well.
    Succeeded,
    /// Autosubmit said that it did not, or it could not be begun.
    Failed,
    /// Somebody withdrew it, or stopped the run.
    Canceled,
    /// Nobody can tell how it ended.
    Lost,
}

use ActionState::{Canceled, Failed, Lost, Requested, Running, Succeeded};

impl ActionState {
    /// The states of what has not ended.
    const OPEN: [Self; 2] = [Requested, Running];
    /// All states.
    pub const ALL: [Self; 6] = [Requested, Running, Succeeded, Failed, Canceled, Lost];

    /// The name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Requested => "REQUESTED",
            Running => "RUNNING",
            Succeeded => "SUCCEEDED",
            Failed => "FAILED",
            Canceled => "CANCELED",
            Lost => "LOST",
        }
    }

    /// The states that may follow.
    const fn followers(self) -> &'static [Self] {
        match self {
            // It begins; it cannot; it is withdrawn.
            Requested => &[Running, Failed, Canceled],
            Running => &[Succeeded, Failed, Canceled, Lost],
            // What has ended stays as it is.
            Succeeded | Failed | Canceled | Lost => &[],
        }
    }

    /// May an action go from this state to that one?
    pub fn may_become(self, next: Self) -> bool {
        self.followers().contains(&next)
    }

    /// Has it ended?
    pub const fn is_over(self) -> bool {
        self.followers().is_empty()
    }

    /// The state of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// The condition that an action has not ended.
    pub(super) fn is_open() -> SimpleExpr {
        Column::State.is_in(Self::OPEN.map(Self::as_str))
    }
}

/// Why an action ended as it did, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum EndReason {
    /// The program ended by itself; its exit code tells how.
    Exited,
    /// A signal ended the program that labql did not send.
    Signaled,
    /// The program took longer than the profile allows.
    TimedOut,
    /// Somebody withdrew it, or stopped the run.
    Canceled,
    /// The program could not be started.
    NotStarted,
    /// When it should have begun, the user had no right to it any more.
    RightWithdrawn,
    /// When it should have begun, the configuration did not allow it any more; or its profile is gone, without which nobody can
    /// tell how it ended.
    NotConfigured,
    /// When it should have begun, the experiment was gone.
    ExperimentGone,
    /// No server was there to begin it in time.
    NotBegunInTime,
    /// The server was busy with other actions until it was too late to begin it.
    Busy,
    /// The connection to the other machine broke, or it did not confirm that the program was ended: what became of it there
    /// is not known.
    ConnectionLost,
    /// The process is gone, and nobody noted how it ended.
    ProcessGone,
    /// The machine that keeps its process has not been heard of for too long.
    HostGone,
}

impl EndReason {
    /// All reasons.
    pub const ALL: [Self; 13] = [
        Self::Exited,
        Self::Signaled,
        Self::TimedOut,
        Self::Canceled,
        Self::NotStarted,
        Self::RightWithdrawn,
        Self::NotConfigured,
        Self::ExperimentGone,
        Self::NotBegunInTime,
        Self::Busy,
        Self::ConnectionLost,
        Self::ProcessGone,
        Self::HostGone,
    ];

    /// The name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exited => "EXITED",
            Self::Signaled => "SIGNALED",
            Self::TimedOut => "TIMED_OUT",
            Self::Canceled => "CANCELED",
            Self::NotStarted => "NOT_STARTED",
            Self::RightWithdrawn => "RIGHT_WITHDRAWN",
            Self::NotConfigured => "NOT_CONFIGURED",
            Self::ExperimentGone => "EXPERIMENT_GONE",
            Self::NotBegunInTime => "NOT_BEGUN_IN_TIME",
            Self::Busy => "BUSY",
            Self::ConnectionLost => "CONNECTION_LOST",
            Self::ProcessGone => "PROCESS_GONE",
            Self::HostGone => "HOST_GONE",
        }
    }

    /// The reason of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_ended_stays_and_nothing_begins_twice() {
        for state in ActionState::ALL {
            assert_eq!(ActionState::parse(state.as_str()), Some(state));
            assert!(!state.may_become(state), "{state:?}");
            assert!(!state.may_become(Requested), "{state:?}");
            assert_eq!(state.may_become(Running), state == Requested, "{state:?}");
            assert_eq!(state.is_over(), !ActionState::OPEN.contains(&state));
        }
    }

    #[test]
    fn reasons_have_names() {
        for reason in EndReason::ALL {
            assert_eq!(EndReason::parse(reason.as_str()), Some(reason));
        }
    }
}
