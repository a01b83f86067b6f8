//! Simulated years per day of a single attempt, as Autosubmit API defines them for a job's history.

use crate::entity::{experiment_run, job_attempt};
use crate::experiments::performance::experiment::speed;
use crate::experiments::performance::run::Attempt;
use crate::experiments::readers::config::years_per_chunk;
use crate::experiments::status::JobStatus;

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
    let times = attempt_of_run(attempt).times();
    let (sypd, asypd) = speed(years, None, times, mean_post_seconds);
    YearsPerDay { sypd, asypd }
}

/// An attempt as far as the performance of its run needs it.
pub fn attempt_of_run(attempt: &job_attempt::Model) -> Attempt {
    Attempt {
        run_number: attempt.run_number,
        row_type: attempt.row_type,
        section: attempt.section.clone(),
        member: attempt.member.clone(),
        submitted_at: attempt.submitted_at,
        started_at: attempt.started_at,
        finished_at: attempt.finished_at,
        processors: attempt.processors,
    }
}
