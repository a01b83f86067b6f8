//! The attempts at jobs, from the history.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use sea_orm::sea_query::{Condition, Expr, ExprTrait, Query, SelectStatement};
use sea_orm::{
    ColumnTrait, EntityTrait, JoinType, QueryFilter, QueryOrder, QuerySelect, RelationDef,
};

use super::jobs::JobFilter;
use crate::database::{Database, is_one_of};
use crate::entity::job_attempt::{Column, Entity, Model};
use crate::entity::{experiment_run, job};
use crate::experiments::metrics::{self, YearsPerDay};
use crate::experiments::performance::run::{Attempt, mean_post};
use crate::experiments::status::JobStatus;
use crate::failure::Failure;
use crate::narrow::{self, Columns};
use crate::paging::{self, KeyKind, KeyValue, OrderPart, Ordering, Page, Slice};

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

/// Rows of the history below this type are not of jobs.
const FIRST_JOB_ROW: i64 = 2;

/// The attempts of a run by the names of their jobs, without regard to ASCII case.
pub fn by_job_name() -> Ordering {
    let part = |sql| OrderPart {
        sql,
        kind: KeyKind::Text,
        descending: false,
    };
    Ordering {
        tag: "runJobs".into(),
        parts: vec![part("LOWER(job_name)"), part("job_name")],
    }
}

/// The key of an attempt in the order by job.
pub fn key(row: &Model) -> Vec<KeyValue> {
    vec![
        KeyValue::Text(row.job_name.to_ascii_lowercase()),
        KeyValue::Text(row.job_name.clone()),
    ]
}

/// The rows of these runs that tell how each job was left: the newest attempt at it in that run.
fn last_of_runs(database: &Database, runs: &[i64], filter: &JobFilter) -> SelectStatement {
    use experiment_run::Column as Run;
    let attempt = |column| Expr::col((Entity, column));
    let run = |column| (experiment_run::Entity, column);
    let of_run = Condition::all()
        .add(attempt(Column::ExperimentId).equals(run(Run::ExperimentId)))
        .add(attempt(Column::RunNumber).equals(run(Run::Number)));
    let newer = |column| Expr::col(("newer", column));
    let mut newer_ones = Query::select();
    newer_ones
        .expr(Expr::val(1))
        .from_as(Entity, "newer")
        .and_where(newer(Column::ExperimentId).equals((Entity, Column::ExperimentId)))
        .and_where(newer(Column::JobName).equals((Entity, Column::JobName)))
        .and_where(newer(Column::RunNumber).equals((Entity, Column::RunNumber)))
        .and_where(newer(Column::Number).gt(attempt(Column::Number)))
        .and_where(newer(Column::RowType).gte(FIRST_JOB_ROW));
    Query::select()
        .expr_as(Expr::col(run(Run::Id)), "group_id")
        .from(Entity)
        .join(JoinType::InnerJoin, experiment_run::Entity, of_run)
        .and_where(is_one_of(database, run(Run::Id), runs))
        .and_where(attempt(Column::RowType).gte(FIRST_JOB_ROW))
        .and_where(Expr::exists(newer_ones).not())
        .cond_where(filter.condition_with((Entity, Column::JobName)))
        .take()
}

/// The same page of the jobs of each of these runs, as each was left by its newest attempt in that run; by the row ids of
/// the runs.
pub async fn of_runs(
    database: &Database,
    runs: &[i64],
    filter: &JobFilter,
    page: &Page,
) -> Result<HashMap<i64, Slice<Arc<Model>>>, Failure> {
    let columns = Columns::<Model>::all();
    let mut query = last_of_runs(database, runs, filter);
    query.columns(columns.iter().map(|column| (Entity, column)));
    let partition = "\"experiment_run\".\"id\"";
    let run_of = |run, _: &Model| run;
    let ordering = by_job_name();
    let found =
        paging::fetch_by_group(database, query, columns, partition, run_of, &ordering, page);
    Ok(found.await?)
}

/// How many jobs each of these runs had that the filter lets through.
pub async fn count_of_runs(
    database: &Database,
    runs: &[i64],
    filter: &JobFilter,
) -> Result<HashMap<i64, i64>, Failure> {
    let mut query = last_of_runs(database, runs, filter);
    query
        .expr_as(Expr::cust("COUNT(*)"), "jobs")
        .group_by_col((experiment_run::Entity, experiment_run::Column::Id));
    Ok(narrow::tuples(database, &query)
        .await?
        .into_iter()
        .collect())
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
    let mut by_run: HashMap<(i64, i64), Vec<Attempt>> = HashMap::new();
    for row in completed {
        if let Some(number) = row.run_number {
            by_run
                .entry((row.experiment_id, number))
                .or_default()
                .push(metrics::attempt_of_run(&row));
        }
    }
    let post: HashMap<(i64, i64), f64> = by_run
        .into_iter()
        .map(|(run, rows)| (run, mean_post(&rows).unwrap_or(0.0)))
        .collect();
    let speed = |row: &Model| {
        let run = row.run_number.map(|number| (row.experiment_id, number));
        let mean_post = run.and_then(|run| post.get(&run)).copied().unwrap_or(0.0);
        metrics::years_per_day(row, run.and_then(|run| runs.get(&run)), mean_post)
    };
    Ok(rows().map(|row| (row.id, speed(row))).collect())
}
