//! The play of a workflow, in seconds from its beginning: a discrete simulation with a limited number of slots.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
};

use super::{
    spec::ExperimentSpec,
    timeline::{RETRIALS, is_local},
    workflow::Workflow,
};
use crate::demo::chance::{between, roll};

/// Seconds between the last completion and now, in an experiment at work.
const LAST_COMPLETION: i64 = 45;

/// One attempt within a play, in seconds from its beginning.
#[derive(Debug, Clone, Copy)]
pub struct Leg {
    pub submit: i64,
    pub start: i64,
    pub finish: i64,
    pub completed: bool,
}

/// What is to happen to a job: how often it fails, and whether it then completes.
#[derive(Debug, Clone, Copy)]
pub struct Fate {
    failures: usize,
    completes: bool,
}

/// Greedy list scheduling: whoever is ready first takes the slot that is free first.
pub fn simulate(
    spec: &ExperimentSpec,
    workflow: &Workflow,
    salt: u64,
    fates: &HashMap<usize, Fate>,
) -> Vec<Vec<Leg>> {
    let mut legs = vec![Vec::new(); workflow.jobs.len()];
    let mut missing = workflow.parents.iter().map(Vec::len).collect::<Vec<_>>();
    let mut ready_at = vec![0; workflow.jobs.len()];
    let mut ready = (0..workflow.jobs.len())
        .filter(|&job| missing[job] == 0)
        .map(|job| Reverse((0, job)))
        .collect::<BinaryHeap<_>>();
    let mut slots = vec![Reverse(0); spec.progress.slots.max(1)]
        .into_iter()
        .collect::<BinaryHeap<_>>();
    while let Some(Reverse((time, job))) = ready.pop() {
        let free = slots.pop().map_or(0, |Reverse(free)| free);
        let fate = fates.get(&job).copied().unwrap_or(Fate {
            failures: 0,
            completes: true,
        });
        let finish = attempts_at(
            spec,
            workflow,
            salt,
            job,
            fate,
            time.max(free),
            &mut legs[job],
        );
        slots.push(Reverse(finish));
        if !fate.completes {
            continue;
        }
        for &child in &workflow.children[job] {
            ready_at[child] = finish.max(ready_at[child]);
            missing[child] -= 1;
            if missing[child] == 0 {
                ready.push(Reverse((ready_at[child], child)));
            }
        }
    }
    legs
}

/// Adds the attempts at one job and gives the time when the last finished.
fn attempts_at(
    spec: &ExperimentSpec,
    workflow: &Workflow,
    salt: u64,
    job: usize,
    fate: Fate,
    mut time: i64,
    legs: &mut Vec<Leg>,
) -> i64 {
    let name = &workflow.jobs[job].name;
    let typical = i64::from(spec.sections[workflow.jobs[job].section].minutes) * 60;
    let attempts = fate.failures + usize::from(fate.completes);
    for attempt in 0..attempts {
        let dice = |what: u64| roll(spec.seed, salt * 1000 + attempt as u64 * 10 + what, name);
        let completed = attempt == fate.failures;
        let submit = time + between(2, 30, dice(1));
        let start = submit
            + if is_local(spec, workflow, job) {
                1
            } else {
                between(20, 900, dice(2))
            };
        let percent = if completed {
            between(85, 116, dice(3))
        } else {
            between(5, 60, dice(3))
        };
        let finish = start + (typical * percent / 100).max(1);
        legs.push(Leg {
            submit,
            start,
            finish,
            completed,
        });
        time = finish;
    }
    time
}

/// Chooses the jobs that fail: those for good between 60 % of the way and its end, the others before.
pub fn fates(spec: &ExperimentSpec, workflow: &Workflow) -> HashMap<usize, Fate> {
    let progress = spec.progress;
    let mut fates = HashMap::new();
    if progress.failed == 0 && progress.retried == 0 {
        return fates;
    }
    let legs = simulate(spec, workflow, 0, &fates);
    let mut reached = (0..workflow.jobs.len()).collect::<Vec<_>>();
    reached.sort_by_key(|&job| (legs[job].last().map_or(0, |leg| leg.finish), job));
    reached.truncate(target(spec, workflow.jobs.len()));
    reached.retain(|&job| !is_local(spec, workflow, job));

    let mut lost = vec![false; workflow.jobs.len()];
    let (early, late) = reached.split_at(reached.len() * 3 / 5);
    for &job in late.iter().chain(early) {
        if fates.len() == progress.failed {
            break;
        }
        if lost[job] {
            continue;
        }
        let failures = RETRIALS + 1;
        fates.insert(
            job,
            Fate {
                failures,
                completes: false,
            },
        );
        let mut below = vec![job];
        while let Some(job) = below.pop() {
            if !lost[job] {
                lost[job] = true;
                below.extend(&workflow.children[job]);
            }
        }
    }
    let step = (early.len() / progress.retried.max(1)).max(1);
    let fine = early
        .iter()
        .filter(|job| !lost[**job])
        .step_by(step)
        .take(progress.retried);
    fates.extend(fine.map(|&job| {
        let fate = Fate {
            failures: 1,
            completes: true,
        };
        (job, fate)
    }));
    fates
}

/// How many jobs are to have completed.
fn target(spec: &ExperimentSpec, jobs: usize) -> usize {
    (jobs * usize::from(spec.progress.completed_percent.min(100))).div_ceil(100)
}

/// The moment of the play that is the present.
pub fn cut(spec: &ExperimentSpec, legs: &[Vec<Leg>], fates: &HashMap<usize, Fate>) -> i64 {
    let last = |job: &usize| legs[*job].last().map(|leg| leg.finish);
    let mut completed = legs
        .iter()
        .filter_map(|legs| {
            legs.last()
                .filter(|leg| leg.completed)
                .map(|leg| leg.finish)
        })
        .collect::<Vec<_>>();
    completed.sort_unstable();
    let reached = match target(spec, legs.len()) {
        0 => 0,
        target => completed
            .get(target - 1)
            .or(completed.last())
            .copied()
            .unwrap_or(0),
    };
    let failed = fates.keys().filter_map(last).max().unwrap_or(0);
    reached.max(failed)
        + if spec.progress.live {
            LAST_COMPLETION
        } else {
            0
        }
}
