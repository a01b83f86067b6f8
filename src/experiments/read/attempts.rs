//! The attempts at a job, from the history.

use std::collections::{BTreeSet, HashMap};

use sea_orm::sea_query::Condition;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use crate::database::Database;
use crate::entity::experiment_run;
use crate::entity::job_attempt::{Column, Entity, Model};
use crate::experiments::metrics::{self, YearsPerDay};
use crate::experiments::status::JobStatus;
use crate::failure::Failure;

/// An attempt and its speed.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The attempt.
    pub row: Model,
    /// How fast it simulated.
    pub speed: YearsPerDay,
}

/// The attempts at a job, newest first, without their speeds.
pub async fn of_job(
    database: &Database,
    experiment: i64,
    job: &str,
) -> Result<Vec<Model>, Failure> {
    Ok(Entity::find()
        .filter(Column::ExperimentId.eq(experiment))
        .filter(Column::JobName.eq(job))
        .order_by_desc(Column::Number)
        .all(database.read())
        .await?)
}

/// Adds how fast each attempt simulated. This reads the runs and their POST attempts, so it is done only when asked.
pub async fn with_speed(
    database: &Database,
    experiment: i64,
    attempts: Vec<Model>,
) -> Result<Vec<Attempt>, Failure> {
    let numbers: BTreeSet<i64> = attempts.iter().filter_map(|row| row.run_number).collect();
    let runs: HashMap<i64, experiment_run::Model> = experiment_run::Entity::find()
        .filter(experiment_run::Column::ExperimentId.eq(experiment))
        .filter(experiment_run::Column::Number.is_in(numbers.iter().copied()))
        .all(database.read())
        .await?
        .into_iter()
        .map(|run| (run.number, run))
        .collect();
    let others = Entity::find()
        .filter(Column::ExperimentId.eq(experiment))
        .filter(Column::RunNumber.is_in(numbers))
        .filter(Column::Status.eq(i16::from(JobStatus::Completed.code())))
        .filter(
            Condition::any()
                .add(Column::Section.eq("POST"))
                .add(Column::Member.eq("POST"))
                .add(Column::RowType.gt(2)),
        )
        .all(database.read())
        .await?;
    Ok(attempts
        .into_iter()
        .map(|row| {
            let of_run = others
                .iter()
                .filter(|other| other.run_number == row.run_number);
            let run = row.run_number.and_then(|number| runs.get(&number));
            let speed = metrics::years_per_day(&row, run, metrics::mean_post_seconds(of_run));
            Attempt { row, speed }
        })
        .collect())
}
