//! The job list of an experiment, in any of the five forms that Autosubmit has given it.

use std::{collections::HashSet, hash::Hash};

use chrono::{DateTime, NaiveDateTime, Utc};

use super::{
    Edge, Expid, Problem, Root, SourceError, SourceFile, WrapperRecord, job_list_pickle,
    job_list_sqlite,
};
use crate::experiments::status::JobStatus;

/// The jobs of an experiment and what the same file says besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobList {
    /// The jobs in the order of the file.
    pub jobs: Vec<JobRecord>,
    /// The edges, where the file holds them (graph and SQLite forms).
    pub edges: Option<Vec<Edge>>,
    /// The wrappers, where the file holds them (SQLite form).
    pub wrappers: Option<Vec<WrapperRecord>>,
    /// When the list was last changed: the newest change of a row in the SQLite form (UTC), else the file's time, or that
    /// of the row on a server. None if nothing tells.
    pub modified_at: Option<DateTime<Utc>>,
    /// The form.
    pub form: JobListForm,
    /// Jobs that could not be read.
    pub problems: Vec<Problem>,
}

/// The forms of a job list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobListForm {
    /// A pickled list of 12-tuples (up to 3.13).
    Tuples12,
    /// A pickled list of 13-tuples (3.14 and 4.0).
    Tuples13,
    /// A pickled networkx graph of `Job` objects (4.1.0 to 4.1.11).
    Graph,
    /// A pickled dictionary of dictionaries (4.1.12 to 4.1.17).
    Dict,
    /// An SQLite database (4.2.0 and newer).
    Sqlite,
}

/// One job. Empty texts are `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRecord {
    /// `<expid>[_<date>[_<member>[_<chunk>[_<split>]]]]_<section>`.
    pub name: String,
    /// Its status.
    pub status: JobStatus,
    /// Its priority: its depth in the workflow.
    pub priority: Option<i64>,
    /// Its section: the kind of job.
    pub section: Option<String>,
    /// Its start date.
    pub date: Option<NaiveDateTime>,
    /// Its member.
    pub member: Option<String>,
    /// Its chunk, from 1.
    pub chunk: Option<i64>,
    /// Its split, from 1.
    pub split: Option<i64>,
    /// The number of splits.
    pub splits: Option<i64>,
    /// The scheduler's number; none before it was submitted.
    pub remote_id: Option<i64>,
    /// Its platform.
    pub platform: Option<String>,
    /// `HH:MM`.
    pub wallclock: Option<String>,
    /// Name of the output log.
    pub out_local: Option<String>,
    /// Name of the error log.
    pub err_local: Option<String>,
    /// The commit of the workflow's sources.
    pub workflow_commit: Option<String>,
}

impl JobRecord {
    /// A job of which no more is known.
    pub fn new(name: impl Into<String>, status: JobStatus) -> Self {
        Self {
            name: name.into(),
            status,
            priority: None,
            section: None,
            date: None,
            member: None,
            chunk: None,
            split: None,
            splits: None,
            remote_id: None,
            platform: None,
            wallclock: None,
            out_local: None,
            err_local: None,
            workflow_commit: None,
        }
    }
}

/// Reads the job list of an experiment.
///
/// What is there decides: the pickle, or `db/job_list.db` (on a server: the row of `job_pkl`, or the table `jobs`). Where both are, the version of Autosubmit in the central
/// database does (4.2 and newer use the database).
///
/// # Errors
/// [`SourceError`]; `Missing` if there is neither.
pub fn read_job_list(
    root: &Root,
    expid: &Expid,
    version: Option<&str>,
) -> Result<JobList, SourceError> {
    match source(root, expid, version)? {
        SourceFile::JobListDatabase => job_list_sqlite::read(root, expid),
        _ => job_list_pickle::read(root, expid),
    }
}

/// Which of the two [`read_job_list`] reads.
///
/// # Errors
/// [`SourceError`] if the server does not tell.
pub fn source(
    root: &Root,
    expid: &Expid,
    version: Option<&str>,
) -> Result<SourceFile, SourceError> {
    let (pickle, database) = if let Some(picture) = root.pictured(expid)? {
        (picture.pickle_row()?.is_some(), picture.has("jobs"))
    } else {
        let there = |source| {
            let path = root.resolve(&root.relative(source, expid));
            !matches!(path, Err(SourceError::Missing))
        };
        (
            there(SourceFile::JobListPickle),
            there(SourceFile::JobListDatabase),
        )
    };
    Ok(
        if database && (!pickle || version.is_some_and(uses_database)) {
            SourceFile::JobListDatabase
        } else if !pickle && version.is_some_and(uses_database) {
            // Neither is there: name the one that should be.
            SourceFile::JobListDatabase
        } else {
            SourceFile::JobListPickle
        },
    )
}

/// Whether this version of Autosubmit keeps its job list in SQLite.
fn uses_database(version: &str) -> bool {
    let mut numbers = version.trim().split('.').map(|part| {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        part.get(..digits)
            .and_then(|digits| digits.parse::<u32>().ok())
            .unwrap_or(0)
    });
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (4, 2)
}

/// A number that counts from 1: 0 and less stand for none.
pub(super) fn positive(number: Option<i64>) -> Option<i64> {
    number.filter(|number| *number > 0)
}

/// Keeps the first of those with equal keys, and tells of the others.
pub(super) fn keep_first<T, K: Hash + Eq>(
    items: &mut Vec<T>,
    key: impl Fn(&T) -> K,
    mut other: impl FnMut(&T),
) {
    let mut seen = HashSet::with_capacity(items.len());
    items.retain(|item| {
        let first = seen.insert(key(item));
        if !first {
            other(item);
        }
        first
    });
}
