//! What could not be read.

use async_graphql::SimpleObject;
use chrono::{DateTime, Utc};

use crate::entity::source_problem;
use crate::graphql::connection::connection;
use crate::time::from_millis;

/// A file of a source that could not be read whole. While it is broken, what it told before is kept.
#[derive(Clone, Debug, SimpleObject)]
pub struct SourceProblem {
    /// The file, relative to the root of its source.
    pub source: String,
    /// What is wrong with it.
    pub message: String,
    /// The experiment that it belongs to; null for central files.
    pub expid: Option<String>,
    /// When this was first seen.
    pub first_seen_at: Option<DateTime<Utc>>,
}

impl From<source_problem::Model> for SourceProblem {
    fn from(row: source_problem::Model) -> Self {
        Self {
            source: row.path,
            message: row.message,
            expid: Some(row.owner).filter(|owner| !owner.is_empty()),
            first_seen_at: from_millis(row.first_seen_at),
        }
    }
}

connection!(
    SourceProblemConnection,
    SourceProblemEdge,
    SourceProblem,
    "A page of source problems.",
    "A source problem in a page."
);
