//! Parents and children of jobs.

use std::collections::HashMap;

use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{EntityTrait, JoinType, QueryFilter, QueryOrder, QuerySelect, RelationDef};

use crate::database::Database;
use crate::entity::{job, job_edge};
use crate::failure::Failure;

/// Which way to look along the edges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The jobs that a job waits for.
    Parents,
    /// The jobs that wait for it.
    Children,
}

/// The neighbours of each of these jobs, by name. All jobs must belong to `experiments`, by which edges are found
/// faster than by job alone.
pub async fn of_jobs(
    database: &Database,
    experiments: &[i64],
    jobs: &[i64],
    direction: Direction,
) -> Result<HashMap<i64, Vec<job::Model>>, Failure> {
    let (near, far) = match direction {
        Direction::Parents => (job_edge::Column::ChildId, job_edge::Column::ParentId),
        Direction::Children => (job_edge::Column::ParentId, job_edge::Column::ChildId),
    };
    let relation: RelationDef = job_edge::Entity::belongs_to(job::Entity)
        .from(far)
        .to(job::Column::Id)
        .into();
    let mut found: HashMap<i64, Vec<job::Model>> = HashMap::new();
    for jobs in jobs.chunks(super::MOST_BINDS) {
        let rows = job_edge::Entity::find()
            .join(JoinType::InnerJoin, relation.clone())
            .select_also(job::Entity)
            .filter(
                Expr::col((job_edge::Entity, job_edge::Column::ExperimentId))
                    .is_in(experiments.iter().copied()),
            )
            .filter(Expr::col((job_edge::Entity, near)).is_in(jobs.iter().copied()))
            .order_by_asc(Expr::cust("LOWER(\"job\".\"name\")"))
            .order_by_asc(job::Column::Name)
            .all(database.read())
            .await?;
        for (edge, neighbour) in rows {
            let near = match direction {
                Direction::Parents => edge.child_id,
                Direction::Children => edge.parent_id,
            };
            if let Some(neighbour) = neighbour {
                found.entry(near).or_default().push(neighbour);
            }
        }
    }
    Ok(found)
}
