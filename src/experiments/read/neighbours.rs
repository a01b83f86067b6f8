//! Parents and children of jobs.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ColumnTrait, EntityTrait, JoinType, QueryFilter, QuerySelect, QueryTrait, RelationDef,
};

use super::jobs;
use crate::database::{Database, is_one_of};
use crate::entity::job;
use crate::entity::job_edge::{Column, Entity};
use crate::failure::Failure;
use crate::narrow::{self, Columns};

/// Which way to look along the edges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The jobs that a job waits for.
    Parents,
    /// The jobs that wait for it.
    Children,
}

impl Direction {
    /// The columns of an edge: at the job itself, and at its neighbour.
    const fn columns(self) -> (Column, Column) {
        match self {
            Self::Parents => (Column::ChildId, Column::ParentId),
            Self::Children => (Column::ParentId, Column::ChildId),
        }
    }
}

/// Jobs that have been read already, by their row ids.
pub type KnownJobs = HashMap<i64, Arc<job::Model>>;

/// Jobs by the job whose neighbours they are.
type Neighbours = HashMap<i64, Vec<Arc<job::Model>>>;

/// These columns of the neighbours of each of these jobs, by name. All jobs must belong to `experiments`. Neighbours that
/// are among the known ones are not read again, so those must have these columns.
pub async fn of_jobs(
    database: &Database,
    experiments: &[i64],
    jobs: &[i64],
    direction: Direction,
    known: Option<&KnownJobs>,
    columns: Columns<job::Model>,
) -> Result<Neighbours, Failure> {
    let mut found = match (experiments, known, range(jobs)) {
        ([experiment], Some(known), Some(range)) => {
            let edges = edges(database, *experiment, range, direction).await?;
            between(database, jobs, edges, known, columns).await?
        }
        _ => joined(database, experiments, jobs, direction, columns).await?,
    };
    for neighbours in found.values_mut() {
        neighbours.sort_by(|left, right| by_name(&left.name, &right.name));
    }
    Ok(found)
}

/// Edges and neighbours in one.
async fn joined(
    database: &Database,
    experiments: &[i64],
    jobs: &[i64],
    direction: Direction,
    columns: Columns<job::Model>,
) -> Result<Neighbours, Failure> {
    let (near, far) = direction.columns();
    let relation: RelationDef = Entity::belongs_to(job::Entity)
        .from(far)
        .to(job::Column::Id)
        .into();
    let columns = columns.and(jobs::always());
    let mut select = Entity::find()
        .select_only()
        .column(near)
        .join(JoinType::InnerJoin, relation)
        .filter(is_one_of(database, (Entity, near), jobs));
    if let [experiment] = experiments {
        select = select.filter(Column::ExperimentId.eq(*experiment));
    }
    for column in columns.iter() {
        select = select.column(column);
    }
    let rows = narrow::pairs(database, &select.into_query(), columns).await?;
    let mut found = Neighbours::new();
    for (near, job) in rows {
        found.entry(near).or_default().push(job);
    }
    Ok(found)
}

/// The edges of one experiment from the jobs of this range: one stretch of an index.
async fn edges(
    database: &Database,
    experiment: i64,
    (first, last): (i64, i64),
    direction: Direction,
) -> Result<Vec<(i64, i64)>, Failure> {
    let (near, far) = direction.columns();
    let query = Entity::find()
        .select_only()
        .column(near)
        .column(far)
        .filter(Column::ExperimentId.eq(experiment))
        .filter(Expr::col(near).between(first, last))
        .into_query();
    Ok(narrow::tuples(database, &query).await?)
}

/// The neighbours at the far ends of the edges of these jobs: the known ones, and the others in one statement.
async fn between(
    database: &Database,
    jobs: &[i64],
    mut edges: Vec<(i64, i64)>,
    known: &KnownJobs,
    columns: Columns<job::Model>,
) -> Result<Neighbours, Failure> {
    let wanted: HashSet<&i64> = jobs.iter().collect();
    edges.retain(|(near, _)| wanted.contains(near));
    let unknown = edges.iter().map(|(_, far)| *far);
    let mut unknown: Vec<i64> = unknown.filter(|far| !known.contains_key(far)).collect();
    unknown.sort_unstable();
    unknown.dedup();
    let mut read = KnownJobs::new();
    if !unknown.is_empty() {
        let rows = jobs::by_ids(database, &unknown, columns).await?;
        read.extend(rows.into_iter().map(|row| (row.id, row)));
    }
    let mut found = Neighbours::with_capacity(jobs.len());
    for (near, far) in edges {
        if let Some(job) = known.get(&far).or_else(|| read.get(&far)) {
            found.entry(near).or_default().push(Arc::clone(job));
        }
    }
    Ok(found)
}

/// The order of jobs by name: without regard to ASCII case, and then with it.
pub(super) fn by_name(left: &str, right: &str) -> std::cmp::Ordering {
    let lower = |byte: u8| byte.to_ascii_lowercase();
    let (left_lower, right_lower) = (left.bytes().map(lower), right.bytes().map(lower));
    left_lower.cmp(right_lower).then_with(|| left.cmp(right))
}

/// The smallest and the largest of these ids, if they stand so close together that most between them are asked for.
fn range(ids: &[i64]) -> Option<(i64, i64)> {
    let (first, last) = (*ids.iter().min()?, *ids.iter().max()?);
    let between = usize::try_from(last.checked_sub(first)?).ok()?;
    (ids.len() > 1 && between / 2 < ids.len()).then_some((first, last))
}
