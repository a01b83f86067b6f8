//! The states of a worker.

use serde::{Deserialize, Serialize};

use super::lease;
use super::schedule::due_at;
use crate::entity::worker::Model;

/// What a worker is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum WorkerStatus {
    /// Waits for its next run; the last one was well, or there was none.
    Idle,
    /// A run is under way.
    Running,
    /// The last run failed; the next one comes later than usual.
    Failing,
    /// Nobody does it, although somebody should.
    Lost,
    /// An administrator said that it shall not run.
    Paused,
}

use WorkerStatus::{Failing, Idle, Lost, Paused, Running};

impl WorkerStatus {
    /// All states.
    pub const ALL: [Self; 5] = [Idle, Running, Failing, Lost, Paused];

    /// The name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Idle => "IDLE",
            Running => "RUNNING",
            Failing => "FAILING",
            Lost => "LOST",
            Paused => "PAUSED",
        }
    }

    /// The states that may follow, beside this one itself.
    const fn followers(self) -> &'static [Self] {
        match self {
            // A run begins; an administrator pauses; nobody comes.
            Idle | Failing => &[Running, Paused, Lost],
            // It ends well, badly, as one that shall not run again, or not at all.
            Running => &[Idle, Failing, Paused, Lost],
            // Somebody takes it over, or its holder comes back; an administrator pauses it.
            Lost => &[Idle, Running, Failing, Paused],
            // An administrator resumes it.
            Paused => &[Idle, Failing],
        }
    }

    /// May a worker go from this state to that one?
    pub fn may_become(self, next: Self) -> bool {
        self == next || self.followers().contains(&next)
    }

    /// The state of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }
}

/// The status of a worker at a moment.
pub fn status_at(row: &Model, now: i64) -> WorkerStatus {
    let held = lease::is_live(row, now);
    let overdue = due_at(row, now).saturating_add(row.lease_ms) < now;
    match row {
        Model {
            started_at: Some(_),
            ..
        } => {
            if held {
                Running
            } else {
                Lost
            }
        }
        Model {
            paused_at: Some(_), ..
        } => Paused,
        _ if !held && overdue => Lost,
        _ if row.failures > 0 => Failing,
        _ => Idle,
    }
}
