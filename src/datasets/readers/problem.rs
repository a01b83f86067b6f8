//! What can be wrong with a dataset, or with the place where it lies.

use std::fmt;

use super::base_uri::UriError;
use crate::text::shorten;

/// Why something could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no such file or object.
    #[error("does not exist")]
    Missing,
    /// The storage refuses.
    #[error("cannot be read: {0}")]
    Denied(String),
    /// The storage does not answer as it should; another try may succeed.
    #[error("cannot be read at present: {0}")]
    Unavailable(String),
    /// Larger than the limit; both numbers in bytes.
    #[error("is too large: {size} bytes, at most {limit} are read")]
    TooLarge {
        /// How large it is.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// More files in a folder than are read.
    #[error("holds more than {0} files")]
    TooMany(usize),
    /// Not what it should be.
    #[error("{0}")]
    Invalid(String),
    /// A name that leads where it must not.
    #[error("leads out of the dataset: {0:?}")]
    Hostile(String),
}

impl ReadError {
    /// Whether another try may succeed although nothing changes.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    /// Content that is not what it should be.
    pub(super) fn invalid(message: impl fmt::Display) -> Self {
        Self::Invalid(message.to_string())
    }
}

impl From<object_store::Error> for ReadError {
    fn from(error: object_store::Error) -> Self {
        use object_store::Error;
        match error {
            Error::NotFound { .. } => Self::Missing,
            Error::PermissionDenied { source, .. } | Error::Unauthenticated { source, .. } => {
                Self::Denied(told(source.as_ref(), "the storage refuses"))
            }
            Error::InvalidPath { source } => Self::Hostile(source.to_string()),
            Error::NotSupported { source } => {
                Self::Invalid(told(source.as_ref(), "the storage does not support that"))
            }
            Error::Generic { source, .. } => Self::Unavailable(told(source.as_ref(), SILENT)),
            error => Self::Unavailable(told(&error, SILENT)),
        }
    }
}

const SILENT: &str = "the storage does not answer as it should";

/// An error for people who may register datasets. What the operating system says of a folder is told. What a service says is
/// for the log: there are its address, and in what S3 answers the id of a key.
fn told(error: &(dyn std::error::Error + Send + Sync + 'static), otherwise: &str) -> String {
    if let Some(error) = error.downcast_ref::<std::io::Error>() {
        return error.to_string();
    }
    tracing::warn!(error = chain(error), "{otherwise}");
    otherwise.to_owned()
}

impl From<std::io::Error> for ReadError {
    fn from(error: std::io::Error) -> Self {
        use std::io::ErrorKind;
        match error.kind() {
            // A folder that is a link is said to be none.
            ErrorKind::NotFound
            | ErrorKind::NotADirectory
            | ErrorKind::InvalidInput
            | ErrorKind::InvalidFilename => Self::Missing,
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                Self::Denied(error.to_string())
            }
            _ if error.raw_os_error() == Some(nix::libc::ELOOP) => Self::Missing,
            _ => Self::Unavailable(error.to_string()),
        }
    }
}

/// An error with its causes, each of which the one before may or may not tell.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !text.contains(&message) {
            text = format!("{text}: {message}");
        }
        cause = error.source();
    }
    text
}

/// Why the storage of a base URI cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No base URI.
    #[error("the base URI {0}")]
    Uri(#[from] UriError),
    /// The configuration names no folder that this is in.
    #[error("no folder is configured for {0}: datasets.folders names those that may be read")]
    NoFolder(String),
    /// The configuration does not name the bucket.
    #[error("no access to {0} is configured: datasets.buckets names the buckets that may be read")]
    NoBucket(String),
    /// The configuration of the bucket is of no use.
    #[error("the configuration of {bucket}: {message}")]
    Settings {
        /// The base URI of the bucket.
        bucket: String,
        /// What is wrong.
        message: String,
    },
    /// The folder cannot be read.
    #[error("the folder {path}: {source}")]
    Folder {
        /// Its path on this machine.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}

/// One thing that is wrong, for people to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What it is about: the URI of a base URI or a dataset, followed by the path of a file in it.
    pub source: String,
    /// What is wrong.
    pub message: String,
    /// Whether another try may succeed although nothing changes.
    pub transient: bool,
}

impl Problem {
    /// A problem that lasts as long as nothing changes. Both texts may quote what a file says: they are cut, and their
    /// control characters replaced.
    pub fn new(source: impl AsRef<str>, message: impl fmt::Display) -> Self {
        Self {
            source: shorten(source.as_ref(), MAX_SOURCE),
            message: shorten(&message.to_string(), MAX_MESSAGE),
            transient: false,
        }
    }

    /// The problem of something that could not be read. What is refused may be allowed at another time.
    pub fn of(source: impl AsRef<str>, error: &ReadError) -> Self {
        Self {
            transient: error.is_transient() || matches!(error, ReadError::Denied(_)),
            ..Self::new(source, error)
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.source, self.message)
    }
}

/// The longest message, and the longest source, in characters.
const MAX_MESSAGE: usize = 300;
const MAX_SOURCE: usize = 1500;
