//! The speed of jobs.

use std::collections::HashMap;

use sea_orm::sea_query::Condition;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};

use super::newest::{self, Newest, of_sections, years};
use super::wrapped;
use crate::database::{Database, is_one_of};
use crate::entity::{experiment, job};
use crate::experiments::metrics::YearsPerDay;
use crate::experiments::performance::POST;
use crate::experiments::performance::experiment::{mean_post, speed};
use crate::experiments::performance::times::JobTimes;
use crate::experiments::read::jobs::always;
use crate::experiments::status::JobStatus;
use crate::failure::Failure;
use crate::narrow::{self, Columns};

/// How fast each of these completed jobs with a chunk simulated, by row id; five statements, and up to two more where
/// there are wrappers. All jobs must belong to `experiments`. `now` is in milliseconds.
pub async fn of_jobs(
    database: &Database,
    experiments: &[i64],
    jobs: &[i64],
    now: i64,
) -> Result<HashMap<i64, YearsPerDay>, Failure> {
    use job::Column;
    let columns = always().and(Columns::of(&[
        Column::Status,
        Column::Section,
        Column::Splits,
        Column::SubmittedAt,
        Column::StartedAt,
        Column::FinishedAt,
    ]));
    let completed = || {
        let completed = Column::Status.eq(JobStatus::Completed.code());
        Condition::all().add(completed)
    };
    let of_jobs = || is_one_of(database, (job::Entity, Column::Id), jobs);
    let with_chunk = completed().add(of_jobs()).add(Column::Chunk.gt(0));
    let rows = narrow::find::<job::Entity>(database, with_chunk, columns).await?;
    if rows.is_empty() {
        return Ok(HashMap::new());
    }
    let of_experiments = is_one_of(database, (job::Entity, Column::ExperimentId), experiments);
    let post = completed().add(of_experiments).add(of_sections(&[POST]));
    let post = narrow::find::<job::Entity>(database, post, columns).await?;
    let newest = newest::attempts(database, of_jobs()).await?;
    let wrapped = wrapped::of_experiments(database, experiments, now).await?;
    let usual = usual_years(database, experiments).await?;

    let times = |row: &job::Model| {
        let times = wrapped.get(&row.id).map(|wrapped| wrapped.times);
        times.unwrap_or_else(|| JobTimes::of(row, now))
    };
    let mut posts: HashMap<i64, Vec<JobTimes>> = HashMap::new();
    for row in &post {
        posts.entry(row.experiment_id).or_default().push(times(row));
    }
    let mean_posts: HashMap<i64, f64> = posts
        .into_iter()
        .map(|(experiment, times)| (experiment, mean_post(times)))
        .collect();
    let speed = |row: &job::Model| {
        let years = newest.get(&row.id).and_then(Newest::years);
        let years = years.or_else(|| usual.get(&row.experiment_id).copied());
        let mean_post = mean_posts.get(&row.experiment_id).copied();
        let (sypd, asypd) = speed(
            years.unwrap_or_default(),
            row.splits,
            times(row),
            mean_post.unwrap_or_default(),
        );
        YearsPerDay { sypd, asypd }
    };
    Ok(rows.iter().map(|row| (row.id, speed(row))).collect())
}

/// The years in a chunk of each of these experiments, as configured now.
async fn usual_years(
    database: &Database,
    experiments: &[i64],
) -> Result<HashMap<i64, f64>, Failure> {
    use experiment::Column;
    let rows: Vec<(i64, Option<String>, Option<i64>)> = experiment::Entity::find()
        .select_only()
        .columns([Column::Id, Column::ChunkUnit, Column::ChunkSize])
        .filter(is_one_of(database, Column::Id, experiments))
        .into_tuple()
        .all(database.read())
        .await?;
    let years = |(id, unit, size): (i64, Option<String>, Option<i64>)| {
        Some((id, years(unit.as_deref(), size)?))
    };
    Ok(rows.into_iter().filter_map(years).collect())
}
