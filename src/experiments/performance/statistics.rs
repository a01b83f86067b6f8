//! What the jobs of an experiment used and wasted, from the attempts that Autosubmit notes beside them.

use std::ops::AddAssign;

use chrono::{DateTime, Utc};

use crate::experiments::readers::StatLine;
use crate::experiments::status::JobStatus;

/// What the configuration says of a job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The processors that it occupies.
    pub processing_elements: i64,
    /// The longest time that it may run, in seconds; 0: not limited.
    pub wallclock: i64,
}

/// What a job, or all jobs together, used. Times are seconds; those of processors are seconds of each of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Attempts.
    pub submitted: i64,
    /// Attempts that were completed.
    pub completed: i64,
    /// Attempts that failed.
    pub failed: i64,
    /// In the queue before attempts that were completed.
    pub queue: i64,
    /// In attempts that were completed.
    pub run: i64,
    /// In the queue before attempts that were not.
    pub failed_queue: i64,
    /// In attempts that were not.
    pub failed_run: i64,
    /// Of processors, in all attempts.
    pub cpu: i64,
    /// Of processors, in attempts that were not completed.
    pub failed_cpu: i64,
    /// What one attempt may take at most.
    pub expected: i64,
    /// What one attempt may take of processors at most.
    pub expected_cpu: i64,
}

impl Usage {
    /// In attempts of either kind.
    pub fn total_run(&self) -> i64 {
        self.run.saturating_add(self.failed_run)
    }

    /// What a job used in these attempts, the oldest first; none without any since `since`.
    ///
    /// Counted are the last success and what was tried after it, and before it since the success before that: a workflow
    /// that was run anew starts from nothing.
    pub fn of(lines: &[StatLine], request: Request, since: Option<DateTime<Utc>>) -> Option<Self> {
        let recent = |line: &StatLine| match since {
            None => true,
            Some(since) => [line.started_at, line.finished_at]
                .iter()
                .any(|moment| moment.is_some_and(|moment| moment > since)),
        };
        if !lines.iter().any(recent) {
            return None;
        }
        let mut usage = Self {
            expected: request.wallclock,
            expected_cpu: request
                .wallclock
                .saturating_mul(request.processing_elements),
            ..Self::default()
        };
        for (later, line) in lines.iter().rev().enumerate() {
            let completed = line.status == Some(JobStatus::Completed);
            if completed && usage.completed > 0 {
                break;
            }
            // The newest may go on. One that was followed by another and did not end was lost.
            let goes_on = later == 0 && line.status.is_none();
            usage.add_attempt(line, completed, goes_on);
        }
        let cpu = |seconds: i64| seconds.saturating_mul(request.processing_elements);
        usage.cpu = cpu(usage.total_run());
        usage.failed_cpu = cpu(usage.failed_run);
        Some(usage)
    }

    fn add_attempt(&mut self, line: &StatLine, completed: bool, goes_on: bool) {
        let queue = seconds(line.submitted_at, line.started_at);
        let run = seconds(line.started_at, line.finished_at);
        self.submitted += 1;
        if completed {
            self.completed += 1;
            self.queue += queue;
            self.run += run;
        } else {
            self.failed += i64::from(!goes_on);
            self.failed_queue += queue;
            self.failed_run += run;
        }
    }
}

impl AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        let pairs = [
            (&mut self.submitted, other.submitted),
            (&mut self.completed, other.completed),
            (&mut self.failed, other.failed),
            (&mut self.queue, other.queue),
            (&mut self.run, other.run),
            (&mut self.failed_queue, other.failed_queue),
            (&mut self.failed_run, other.failed_run),
            (&mut self.cpu, other.cpu),
            (&mut self.failed_cpu, other.failed_cpu),
            (&mut self.expected, other.expected),
            (&mut self.expected_cpu, other.expected_cpu),
        ];
        for (own, other) in pairs {
            *own = own.saturating_add(other);
        }
    }
}

fn seconds(from: Option<DateTime<Utc>>, to: Option<DateTime<Utc>>) -> i64 {
    match (from, to) {
        (Some(from), Some(to)) => (to - from).num_seconds().max(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::experiments::readers::stats::parse;

    const TWO_HOURS_ON_FOUR: Request = Request {
        processing_elements: 4,
        wallclock: 7200,
    };

    #[test]
    fn the_success_before_the_last_ends_it() {
        let lines = parse(
            "20220101000000 20220101000010 20220101000020 COMPLETED\n\
             20220102000000 20220102000010 20220102000030 FAILED\n\
             20220103000000 20220103000005 20220103000105 COMPLETED\n\
             20220104000000 20220104000001 20220104000002 FAILED\n",
        );
        let usage = Usage::of(&lines, TWO_HOURS_ON_FOUR, None).unwrap();
        assert_eq!((usage.submitted, usage.completed, usage.failed), (3, 1, 2));
        assert_eq!((usage.queue, usage.run), (5, 60));
        assert_eq!((usage.failed_queue, usage.failed_run), (11, 21));
        assert_eq!((usage.cpu, usage.failed_cpu), (324, 84));
        assert_eq!((usage.expected, usage.expected_cpu), (7200, 28_800));
    }

    #[test]
    fn an_attempt_that_goes_on_has_not_failed() {
        let lines = parse("20220101000000 20220101000010");
        let usage = Usage::of(&lines, TWO_HOURS_ON_FOUR, None).unwrap();
        assert_eq!((usage.submitted, usage.completed, usage.failed), (1, 0, 0));
        assert_eq!(usage.failed_queue, 10);
    }

    #[test]
    fn an_attempt_that_was_lost_has_failed() {
        let lines = parse(
            "20220101000000 20220101000010\n20220102000000 20220102000010 20220102000030 COMPLETED",
        );
        let usage = Usage::of(&lines, TWO_HOURS_ON_FOUR, None).unwrap();
        assert_eq!((usage.submitted, usage.completed, usage.failed), (2, 1, 1));
        assert_eq!((usage.queue, usage.failed_queue), (10, 10));
    }

    #[test]
    fn only_recent_ones() {
        let lines = parse("20220101000000 20220101000010 20220101000020 COMPLETED");
        let before = lines[0].started_at;
        let after = lines[0].finished_at;
        assert!(Usage::of(&lines, Request::default(), before).is_some());
        assert!(Usage::of(&lines, Request::default(), after).is_none());
    }

    proptest! {
        #[test]
        fn sums_hold(
            lines in proptest::collection::vec("(2022010[0-9]0[0-9]{5} ){1,3}(COMPLETED|FAILED|)", 0..20),
            processing_elements: i64,
            wallclock: i64,
        ) {
            let request = Request { processing_elements, wallclock };
            let lines = parse(&lines.join("\n"));
            let usage = Usage::of(&lines, request, None);
            prop_assert_eq!(usage.is_some(), !lines.is_empty());
            let Some(usage) = usage else { return Ok(()) };
            prop_assert!(usage.completed <= 1);
            prop_assert!(usage.completed + usage.failed <= usage.submitted);
            for seconds in [usage.queue, usage.run, usage.failed_queue, usage.failed_run] {
                prop_assert!(seconds >= 0);
            }
            let mut all = usage;
            all += usage;
            prop_assert_eq!(all.submitted, 2 * usage.submitted);
        }
    }
}
