//! When the chunks of a section will be done, if the rest takes as long as those before.

use std::collections::BTreeMap;

use super::{as_f64, mean};

/// A job of a chunk. Moments are milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChunkJob {
    /// Which chunk, from 1.
    pub chunk: i64,
    /// Whether it is completed.
    pub completed: bool,
    /// When its newest attempt started.
    pub started_at: Option<i64>,
    /// When its newest attempt ended.
    pub finished_at: Option<i64>,
}

/// How far a section is, and how long it still takes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Eta {
    /// Seconds to go; 0 when all is done, none as long as no chunk is.
    pub seconds: Option<f64>,
    /// Chunks, over all start dates and members.
    pub chunks_total: usize,
    /// Chunks of which a job is not completed.
    pub chunks_remaining: usize,
    /// The mean time of a chunk, from the first start to the last end among its jobs.
    pub average_seconds: Option<f64>,
}

impl Eta {
    /// Of the jobs of a section; none if it has no chunks.
    pub fn of(jobs: &[ChunkJob]) -> Option<Self> {
        let mut chunks: BTreeMap<i64, Chunk> = BTreeMap::new();
        for job in jobs {
            chunks.entry(job.chunk).or_default().add(job);
        }
        if chunks.is_empty() {
            return None;
        }
        let remaining = chunks.values().filter(|chunk| chunk.open).count();
        let average = mean(chunks.values().filter_map(Chunk::seconds));
        let seconds = match remaining {
            0 => Some(0.0),
            count => {
                average.map(|average| average * as_f64(i64::try_from(count).unwrap_or(i64::MAX)))
            }
        };
        Some(Self {
            seconds,
            chunks_total: chunks.len(),
            chunks_remaining: remaining,
            average_seconds: average,
        })
    }
}

#[derive(Default)]
struct Chunk {
    open: bool,
    first_start: Option<i64>,
    last_end: Option<i64>,
}

impl Chunk {
    fn add(&mut self, job: &ChunkJob) {
        let positive = |moment: Option<i64>| moment.filter(|moment| *moment > 0);
        self.open |= !job.completed;
        let start = positive(job.started_at);
        self.first_start = match (self.first_start, start) {
            (Some(first), Some(start)) => Some(first.min(start)),
            (first, start) => first.or(start),
        };
        self.last_end = self.last_end.max(positive(job.finished_at));
    }

    /// How long it took, once it is done.
    fn seconds(&self) -> Option<f64> {
        let taken = self.last_end?.checked_sub(self.first_start?)?;
        (!self.open && taken > 0).then(|| as_f64(taken) / 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn job(chunk: i64, completed: bool, started: i64, finished: i64) -> ChunkJob {
        let moment = |seconds: i64| (seconds > 0).then_some(seconds * 1000);
        ChunkJob {
            chunk,
            completed,
            started_at: moment(started),
            finished_at: moment(finished),
        }
    }

    #[test]
    fn the_rest_takes_as_long() {
        let jobs = [
            job(1, true, 10, 20),
            job(1, true, 15, 40),
            job(2, true, 20, 40),
            job(2, false, 0, 0),
            job(3, false, 0, 0),
        ];
        let eta = Eta::of(&jobs).unwrap();
        assert_eq!((eta.chunks_total, eta.chunks_remaining), (3, 2));
        assert_eq!((eta.average_seconds, eta.seconds), (Some(30.0), Some(60.0)));
        assert_eq!(Eta::of(&[]), None);
    }

    proptest! {
        #[test]
        fn times_are_numbers(jobs in proptest::collection::vec((any::<i64>(), any::<bool>(), proptest::option::of(any::<i64>()), proptest::option::of(any::<i64>())), 1..20)) {
            let jobs: Vec<_> = jobs.into_iter().map(|(chunk, completed, started_at, finished_at)| ChunkJob { chunk, completed, started_at, finished_at }).collect();
            let eta = Eta::of(&jobs).unwrap();
            prop_assert!(eta.chunks_remaining <= eta.chunks_total);
            for number in [eta.seconds, eta.average_seconds].into_iter().flatten() {
                prop_assert!(number.is_finite() && number >= 0.0);
            }
        }
    }
}
