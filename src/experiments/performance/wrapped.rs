//! How long the jobs of a wrapper really waited. They are submitted to the scheduler together, so that a job which runs
//! after another one of its wrapper seems to have been in the queue while that waited and ran.

use std::collections::{HashMap, HashSet, VecDeque};

use super::times::JobTimes;

/// The queue times of the jobs of one wrapper, in seconds, without what they waited for each other.
///
/// Along the `edges` (parent, child) each job loses what its parent took in queue and run together; of several parents
/// that counts which comes first from the beginning of the wrapper. Where no edges of the experiment are known (none),
/// the jobs are taken to have run one after the other, the quickest first.
pub fn queues(jobs: &[(i64, JobTimes)], edges: Option<&[(i64, i64)]>) -> HashMap<i64, i64> {
    match edges {
        Some(edges) => along(jobs, edges),
        None => in_a_row(jobs),
    }
}

fn along(jobs: &[(i64, JobTimes)], edges: &[(i64, i64)]) -> HashMap<i64, i64> {
    let times: HashMap<i64, JobTimes> = jobs.iter().copied().collect();
    let mut queues: HashMap<i64, i64> = jobs
        .iter()
        .map(|(job, times)| (*job, times.queue))
        .collect();
    let mut children: HashMap<i64, Vec<i64>> = HashMap::new();
    let mut waiting: HashSet<i64> = HashSet::new();
    for (parent, child) in edges {
        if times.contains_key(parent) && times.contains_key(child) {
            children.entry(*parent).or_default().push(*child);
            waiting.insert(*child);
        }
    }
    let roots = jobs.iter().map(|(job, _)| *job);
    let mut next: VecDeque<i64> = roots.filter(|job| !waiting.contains(job)).collect();
    let mut seen: HashSet<i64> = next.iter().copied().collect();
    while let Some(parent) = next.pop_front() {
        let before = times.get(&parent).map_or(0, |times| times.total());
        for child in children.get(&parent).into_iter().flatten() {
            // In a circle everybody has been seen once.
            if seen.insert(*child) {
                if let Some(queue) = queues.get_mut(child) {
                    *queue = queue.saturating_sub(before).max(0);
                }
                next.push_back(*child);
            }
        }
    }
    queues
}

fn in_a_row(jobs: &[(i64, JobTimes)]) -> HashMap<i64, i64> {
    let mut jobs = jobs.to_vec();
    jobs.sort_by_key(|(_, times)| times.total());
    let mut before = 0;
    jobs.into_iter()
        .map(|(job, times)| {
            let queue = times.queue.saturating_sub(before).max(0);
            before = times.total();
            (job, queue)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn job(id: i64, queue: i64, run: i64) -> (i64, JobTimes) {
        (id, JobTimes { queue, run })
    }

    #[test]
    fn a_chain_waits_once() {
        let jobs = [job(1, 100, 10), job(2, 112, 10), job(3, 125, 10)];
        let edges = [(1, 2), (2, 3), (1, 3), (9, 3)];
        let queues = queues(&jobs, Some(&edges));
        assert_eq!((queues[&1], queues[&2], queues[&3]), (100, 2, 15));
    }

    #[test]
    fn without_edges_the_quickest_came_first() {
        let jobs = [job(2, 112, 10), job(1, 100, 10)];
        let queues = queues(&jobs, None);
        assert_eq!((queues[&1], queues[&2]), (100, 2));
    }

    #[test]
    fn side_by_side_all_wait_alike() {
        let jobs = [job(1, 100, 10), job(2, 100, 10)];
        let queues = queues(&jobs, Some(&[]));
        assert_eq!((queues[&1], queues[&2]), (100, 100));
    }

    proptest! {
        #[test]
        fn circles_end_and_nobody_waits_longer(
            times in proptest::collection::vec((0_i64..1000, 0_i64..1000), 0..12),
            edges in proptest::collection::vec((0_i64..14, 0_i64..14), 0..40),
            known: bool,
        ) {
            let jobs: Vec<_> = times.iter().zip(0..).map(|((queue, run), id)| job(id, *queue, *run)).collect();
            let queues = queues(&jobs, known.then_some(edges.as_slice()));
            prop_assert_eq!(queues.len(), jobs.len());
            for (id, times) in jobs {
                prop_assert!((0..=times.queue).contains(&queues[&id]));
            }
        }
    }
}
