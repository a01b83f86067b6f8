//! Whole workflows, to be drawn.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::sea_query::Query;

use super::{jobs, neighbours, wrappers};
use crate::database::{Database, is_one_of};
use crate::entity::{job, job_edge, wrapper_job};
use crate::experiments::graph::{Shape, Workflow};
use crate::failure::Failure;
use crate::narrow::{self, Columns};

/// How many jobs are read at once.
const MOST_JOBS: usize = 100_000;
/// How many edges are read at once.
const MOST_EDGES: usize = 1_000_000;

/// The workflows of these experiments, with these columns of their jobs: four statements, however many there are. An edge
/// to a job that is not in the list is none.
pub async fn of_experiments(
    database: &Database,
    experiments: &[i64],
    columns: Columns<job::Model>,
) -> Result<HashMap<i64, Arc<Workflow>>, Failure> {
    let mut jobs = jobs_of(database, experiments, columns).await?;
    let mut places = HashMap::new();
    for (&experiment, jobs) in &mut jobs {
        jobs.sort_by(|left, right| neighbours::by_name(&left.name, &right.name));
        for (place, job) in jobs.iter().enumerate() {
            places.insert(job.id, (experiment, place));
        }
    }
    let mut edges: HashMap<i64, Vec<(usize, usize)>> = HashMap::new();
    for (parent, child) in edges_of(database, experiments).await? {
        if let (Some(&(of, parent)), Some(&(and, child))) =
            (places.get(&parent), places.get(&child))
            && of == and
        {
            edges.entry(of).or_default().push((parent, child));
        }
    }
    let mut wrapped = wrapped(database, experiments, &places).await?;
    let workflow = |(experiment, jobs): (i64, Vec<Arc<job::Model>>)| {
        let edges = edges.remove(&experiment).unwrap_or_default();
        let (wrappers, of_jobs) = wrapped.remove(&experiment).unwrap_or_default();
        let mut wrapper_of = vec![None; jobs.len()];
        for (job, wrapper) in of_jobs {
            wrapper_of[job] = Some(wrapper);
        }
        let workflow = Workflow {
            shape: Shape::new(jobs.len(), edges, wrapper_of),
            jobs,
            wrappers,
        };
        (experiment, Arc::new(workflow))
    };
    Ok(jobs.into_iter().map(workflow).collect())
}

async fn jobs_of(
    database: &Database,
    experiments: &[i64],
    columns: Columns<job::Model>,
) -> Result<HashMap<i64, Vec<Arc<job::Model>>>, Failure> {
    let columns = columns.and(jobs::always());
    let of_experiments = is_one_of(database, job::Column::ExperimentId, experiments);
    let mut query = narrow::select::<job::Entity>(of_experiments, columns);
    query.limit(MOST_JOBS as u64 + 1);
    let rows = narrow::all(database, &query, columns).await?;
    check_jobs(rows.len())?;
    let mut found: HashMap<i64, Vec<_>> = HashMap::new();
    for row in rows {
        found.entry(row.experiment_id).or_default().push(row);
    }
    Ok(found)
}

async fn edges_of(database: &Database, experiments: &[i64]) -> Result<Vec<(i64, i64)>, Failure> {
    use job_edge::{Column, Entity};
    let query = Query::select()
        .columns([Column::ParentId, Column::ChildId])
        .from(Entity)
        .and_where(is_one_of(database, Column::ExperimentId, experiments))
        .limit(MOST_EDGES as u64 + 1)
        .to_owned();
    let edges = narrow::tuples(database, &query).await?;
    check("edges", edges.len(), MOST_EDGES)?;
    Ok(edges)
}

/// The names of the wrappers of an experiment, and which of its jobs is in which.
type Wrapped = (Vec<Arc<str>>, Vec<(usize, usize)>);

/// The wrappers of experiments. A job that is in several is taken for one of the last of them by name.
async fn wrapped(
    database: &Database,
    experiments: &[i64],
    places: &HashMap<i64, (i64, usize)>,
) -> Result<HashMap<i64, Wrapped>, Failure> {
    use wrapper_job::{Column, Entity};
    let wrappers = wrappers::of_experiments(database, experiments).await?;
    let mut found: HashMap<i64, Wrapped> = HashMap::new();
    let mut numbers = HashMap::new();
    for (experiment, rows) in wrappers {
        let (names, _) = found.entry(experiment).or_default();
        for row in rows {
            numbers.insert(row.id, names.len());
            names.push(Arc::from(row.name));
        }
    }
    if numbers.is_empty() {
        return Ok(found);
    }
    let ids: Vec<i64> = numbers.keys().copied().collect();
    let query = Query::select()
        .columns([Column::JobId, Column::WrapperId])
        .from(Entity)
        .and_where(is_one_of(database, Column::WrapperId, &ids))
        .to_owned();
    for (job, wrapper) in narrow::tuples(database, &query).await? {
        if let (Some(&(experiment, job)), Some(&number)) = (places.get(&job), numbers.get(&wrapper))
            && let Some((_, jobs)) = found.get_mut(&experiment)
        {
            jobs.push((job, number));
        }
    }
    for (_, jobs) in found.values_mut() {
        jobs.sort_unstable();
    }
    Ok(found)
}

/// Refuses to read so many jobs together.
pub fn check_jobs(jobs: usize) -> Result<(), Failure> {
    check("jobs", jobs, MOST_JOBS)
}

fn check(what: &str, found: usize, most: usize) -> Result<(), Failure> {
    if found <= most {
        return Ok(());
    }
    let message = format!("the graphs have more than {most} {what} together: ask for fewer");
    Err(Failure::bad_input("graph", message))
}
