//! The types `ExperimentPerformance` and `RunPerformance`.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, Enum};
use chrono::Utc;
use macros::row;

use super::job::Job;
use crate::database::Database;
use crate::entity::job;
use crate::experiments::metrics::YearsPerDay;
use crate::experiments::performance::experiment::{self as domain, SimulationJob};
use crate::experiments::performance::outliers;
use crate::experiments::read::performance::{self as read, Measured, MeasuredRun};
use crate::failure::Failure;
use crate::graphql::json::json_enums;
use crate::graphql::level::{ChildList, Level};
use crate::graphql::number::int;
use crate::graphql::rows::{Rows, columns};
use crate::narrow::Columns;
use crate::time::Millis;

/// How fast an experiment simulates, and what that costs, from its completed jobs of the section SIM.
///
/// SYPD, ASYPD, CHSY, JPSY and parallelization are metrics of Balaji et al. (2017), "CPMIP: measurements of real
/// computational performance of Earth system models in CMIP6", <https://doi.org/10.5194/gmd-10-19-2017>, reckoned from jobs
/// as Autosubmit API does; RSYPD and the footprint are Autosubmit API's own, PSYPD is labql's. What the data do not tell is
/// null.
#[derive(Clone, Default)]
pub struct ExperimentPerformance(Arc<Parts>);

#[derive(Default)]
struct Parts {
    performance: domain::Performance,
    parallelization: Option<i64>,
    platform: PerformancePlatform,
    considered: Rows<JobPerformance>,
    rejected: Rows<RejectedJob>,
}

impl ExperimentPerformance {
    fn new(measured: Measured, level: &Arc<Level>) -> Self {
        let expid: Arc<str> = Arc::from(measured.expid);
        let (mut considered, mut rejected) = (Vec::new(), Vec::new());
        for (job, outcome) in measured.jobs.into_iter().zip(&measured.performance.jobs) {
            let counted = job.counted;
            let job = Job::new(job.row, &expid, level);
            match outcome {
                Ok(performance) => considered.push(JobPerformance {
                    job,
                    counted,
                    performance: *performance,
                    processors: measured.simulation.processing_elements,
                }),
                Err(reason) => rejected.push(RejectedJob {
                    job,
                    counted,
                    reason: (*reason).into(),
                }),
            }
        }
        Self(Arc::new(Parts {
            performance: measured.performance,
            parallelization: measured.simulation.processing_elements,
            platform: PerformancePlatform {
                name: measured.simulation.platform,
                carbon_factor: measured.simulation.carbon_factor,
                pue: measured.simulation.pue,
            },
            considered: considered.into(),
            rejected: rejected.into(),
        }))
    }

    /// How many jobs it holds.
    pub fn job_count(&self) -> usize {
        self.0.considered.len() + self.0.rejected.len()
    }
}

/// How fast an experiment simulates, and what that costs, from its completed jobs of the section SIM.
///
/// SYPD, ASYPD, CHSY, JPSY and parallelization are metrics of Balaji et al. (2017), "CPMIP: measurements of real
/// computational performance of Earth system models in CMIP6", <https://doi.org/10.5194/gmd-10-19-2017>, reckoned from jobs
/// as Autosubmit API does; RSYPD and the footprint are Autosubmit API's own, PSYPD is labql's. What the data do not tell is
/// null.
#[row]
impl ExperimentPerformance {
    /// Simulated years: those of the chunks of all jobs that are considered. Each split of a chunk counts with the whole.
    fn sy(&self) -> f64 {
        self.0.performance.sy
    }

    /// Simulated years per day: SY · 86400 / Σ run.
    fn sypd(&self) -> Option<f64> {
        self.0.performance.sypd
    }

    /// Actual simulated years per day: SY · 86400 / (Σ (queue + run) + P), with P the mean of queue and run of the
    /// completed jobs of the section POST.
    fn asypd(&self) -> Option<f64> {
        self.0.performance.asypd
    }

    /// Raw simulated years per day: SY · 86400 / the time from the first start of a considered job to the end of the last
    /// completed job of the section TRANSFER, or CLEAN where there is none.
    fn rsypd(&self) -> Option<f64> {
        self.0.performance.rsypd
    }

    /// Post-processed simulated years per day: SY · 86400 / the time from the first submission of a considered job to the
    /// end of the last completed job of the section POST. A definition of labql: it is N / (tN − t0), by which Balaji et al.
    /// (2017) define ASYPD, with tN the end of post-processing, since when output is safely stored Autosubmit does not
    /// record. They do not name a PSYPD. In the development of Autosubmit API the word was proposed as another name for
    /// what is `asypd` here.
    fn psypd(&self) -> Option<f64> {
        self.0.performance.psypd
    }

    /// Core hours per simulated year: the mean over the considered jobs.
    fn chsy(&self) -> Option<f64> {
        self.0.performance.chsy
    }

    /// Joules per simulated year: the mean over the considered jobs with accounting.
    fn jpsy(&self) -> Option<f64> {
        self.0.performance.jpsy
    }

    /// The processors that a job of the section SIM occupies, used or not, as configured now.
    fn parallelization(&self) -> Option<i32> {
        int(self.0.parallelization)
    }

    /// The energy of the considered jobs, in joules; 0 where there is no accounting.
    fn total_energy_joules(&self) -> f64 {
        self.0.performance.total_energy
    }

    /// The carbon dioxide of the considered jobs, in grams: energy · carbon factor · PUE of the platform.
    fn total_footprint(&self) -> Option<f64> {
        self.0.performance.total_footprint
    }

    /// The platform of the section SIM.
    fn platform(&self) -> &PerformancePlatform {
        &self.0.platform
    }

    /// The jobs that count, in the order of the job list.
    fn considered(&self) -> &Rows<JobPerformance> {
        &self.0.considered
    }

    /// Completed jobs of the section SIM that do not count, in the order of the job list.
    fn rejected(&self) -> &Rows<RejectedJob> {
        &self.0.rejected
    }

    /// What is missing for a metric, for people to read.
    fn warnings(&self) -> &Vec<String> {
        &self.0.performance.warnings
    }
}

/// A platform, as far as the footprint of what runs there needs it.
#[derive(Clone, Default)]
pub struct PerformancePlatform {
    name: Option<String>,
    carbon_factor: Option<f64>,
    pue: Option<f64>,
}

/// A platform, as far as the footprint of what runs there needs it.
#[row]
impl PerformancePlatform {
    /// The name, as the configuration has it.
    fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Grams of carbon dioxide per megawatt hour (CF).
    fn carbon_factor(&self) -> Option<f64> {
        self.carbon_factor
    }

    /// Power usage effectiveness of the site (PUE).
    fn pue(&self) -> Option<f64> {
        self.pue
    }
}

/// What a completed job that simulates did.
#[derive(Clone)]
pub struct JobPerformance {
    job: Job,
    counted: SimulationJob,
    performance: domain::JobPerformance,
    processors: Option<i64>,
}

/// What a completed job that simulates did.
#[row]
impl JobPerformance {
    /// The job.
    fn job(&self) -> &Job {
        &self.job
    }

    /// Simulated years per day: years of the chunk · 86400 / (splits · run).
    fn sypd(&self) -> Option<f64> {
        self.performance.sypd
    }

    /// Actual simulated years per day: as SYPD, with queue and mean post-processing added to the run.
    fn asypd(&self) -> Option<f64> {
        self.performance.asypd
    }

    /// Core hours per simulated year.
    fn chsy(&self) -> Option<f64> {
        self.performance.chsy
    }

    /// Joules per simulated year; null without accounting.
    fn jpsy(&self) -> Option<f64> {
        self.performance.jpsy
    }

    /// Seconds in the queue; inside a wrapper without what it waited for others of it.
    fn queue_seconds(&self) -> Option<i32> {
        int(Some(self.counted.job.times.queue))
    }

    /// Seconds running.
    fn run_seconds(&self) -> Option<i32> {
        int(Some(self.counted.job.times.run))
    }

    /// The processors that it occupied, used or not, as configured now.
    fn processors(&self) -> Option<i32> {
        int(self.processors)
    }

    /// Energy in joules; null without accounting.
    fn energy_joules(&self) -> Option<f64> {
        self.counted.energy
    }

    /// Years in its chunk, as configured in its run.
    fn years_per_chunk(&self) -> f64 {
        self.counted.years
    }

    /// Carbon dioxide in grams: energy · carbon factor · PUE of the platform.
    fn footprint(&self) -> Option<f64> {
        self.performance.footprint
    }
}

/// Why a job does not count for the performance of its experiment.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "outliers::Rejection")]
pub enum PerformanceRejection {
    /// It is not known how long it ran, or it ran for less than a second.
    NoRunTime,
    /// It ran much longer or shorter than the others: its modified z-score is above 7.
    Outlier,
}

json_enums!(PerformanceRejection);

/// A completed job that does not count for the performance of its experiment.
#[derive(Clone)]
pub struct RejectedJob {
    job: Job,
    counted: SimulationJob,
    reason: PerformanceRejection,
}

/// A completed job that does not count for the performance of its experiment.
#[row]
impl RejectedJob {
    /// The job.
    fn job(&self) -> &Job {
        &self.job
    }

    /// Why it does not count.
    fn reason(&self) -> PerformanceRejection {
        self.reason
    }

    /// Seconds in the queue; inside a wrapper without what it waited for others of it.
    fn queue_seconds(&self) -> Option<i32> {
        int(Some(self.counted.job.times.queue))
    }

    /// Seconds running.
    fn run_seconds(&self) -> Option<i32> {
        int(Some(self.counted.job.times.run))
    }
}

/// The performance of experiments, with these columns of their jobs.
#[derive(Clone, Copy, Hash, PartialEq, Eq)]
pub(super) struct PerformanceList(Columns<job::Model>);

impl PerformanceList {
    /// With the columns that the selection of this field needs.
    pub fn of(ctx: &Context<'_>) -> Self {
        let performance = ctx.field();
        let lists: Vec<_> = performance
            .selection_set()
            .filter(|field| matches!(field.name(), "considered" | "rejected"))
            .collect();
        let mut jobs = Vec::new();
        for list in &lists {
            jobs.extend(list.selection_set().filter(|field| field.name() == "job"));
        }
        Self(columns::<Job, _>(jobs))
    }
}

impl ChildList for PerformanceList {
    type Children = ExperimentPerformance;

    async fn load(
        &self,
        database: &Database,
        level: &Level,
    ) -> Result<HashMap<i64, Self::Children>, Failure> {
        let now = Utc::now().millis();
        let measured = read::of_experiments(database, level.parents(), self.0, now).await?;
        let jobs = measured.values().flat_map(|measured| &measured.jobs);
        let jobs = jobs.map(|job| job.row.id).collect();
        let jobs = Level::new(jobs, level.experiments().to_vec());
        Ok(measured
            .into_iter()
            .map(|(id, measured)| (id, ExperimentPerformance::new(measured, &jobs)))
            .collect())
    }
}

/// How fast a run of an experiment simulated, and what that cost, from its completed attempts at jobs of the section SIM.
/// What the data do not tell is null.
#[derive(Clone, Copy, Default)]
pub struct RunPerformance(MeasuredRun);

/// How fast a run of an experiment simulated, and what that cost, from its completed attempts at jobs of the section SIM.
/// What the data do not tell is null.
#[row]
impl RunPerformance {
    /// Simulated years per day: years of all chunks · 86400 / Σ run. Attempts that took much longer or shorter than the
    /// others do not count.
    fn sypd(&self) -> Option<f64> {
        self.0.performance.sypd
    }

    /// Actual simulated years per day: as SYPD, with the queue and the mean time of the completed attempts at jobs of the
    /// section POST added to the run; null without any of these.
    fn asypd(&self) -> Option<f64> {
        self.0.performance.asypd
    }

    /// Core hours per simulated year, with the processors that the scheduler accounted for; null without accounting.
    fn chsy(&self) -> Option<f64> {
        self.0.performance.chsy
    }

    /// Post-processed simulated years per day, as in `ExperimentPerformance`, for this run.
    fn psypd(&self) -> Option<f64> {
        self.0.performance.psypd
    }

    /// The processors that a job of the section SIM occupies, used or not, as configured now.
    fn parallelization(&self) -> Option<i32> {
        int(self.0.processing_elements)
    }
}

/// The performance of runs.
#[derive(Clone, Copy, Hash, PartialEq, Eq)]
pub(super) struct RunPerformanceList;

impl ChildList for RunPerformanceList {
    type Children = RunPerformance;

    async fn load(
        &self,
        database: &Database,
        level: &Level,
    ) -> Result<HashMap<i64, Self::Children>, Failure> {
        let measured = read::of_runs(database, level.parents()).await?;
        let run = |(id, measured)| (id, RunPerformance(measured));
        Ok(measured.into_iter().map(run).collect())
    }
}

/// The speed of jobs.
#[derive(Clone, Copy, Hash, PartialEq, Eq)]
pub(super) struct SpeedList;

impl ChildList for SpeedList {
    type Children = YearsPerDay;

    async fn load(
        &self,
        database: &Database,
        level: &Level,
    ) -> Result<HashMap<i64, Self::Children>, Failure> {
        let now = Utc::now().millis();
        read::of_jobs(database, level.experiments(), level.parents(), now).await
    }
}

/// The queue times of jobs inside wrappers.
#[derive(Clone, Copy, Hash, PartialEq, Eq)]
pub(super) struct OwnQueueList;

impl ChildList for OwnQueueList {
    /// None: the job is in no wrapper.
    type Children = Option<i64>;

    async fn load(
        &self,
        database: &Database,
        level: &Level,
    ) -> Result<HashMap<i64, Self::Children>, Failure> {
        let now = Utc::now().millis();
        let queues = read::wrapped_queues(database, level.experiments(), now).await?;
        let queue = |(job, queue)| (job, Some(queue));
        Ok(queues.into_iter().map(queue).collect())
    }
}
