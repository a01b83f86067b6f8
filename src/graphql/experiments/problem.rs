//! What could not be read.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use macros::row;

use crate::entity::source_problem;
use crate::graphql::connection::connection;
use crate::time::from_millis;

/// A file, or a table, of a source that could not be read whole. While it is broken, what it told before is kept.
#[derive(Clone)]
pub struct SourceProblem(Arc<source_problem::Model>);

/// A file, or a table, of a source that could not be read whole. While it is broken, what it told before is kept.
#[row]
impl SourceProblem {
    /// The file, relative to the root of its source; or the table, with its schema before a dot.
    fn source(&self) -> &str {
        &self.0.path
    }

    /// What is wrong with it.
    fn message(&self) -> &str {
        &self.0.message
    }

    /// The experiment that it belongs to; null for central files.
    fn expid(&self) -> Option<&str> {
        Some(self.0.owner.as_str()).filter(|owner| !owner.is_empty())
    }

    /// When this was first seen.
    fn first_seen_at(&self) -> Option<DateTime<Utc>> {
        from_millis(self.0.first_seen_at)
    }
}

impl SourceProblem {
    /// The row.
    pub fn row(&self) -> &source_problem::Model {
        &self.0
    }
}

impl From<Arc<source_problem::Model>> for SourceProblem {
    fn from(row: Arc<source_problem::Model>) -> Self {
        Self(row)
    }
}

connection!(
    SourceProblemConnection,
    SourceProblemEdge,
    SourceProblem,
    "A page of source problems.",
    "A source problem in a page."
);
