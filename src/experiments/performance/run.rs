//! The performance of one run of an experiment, from its completed attempts.

use super::experiment::psypd;
use super::outliers::rejections;
use super::times::JobTimes;
use super::{POST, SECONDS_PER_DAY, SECONDS_PER_HOUR, SIM, as_f64, mean, ratio};

/// Rows of the history above this type ran inside a wrapper; the number is the wrapper's code.
const SINGLE_JOB_ROW: i64 = 2;
/// Jobs of one wrapper that start closer together than this ran side by side, in milliseconds.
const SIDE_BY_SIDE: i64 = 20_000;

/// A completed attempt at a job. Moments are milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attempt {
    /// Its run.
    pub run_number: Option<i64>,
    /// 2: a single job; more: the code of the wrapper that it ran in.
    pub row_type: i64,
    /// The kind of job; very old histories have section and member exchanged.
    pub section: Option<String>,
    /// The ensemble member.
    pub member: Option<String>,
    /// When it was submitted.
    pub submitted_at: Option<i64>,
    /// When it started.
    pub started_at: Option<i64>,
    /// When it ended.
    pub finished_at: Option<i64>,
    /// Processors, as the scheduler accounted.
    pub processors: Option<i64>,
}

impl Attempt {
    /// Queue and run.
    pub fn times(&self) -> JobTimes {
        JobTimes::between(self.submitted_at, self.started_at, self.finished_at)
    }

    /// Is it of this section?
    pub fn is_of(&self, section: &str) -> bool {
        self.section.as_deref() == Some(section) || self.member.as_deref() == Some(section)
    }

    fn is_wrapped(&self) -> bool {
        self.row_type > SINGLE_JOB_ROW
    }

    /// The queue time, inside a wrapper less the longest time that an earlier job of it took.
    fn queue_among(&self, others: &[Self]) -> i64 {
        let queue = self.times().queue;
        let (true, Some(start)) = (self.is_wrapped(), self.started_at) else {
            return queue;
        };
        let before = others
            .iter()
            .filter(|other| {
                other.row_type == self.row_type
                    && other.run_number == self.run_number
                    && other
                        .started_at
                        .is_some_and(|other| start.saturating_sub(other) > SIDE_BY_SIDE)
            })
            .map(|other| other.times().total())
            .max();
        queue.saturating_sub(before.unwrap_or_default()).max(0)
    }
}

/// The mean over the POST attempts among the completed ones of a run of queue and run together; of those inside a wrapper
/// only the queue counts, less the time that they waited for others of their wrapper. None without any.
pub fn mean_post(completed: &[Attempt]) -> Option<f64> {
    let post = completed.iter().filter(|attempt| attempt.is_of(POST));
    mean(post.map(|attempt| {
        as_f64(if attempt.is_wrapped() {
            attempt.queue_among(completed)
        } else {
            attempt.times().total()
        })
    }))
}

/// The performance of a run. None: the data do not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RunPerformance {
    /// Simulated years per day of computing.
    pub sypd: Option<f64>,
    /// With queue and post-processing.
    pub asypd: Option<f64>,
    /// Core hours for a simulated year.
    pub chsy: Option<f64>,
    /// From the first submission to the end of the last post-processing.
    pub psypd: Option<f64>,
}

impl RunPerformance {
    /// The performance of a run with chunks of so many years and these completed attempts.
    pub fn of(years: f64, completed: &[Attempt]) -> Self {
        let simulation: Vec<&Attempt> = completed.iter().filter(|one| one.is_of(SIM)).collect();
        let runs: Vec<i64> = simulation.iter().map(|one| one.times().run).collect();
        let considered: Vec<&Attempt> = simulation
            .into_iter()
            .zip(rejections(&runs))
            .filter(|(_, rejection)| rejection.is_none())
            .map(|(attempt, _)| attempt)
            .collect();
        let sum = |of: &dyn Fn(&Attempt) -> i64| {
            considered.iter().map(|one| as_f64(of(one))).sum::<f64>()
        };
        let run = sum(&|one| one.times().run);
        let queue = sum(&|one| one.queue_among(completed));
        let total_years = considered.iter().map(|_| years).sum::<f64>();
        let per_day = |seconds: f64| {
            ratio(total_years * SECONDS_PER_DAY, seconds).filter(|years| *years > 0.0)
        };
        let core_hours = mean(considered.iter().filter_map(|one| {
            let processors = one.processors.filter(|processors| *processors > 0)?;
            Some(as_f64(processors) * as_f64(one.times().run) / SECONDS_PER_HOUR)
        }));
        let post = completed.iter().filter(|one| one.is_of(POST));
        Self {
            sypd: per_day(run),
            asypd: mean_post(completed).and_then(|post| per_day(run + queue + post)),
            chsy: core_hours.and_then(|hours| ratio(hours, years)),
            psypd: psypd(
                total_years,
                considered.iter().map(|one| one.submitted_at),
                post.map(|one| one.finished_at),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn attempt(section: &str, submitted: i64, started: i64, finished: i64) -> Attempt {
        Attempt {
            row_type: 2,
            section: Some(section.into()),
            submitted_at: Some(submitted * 1000),
            started_at: Some(started * 1000),
            finished_at: Some(finished * 1000),
            processors: Some(36),
            ..Attempt::default()
        }
    }

    #[test]
    fn a_run_with_post_processing() {
        let attempts = [attempt(SIM, 100, 200, 400), attempt(POST, 400, 450, 532)];
        let found = RunPerformance::of(1.0, &attempts);
        assert_eq!(found.sypd, Some(432.0));
        assert_eq!(found.psypd, Some(200.0));
        assert_eq!(found.chsy, Some(2.0));
        assert_eq!(found.asypd, Some(86_400.0 / 432.0));
        let alone = RunPerformance::of(1.0, &attempts[..1]);
        assert_eq!((alone.asypd, alone.psypd), (None, None));
    }

    proptest! {
        #[test]
        fn there_are_no_strange_numbers(
            attempts in proptest::collection::vec((any::<i64>(), any::<i64>(), any::<i64>(), 0_i64..4, proptest::option::of(any::<i64>()), any::<bool>()), 0..12),
            years in 0.0..1e9_f64,
        ) {
            let attempts: Vec<_> = attempts.into_iter().map(|(submitted, started, finished, row_type, processors, sim)| Attempt {
                row_type, processors, section: Some(if sim { SIM } else { POST }.into()),
                submitted_at: Some(submitted), started_at: Some(started), finished_at: Some(finished),
                ..Attempt::default()
            }).collect();
            let found = RunPerformance::of(years, &attempts);
            for number in [found.sypd, found.asypd, found.chsy, found.psypd].into_iter().flatten() {
                prop_assert!(number.is_finite() && number >= 0.0);
            }
        }
    }
}
