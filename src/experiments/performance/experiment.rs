//! The performance of an experiment, from its completed jobs.

use super::outliers::{Rejection, rejections};
use super::times::JobTimes;
use super::{SECONDS_PER_DAY, SECONDS_PER_HOUR, as_f64, mean, ratio, rounded, sum};

/// Joules in a megawatt hour.
const JOULES_PER_MEGAWATT_HOUR: f64 = 3.6e9;
/// Autosubmit API rounds the mean time of post-processing to so many decimals, and so its metrics follow.
const POST_DECIMALS: usize = 4;

/// What the configuration says of the jobs that simulate.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Simulation {
    /// Their platform.
    pub platform: Option<String>,
    /// The processors that one of them occupies.
    pub processing_elements: Option<i64>,
    /// Grams of carbon dioxide for a megawatt hour.
    pub carbon_factor: Option<f64>,
    /// Power usage effectiveness.
    pub pue: Option<f64>,
}

/// A completed job.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CompletedJob {
    /// Queue and run; inside a wrapper without what it waited for the others.
    pub times: JobTimes,
    /// When it was submitted, in milliseconds.
    pub submitted_at: Option<i64>,
    /// When it started, in milliseconds.
    pub started_at: Option<i64>,
    /// When it ended, in milliseconds.
    pub finished_at: Option<i64>,
}

/// A completed job that simulates.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SimulationJob {
    /// As any other.
    pub job: CompletedJob,
    /// Years in its chunk.
    pub years: f64,
    /// Into how many splits the chunk is divided.
    pub splits: Option<i64>,
    /// Energy, where there is accounting.
    pub energy: Option<f64>,
}

/// The completed jobs of an experiment.
#[derive(Clone, Debug, Default)]
pub struct Completed {
    /// Those that simulate.
    pub simulation: Vec<SimulationJob>,
    /// Those that process what was simulated.
    pub post: Vec<CompletedJob>,
    /// Those that carry it away.
    pub transfer: Vec<CompletedJob>,
    /// Those that clean up.
    pub clean: Vec<CompletedJob>,
}

/// What one job that simulates did.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct JobPerformance {
    /// Simulated years per day.
    pub sypd: Option<f64>,
    /// With queue and post-processing.
    pub asypd: Option<f64>,
    /// Core hours for a simulated year.
    pub chsy: Option<f64>,
    /// Joules for a simulated year.
    pub jpsy: Option<f64>,
    /// Grams of carbon dioxide.
    pub footprint: Option<f64>,
}

/// The performance of an experiment. None: the data do not tell.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Performance {
    /// Simulated years.
    pub sy: f64,
    /// Simulated years per day of computing.
    pub sypd: Option<f64>,
    /// With queue and post-processing.
    pub asypd: Option<f64>,
    /// From the first start to the end of the last transfer.
    pub rsypd: Option<f64>,
    /// From the first submission to the end of the last post-processing; see [`psypd`].
    pub psypd: Option<f64>,
    /// Core hours for a simulated year: the mean over the jobs.
    pub chsy: Option<f64>,
    /// Joules for a simulated year: the mean over the jobs with accounting.
    pub jpsy: Option<f64>,
    /// Joules of all jobs that count.
    pub total_energy: f64,
    /// Grams of carbon dioxide of all jobs that count.
    pub total_footprint: Option<f64>,
    /// Of each job that simulates, in the order given: what it did, or why it does not count.
    pub jobs: Vec<Result<JobPerformance, Rejection>>,
    /// What is missing.
    pub warnings: Vec<String>,
}

/// The speed of one job, from the years that it simulated.
///
/// SYPD = years · 86400 / (splits · run), and ASYPD with queue and mean post-processing added to the run. Numbers of splits
/// below 1 count as 1.
pub fn speed(
    years: f64,
    splits: Option<i64>,
    times: JobTimes,
    mean_post: f64,
) -> (Option<f64>, Option<f64>) {
    let years = years / as_f64(splits.unwrap_or(1).max(1));
    let per_day =
        |seconds: f64| ratio(years * SECONDS_PER_DAY, seconds).filter(|years| *years > 0.0);
    (
        per_day(as_f64(times.run)),
        per_day(as_f64(times.total()) + mean_post),
    )
}

/// The mean of queue and run of these completed POST jobs; 0 without any.
pub fn mean_post(post: impl IntoIterator<Item = JobTimes>) -> f64 {
    let mean = mean(post.into_iter().map(|times| as_f64(times.total())));
    rounded(mean.unwrap_or(0.0), POST_DECIMALS)
}

/// Post-processed simulated years per day: simulated years over the whole time from the first submission of a simulating
/// job to the end of the last job of post-processing.
///
/// A definition of labql. Autosubmit API 4.2.0 reckons no PSYPD, and Balaji et al. (2017) do not define one. What they define
/// is ASYPD, N / (tN − t0): years over the time from the submission of the first job to the arrival of the last output,
/// with queues, interruptions and the workflow counted in. This is that rate with tN where the data are processed, as RSYPD
/// is it where they are transferred. When the data are safely stored, nothing in the history tells. In the development of
/// Autosubmit API (pull request 189) PSYPD was proposed as another name for what is ASYPD here.
pub fn psypd(
    years: f64,
    submitted: impl IntoIterator<Item = Option<i64>>,
    processed: impl IntoIterator<Item = Option<i64>>,
) -> Option<f64> {
    years_per_day_between(years, submitted, processed)
}

/// Years over the time from the first of these moments to the last of those.
fn years_per_day_between(
    years: f64,
    from: impl IntoIterator<Item = Option<i64>>,
    to: impl IntoIterator<Item = Option<i64>>,
) -> Option<f64> {
    let known = |moment: &i64| *moment > 0;
    let from = from.into_iter().flatten().filter(known).min()?;
    let to = to.into_iter().flatten().filter(known).max()?;
    let seconds = as_f64(to.checked_sub(from)?) / 1000.0;
    ratio(years * SECONDS_PER_DAY, seconds).filter(|years| *years > 0.0)
}

impl Performance {
    /// The performance of an experiment with these completed jobs.
    pub fn of(completed: &Completed, simulation: &Simulation) -> Self {
        let runs: Vec<i64> = completed
            .simulation
            .iter()
            .map(|job| job.job.times.run)
            .collect();
        let rejections = rejections(&runs);
        let considered: Vec<&SimulationJob> = completed
            .simulation
            .iter()
            .zip(&rejections)
            .filter(|(_, rejection)| rejection.is_none())
            .map(|(job, _)| job)
            .collect();
        let mean_post = mean_post(completed.post.iter().map(|job| job.times));
        let single = |job: &SimulationJob| simulation.performance(job, mean_post);

        let sum = |of: fn(&SimulationJob) -> f64| sum(considered.iter().map(|job| of(job)));
        let sy = sum(|job| job.years);
        let run = sum(|job| as_f64(job.job.times.run));
        let total = sum(|job| as_f64(job.job.times.total()));
        let total_energy = sum(|job| job.energy.unwrap_or(0.0).max(0.0)).min(f64::MAX);
        let per_day =
            |seconds: f64| ratio(sy * SECONDS_PER_DAY, seconds).filter(|years| *years > 0.0);
        let ends = if completed.transfer.is_empty() {
            &completed.clean
        } else {
            &completed.transfer
        };
        let end = |job: &CompletedJob| job.finished_at;
        let started = considered.iter().map(|job| job.job.started_at);
        let submitted = considered.iter().map(|job| job.job.submitted_at);
        Self {
            sy,
            sypd: per_day(run),
            asypd: per_day(total + mean_post),
            rsypd: years_per_day_between(sy, started, ends.iter().map(end)),
            psypd: psypd(sy, submitted, completed.post.iter().map(end)),
            chsy: mean(considered.iter().filter_map(|job| single(job).chsy)),
            jpsy: mean(considered.iter().filter_map(|job| single(job).jpsy)),
            total_energy,
            total_footprint: simulation.footprint(total_energy),
            warnings: warnings(completed, simulation, considered.len()),
            jobs: completed
                .simulation
                .iter()
                .zip(rejections)
                .map(|(job, rejection)| match rejection {
                    Some(rejection) => Err(rejection),
                    None => Ok(single(job)),
                })
                .collect(),
        }
    }
}

impl Simulation {
    fn performance(&self, job: &SimulationJob, mean_post: f64) -> JobPerformance {
        let times = job.job.times;
        let (sypd, asypd) = speed(job.years, job.splits, times, mean_post);
        let energy = job.energy.filter(|energy| *energy > 0.0);
        let elements = self.processing_elements.filter(|elements| *elements > 0);
        let core_hours =
            elements.map(|elements| as_f64(elements) * as_f64(times.run) / SECONDS_PER_HOUR);
        JobPerformance {
            sypd,
            asypd,
            chsy: core_hours.and_then(|hours| ratio(hours, job.years)),
            jpsy: energy.and_then(|energy| ratio(energy, job.years)),
            footprint: energy.and_then(|energy| self.footprint(energy)),
        }
    }

    /// Energy · carbon factor · power usage effectiveness, in grams.
    fn footprint(&self, joules: f64) -> Option<f64> {
        let grams = joules / JOULES_PER_MEGAWATT_HOUR * self.carbon_factor? * self.pue?;
        grams.is_finite().then_some(grams)
    }
}

/// What is missing, for people to read.
fn warnings(completed: &Completed, simulation: &Simulation, considered: usize) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut warn = |condition: bool, text: &str| {
        if condition {
            warnings.push(text.to_owned());
        }
    };
    warn(
        completed.simulation.is_empty(),
        "No job of the section SIM is completed.",
    );
    warn(
        !completed.simulation.is_empty() && considered == 0,
        "Of no completed SIM job it is known how long it ran.",
    );
    warn(
        completed.post.is_empty(),
        "No job of the section POST is completed: ASYPD is without post-processing, and there is no PSYPD.",
    );
    warn(
        completed.transfer.is_empty() && completed.clean.is_empty(),
        "No job of the sections TRANSFER and CLEAN is completed: there is no RSYPD.",
    );
    warn(
        simulation.carbon_factor.is_none() || simulation.pue.is_none(),
        "The platform of SIM has no CF or no PUE: there is no footprint.",
    );
    let without = completed.simulation.iter();
    let without = without.filter(|job| job.energy.is_none_or(|energy| energy <= 0.0));
    match without.count() {
        0 => {}
        count => warnings.push(format!(
            "Of {count} completed SIM jobs no energy is known: they do not count for JPSY."
        )),
    }
    warnings
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn completed(queue: i64, run: i64) -> CompletedJob {
        let submitted = 1_000_000;
        CompletedJob {
            times: JobTimes { queue, run },
            submitted_at: Some(submitted),
            started_at: Some(submitted + queue * 1000),
            finished_at: Some(submitted + (queue + run) * 1000),
        }
    }

    #[test]
    fn psypd_ends_with_the_last_post_processing() {
        let simulation = vec![SimulationJob {
            job: completed(100, 300),
            years: 1.0,
            ..SimulationJob::default()
        }];
        let mut all = Completed {
            simulation,
            ..Completed::default()
        };
        let of = |all: &Completed| Performance::of(all, &Simulation::default());
        assert_eq!(of(&all).psypd, None);
        all.post = vec![completed(500, 364)];
        assert_eq!(of(&all).psypd, Some(100.0));
        assert_eq!(of(&all).sypd, Some(288.0));
    }

    proptest! {
        #[test]
        fn there_are_no_strange_numbers(
            jobs in proptest::collection::vec((any::<i64>(), any::<i64>(), proptest::option::of(any::<i64>()), proptest::option::of(any::<f64>()), 0.0..1e6_f64), 0..12),
            elements in proptest::option::of(any::<i64>()),
            factor in proptest::option::of(any::<f64>()),
        ) {
            let simulation = Simulation { platform: None, processing_elements: elements, carbon_factor: factor, pue: factor };
            let jobs: Vec<_> = jobs.into_iter().map(|(start, end, splits, energy, years)| {
                let job = CompletedJob {
                    times: JobTimes::between(Some(start), Some(end), Some(start)),
                    submitted_at: Some(start), started_at: Some(end), finished_at: Some(end),
                };
                SimulationJob { job, years, splits, energy: energy.filter(|energy| energy.is_finite()) }
            }).collect();
            let post = jobs.iter().map(|job| job.job).collect();
            let found = Performance::of(&Completed { simulation: jobs, post, ..Completed::default() }, &simulation);
            let numbers = [found.sypd, found.asypd, found.rsypd, found.psypd, found.chsy, found.jpsy, found.total_footprint, Some(found.sy)];
            let of_jobs = found.jobs.iter().flatten().flat_map(|job| [job.sypd, job.asypd, job.chsy, job.jpsy, job.footprint]);
            for number in numbers.into_iter().chain(of_jobs).flatten() {
                prop_assert!(number.is_finite());
            }
        }
    }
}
