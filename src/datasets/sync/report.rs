//! How far the reading of a base URI is.

use serde::{Deserialize, Serialize};

use crate::datasets::readers::Problem;

/// How many problems are told.
const MOST_PROBLEMS: usize = 1_000;
/// How many of them the base URI keeps.
const MOST_KEPT: usize = 100;
/// Who has not been heard of for so long, in milliseconds, goes on no more.
const SILENCE: i64 = 60_000;

/// How far the reading of a base URI is, or how it ended. Times are milliseconds since 1970-01-01 UTC.
///
/// The database keeps it, and outlives the labql that wrote it: fields that are missing are taken for empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IndexReport {
    /// When it began.
    pub started_at: i64,
    /// When it was last heard of.
    pub updated_at: i64,
    /// When it ended; none: it goes on, or its process has gone.
    pub finished_at: Option<i64>,
    /// Whether it ended, and the whole base URI could be looked through. If not, nothing was taken out, or not all.
    pub complete: bool,
    /// Datasets that are new in the register.
    pub registered: u64,
    /// Datasets that had changed.
    pub updated: u64,
    /// Datasets that had not, and were not read.
    pub unchanged: u64,
    /// Datasets that are gone, and were taken out.
    pub removed: u64,
    /// How many problems there were.
    pub problem_count: u64,
    /// The first of them.
    pub problems: Vec<IndexProblem>,
}

/// Something that could not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexProblem {
    /// The base URI or a dataset, perhaps followed by the path of a file in it.
    pub source: String,
    /// What is wrong.
    pub message: String,
}

impl IndexReport {
    /// The report of what begins now.
    pub(super) fn new(now: i64) -> Self {
        Self {
            started_at: now,
            updated_at: now,
            ..Self::default()
        }
    }

    /// Does it go on, as far as is known at this moment?
    pub fn is_going_on(&self, now: i64) -> bool {
        self.finished_at.is_none() && now.saturating_sub(self.updated_at) < SILENCE
    }

    /// Becomes like a later state of the same report. Problems only grow, so those that are known are not copied again.
    pub fn follow(&mut self, later: &Self) {
        let mut problems = std::mem::take(&mut self.problems);
        let known = problems.len();
        problems.extend(later.problems.iter().skip(known).cloned());
        *self = Self { problems, ..*later };
    }

    /// What a base URI keeps of one.
    pub fn from_json(json: &str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }

    /// What the base URI keeps of it.
    pub(super) fn to_json(&self) -> String {
        let kept = Self {
            problems: self.problems.iter().take(MOST_KEPT).cloned().collect(),
            ..*self
        };
        // Texts and numbers always become JSON.
        serde_json::to_string(&kept).unwrap_or_default()
    }

    pub(super) fn problem(&mut self, problem: &Problem) {
        self.note(&problem.source, &problem.message);
    }

    pub(super) fn note(&mut self, source: &str, message: &str) {
        self.problem_count += 1;
        if self.problems.len() < MOST_PROBLEMS {
            self.problems.push(IndexProblem {
                source: source.to_owned(),
                message: message.to_owned(),
            });
        }
    }
}
