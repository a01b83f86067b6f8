//! How long actions wait, and how long they are kept.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How long actions wait, and how long they are kept.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Keeping {
    /// An action that no server has begun for so long is not begun any more.
    #[serde(with = "crate::human_duration")]
    pub begin_within: Duration,
    /// An action whose machine has not been heard of for so long is lost.
    #[serde(with = "crate::human_duration")]
    pub host_lost_after: Duration,
    /// For how many days actions are kept after their end, with what their programs printed; none: for ever.
    pub days: Option<u32>,
}

impl Default for Keeping {
    fn default() -> Self {
        Self {
            begin_within: Duration::from_mins(10),
            host_lost_after: Duration::from_hours(1),
            days: None,
        }
    }
}
