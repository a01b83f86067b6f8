//! Whether Autosubmit is at work on an experiment.
//!
//! Autosubmit says when a run begins (`experiment_status` in `as_times.db`) and never when it ends: a run that was
//! killed cannot. So labql looks for signs of life.
//!
//! | sign | holds for |
//! | --- | --- |
//! | a line was written to a log of a run (`tmp/ASLOGS/*_run.log`; before Autosubmit 3.13 `tmp/*_run.log`) | 5 minutes |
//! | the job list was saved, and the scheduler has a job of it (SUBMITTED, QUEUING, RUNNING) | 10 minutes |
//! | the central database said that a run begins, and there is no log of a run to be seen | 5 minutes |
//!
//! Autosubmit's main loop writes to its log every few seconds, whether or not anything happens, so the first sign alone
//! is enough, however old the list is; the second is for who runs it with a log level that keeps the log silent. A list
//! without a job in flight is no sign: `create` and `setstatus` save it, too.
//!
//! An end takes the force from all signs that came before it:
//! - the log says "No more jobs to run.", which Autosubmit writes when it leaves its main loop, be it that all is done,
//!   that nothing can go on, or that it was told to stop;
//! - the newest run of the history is finished, which Autosubmit notes when all went well;
//! - the log ends with an error that ended Autosubmit. This one leaves other logs their force, since it is also the end
//!   of who wanted to start a run beside one that goes on.
//!
//! And where no job is left that could do anything, nothing can run.

use chrono::{DateTime, TimeDelta, Utc};

use super::status::JobStatus;
use crate::time::{Millis, from_millis};

/// How long after the last line of its log a run counts as alive.
pub const RUN_LOG: TimeDelta = TimeDelta::minutes(5);
/// How long after its job list was saved with jobs in flight a run counts as alive.
pub const JOB_LIST: TimeDelta = TimeDelta::minutes(10);
/// How long a run that has been announced may take until its log can be seen.
pub const ANNOUNCEMENT: TimeDelta = TimeDelta::minutes(5);
/// What is written while a run ends may come a little after the end that it notes.
const AFTERMATH: TimeDelta = TimeDelta::seconds(10);
/// The clocks of hosts and file servers differ: a time in the future counts as now. One that is further ahead is no
/// clock's, and tells nothing.
const MAX_SKEW: TimeDelta = TimeDelta::days(1);

/// The logs of an experiment's runs; each time is the newest modification.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RunLogs {
    /// Of a log that does not speak of an end.
    pub open: Option<DateTime<Utc>>,
    /// Of a log that says that its run came to its end.
    pub ended: Option<DateTime<Utc>>,
    /// Of a log that ends with an error.
    pub failed: Option<DateTime<Utc>>,
}

impl RunLogs {
    fn any(&self) -> bool {
        self.open.or(self.ended).or(self.failed).is_some()
    }
}

/// What can be known of jobs from their numbers by status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Work {
    /// The scheduler has a job.
    pub in_flight: bool,
    /// Some job could still do something.
    pub left: bool,
}

impl Work {
    /// From the counts that an experiment's row keeps: a JSON object from status code to number. None where no job is
    /// known.
    pub fn of(job_counts: &str) -> Option<Self> {
        let counts: std::collections::HashMap<String, u64> =
            serde_json::from_str(job_counts).ok()?;
        let mut statuses = counts
            .iter()
            .filter(|(_, count)| **count > 0)
            .filter_map(|(code, _)| JobStatus::from_code(code.parse().ok()?))
            .peekable();
        statuses.peek()?;
        let mut work = Self {
            in_flight: false,
            left: false,
        };
        for status in statuses {
            work.in_flight |= status.in_flight();
            work.left |= !matches!(
                status,
                JobStatus::Completed
                    | JobStatus::Failed
                    | JobStatus::Skipped
                    | JobStatus::Suspended
            );
        }
        Some(work)
    }
}

/// All that speaks for or against a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Signs {
    /// When the job list was last saved.
    pub list_saved_at: Option<DateTime<Utc>>,
    /// What its jobs could do; none: not known.
    pub work: Option<Work>,
    /// The logs of its runs.
    pub run_logs: RunLogs,
    /// When the newest run of the history finished, if it did after its start.
    pub finished_at: Option<DateTime<Utc>>,
    /// When the central database said that a run begins.
    pub announced_at: Option<DateTime<Utc>>,
}

/// Whether an experiment runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Liveness {
    /// It does.
    pub running: bool,
    /// When it falls silent unless a further sign comes; none if it does not run.
    pub until: Option<DateTime<Utc>>,
}

impl Liveness {
    const SILENT: Self = Self {
        running: false,
        until: None,
    };
}

/// Judges the signs at a moment; see above for the rule.
pub fn liveness(signs: &Signs, now: DateTime<Utc>) -> Liveness {
    if signs.work.is_some_and(|work| !work.left) {
        return Liveness::SILENT;
    }
    let seen = |time: Option<DateTime<Utc>>| {
        time.filter(|time| *time <= now + MAX_SKEW)
            .map(|time| time.min(now))
    };
    let logs = signs.run_logs;
    let ended = seen(logs.ended).max(seen(signs.finished_at));
    let failed = ended.max(seen(logs.failed));
    let list = signs.work.is_some_and(|work| work.in_flight);
    let announced = !logs.any();
    let until = [
        (logs.open, RUN_LOG, ended),
        (signs.list_saved_at.filter(|_| list), JOB_LIST, failed),
        (
            signs.announced_at.filter(|_| announced),
            ANNOUNCEMENT,
            failed,
        ),
    ]
    .into_iter()
    .filter_map(|(sign, holds, end)| {
        let sign = seen(sign)?;
        let after = end.is_none_or(|end| sign > end + AFTERMATH);
        // As the database keeps it.
        after
            .then(|| from_millis((sign + holds).millis()))
            .flatten()
    })
    .max()
    .filter(|until| *until > now);
    Liveness {
        running: until.is_some(),
        until,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-11-22T12:00:00Z".parse().unwrap()
    }

    #[allow(clippy::unnecessary_wraps, reason = "as signs have it")]
    fn ago(seconds: i64) -> Option<DateTime<Utc>> {
        Some(now() - TimeDelta::seconds(seconds))
    }

    fn log(seconds: i64) -> RunLogs {
        RunLogs {
            open: ago(seconds),
            ..RunLogs::default()
        }
    }

    /// Queues for hours: the list is old, the log is fresh.
    fn queuing() -> Signs {
        Signs {
            list_saved_at: ago(50_000),
            work: Work::of(r#"{"0":7,"3":1,"5":12}"#),
            run_logs: log(8),
            finished_at: None,
            announced_at: ago(60_000),
        }
    }

    fn runs(signs: &Signs) -> bool {
        let liveness = liveness(signs, now());
        assert_eq!(liveness.running, liveness.until.is_some());
        liveness.running
    }

    #[test]
    fn a_fresh_log_is_a_sign_however_old_the_list_is() {
        let until = liveness(&queuing(), now()).until;
        assert_eq!(until, Some(now() + TimeDelta::seconds(292)));
        assert!(!runs(&Signs {
            run_logs: log(300),
            ..queuing()
        }));
    }

    #[test]
    fn it_falls_silent_at_the_moment_that_was_told() {
        let until = liveness(&queuing(), now()).until.unwrap();
        assert!(liveness(&queuing(), until - TimeDelta::milliseconds(1)).running);
        assert!(!liveness(&queuing(), until).running);
    }

    #[test]
    fn a_list_is_a_sign_only_with_jobs_in_flight() {
        let saved = Signs {
            list_saved_at: ago(500),
            run_logs: log(4000),
            ..queuing()
        };
        assert_eq!(
            liveness(&saved, now()).until,
            Some(now() + TimeDelta::seconds(100))
        );
        assert!(!runs(&Signs {
            work: Work::of(r#"{"0":7,"1":3}"#),
            ..saved
        }));
        assert!(!runs(&Signs {
            work: None,
            ..saved
        }));
        assert!(!runs(&Signs {
            list_saved_at: ago(600),
            ..saved
        }));
    }

    #[test]
    fn an_end_takes_the_force_from_what_was_before() {
        let finished = Signs {
            finished_at: ago(6),
            list_saved_at: ago(9),
            ..queuing()
        };
        assert!(!runs(&finished));
        let ended = RunLogs {
            open: ago(30),
            ended: ago(6),
            failed: None,
        };
        assert!(!runs(&Signs {
            run_logs: ended,
            list_saved_at: ago(9),
            ..queuing()
        }));
        // The next run has begun.
        let again = RunLogs {
            open: ago(2),
            ended: ago(60),
            failed: None,
        };
        assert!(runs(&Signs {
            run_logs: again,
            finished_at: ago(61),
            ..queuing()
        }));
    }

    #[test]
    fn who_could_not_start_beside_a_run_does_not_end_it() {
        let refused = RunLogs {
            open: ago(3),
            ended: None,
            failed: ago(1),
        };
        assert!(runs(&Signs {
            run_logs: refused,
            ..queuing()
        }));
        let crashed = RunLogs {
            open: None,
            ended: None,
            failed: ago(1),
        };
        assert!(!runs(&Signs {
            run_logs: crashed,
            list_saved_at: ago(5),
            ..queuing()
        }));
    }

    #[test]
    fn without_work_nothing_runs() {
        let work = Work::of(r#"{"-1":1,"-3":2,"5":3,"8":1}"#);
        assert!(!runs(&Signs { work, ..queuing() }));
        assert_eq!(Work::of("{}"), None);
        assert!(runs(&Signs {
            work: None,
            ..queuing()
        }));
    }

    #[test]
    fn an_announcement_counts_until_there_is_a_log() {
        let announced = Signs {
            announced_at: ago(20),
            run_logs: RunLogs::default(),
            ..queuing()
        };
        assert!(runs(&announced));
        assert!(!runs(&Signs {
            announced_at: ago(301),
            ..announced
        }));
        assert!(!runs(&Signs {
            run_logs: log(4000),
            ..announced
        }));
    }

    #[test]
    fn a_clock_that_is_ahead_counts_as_now() {
        let ahead = Signs {
            run_logs: log(-600),
            ..queuing()
        };
        assert_eq!(liveness(&ahead, now()).until, Some(now() + RUN_LOG));
        let both = RunLogs {
            open: ago(-500),
            ended: ago(-600),
            failed: None,
        };
        assert!(!runs(&Signs {
            run_logs: both,
            ..queuing()
        }));
        assert!(!runs(&Signs {
            run_logs: log(-100_000),
            ..queuing()
        }));
    }
}
