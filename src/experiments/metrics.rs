//! Simulated years per day of a single attempt, as Autosubmit API defines them for a job's history.

use crate::entity::{experiment_run, job_attempt};
use crate::experiments::readers::config::years_per_chunk;
use crate::experiments::status::JobStatus;

const SECONDS_PER_DAY: f64 = 86_400.0;
/// The section whose mean time is counted as post-processing.
const POST: &str = "POST";
/// Rows of the history above this type ran inside a wrapper; the number is the wrapper's code.
const SINGLE_JOB_ROW: i64 = 2;
/// Jobs of one wrapper that start closer together than this ran side by side, in seconds.
const SIDE_BY_SIDE_SECONDS: i64 = 20;

/// Seconds in the queue; none before the start is known.
pub fn queue_seconds(submitted_at: Option<i64>, started_at: Option<i64>) -> Option<i64> {
    Some((started_at? - submitted_at?).max(0) / 1000)
}

/// Seconds running; for a job that runs, up to `now` (milliseconds).
pub fn run_seconds(
    started_at: Option<i64>,
    finished_at: Option<i64>,
    status: Option<JobStatus>,
    now: i64,
) -> Option<i64> {
    let end = match status {
        Some(JobStatus::Running) => now,
        _ => finished_at?,
    };
    Some((end - started_at?).max(0) / 1000)
}

/// Simulated and actual (with queue and post-processing) simulated years per day.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct YearsPerDay {
    /// SYPD = years · 86400 / run.
    pub sypd: Option<f64>,
    /// ASYPD = years · 86400 / (queue + run + mean post-processing).
    pub asypd: Option<f64>,
}

/// The speed of a completed attempt at a job with a chunk. Each split of a chunk counts with the years of the whole, as
/// in the job history of Autosubmit API.
pub fn years_per_day(
    attempt: &job_attempt::Model,
    run: Option<&experiment_run::Model>,
    mean_post_seconds: f64,
) -> YearsPerDay {
    let completed = attempt.status == Some(JobStatus::Completed.code());
    let (Some(run), true, Some(_)) = (run, completed, attempt.chunk) else {
        return YearsPerDay::default();
    };
    let years = years_per_chunk(
        run.chunk_unit.as_deref().unwrap_or_default(),
        run.chunk_size.unwrap_or_default(),
    );
    let (queue, running) = seconds(attempt);
    let simulated = years * SECONDS_PER_DAY;
    let per = |seconds: f64| (seconds > 0.0 && simulated > 0.0).then(|| simulated / seconds);
    YearsPerDay {
        sypd: per(as_f64(running)),
        asypd: per(as_f64(queue + running) + mean_post_seconds),
    }
}

/// The mean over the completed POST attempts of a run of queue and run together; of those inside a wrapper only the
/// queue counts, less the time that they waited for others of their wrapper. 0 without any.
pub fn mean_post_seconds<'a>(
    attempts: impl Iterator<Item = &'a job_attempt::Model> + Clone,
) -> f64 {
    let completed = attempts.filter(|attempt| attempt.status == Some(JobStatus::Completed.code()));
    // Very old histories have section and member exchanged.
    let post = completed.clone().filter(|attempt| {
        attempt.section.as_deref() == Some(POST) || attempt.member.as_deref() == Some(POST)
    });
    let (mut sum, mut count) = (0, 0);
    for attempt in post {
        let (queue, running) = seconds(attempt);
        sum += if attempt.row_type > SINGLE_JOB_ROW {
            queue_in_wrapper(attempt, completed.clone())
        } else {
            queue + running
        };
        count += 1;
    }
    if count == 0 {
        0.0
    } else {
        as_f64(sum) / as_f64(count)
    }
}

/// The queue time of a job in a wrapper, less the longest time that an earlier job of the same wrapper took.
fn queue_in_wrapper<'a>(
    attempt: &job_attempt::Model,
    others: impl Iterator<Item = &'a job_attempt::Model>,
) -> i64 {
    let start = attempt.started_at.unwrap_or_default();
    let before = others
        .filter(|other| {
            other.row_type == attempt.row_type
                && other.run_number == attempt.run_number
                && other
                    .started_at
                    .is_some_and(|other| start - other > SIDE_BY_SIDE_SECONDS * 1000)
        })
        .map(|other| {
            let (queue, running) = seconds(other);
            queue + running
        })
        .max()
        .unwrap_or_default();
    (seconds(attempt).0 - before).max(0)
}

fn seconds(attempt: &job_attempt::Model) -> (i64, i64) {
    (
        queue_seconds(attempt.submitted_at, attempt.started_at).unwrap_or_default(),
        run_seconds(attempt.started_at, attempt.finished_at, None, 0).unwrap_or_default(),
    )
}

/// Counts and seconds stay far below 2^53.
#[allow(clippy::cast_precision_loss)]
const fn as_f64(number: i64) -> f64 {
    number as f64
}
