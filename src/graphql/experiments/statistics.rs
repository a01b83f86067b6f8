//! The types `ExperimentStatistics` and `UserMetric`.

use std::sync::Arc;

use async_graphql::{Context, Result};
use chrono::{DateTime, TimeDelta, Utc};
use macros::row;

use super::job::Job;
use crate::entity::experiment;
use crate::experiments::performance::statistics::{Request, Usage};
use crate::experiments::performance::{as_f64, ratio};
use crate::experiments::read::{statistics as read, user_metrics};
use crate::experiments::readers::{self, SourceError};
use crate::failure::Failure;
use crate::graphql::context::{ContextExt, failed};
use crate::graphql::error::ErrorCode;
use crate::graphql::level::Level;
use crate::graphql::number::{count, int};
use crate::graphql::rows::{Rows, columns};

/// What the jobs of an experiment used and wasted, as the files beside them tell. Times are seconds.
#[derive(Clone, Default)]
pub struct ExperimentStatistics {
    from: Option<DateTime<Utc>>,
    to: DateTime<Utc>,
    jobs: Arc<Rows<JobStatistics>>,
    sum: Usage,
}

impl ExperimentStatistics {
    /// Of an experiment, or a section of it, in the last hours; 0: since ever.
    pub async fn of(
        ctx: &Context<'_>,
        experiment: &experiment::Model,
        last_hours: i32,
        section: Option<&str>,
    ) -> Result<Self> {
        let to = Utc::now();
        let from = match u32::try_from(last_hours) {
            Ok(0) => None,
            Ok(hours) => to.checked_sub_signed(TimeDelta::hours(hours.into())),
            Err(_) => return Err(ErrorCode::BadInput.error("lastHours: 0 or more")),
        };
        let none = Self {
            from,
            to,
            ..Self::default()
        };
        if section.is_some_and(|section| section.contains('\0')) {
            return Ok(none);
        }
        let mut of_jobs = Vec::new();
        for field in ctx.field().selection_set() {
            if field.name() == "jobs" {
                of_jobs.extend(field.selection_set().filter(|field| field.name() == "job"));
            }
        }
        let columns = columns::<Job, _>(of_jobs);
        let candidates = read::candidates(ctx.database()?, experiment.id, section, columns).await;
        let candidates = candidates.map_err(failed)?;
        ctx.charge(candidates.len())?;
        let root = ctx.loaders()?.roots().load_one(experiment.id).await?;
        let (Some(root), false) = (root, candidates.is_empty()) else {
            return Ok(none);
        };
        let used = candidates.usage(root.as_ref().clone(), &experiment.expid, from);
        let used = used.await.map_err(|error| broken(&error))?;
        let mut sum = Usage::default();
        for job in &used {
            sum += job.usage;
        }
        let level = Level::new(
            used.iter().map(|job| job.row.id).collect(),
            vec![experiment.id],
        );
        let expid = Arc::from(experiment.expid.as_str());
        let job = |used: read::JobUsage| JobStatistics {
            job: Job::new(used.row, &expid, &level),
            request: used.request,
            usage: used.usage,
        };
        Ok(Self {
            jobs: Arc::new(used.into_iter().map(job).collect()),
            sum,
            ..none
        })
    }
}

fn broken(error: &SourceError) -> async_graphql::Error {
    ErrorCode::SourceBroken.error(error.to_string())
}

/// What the jobs of an experiment used and wasted, as the files beside them tell. Times are seconds.
#[row]
impl ExperimentStatistics {
    /// Since when a job must have done something to be here; null: since ever.
    fn from(&self) -> Option<DateTime<Utc>> {
        self.from
    }

    /// Until when.
    fn to(&self) -> DateTime<Utc> {
        self.to
    }

    /// The jobs that were tried, by date, member, section and chunk; those without a date last, in the order of the job list.
    fn jobs(&self) -> &Rows<JobStatistics> {
        &self.jobs
    }

    /// All of them together.
    fn summary(&self) -> StatisticsSummary {
        StatisticsSummary(self.sum)
    }
}

/// What a job used: in its last success and what was tried after it, and before it since the success before that.
#[derive(Clone)]
pub struct JobStatistics {
    job: Job,
    request: Request,
    usage: Usage,
}

/// What a job used: in its last success and what was tried after it, and before it since the success before that.
#[row]
impl JobStatistics {
    /// The job.
    fn job(&self) -> &Job {
        &self.job
    }

    /// The processors that it occupies, used or not, as configured now.
    fn processors(&self) -> Option<i32> {
        int(Some(self.request.processing_elements))
    }

    /// Attempts.
    fn submitted_count(&self) -> i32 {
        count(self.usage.submitted)
    }

    /// Attempts that were completed.
    fn completed_count(&self) -> i32 {
        count(self.usage.completed)
    }

    /// Attempts that failed.
    fn failed_count(&self) -> i32 {
        count(self.usage.failed)
    }

    /// Seconds in the queue before attempts that were completed.
    fn queue_seconds(&self) -> f64 {
        as_f64(self.usage.queue)
    }

    /// Seconds in attempts that were completed.
    fn run_seconds(&self) -> f64 {
        as_f64(self.usage.run)
    }

    /// Seconds in the queue before attempts that were not completed, one that goes on among them.
    fn failed_queue_seconds(&self) -> f64 {
        as_f64(self.usage.failed_queue)
    }

    /// Seconds in attempts that were not completed.
    fn failed_run_seconds(&self) -> f64 {
        as_f64(self.usage.failed_run)
    }

    /// Seconds of processors in all attempts: those that are occupied, times the seconds running.
    fn cpu_seconds(&self) -> f64 {
        as_f64(self.usage.cpu)
    }

    /// Seconds of processors in attempts that were not completed.
    fn failed_cpu_seconds(&self) -> f64 {
        as_f64(self.usage.failed_cpu)
    }

    /// Seconds that one attempt may run at most; 0: not limited.
    fn expected_seconds(&self) -> f64 {
        as_f64(self.usage.expected)
    }

    /// Seconds of processors that one attempt may take at most; 0: not limited.
    fn expected_cpu_seconds(&self) -> f64 {
        as_f64(self.usage.expected_cpu)
    }
}

/// What jobs used together.
#[derive(Clone, Copy)]
pub struct StatisticsSummary(Usage);

/// What jobs used together.
#[row]
impl StatisticsSummary {
    /// What part of `expectedCpuSeconds` `cpuSeconds` are, in percent; null if nothing is limited.
    fn cpu_percentage(&self) -> Option<f64> {
        ratio(100.0 * as_f64(self.0.cpu), as_f64(self.0.expected_cpu))
    }

    /// Attempts.
    fn submitted_count(&self) -> i32 {
        count(self.0.submitted)
    }

    /// Attempts that were completed.
    fn completed_count(&self) -> i32 {
        count(self.0.completed)
    }

    /// Attempts that failed.
    fn failed_count(&self) -> i32 {
        count(self.0.failed)
    }

    /// Seconds in the queue before attempts that were completed.
    fn queue_seconds(&self) -> f64 {
        as_f64(self.0.queue)
    }

    /// Seconds in attempts that were completed.
    fn run_seconds(&self) -> f64 {
        as_f64(self.0.run)
    }

    /// Seconds in the queue before attempts that were not completed, one that goes on among them.
    fn failed_queue_seconds(&self) -> f64 {
        as_f64(self.0.failed_queue)
    }

    /// Seconds in attempts that were not completed.
    fn failed_run_seconds(&self) -> f64 {
        as_f64(self.0.failed_run)
    }

    /// Seconds of processors in all attempts: those that are occupied, times the seconds running.
    fn cpu_seconds(&self) -> f64 {
        as_f64(self.0.cpu)
    }

    /// Seconds of processors in attempts that were not completed.
    fn failed_cpu_seconds(&self) -> f64 {
        as_f64(self.0.failed_cpu)
    }

    /// Seconds that one attempt may run at most; 0: not limited.
    fn expected_seconds(&self) -> f64 {
        as_f64(self.0.expected)
    }

    /// Seconds of processors that one attempt may take at most; 0: not limited.
    fn expected_cpu_seconds(&self) -> f64 {
        as_f64(self.0.expected_cpu)
    }
}

/// A value that a job reported of itself, as `METRICS` of its section in the configuration asks.
#[derive(Clone)]
pub struct UserMetric(readers::UserMetric);

impl UserMetric {
    /// Those of an experiment, or a run of it, in the order in which they came.
    pub async fn of(
        ctx: &Context<'_>,
        experiment: &experiment::Model,
        run: Option<i32>,
    ) -> Result<Rows<Self>> {
        let Some(root) = ctx.loaders()?.roots().load_one(experiment.id).await? else {
            return Ok(Rows::default());
        };
        let installation = ctx.services()?.installation.clone();
        let root = root.as_ref().clone();
        let metrics = user_metrics::of_experiment(root, installation, &experiment.expid).await;
        let mut metrics = metrics.map_err(|error| match error {
            SourceError::Unavailable(why) => failed(Failure::SourceUnavailable(why)),
            slow @ SourceError::Slow { .. } => failed(Failure::SourceUnavailable(slow.to_string())),
            broken_source => broken(&broken_source),
        })?;
        metrics.retain(|metric| run.is_none_or(|run| metric.run == i64::from(run)));
        ctx.charge(metrics.len())?;
        Ok(metrics.into_iter().map(Self).collect())
    }
}

/// A value that a job reported of itself, as `METRICS` of its section in the configuration asks.
#[row]
impl UserMetric {
    /// The number of the run.
    fn run(&self) -> Option<i32> {
        int(Some(self.0.run))
    }

    /// The name of the job.
    fn job_name(&self) -> &str {
        &self.0.job_name
    }

    /// What the value is of.
    fn name(&self) -> &str {
        &self.0.name
    }

    /// The value, as text.
    fn value(&self) -> Option<&str> {
        self.0.value.as_deref()
    }

    /// When it was read.
    fn modified_at(&self) -> Option<DateTime<Utc>> {
        self.0.modified_at
    }
}
