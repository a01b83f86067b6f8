//! Readers of an Autosubmit root: bytes in, plain structs out.
//!
//! A reader knows neither labql's database nor its API. It trusts nothing that it reads, changes nothing in the
//! root, takes no lock there and runs nothing that a file holds. All functions block on file access.

pub mod central;
pub mod config;
pub mod experiment;
pub mod history;
pub mod job_list;
mod job_list_pickle;
mod job_list_sqlite;
pub mod logs;
pub mod pickle;
pub mod root;
mod snapshot;
mod sqlite;
pub mod structure;
mod time;
pub mod wrappers;

pub use central::{Central, CentralExperiment, read_central};
pub use config::{ConfigSummary, PlatformConfig, SectionConfig, SectionSettings, read_config};
pub use experiment::{ExperimentRecord, read_experiment};
pub use history::{AttemptRecord, History, RunRecord, read_history};
pub use job_list::{JobList, JobListForm, JobRecord, read_job_list};
pub use logs::{LogFile, LogStream, Tail, TailLimits, newest_log, tail, tail_within};
pub use root::{Expid, FileStamp, Fingerprint, Root, SourceFile, SourceFingerprint};
pub use structure::{Edge, Structure, read_structure};
pub use wrappers::{WrapperRecord, Wrappers, read_wrappers};

use std::{fmt, io};

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
}

impl SourceError {
    /// Whether another try may succeed although the file stays as it is.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unreadable(_) | Self::Locked | Self::Changing)
    }

    /// Whether the file is simply not there.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Missing)
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

/// One thing that is wrong with a source, for people to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file, relative to the root, with `/` between names.
    pub source: String,
    /// What is wrong, as a sentence.
    pub message: String,
    /// Whether another try may succeed although the file stays as it is.
    pub transient: bool,
}

impl Problem {
    /// The problem of a source that could not be read.
    pub fn of(source: impl Into<String>, error: &SourceError) -> Self {
        Self {
            source: source.into(),
            message: shorten(&error.to_string()),
            transient: error.is_transient(),
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
            let message = shorten(&message.to_string());
            self.problems.push(Problem {
                source: self.source.clone(),
                message,
                transient: false,
            });
        } else {
            self.more += 1;
        }
    }

    pub(crate) fn finish(mut self) -> Vec<Problem> {
        if self.more > 0 {
            let message = format!("{} further entries are broken", self.more);
            self.problems.push(Problem {
                source: self.source,
                message,
                transient: false,
            });
        }
        self.problems
    }
}

/// At most 300 characters of a message, without control characters: it may quote what a file says.
fn shorten(message: &str) -> String {
    let mut text: String = message
        .chars()
        .take(300)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if message.chars().nth(300).is_some() {
        text.push('…');
    }
    text
}
