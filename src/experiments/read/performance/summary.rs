//! How many jobs wait, run and fail, and how long they take on average.

use std::collections::HashMap;

use sea_orm::sea_query::{Condition, Expr};
use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QuerySelect};

use super::wrapped;
use crate::database::{Database, is_one_of};
use crate::entity::job::{Column, Entity};
use crate::experiments::performance::times::JobTimes;
use crate::experiments::performance::{SIM, as_f64, ratio};
use crate::experiments::status::JobStatus;
use crate::failure::Failure;
use crate::narrow::{self, Columns};

/// Statuses whose jobs have waited, wholly or so far.
const QUEUED: [JobStatus; 5] = [
    JobStatus::Failed,
    JobStatus::Submitted,
    JobStatus::Queuing,
    JobStatus::Running,
    JobStatus::Completed,
];
/// Statuses whose jobs have run, wholly or so far.
const RAN: [JobStatus; 3] = [JobStatus::Failed, JobStatus::Running, JobStatus::Completed];
/// Statuses whose times depend on the clock.
const ON_THE_WAY: [JobStatus; 3] = [JobStatus::Submitted, JobStatus::Queuing, JobStatus::Running];

/// A mean in the making.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mean {
    sum: i64,
    /// Of how many.
    pub count: i64,
}

impl Mean {
    fn add(&mut self, sum: i64, count: i64) {
        self.sum = self.sum.saturating_add(sum);
        self.count = self.count.saturating_add(count);
    }

    /// The mean; none of nothing.
    pub fn value(self) -> Option<f64> {
        ratio(as_f64(self.sum), as_f64(self.count))
    }
}

/// The jobs of an experiment by what they do now, and their mean times in seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobSummary {
    /// Jobs by status.
    pub counts: HashMap<i16, i64>,
    /// In the queue.
    pub queue: Mean,
    /// Running.
    pub run: Mean,
    /// The same of the jobs that simulate.
    pub simulation: SimulationSummary,
}

/// The jobs that simulate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SimulationSummary {
    /// How many there are.
    pub count: i64,
    /// In the queue.
    pub queue: Mean,
    /// Running.
    pub run: Mean,
}

impl JobSummary {
    /// Takes in jobs of one status.
    fn add(&mut self, status: i16, simulate: bool, count: i64, queue: i64, run: i64) {
        let is_of = |statuses: &[JobStatus]| statuses.iter().any(|one| one.code() == status);
        *self.counts.entry(status).or_default() += count;
        let queued = is_of(&QUEUED).then_some((queue, count));
        let ran = is_of(&RAN).then_some((run, count));
        if simulate {
            self.simulation.count += count;
        }
        if let Some((queue, count)) = queued {
            self.queue.add(queue, count);
            if simulate {
                self.simulation.queue.add(queue, count);
            }
        }
        if let Some((run, count)) = ran {
            self.run.add(run, count);
            if simulate {
                self.simulation.run.add(run, count);
            }
        }
    }
}

#[derive(FromQueryResult)]
struct Group {
    experiment: i64,
    status: i16,
    simulate: i64,
    jobs: i64,
    queue: i64,
    run: i64,
}

/// Whether a job simulates.
const SIMULATES: &str = "CAST(CASE WHEN section = 'SIM' THEN 1 ELSE 0 END AS BIGINT)";
/// The times of jobs that have ended, as [`JobTimes`] has them.
const QUEUE: &str = "CAST(SUM(CASE WHEN submitted_at > 0 AND started_at > submitted_at \
                     THEN (started_at - submitted_at) / 1000 ELSE 0 END) AS BIGINT)";
const RUN: &str = "CAST(SUM(CASE WHEN started_at > 0 AND finished_at > started_at \
                   THEN (finished_at - started_at) / 1000 ELSE 0 END) AS BIGINT)";

/// The jobs of each of these experiments; three statements, and up to two more where there are wrappers. `now` is in
/// milliseconds.
pub async fn summaries(
    database: &Database,
    experiments: &[i64],
    now: i64,
) -> Result<HashMap<i64, JobSummary>, Failure> {
    let of_experiments = || is_one_of(database, (Entity, Column::ExperimentId), experiments);
    let on_the_way = ON_THE_WAY.map(JobStatus::code);
    let groups = Entity::find()
        .select_only()
        .column_as(Column::ExperimentId, "experiment")
        .column(Column::Status)
        .column_as(Expr::cust(SIMULATES), "simulate")
        .column_as(Expr::cust("COUNT(*)"), "jobs")
        .column_as(Expr::cust(QUEUE), "queue")
        .column_as(Expr::cust(RUN), "run")
        .filter(of_experiments())
        .filter(Column::Status.is_not_in(on_the_way))
        .group_by(Column::ExperimentId)
        .group_by(Column::Status)
        .group_by(Expr::cust(SIMULATES))
        .into_model::<Group>()
        .all(database.read())
        .await?;
    let mut found: HashMap<i64, JobSummary> = HashMap::new();
    for group in groups {
        let simulate = group.simulate != 0;
        let summary = found.entry(group.experiment).or_default();
        summary.add(group.status, simulate, group.jobs, group.queue, group.run);
    }
    let columns = Columns::of(&[
        Column::ExperimentId,
        Column::Status,
        Column::Section,
        Column::SubmittedAt,
        Column::StartedAt,
        Column::FinishedAt,
    ]);
    let condition = Condition::all()
        .add(of_experiments())
        .add(Column::Status.is_in(on_the_way));
    for job in narrow::find::<Entity>(database, condition, columns).await? {
        let (simulate, times) = (job.section.as_deref() == Some(SIM), JobTimes::of(&job, now));
        let summary = found.entry(job.experiment_id).or_default();
        summary.add(job.status, simulate, 1, times.queue, times.run);
    }
    for job in wrapped::of_experiments(database, experiments, now)
        .await?
        .values()
    {
        let less = job.times.queue.saturating_sub(job.whole_queue);
        let simulate = job.section.as_deref() == Some(SIM);
        let summary = found.entry(job.experiment).or_default();
        summary.add_queue(job.status, simulate, less);
    }
    Ok(found)
}

impl JobSummary {
    /// Corrects the queue time of a job that has been taken in.
    fn add_queue(&mut self, status: i16, simulate: bool, queue: i64) {
        if QUEUED.iter().any(|one| one.code() == status) {
            self.queue.add(queue, 0);
            if simulate {
                self.simulation.queue.add(queue, 0);
            }
        }
    }
}
