//! The jobs inside wrappers, and how long they really waited.

use std::collections::{HashMap, HashSet};

use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{
    EntityTrait, FromQueryResult, JoinType, QueryFilter, QueryOrder, QuerySelect, RelationTrait,
};

use crate::database::{Database, is_one_of};
use crate::entity::{experiment, job, job_edge, wrapper, wrapper_job};
use crate::experiments::performance::times::JobTimes;
use crate::experiments::performance::wrapped::queues;
use crate::failure::Failure;
use crate::narrow;

/// A job inside a wrapper.
#[derive(Clone, Debug)]
pub struct Wrapped {
    /// Its experiment.
    pub experiment: i64,
    /// Its status code.
    pub status: i16,
    /// Its section.
    pub section: Option<String>,
    /// Its queue time without what it waited for others of its wrapper, and its run time.
    pub times: JobTimes,
    /// Its queue time with it.
    pub whole_queue: i64,
}

#[derive(FromQueryResult)]
struct Row {
    wrapper: i64,
    experiment: i64,
    id: i64,
    status: i16,
    section: Option<String>,
    submitted_at: Option<i64>,
    started_at: Option<i64>,
    finished_at: Option<i64>,
}

impl Row {
    fn times(&self, now: i64) -> JobTimes {
        let job = job::Model {
            status: self.status,
            submitted_at: self.submitted_at,
            started_at: self.started_at,
            finished_at: self.finished_at,
            ..job::Model::default()
        };
        JobTimes::of(&job, now)
    }
}

/// The jobs inside wrappers of these experiments, by row id. One statement where there are none, else two, and a third
/// where the dependencies of an experiment are not known. `now` is in milliseconds.
pub async fn of_experiments(
    database: &Database,
    experiments: &[i64],
    now: i64,
) -> Result<HashMap<i64, Wrapped>, Failure> {
    let rows = wrapper::Entity::find()
        .select_only()
        .column_as(wrapper::Column::Id, "wrapper")
        .column_as(wrapper::Column::ExperimentId, "experiment")
        .column_as(job::Column::Id, "id")
        .column_as(job::Column::Status, "status")
        .column_as(job::Column::Section, "section")
        .column_as(job::Column::SubmittedAt, "submitted_at")
        .column_as(job::Column::StartedAt, "started_at")
        .column_as(job::Column::FinishedAt, "finished_at")
        .join(
            JoinType::InnerJoin,
            wrapper_job::Relation::Wrapper.def().rev(),
        )
        .join(JoinType::InnerJoin, wrapper_job::Relation::Job.def())
        .filter(is_one_of(
            database,
            (wrapper::Entity, wrapper::Column::ExperimentId),
            experiments,
        ))
        .order_by_asc(wrapper::Column::Id)
        .order_by_asc(job::Column::Id)
        .into_model::<Row>()
        .all(database.read())
        .await?;
    if rows.is_empty() {
        return Ok(HashMap::new());
    }
    let edges = edges(database, &rows).await?;
    let known = with_edges(database, &rows, &edges).await?;

    let mut found = HashMap::new();
    for rows in rows.chunk_by(|one, next| one.wrapper == next.wrapper) {
        let times: Vec<(i64, JobTimes)> = rows.iter().map(|row| (row.id, row.times(now))).collect();
        let is_known = rows
            .first()
            .is_some_and(|row| known.contains(&row.experiment));
        let inside: Vec<(i64, i64)> = rows
            .iter()
            .flat_map(|row| {
                edges
                    .get(&row.id)
                    .into_iter()
                    .flatten()
                    .map(|child| (row.id, *child))
            })
            .collect();
        let queues = queues(&times, is_known.then_some(inside.as_slice()));
        for (row, (_, times)) in rows.iter().zip(times) {
            // Of a job that was in several wrappers the newest counts.
            found.insert(
                row.id,
                Wrapped {
                    experiment: row.experiment,
                    status: row.status,
                    section: row.section.clone(),
                    times: JobTimes {
                        queue: queues.get(&row.id).copied().unwrap_or(times.queue),
                        run: times.run,
                    },
                    whole_queue: times.queue,
                },
            );
        }
    }
    Ok(found)
}

/// How long the jobs inside wrappers of these experiments really waited, in seconds, by row id; statements as
/// [`of_experiments`].
pub async fn wrapped_queues(
    database: &Database,
    experiments: &[i64],
    now: i64,
) -> Result<HashMap<i64, i64>, Failure> {
    let wrapped = of_experiments(database, experiments, now).await?;
    let queue = |(job, wrapped): (i64, Wrapped)| (job, wrapped.times.queue);
    Ok(wrapped.into_iter().map(queue).collect())
}

/// The children of these jobs.
async fn edges(database: &Database, rows: &[Row]) -> Result<HashMap<i64, Vec<i64>>, Failure> {
    let jobs: Vec<i64> = rows.iter().map(|row| row.id).collect();
    let query = Query::select()
        .columns([job_edge::Column::ParentId, job_edge::Column::ChildId])
        .from(job_edge::Entity)
        .and_where(is_one_of(database, job_edge::Column::ParentId, &jobs))
        .to_owned();
    let mut edges: HashMap<i64, Vec<i64>> = HashMap::new();
    for (parent, child) in narrow::tuples(database, &query).await? {
        edges.entry(parent).or_default().push(child);
    }
    for children in edges.values_mut() {
        children.sort_unstable();
    }
    Ok(edges)
}

/// The experiments whose dependencies are known: those of which one begins in a wrapper, and the others that have any.
async fn with_edges(
    database: &Database,
    rows: &[Row],
    edges: &HashMap<i64, Vec<i64>>,
) -> Result<HashSet<i64>, Failure> {
    let mut known: HashSet<i64> = rows
        .iter()
        .filter(|row| edges.contains_key(&row.id))
        .map(|row| row.experiment)
        .collect();
    let mut others: Vec<i64> = rows.iter().map(|row| row.experiment).collect();
    others.retain(|experiment| !known.contains(experiment));
    others.dedup();
    if others.is_empty() {
        return Ok(known);
    }
    let any = Query::select()
        .expr(Expr::value(1))
        .from(job_edge::Entity)
        .and_where(
            Expr::col((job_edge::Entity, job_edge::Column::ExperimentId))
                .equals((experiment::Entity, experiment::Column::Id)),
        )
        .limit(1)
        .to_owned();
    let having: Vec<i64> = experiment::Entity::find()
        .select_only()
        .column(experiment::Column::Id)
        .filter(is_one_of(
            database,
            (experiment::Entity, experiment::Column::Id),
            &others,
        ))
        .filter(Expr::exists(any))
        .into_tuple()
        .all(database.read())
        .await?;
    known.extend(having);
    Ok(known)
}
