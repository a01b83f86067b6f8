//! The edges between jobs: table `experiment_structure`.

use super::{Expid, Problem, Root, RowProblems, SourceError, SourceFile, sqlite::Database};

/// `to` waits for `from`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Edge {
    /// The parent's name.
    pub from: String,
    /// The child's name.
    pub to: String,
    /// The status that the parent must have reached (4.2.0).
    pub min_trigger_status: Option<String>,
    /// How far the condition is met, in Autosubmit's words (4.2.0).
    pub completion_status: Option<String>,
    /// The checkpoint step of the parent that is waited for (4.2.0).
    pub from_step: Option<i64>,
    /// Whether the child runs even if the parent fails (4.2.0).
    pub fail_ok: Option<bool>,
}

impl Edge {
    /// An edge without conditions.
    pub fn new(from: impl Into<String>, to: impl Into<String>) -> Self {
        Self {
            from: from.into(),
            to: to.into(),
            min_trigger_status: None,
            completion_status: None,
            from_step: None,
            fail_ok: None,
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
    let path = root.relative(SourceFile::Structure, expid);
    let database = Database::open(root, &path)?;
    let mut problems = RowProblems::new(path);
    let edges = read_edges(&database, &mut problems)?;
    let edges = edges
        .ok_or_else(|| SourceError::Foreign("there is no table experiment_structure".into()))?;
    Ok(Structure {
        edges,
        problems: problems.finish(),
    })
}

/// The edges of a structure database or of a 4.2.0 job list; none without the table.
pub(crate) fn read_edges(
    database: &Database,
    problems: &mut RowProblems,
) -> Result<Option<Vec<Edge>>, SourceError> {
    let columns = [
        "e_from",
        "e_to",
        "min_trigger_status",
        "completion_status",
        "from_step",
        "fail_ok",
    ];
    database.read(
        "experiment_structure",
        &columns,
        &["e_from", "e_to"],
        problems,
        |row| {
            Ok(Edge {
                from: row.name("e_from")?,
                to: row.name("e_to")?,
                min_trigger_status: row.filled("min_trigger_status")?,
                completion_status: row.filled("completion_status")?,
                from_step: row.int("from_step")?,
                fail_ok: row.flag("fail_ok")?,
            })
        },
    )
}
