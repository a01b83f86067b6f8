//! When work is due.

use std::fmt;
use std::time::Duration;

use crate::entity::worker::Model;

/// A worker that fails waits at most so long for its next run, unless its interval is longer.
const LONGEST_BACK_OFF: Duration = Duration::from_mins(10);
/// The interval is doubled at most so often.
const MOST_DOUBLINGS: i64 = 6;
/// The most that chance adds to a back-off, in percent: so that many that fail together do not come back together.
const JITTER_PERCENT: f64 = 10.0;

/// When work is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// So long after the end of the run before.
    Every(Duration),
}

impl Schedule {
    /// From the end of a run to the next, in milliseconds.
    pub fn interval_ms(self) -> i64 {
        let Self::Every(interval) = self;
        millis(interval).max(1)
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Every(interval) = self;
        write!(f, "every {}", humantime::format_duration(*interval))
    }
}

/// Whole milliseconds.
pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// How long to wait for the next run after so many failures in a row, in milliseconds. `chance`: from 0 to 1.
pub(super) fn pause(interval_ms: i64, failures: i64, chance: f64) -> i64 {
    if failures <= 0 {
        return interval_ms;
    }
    let doubled = interval_ms.saturating_mul(1 << failures.min(MOST_DOUBLINGS));
    let longest = millis(LONGEST_BACK_OFF).max(interval_ms);
    // Beyond the longest it does not matter how exact a float is.
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
    let jitter = (doubled.min(longest) as f64 * JITTER_PERCENT / 100.0 * chance) as i64;
    doubled.saturating_add(jitter).min(longest)
}

/// When the next run is due. A time further away than any pause can be was written by a clock that has been set back
/// since, or for a longer interval: such a run is due now.
pub(super) fn due_at(row: &Model, now: i64) -> i64 {
    let latest = now.saturating_add(pause(row.interval_ms, row.failures, 1.0));
    if row.next_due_at > latest {
        now
    } else {
        row.next_due_at
    }
}
