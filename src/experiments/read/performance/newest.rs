//! What the newest attempt at a completed job tells.

use std::collections::HashMap;

use sea_orm::sea_query::{Expr, ExprTrait, SimpleExpr};
use sea_orm::{
    ColumnTrait, EntityTrait, FromQueryResult, JoinType, QueryFilter, QuerySelect, RelationDef,
};

use crate::database::Database;
use crate::entity::{experiment_run, job, job_attempt};
use crate::experiments::readers::config::years_per_chunk;
use crate::experiments::status::JobStatus;
use crate::failure::Failure;

/// The newest attempt at a completed job, and its run.
#[derive(Clone, Debug, Default, FromQueryResult)]
pub struct Newest {
    id: i64,
    /// Joules.
    pub energy: Option<f64>,
    chunk_unit: Option<String>,
    chunk_size: Option<i64>,
}

impl Newest {
    /// The years in a chunk of its run; none if that does not say.
    pub fn years(&self) -> Option<f64> {
        years(self.chunk_unit.as_deref(), self.chunk_size)
    }
}

/// The years in a chunk; none without a unit that is one.
pub fn years(unit: Option<&str>, size: Option<i64>) -> Option<f64> {
    let years = years_per_chunk(unit?, size?);
    (years > 0.0).then_some(years)
}

/// The newest attempts at these completed jobs, by the row ids of the jobs.
pub async fn attempts(
    database: &Database,
    jobs: SimpleExpr,
) -> Result<HashMap<i64, Newest>, Failure> {
    use job_attempt::Column;
    let completed = JobStatus::Completed.code();
    let of_job: RelationDef = job_attempt::Entity::belongs_to(job::Entity)
        .from((Column::ExperimentId, Column::JobName))
        .to((job::Column::ExperimentId, job::Column::Name))
        .into();
    let of_run: RelationDef = job_attempt::Entity::belongs_to(experiment_run::Entity)
        .from((Column::ExperimentId, Column::RunNumber))
        .to((
            experiment_run::Column::ExperimentId,
            experiment_run::Column::Number,
        ))
        .into();
    let rows = job_attempt::Entity::find()
        .select_only()
        .column_as(job::Column::Id, "id")
        .column_as(Column::EnergyJoules, "energy")
        .column_as(experiment_run::Column::ChunkUnit, "chunk_unit")
        .column_as(experiment_run::Column::ChunkSize, "chunk_size")
        .join(JoinType::InnerJoin, of_job)
        .join(JoinType::LeftJoin, of_run)
        .filter(jobs)
        .filter(job::Column::Status.eq(completed))
        .filter(Column::IsLast.eq(true))
        .filter(Column::RowType.gte(2))
        .filter(Column::Status.eq(completed))
        .into_model::<Newest>()
        .all(database.read())
        .await?;
    Ok(rows.into_iter().map(|row| (row.id, row)).collect())
}

/// The condition that a job is of one of these sections, as the index of jobs by section has it.
pub fn of_sections(sections: &[&str]) -> SimpleExpr {
    Expr::cust("COALESCE(job.section, '')").is_in(sections.iter().copied())
}
