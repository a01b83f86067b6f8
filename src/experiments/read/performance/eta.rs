//! How far the chunks of a section are.

use std::collections::HashMap;

use sea_orm::sea_query::{Expr, ExprTrait, IntoCondition};
use sea_orm::{
    ColumnTrait, EntityTrait, FromQueryResult, JoinType, QueryFilter, QuerySelect, RelationDef,
};

use super::newest::of_sections;
use crate::database::{Database, is_one_of};
use crate::entity::{job, job_attempt};
use crate::experiments::performance::eta::{ChunkJob, Eta};
use crate::experiments::status::JobStatus;
use crate::failure::Failure;

#[derive(FromQueryResult)]
struct Row {
    experiment: i64,
    chunk: i64,
    status: i16,
    started_at: Option<i64>,
    finished_at: Option<i64>,
}

/// How far the chunks of a section are in each of these experiments; those without any are left out. One statement.
pub async fn etas(
    database: &Database,
    experiments: &[i64],
    section: &str,
) -> Result<HashMap<i64, Eta>, Failure> {
    use job::Column;
    let newest: RelationDef = job::Entity::belongs_to(job_attempt::Entity)
        .from((Column::ExperimentId, Column::Name))
        .to((
            job_attempt::Column::ExperimentId,
            job_attempt::Column::JobName,
        ))
        .on_condition(|_, attempt| {
            let column = |column| Expr::col((attempt.clone(), column));
            column(job_attempt::Column::IsLast)
                .eq(true)
                .and(column(job_attempt::Column::RowType).gte(2))
                .into_condition()
        })
        .into();
    let rows = job::Entity::find()
        .select_only()
        .column_as(Column::ExperimentId, "experiment")
        .columns([Column::Chunk, Column::Status])
        .column_as(job_attempt::Column::StartedAt, "started_at")
        .column_as(job_attempt::Column::FinishedAt, "finished_at")
        .join(JoinType::LeftJoin, newest)
        .filter(is_one_of(
            database,
            (job::Entity, Column::ExperimentId),
            experiments,
        ))
        .filter(of_sections(&[section]))
        .filter(Column::Chunk.gt(0))
        .into_model::<Row>()
        .all(database.read())
        .await?;
    let mut jobs: HashMap<i64, Vec<ChunkJob>> = HashMap::new();
    for row in rows {
        jobs.entry(row.experiment).or_default().push(ChunkJob {
            chunk: row.chunk,
            completed: row.status == JobStatus::Completed.code(),
            started_at: row.started_at,
            finished_at: row.finished_at,
        });
    }
    let eta = |(experiment, jobs): (i64, Vec<ChunkJob>)| Some((experiment, Eta::of(&jobs)?));
    Ok(jobs.into_iter().filter_map(eta).collect())
}
