//! Plays a workflow through on an invented machine: when each attempt of each job was submitted, started and finished,
//! and so which state each job is in. Because the states come out of one consistent play, a completed job never has
//! an unfinished parent.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};

use super::{
    JobStatus,
    play::{Leg, cut, fates, simulate},
    spec::ExperimentSpec,
    workflow::Workflow,
};
use crate::demo::{
    chance::{between, roll},
    files::int,
};

/// `RETRIALS` of the configuration: attempts after the first.
pub const RETRIALS: usize = 2;
const DAY: i64 = 86_400;

/// One attempt at a job. Times are seconds since the epoch, 0 for what has not happened.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// Index of the job.
    pub job: usize,
    /// Run, from 1.
    pub run: i64,
    /// How many attempts at the job were made before, in all runs.
    pub earlier: i64,
    /// How many attempts of this run failed before.
    pub fail_count: i64,
    /// Submission.
    pub submit: i64,
    /// Start.
    pub start: i64,
    /// Finish.
    pub finish: i64,
    /// State: completed, failed or in flight.
    pub status: JobStatus,
    /// The scheduler's number.
    pub id: i64,
    /// Number of the package that it was submitted in.
    pub package: Option<i64>,
}

/// A run of the experiment.
#[derive(Debug, Clone)]
pub struct Run {
    /// Number, from 1.
    pub id: i64,
    /// When it was created, and started.
    pub created: i64,
    /// When it ended, 0 while it is open.
    pub finish: i64,
    /// Last change.
    pub modified: i64,
    /// Jobs by state at that time.
    pub statuses: BTreeMap<JobStatus, usize>,
}

/// What has become of each job.
#[derive(Debug, Clone)]
pub struct Timeline {
    /// The state of each job.
    pub statuses: Vec<JobStatus>,
    /// All attempts, run by run in the order of submission.
    pub attempts: Vec<Attempt>,
    /// All runs.
    pub runs: Vec<Run>,
    /// The last change of the job list.
    pub changed: i64,
}

impl Timeline {
    /// Plays the experiment so that its last run has come as far as the specification says.
    pub fn play(spec: &ExperimentSpec, workflow: &Workflow, now: DateTime<Utc>) -> Self {
        let progress = spec.progress;
        let never = progress.completed_percent == 0 && !progress.live;
        let fates = fates(spec, workflow);
        let legs = simulate(spec, workflow, 0, &fates);
        let cut = cut(spec, &legs, &fates);
        let changed = if progress.live {
            now.timestamp()
        } else {
            now.timestamp() - between(2 * DAY, 20 * DAY, roll(spec.seed, 1, &spec.expid))
        };
        let begin = changed - cut;

        let mut timeline = Self {
            statuses: vec![JobStatus::Waiting; workflow.jobs.len()],
            attempts: Vec::new(),
            runs: Vec::new(),
            changed,
        };
        let mut before = begin;
        for run in (1..progress.runs).rev() {
            before = timeline.earlier_run(spec, workflow, i64::from(run), before);
        }
        timeline.runs.reverse();

        let run = i64::from(progress.runs);
        if !never {
            timeline.last_run(&legs, cut, begin, progress.live, run);
        }
        timeline.settle(spec, workflow);
        timeline.runs.push(Run {
            id: run,
            created: begin - 90,
            finish: if never || progress.live { 0 } else { changed },
            modified: if never { begin - 90 } else { changed },
            statuses: timeline.counts(),
        });
        timeline.number(spec, workflow);
        timeline
    }

    /// Jobs by state.
    pub fn counts(&self) -> BTreeMap<JobStatus, usize> {
        let mut counts = BTreeMap::new();
        for &status in &self.statuses {
            *counts.entry(status).or_insert(0) += 1;
        }
        counts
    }

    /// The last attempt at each job in the last run.
    pub fn latest(&self) -> HashMap<usize, &Attempt> {
        let run = self.runs.last().map_or(0, |run| run.id);
        let of_run = self.attempts.iter().filter(|attempt| attempt.run == run);
        of_run.map(|attempt| (attempt.job, attempt)).collect()
    }

    /// Adds a run that completed everything before some moment, and gives the moment it began.
    fn earlier_run(
        &mut self,
        spec: &ExperimentSpec,
        workflow: &Workflow,
        run: i64,
        before: i64,
    ) -> i64 {
        let salt = u64::try_from(run).unwrap_or_default();
        let legs = simulate(spec, workflow, salt, &HashMap::new());
        let length = legs
            .iter()
            .flatten()
            .map(|leg| leg.finish)
            .max()
            .unwrap_or(0);
        let finish = before - between(DAY, 6 * DAY, roll(spec.seed, salt, &spec.expid));
        let begin = finish - length;
        for (job, legs) in legs.iter().enumerate() {
            self.attempts.extend(
                legs.iter()
                    .zip(0..)
                    .map(|(leg, failures)| leg.at(begin, job, run, failures)),
            );
        }
        self.runs.push(Run {
            id: run,
            created: begin - 90,
            finish,
            modified: finish,
            statuses: BTreeMap::from([(JobStatus::Completed, workflow.jobs.len())]),
        });
        begin - 90
    }

    /// Adds the attempts of the last run up to the cut. What the scheduler has at that moment is shared out: the first
    /// to start is running, the last is just submitted.
    fn last_run(&mut self, legs: &[Vec<Leg>], cut: i64, begin: i64, live: bool, run: i64) {
        let mut flying = Vec::new();
        for (job, legs) in legs.iter().enumerate() {
            for (leg, failures) in legs.iter().zip(0..) {
                let attempt = leg.at(begin, job, run, failures);
                if leg.finish <= cut {
                    let last_chance = failures == int(RETRIALS);
                    match attempt.status {
                        JobStatus::Failed if !last_chance => {}
                        status => self.statuses[job] = status,
                    }
                    self.attempts.push(attempt);
                } else if leg.submit <= cut && live {
                    flying.push(attempt);
                }
            }
        }
        flying.sort_by_key(|attempt| (attempt.start, attempt.submit, attempt.job));
        let third = flying.len() / 3;
        let (running, queuing) = (flying.len() - 2 * third, flying.len() - third);
        for (rank, mut attempt) in flying.into_iter().enumerate() {
            attempt.finish = 0;
            attempt.status = match rank {
                rank if rank < running => JobStatus::Running,
                rank if rank < queuing => JobStatus::Queuing,
                _ => JobStatus::Submitted,
            };
            attempt.start = match attempt.status {
                JobStatus::Running => attempt.start.min(begin + cut).max(attempt.submit),
                _ => 0,
            };
            self.statuses[attempt.job] = attempt.status;
            self.attempts.push(attempt);
        }
    }

    /// Tells ready jobs from waiting ones, and suspends some of these.
    fn settle(&mut self, spec: &ExperimentSpec, workflow: &Workflow) {
        for job in 0..self.statuses.len() {
            let free = workflow.parents[job]
                .iter()
                .all(|&parent| self.statuses[parent] == JobStatus::Completed);
            if self.statuses[job] == JobStatus::Waiting && free {
                self.statuses[job] = JobStatus::Ready;
            }
        }
        let waiting = self
            .statuses
            .iter_mut()
            .rev()
            .filter(|status| **status == JobStatus::Waiting);
        for status in waiting.take(spec.progress.suspended) {
            *status = JobStatus::Suspended;
        }
    }

    /// Brings the attempts into order and numbers them.
    fn number(&mut self, spec: &ExperimentSpec, workflow: &Workflow) {
        self.attempts
            .sort_by_key(|attempt| (attempt.run, attempt.submit, attempt.job, attempt.fail_count));
        let mut made = vec![0; workflow.jobs.len()];
        for attempt in &mut self.attempts {
            let job = &workflow.jobs[attempt.job];
            attempt.earlier = made[attempt.job];
            made[attempt.job] += 1;
            let dice = roll(spec.seed, attempt.submit.unsigned_abs(), &job.name);
            attempt.id = if is_local(spec, workflow, attempt.job) {
                between(10_000, 60_000, dice)
            } else {
                between(21_000_000, 30_000_000, dice)
            };
        }
    }
}

impl Leg {
    fn at(self, begin: i64, job: usize, run: i64, fail_count: i64) -> Attempt {
        Attempt {
            job,
            run,
            earlier: 0,
            fail_count,
            submit: begin + self.submit,
            start: begin + self.start,
            finish: begin + self.finish,
            status: if self.completed {
                JobStatus::Completed
            } else {
                JobStatus::Failed
            },
            id: 0,
            package: None,
        }
    }
}

/// Whether a job runs beside Autosubmit and not on a cluster.
pub fn is_local(spec: &ExperimentSpec, workflow: &Workflow, job: usize) -> bool {
    spec.platform(&spec.sections[workflow.jobs[job].section])
        .eq_ignore_ascii_case("LOCAL")
}
