//! Readers of an Autosubmit root: bytes in, plain structs out.
//!
//! A reader knows neither labql's database nor its API. It trusts nothing that it reads, changes nothing in the
//! root, takes no lock there and runs nothing that a file holds. All functions block on file access.

mod cells;
pub mod central;
pub mod config;
pub mod experiment;
pub mod history;
pub mod job_list;
mod job_list_pickle;
mod job_list_sqlite;
pub mod logs;
mod open_file;
mod own_logs;
pub mod pickle;
pub mod postgres;
pub mod root;
pub mod run_log;
mod snapshot;
mod sqlite;
pub mod stats;
pub mod structure;
mod tables;
mod tail;
mod time;
pub mod user_metrics;
pub mod wrappers;

pub use central::{Central, CentralExperiment, Details, read_central};
pub use config::{
    ConfigForm, ConfigSummary, Configuration, PlatformConfig, SectionConfig, SectionSettings,
    read_config, read_configuration,
};
pub use experiment::{ExperimentRecord, read_experiment};
pub use history::{AttemptRecord, History, RunRecord, read_history};
pub use job_list::{JobList, JobListForm, JobRecord, read_job_list};
pub use logs::{
    Compression, JobLogName, LogFile, LogFolder, LogStream, OpenLog, decompressed, find_log,
    job_logs, newest_log, newest_of, open_log,
};
pub use open_file::{OpenFile, count_bytes};
pub use own_logs::{OwnLogName, newest_run_log, own_logs, recovery_logs};
pub use postgres::Server;
pub use root::{CENTRAL, Expid, FileStamp, Fingerprint, Root, SourceFile, SourceFingerprint};
pub use run_log::read_run_logs;
pub use stats::{StatLine, read_stats};
pub use structure::{Edge, Structure, read_structure};
pub use tail::{MAX_LINES, Tail, TailLimits, tail, tail_within};
pub use user_metrics::{UserMetric, read_user_metrics};
pub use wrappers::{WrapperRecord, Wrappers, read_wrappers};

use std::{fmt, io};

use crate::text::shorten;

/// Why a source could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// There is no such file.
    #[error("the file does not exist")]
    Missing,
    /// The operating system refuses.
    #[error("the file cannot be read: {0}")]
    Unreadable(#[source] io::Error),
    /// Another process writes at this moment.
    #[error("the file is locked by a program that is writing to it")]
    Locked,
    /// The file changed each time that it was read.
    #[error("the file kept changing while it was read")]
    Changing,
    /// The right kind of file, but damaged.
    #[error("the file is damaged: {0}")]
    Corrupt(String),
    /// Not the kind of file that is expected here.
    #[error("the file is not what is expected here: {0}")]
    Foreign(String),
    /// Larger than this reader's limit; both numbers in bytes.
    #[error("the file is too large: {size} bytes, at most {limit} are read")]
    TooLarge {
        /// How large it is, or how far it had been read.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// A name or a link that leads where it must not.
    #[error("the path is refused: {0}")]
    Hostile(String),
    /// A table of a database server is not there, cannot be read, or is not what is expected.
    #[error("{message}")]
    Table {
        /// The table with its schema, if it is one of an experiment.
        table: String,
        /// What is wrong.
        message: String,
        /// Whether another try may succeed although nobody changes anything.
        transient: bool,
    },
    /// A database server took too long over a table, or waits for somebody who has locked it.
    #[error("the server took too long to read it")]
    Slow {
        /// The table with its schema, if it is one of an experiment.
        table: String,
    },
    /// The database server gives no connection, or took it away. Why is for the log alone: it may name users and hosts.
    #[error("the database of the Autosubmit installation cannot be reached just now")]
    Unavailable(String),
}

impl SourceError {
    /// Whether another try may succeed although the file stays as it is. A permission that is missing does not come
    /// by trying again: whoever gives it changes the file's state, which its fingerprint shows.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Locked | Self::Changing | Self::Slow { .. } | Self::Unavailable(_) => true,
            Self::Table { transient, .. } => *transient,
            Self::Unreadable(error) => error.kind() != io::ErrorKind::PermissionDenied,
            _ => false,
        }
    }
}

impl From<io::Error> for SourceError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::Missing,
            _ => Self::Unreadable(error),
        }
    }
}

/// What the files of an experiment say of one part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part<T> {
    /// It was read.
    Present(T),
    /// Its file does not exist, and need not: there is nothing of it.
    Missing,
    /// Its file cannot be read now, for a reason that is among the problems: what was known before still holds.
    Broken,
}

impl<T> Part<T> {
    /// What was read.
    pub fn present(&self) -> Option<&T> {
        match self {
            Self::Present(value) => Some(value),
            Self::Missing | Self::Broken => None,
        }
    }

    /// Whether what was known before still holds.
    pub fn is_broken(&self) -> bool {
        matches!(self, Self::Broken)
    }

    /// The same part of something that was read.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Part<U> {
        match self {
            Self::Present(value) => Part::Present(change(value)),
            Self::Missing => Part::Missing,
            Self::Broken => Part::Broken,
        }
    }
}

impl<T> Part<Vec<T>> {
    /// The items that there are now; none if that is not known.
    pub fn known(&self) -> Option<&[T]> {
        match self {
            Self::Present(items) => Some(items),
            Self::Missing => Some(&[]),
            Self::Broken => None,
        }
    }
}

/// One thing that is wrong with a source, for people to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file, relative to the root, with `/` between names; or the table, with its schema before a dot.
    pub source: String,
    /// What is wrong, as a sentence.
    pub message: String,
    /// Whether another try may succeed although the file stays as it is.
    pub transient: bool,
}

impl Problem {
    /// A problem that lasts as long as the file stays as it is. Both texts may quote what a file says: they are cut,
    /// and their control characters replaced.
    pub fn new(source: impl AsRef<str>, message: impl fmt::Display) -> Self {
        Self {
            source: shorten(source.as_ref(), MAX_SOURCE),
            message: shorten(&message.to_string(), MAX_MESSAGE),
            transient: false,
        }
    }

    /// The same problem, but another try may succeed.
    #[must_use]
    pub fn transient(self) -> Self {
        Self {
            transient: true,
            ..self
        }
    }

    /// The problem of a source that could not be read. An error that names its table is about that.
    pub fn of(source: impl AsRef<str>, error: &SourceError) -> Self {
        let source = match error {
            SourceError::Table { table, .. } | SourceError::Slow { table } => table,
            _ => source.as_ref(),
        };
        Self {
            transient: error.is_transient(),
            ..Self::new(source, error)
        }
    }
}

/// Collects the problems of one source's rows; a broken file shows its first few and the number of the others.
#[derive(Debug)]
pub(crate) struct RowProblems {
    source: String,
    problems: Vec<Problem>,
    more: usize,
}

impl RowProblems {
    const SHOWN: usize = 20;

    pub(crate) fn new(source: impl Into<String>) -> Self {
        Self {
            source: source.into(),
            problems: Vec::new(),
            more: 0,
        }
    }

    pub(crate) fn add(&mut self, message: impl fmt::Display) {
        if self.problems.len() < Self::SHOWN {
            self.problems.push(Problem::new(&self.source, message));
        } else {
            self.more += 1;
        }
    }

    /// As [`Self::add`], of one table among those of the source.
    pub(crate) fn add_of(&mut self, table: &str, message: impl fmt::Display) {
        if self.problems.len() < Self::SHOWN {
            self.problems.push(Problem::new(table, message));
        } else {
            self.more += 1;
        }
    }

    pub(crate) fn finish(mut self) -> Vec<Problem> {
        if self.more > 0 {
            let message = format_args!("{} further entries are broken", self.more);
            self.problems.push(Problem::new(self.source, message));
        }
        self.problems
    }
}

/// The longest message, and the longest path beside it, in characters.
const MAX_MESSAGE: usize = 300;
const MAX_SOURCE: usize = 255;

/// The longest name of a job or wrapper, in bytes: Autosubmit names files after them, and Linux ends there.
pub const MAX_NAME: usize = 255;

/// A name as it is compared and kept: without NUL, which a file may well hold and PostgreSQL cannot keep.
pub(crate) fn name(text: &str) -> Result<String, String> {
    let name = without_nul(text);
    match name.len() {
        0 => Err("is empty".into()),
        1..=MAX_NAME => Ok(name),
        length => Err(format!("is a name of {length} bytes, at most {MAX_NAME}")),
    }
}

/// A text of a file without NUL, which PostgreSQL cannot keep.
pub fn without_nul(text: &str) -> String {
    text.replace('\0', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded_and_without_nul() {
        assert_eq!(name("a\0b"), Ok("ab".into()));
        assert!(name("\0").is_err());
        assert!(name(&"x".repeat(MAX_NAME)).is_ok());
        assert!(name(&"x".repeat(MAX_NAME + 1)).is_err());
    }

    #[test]
    fn a_missing_permission_is_no_passing_trouble() {
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        assert!(!SourceError::from(denied).is_transient());
        assert!(SourceError::Locked.is_transient());
    }

    #[test]
    fn problems_are_short() {
        let problem = Problem::new("p\0".repeat(5000), "m".repeat(5000));
        assert_eq!(problem.source.chars().count(), MAX_SOURCE + 1);
        assert_eq!(problem.message.chars().count(), MAX_MESSAGE + 1);
        assert!(!problem.source.contains('\0'));
    }
}
