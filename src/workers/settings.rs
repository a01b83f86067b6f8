//! What can be set of background work.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Background work.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorkersSettings {
    /// Does `labql serve` run background work? If not, leave it to `labql worker` or to other servers.
    pub enabled: bool,
    /// How long a process that says nothing still holds its workers. Another takes over after it.
    #[serde(with = "crate::human_duration")]
    pub lease: Duration,
}

impl Default for WorkersSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            lease: Duration::from_secs(15),
        }
    }
}

impl WorkersSettings {
    /// The lease within sensible bounds: one that is too short would be lost to any delay of the database, one that is
    /// too long is none.
    pub fn lease(&self) -> Duration {
        self.lease
            .clamp(Duration::from_millis(300), Duration::from_hours(1))
    }
}
