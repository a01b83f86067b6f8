//! Parents and children of jobs.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};

use super::jobs;
use crate::database::{Database, is_one_of};
use crate::entity::job;
use crate::entity::job_edge::{Column, Entity};
use crate::failure::Failure;
use crate::narrow::Columns;

/// Which way to look along the edges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The jobs that a job waits for.
    Parents,
    /// The jobs that wait for it.
    Children,
}

/// Jobs that have been read already, by their row ids.
pub type KnownJobs = HashMap<i64, Arc<job::Model>>;

/// These columns of the neighbours of each of these jobs, by name. All jobs must belong to `experiments`. Neighbours that
/// are among the known ones are not read again, so those must have these columns.
pub async fn of_jobs(
    database: &Database,
    experiments: &[i64],
    jobs: &[i64],
    direction: Direction,
    known: &KnownJobs,
    columns: Columns<job::Model>,
) -> Result<HashMap<i64, Vec<Arc<job::Model>>>, Failure> {
    let edges = edges(database, experiments, jobs, direction).await?;
    let unknown = edges.iter().map(|(_, far)| far);
    let mut unknown: Vec<i64> = unknown
        .filter(|far| !known.contains_key(far))
        .copied()
        .collect();
    unknown.sort_unstable();
    unknown.dedup();
    let read = if unknown.is_empty() {
        HashMap::new()
    } else {
        let rows = jobs::by_ids(database, &unknown, columns).await?;
        rows.into_iter()
            .map(|row| (row.id, Arc::new(row)))
            .collect()
    };
    let mut found: HashMap<i64, Vec<Arc<job::Model>>> = HashMap::new();
    for (near, far) in edges {
        if let Some(job) = known.get(&far).or_else(|| read.get(&far)) {
            found.entry(near).or_default().push(Arc::clone(job));
        }
    }
    for neighbours in found.values_mut() {
        neighbours.sort_by(|left, right| by_name(&left.name, &right.name));
    }
    Ok(found)
}

/// The order of jobs by name: without regard to ASCII case, and then with it.
fn by_name(left: &str, right: &str) -> std::cmp::Ordering {
    let lower = |byte: u8| byte.to_ascii_lowercase();
    let (left_lower, right_lower) = (left.bytes().map(lower), right.bytes().map(lower));
    left_lower.cmp(right_lower).then_with(|| left.cmp(right))
}

/// The edges of these jobs: the job and its neighbour.
async fn edges(
    database: &Database,
    experiments: &[i64],
    jobs: &[i64],
    direction: Direction,
) -> Result<Vec<(i64, i64)>, Failure> {
    let (near, far) = match direction {
        Direction::Parents => (Column::ChildId, Column::ParentId),
        Direction::Children => (Column::ParentId, Column::ChildId),
    };
    let mut select = Entity::find().select_only().column(near).column(far);
    let mut wanted = None;
    match (experiments, range(jobs)) {
        // One stretch of the index instead of a look-up for each job.
        ([experiment], Some((first, last))) => {
            select = select
                .filter(Column::ExperimentId.eq(*experiment))
                .filter(Expr::col(near).between(first, last));
            wanted = Some(jobs.iter().copied().collect::<HashSet<i64>>());
        }
        ([experiment], None) => {
            select = select
                .filter(Column::ExperimentId.eq(*experiment))
                .filter(is_one_of(database.read(), near, jobs));
        }
        _ => select = select.filter(is_one_of(database.read(), near, jobs)),
    }
    let mut edges: Vec<(i64, i64)> = select.into_tuple().all(database.read()).await?;
    if let Some(wanted) = wanted {
        edges.retain(|(near, _)| wanted.contains(near));
    }
    Ok(edges)
}

/// The smallest and the largest of these ids, if they stand so close together that most between them are asked for.
fn range(ids: &[i64]) -> Option<(i64, i64)> {
    let (first, last) = (*ids.iter().min()?, *ids.iter().max()?);
    let between = usize::try_from(last.checked_sub(first)?).ok()?;
    (ids.len() > 1 && between / 2 < ids.len()).then_some((first, last))
}
