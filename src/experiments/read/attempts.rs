//! The attempts at jobs, from the history.

use std::collections::{BTreeSet, HashMap};

use sea_orm::sea_query::Condition;
use sea_orm::{
    ColumnTrait, EntityTrait, JoinType, QueryFilter, QueryOrder, QuerySelect, RelationDef,
};

use crate::database::Database;
use crate::entity::job_attempt::{Column, Entity, Model};
use crate::entity::{experiment_run, job};
use crate::experiments::metrics::{self, YearsPerDay};
use crate::experiments::status::JobStatus;
use crate::failure::Failure;

/// The attempts at each of these jobs, with the row id of the job; of each job the newest first.
pub async fn of_jobs(database: &Database, jobs: &[i64]) -> Result<Vec<(i64, Model)>, Failure> {
    let relation: RelationDef = Entity::belongs_to(job::Entity)
        .from((Column::ExperimentId, Column::JobName))
        .to((job::Column::ExperimentId, job::Column::Name))
        .into();
    let mut found = Vec::new();
    for jobs in jobs.chunks(super::MOST_BINDS) {
        let rows = Entity::find()
            .join(JoinType::InnerJoin, relation.clone())
            .select_also(job::Entity)
            .filter(job::Column::Id.is_in(jobs.iter().copied()))
            .order_by_desc(Column::Number)
            .all(database.read())
            .await?;
        found.extend(
            rows.into_iter()
                .filter_map(|(attempt, job)| Some((job?.id, attempt))),
        );
    }
    Ok(found)
}

/// How fast each of these attempts simulated, by row id. This reads their runs and the POST attempts of those, so it is
/// done only when asked.
pub async fn speeds(
    database: &Database,
    attempts: &[(i64, Model)],
) -> Result<HashMap<i64, YearsPerDay>, Failure> {
    let rows = || attempts.iter().map(|(_, row)| row);
    let experiments: BTreeSet<i64> = rows().map(|row| row.experiment_id).collect();
    let numbers: BTreeSet<i64> = rows().filter_map(|row| row.run_number).collect();
    let runs: HashMap<(i64, i64), experiment_run::Model> = experiment_run::Entity::find()
        .filter(experiment_run::Column::ExperimentId.is_in(experiments.iter().copied()))
        .filter(experiment_run::Column::Number.is_in(numbers.iter().copied()))
        .all(database.read())
        .await?
        .into_iter()
        .map(|run| ((run.experiment_id, run.number), run))
        .collect();
    let completed = Entity::find()
        .filter(Column::ExperimentId.is_in(experiments))
        .filter(Column::RunNumber.is_in(numbers))
        .filter(Column::Status.eq(JobStatus::Completed.code()))
        .filter(
            Condition::any()
                .add(Column::Section.eq("POST"))
                .add(Column::Member.eq("POST"))
                .add(Column::RowType.gt(2)),
        )
        .all(database.read())
        .await?;
    let mut by_run: HashMap<(i64, i64), Vec<Model>> = HashMap::new();
    for row in completed {
        if let Some(number) = row.run_number {
            by_run
                .entry((row.experiment_id, number))
                .or_default()
                .push(row);
        }
    }
    let post: HashMap<(i64, i64), f64> = by_run
        .into_iter()
        .map(|(run, rows)| (run, metrics::mean_post_seconds(rows.iter())))
        .collect();
    let speed = |row: &Model| {
        let run = row.run_number.map(|number| (row.experiment_id, number));
        let mean_post = run.and_then(|run| post.get(&run)).copied().unwrap_or(0.0);
        metrics::years_per_day(row, run.and_then(|run| runs.get(&run)), mean_post)
    };
    Ok(rows().map(|row| (row.id, speed(row))).collect())
}
