//! The edges between jobs: table `experiment_structure`.

use super::{Expid, Problem, Root, RowProblems, SourceError, SourceFile, tables::Tables};

/// `to` waits for `from`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Edge {
    /// The parent's name.
    pub from: String,
    /// The child's name.
    pub to: String,
}

impl Edge {
    /// The edge between two jobs.
    pub fn new(from: impl Into<String>, to: impl Into<String>) -> Self {
        Self {
            from: from.into(),
            to: to.into(),
        }
    }
}

/// What a structure database holds. Its edges may name jobs that no longer exist.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Structure {
    /// The edges, as stored.
    pub edges: Vec<Edge>,
    /// Rows that could not be read.
    pub problems: Vec<Problem>,
}

/// Reads `structure_<expid>.db`.
///
/// # Errors
/// [`SourceError`]; `Missing` is usual for new experiments and for Autosubmit 4.2.0.
pub fn read_structure(root: &Root, expid: &Expid) -> Result<Structure, SourceError> {
    let tables = Tables::of(root, SourceFile::Structure, expid)?;
    let mut problems = RowProblems::new(tables.name());
    let edges = read_edges(&tables, &mut problems)?;
    let edges = edges
        .ok_or_else(|| SourceError::Foreign("there is no table experiment_structure".into()))?;
    Ok(Structure {
        edges,
        problems: problems.finish(),
    })
}

/// The edges of a structure database or of a 4.2.0 job list; none without the table.
pub(crate) fn read_edges(
    tables: &Tables,
    problems: &mut RowProblems,
) -> Result<Option<Vec<Edge>>, SourceError> {
    let columns = ["e_from", "e_to"];
    tables.read(
        "experiment_structure",
        &columns,
        &columns,
        problems,
        |row| {
            Ok(Edge {
                from: row.name("e_from")?,
                to: row.name("e_to")?,
            })
        },
    )
}
