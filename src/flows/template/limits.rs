//! What a step may use, and how often it runs again. flowserv knows none of these keys, and ignores them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::fields::{Fields, Unknown};
use super::problem::Problems;
use super::tree::Tree;

/// The largest values: a year, and as many of anything as no machine has.
const LONGEST: u64 = 366 * 86_400;
const MOST_CPUS: u64 = 10_000;
const MOST_MIB: u64 = 1 << 30;
const MOST_RETRIES: u64 = 100;

/// What a step may use; without a value, what the site allows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// How long it may run, in seconds.
    pub timeout_seconds: Option<u64>,
    /// On how many cores.
    pub cpus: Option<u64>,
    /// In how much memory, in MiB.
    #[serde(rename = "memoryMiB")]
    pub memory_mib: Option<u64>,
    /// How large a file it may write, in MiB.
    #[serde(rename = "fileSizeMiB")]
    pub file_size_mib: Option<u64>,
}

/// How often a step runs again when it has failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Retry {
    /// How often at most, the first time not counted.
    pub limit: u32,
    /// How long to wait before the first repetition, in seconds; each further wait is twice as long.
    pub delay_seconds: u64,
    /// The longest wait, in seconds.
    pub max_delay_seconds: u64,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            limit: 0,
            delay_seconds: 1,
            max_delay_seconds: 300,
        }
    }
}

impl Limits {
    /// Reads limits; those that are not there are taken from `base`.
    pub(crate) fn read(tree: Option<&Tree>, base: Self, problems: &mut Problems) -> Self {
        let Some(mut fields) = tree.and_then(|tree| Fields::of(tree, problems)) else {
            return base;
        };
        let timeout_seconds = fields.count("timeoutSeconds", LONGEST, problems);
        let cpus = fields.count("cpus", MOST_CPUS, problems);
        let memory_mib = fields.count("memoryMiB", MOST_MIB, problems);
        let file_size_mib = fields.count("fileSizeMiB", MOST_MIB, problems);
        fields.end(Unknown::Error, problems);
        // Nothing can run in no time and no memory.
        let some = |value: Option<u64>| value.filter(|value| *value > 0);
        Self {
            timeout_seconds: some(timeout_seconds).or(base.timeout_seconds),
            cpus: some(cpus).or(base.cpus),
            memory_mib: some(memory_mib).or(base.memory_mib),
            file_size_mib: some(file_size_mib).or(base.file_size_mib),
        }
    }
}

impl Retry {
    /// Reads how often; what is not there is taken from `base`.
    pub(crate) fn read(tree: Option<&Tree>, base: Self, problems: &mut Problems) -> Self {
        let Some(mut fields) = tree.and_then(|tree| Fields::of(tree, problems)) else {
            return base;
        };
        let limit = fields.count("limit", MOST_RETRIES, problems);
        let delay = fields.count("delaySeconds", LONGEST, problems);
        let longest = fields.count("maxDelaySeconds", LONGEST, problems);
        fields.end(Unknown::Error, problems);
        Self {
            limit: limit
                .and_then(|it| it.try_into().ok())
                .unwrap_or(base.limit),
            delay_seconds: delay.unwrap_or(base.delay_seconds),
            max_delay_seconds: longest.unwrap_or(base.max_delay_seconds),
        }
    }

    /// How long to wait after this many attempts that failed, counted from 1; none if there is no further one.
    pub fn delay(&self, attempts: u32) -> Option<Duration> {
        if attempts > self.limit {
            return None;
        }
        let doublings = attempts.saturating_sub(1).min(63);
        let delay = self.delay_seconds.saturating_mul(1 << doublings);
        Some(Duration::from_secs(delay.min(self.max_delay_seconds)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let retry = Retry {
            limit: 100,
            delay_seconds: 10,
            max_delay_seconds: 60,
        };
        let waits: Vec<_> = (1..=5).map(|attempts| retry.delay(attempts)).collect();
        let seconds = [10, 20, 40, 60, 60].map(|seconds| Some(Duration::from_secs(seconds)));
        assert_eq!(waits, seconds);
        assert_eq!(retry.delay(100), seconds[4]);
        assert_eq!(retry.delay(101), None);
        assert_eq!(Retry::default().delay(1), None);
    }
}
