//! The performance of runs.

use std::collections::HashMap;

use sea_orm::sea_query::Condition;
use sea_orm::{
    ColumnTrait, EntityTrait, FromQueryResult, JoinType, QueryFilter, QueryOrder, QuerySelect,
    RelationDef,
};

use super::newest::years;
use super::of_simulation;
use crate::database::{Database, is_one_of};
use crate::entity::{experiment_run, job_attempt, job_section};
use crate::experiments::performance::run::{Attempt, RunPerformance};
use crate::experiments::performance::{POST, SIM};
use crate::experiments::status::JobStatus;
use crate::failure::Failure;

/// A run with its performance.
#[derive(Clone, Copy, Debug, Default)]
pub struct MeasuredRun {
    /// The performance.
    pub performance: RunPerformance,
    /// The processors that a simulating job occupies, as configured now.
    pub processing_elements: Option<i64>,
}

#[derive(FromQueryResult)]
struct Run {
    id: i64,
    chunk_unit: Option<String>,
    chunk_size: Option<i64>,
    processing_elements: Option<i64>,
}

#[derive(FromQueryResult)]
struct Completed {
    run: i64,
    run_number: Option<i64>,
    row_type: i64,
    section: Option<String>,
    member: Option<String>,
    submitted_at: Option<i64>,
    started_at: Option<i64>,
    finished_at: Option<i64>,
    processors: Option<i64>,
}

/// The performance of each of these runs, by row id, in two statements.
pub async fn of_runs(
    database: &Database,
    runs: &[i64],
) -> Result<HashMap<i64, MeasuredRun>, Failure> {
    let mut attempts: HashMap<i64, Vec<Attempt>> = HashMap::new();
    for row in completed(database, runs).await? {
        let attempt = Attempt {
            run_number: row.run_number,
            row_type: row.row_type,
            section: row.section,
            member: row.member,
            submitted_at: row.submitted_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
            processors: row.processors,
        };
        attempts.entry(row.run).or_default().push(attempt);
    }
    let measured = |run: Run| {
        let attempts = attempts.remove(&run.id).unwrap_or_default();
        let years = years(run.chunk_unit.as_deref(), run.chunk_size).unwrap_or_default();
        let measured = MeasuredRun {
            performance: RunPerformance::of(years, &attempts),
            processing_elements: run.processing_elements,
        };
        (run.id, measured)
    };
    Ok(configured(database, runs)
        .await?
        .into_iter()
        .map(measured)
        .collect())
}

/// The completed attempts of these runs that simulate, process, or ran in a wrapper.
async fn completed(database: &Database, runs: &[i64]) -> Result<Vec<Completed>, Failure> {
    use job_attempt::Column;
    let of_run: RelationDef = experiment_run::Entity::belongs_to(job_attempt::Entity)
        .from((
            experiment_run::Column::ExperimentId,
            experiment_run::Column::Number,
        ))
        .to((Column::ExperimentId, Column::RunNumber))
        .into();
    let wanted = Condition::any()
        .add(Column::Section.is_in([SIM, POST]))
        // Very old histories have section and member exchanged.
        .add(Column::Member.is_in([SIM, POST]))
        .add(Column::RowType.gt(2));
    Ok(experiment_run::Entity::find()
        .select_only()
        .column_as(experiment_run::Column::Id, "run")
        .columns([
            Column::RunNumber,
            Column::RowType,
            Column::Section,
            Column::Member,
            Column::SubmittedAt,
            Column::StartedAt,
            Column::FinishedAt,
            Column::Processors,
        ])
        .join(JoinType::InnerJoin, of_run)
        .filter(is_one_of(
            database,
            (experiment_run::Entity, experiment_run::Column::Id),
            runs,
        ))
        .filter(Column::Status.eq(JobStatus::Completed.code()))
        .filter(Column::RowType.gte(2))
        .filter(wanted)
        .order_by_asc(Column::Id)
        .into_model::<Completed>()
        .all(database.read())
        .await?)
}

async fn configured(database: &Database, runs: &[i64]) -> Result<Vec<Run>, Failure> {
    use experiment_run::Column;
    Ok(experiment_run::Entity::find()
        .select_only()
        .columns([Column::Id, Column::ChunkUnit, Column::ChunkSize])
        .column(job_section::Column::ProcessingElements)
        .join(
            JoinType::LeftJoin,
            of_simulation::<experiment_run::Entity>(Column::ExperimentId),
        )
        .filter(is_one_of(
            database,
            (experiment_run::Entity, Column::Id),
            runs,
        ))
        .into_model::<Run>()
        .all(database.read())
        .await?)
}
