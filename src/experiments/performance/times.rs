//! How long a job waited and ran.

use crate::entity::job;
use crate::experiments::status::JobStatus;

/// How long a job waited and ran, in seconds. What is not known is 0, as is what would be negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobTimes {
    /// From submission to start.
    pub queue: i64,
    /// From start to end.
    pub run: i64,
}

impl JobTimes {
    /// From three moments in milliseconds.
    pub fn between(submitted: Option<i64>, started: Option<i64>, finished: Option<i64>) -> Self {
        Self {
            queue: seconds(submitted, started),
            run: seconds(started, finished),
        }
    }

    /// Of a job: one that runs has run until `now` (milliseconds), and one that was submitted waits until then.
    pub fn of(job: &job::Model, now: i64) -> Self {
        let status = JobStatus::from_code(job.status.into());
        let waits = matches!(status, Some(JobStatus::Submitted | JobStatus::Queuing));
        let runs = status == Some(JobStatus::Running);
        let started = job.started_at.or(waits.then_some(now));
        let finished = match status {
            _ if waits => None,
            _ if runs => Some(now),
            _ => job.finished_at,
        };
        Self::between(job.submitted_at, started, finished)
    }

    /// Both together.
    pub fn total(self) -> i64 {
        self.queue.saturating_add(self.run)
    }
}

/// Whole seconds from one moment to a later one, both in milliseconds and after 1970.
fn seconds(from: Option<i64>, to: Option<i64>) -> i64 {
    match (from, to) {
        (Some(from @ 1..), Some(to @ 1..)) if to > from => (to - from) / 1000,
        _ => 0,
    }
}

/// The seconds of a wallclock limit `HH:MM` or `HH:MM:SS`; none if it is none.
pub fn wallclock_seconds(text: &str) -> Option<i64> {
    let mut parts = text.trim().split(':');
    let hours = parts.next()?;
    let minutes = parts.next()?;
    let seconds = parts.next().unwrap_or("0");
    if parts.next().is_some() {
        return None;
    }
    let number = |text: &str| text.parse::<u32>().ok().map(i64::from);
    Some(number(hours)? * 3600 + number(minutes)? * 60 + number(seconds)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_takes_less_than_no_time() {
        let times = JobTimes::between(Some(9_000), Some(5_000), Some(7_500));
        assert_eq!((times.queue, times.run), (0, 2));
        assert_eq!(
            JobTimes::between(Some(0), Some(5_000), None),
            JobTimes::default()
        );
        assert_eq!(
            JobTimes::between(Some(i64::MIN), Some(i64::MAX), Some(i64::MIN)),
            JobTimes::default()
        );
    }

    #[test]
    fn wallclocks() {
        assert_eq!(wallclock_seconds("1:30"), Some(5400));
        assert_eq!(wallclock_seconds("00:01:10"), Some(70));
        for none in ["", "1", "-1:00", "1:2:3:4", "a:b", "99999999999:00"] {
            assert_eq!(wallclock_seconds(none), None);
        }
    }
}
