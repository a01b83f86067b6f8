//! The performance of experiments.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::sea_query::{Condition, ExprTrait};
use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, JoinType, QueryFilter, QuerySelect};

use super::newest::{self, Newest, of_sections, years};
use super::of_simulation;
use super::wrapped::{self, Wrapped};
use crate::database::{Database, is_one_of};
use crate::entity::{experiment, job, job_section};
use crate::experiments::performance::experiment::{
    Completed, CompletedJob, Performance, Simulation, SimulationJob,
};
use crate::experiments::performance::times::JobTimes;
use crate::experiments::performance::{CLEAN, POST, SIM, TRANSFER};
use crate::experiments::read::jobs::always;
use crate::experiments::status::JobStatus;
use crate::failure::Failure;
use crate::narrow::{self, Columns};

/// An experiment with its performance.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// Its expid.
    pub expid: String,
    /// What the configuration says of the jobs that simulate.
    pub simulation: Simulation,
    /// The performance; its jobs are those below, in the same order.
    pub performance: Performance,
    /// The completed jobs that simulate, in the order of the job list.
    pub jobs: Vec<MeasuredJob>,
}

/// A completed job that simulates.
#[derive(Clone, Debug)]
pub struct MeasuredJob {
    /// The job.
    pub row: Arc<job::Model>,
    /// What counts of it.
    pub counted: SimulationJob,
}

#[derive(FromQueryResult)]
struct Configured {
    id: i64,
    expid: String,
    chunk_unit: Option<String>,
    chunk_size: Option<i64>,
    platform: Option<String>,
    processing_elements: Option<i64>,
    carbon_factor: Option<f64>,
    pue: Option<f64>,
}

/// The performance of each of these experiments, in four statements, and one or two more where there are wrappers; with
/// these columns of the jobs that simulate. `now` is in milliseconds.
pub async fn of_experiments(
    database: &Database,
    experiments: &[i64],
    columns: Columns<job::Model>,
    now: i64,
) -> Result<HashMap<i64, Measured>, Failure> {
    use job::Column;
    let columns = columns.and(always()).and(Columns::of(&[
        Column::Section,
        Column::Status,
        Column::Splits,
        Column::SubmittedAt,
        Column::StartedAt,
        Column::FinishedAt,
    ]));
    let of_experiments = || is_one_of(database, (job::Entity, Column::ExperimentId), experiments);
    let sections = [SIM, POST, TRANSFER, CLEAN];
    let condition = Condition::all()
        .add(of_experiments())
        .add(of_sections(&sections))
        .add(Column::Status.eq(JobStatus::Completed.code()));
    let mut jobs = narrow::find::<job::Entity>(database, condition, columns).await?;
    jobs.sort_unstable_by_key(|job| job.id);
    let simulating = of_experiments().and(of_sections(&[SIM]));
    let newest = newest::attempts(database, simulating).await?;
    let wrapped = wrapped::of_experiments(database, experiments, now).await?;
    let configured = configured(database, experiments).await?;

    let mut by_experiment: HashMap<i64, Vec<Arc<job::Model>>> = HashMap::new();
    for job in jobs {
        by_experiment
            .entry(job.experiment_id)
            .or_default()
            .push(job);
    }
    let measure = |row: Configured| {
        let jobs = by_experiment.remove(&row.id).unwrap_or_default();
        (row.id, measured(row, jobs, &newest, &wrapped, now))
    };
    Ok(configured.into_iter().map(measure).collect())
}

/// What the configurations of experiments say of chunks and of the jobs that simulate.
async fn configured(database: &Database, experiments: &[i64]) -> Result<Vec<Configured>, Failure> {
    use experiment::Column;
    Ok(experiment::Entity::find()
        .select_only()
        .columns([
            Column::Id,
            Column::Expid,
            Column::ChunkUnit,
            Column::ChunkSize,
        ])
        .columns([
            job_section::Column::Platform,
            job_section::Column::ProcessingElements,
            job_section::Column::CarbonFactor,
            job_section::Column::Pue,
        ])
        .join(
            JoinType::LeftJoin,
            of_simulation::<experiment::Entity>(Column::Id),
        )
        .filter(is_one_of(
            database,
            (experiment::Entity, Column::Id),
            experiments,
        ))
        .into_model::<Configured>()
        .all(database.read())
        .await?)
}

fn measured(
    configured: Configured,
    jobs: Vec<Arc<job::Model>>,
    newest: &HashMap<i64, Newest>,
    wrapped: &HashMap<i64, Wrapped>,
    now: i64,
) -> Measured {
    let usual = years(configured.chunk_unit.as_deref(), configured.chunk_size).unwrap_or_default();
    let simulation = Simulation {
        platform: configured.platform,
        processing_elements: configured.processing_elements,
        carbon_factor: configured.carbon_factor,
        pue: configured.pue,
    };
    let mut completed = Completed::default();
    let mut measured = Vec::new();
    for row in jobs {
        let times = wrapped.get(&row.id).map(|wrapped| wrapped.times);
        let job = CompletedJob {
            times: times.unwrap_or_else(|| JobTimes::of(&row, now)),
            submitted_at: row.submitted_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
        };
        match row.section.as_deref() {
            Some(SIM) => {
                let newest = newest.get(&row.id);
                let counted = SimulationJob {
                    job,
                    years: newest.and_then(Newest::years).unwrap_or(usual),
                    splits: row.splits,
                    energy: newest.and_then(|newest| newest.energy),
                };
                completed.simulation.push(counted);
                measured.push(MeasuredJob { row, counted });
            }
            Some(POST) => completed.post.push(job),
            Some(TRANSFER) => completed.transfer.push(job),
            _ => completed.clean.push(job),
        }
    }
    Measured {
        expid: configured.expid,
        performance: Performance::of(&completed, &simulation),
        simulation,
        jobs: measured,
    }
}
