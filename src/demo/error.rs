use std::{
    io,
    path::{Path, PathBuf},
};

/// Why the laboratory could not be written.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// A file or folder could not be read, written or removed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A database could not be written.
    #[error("{}: {source}", path.display())]
    Database {
        /// The database file.
        path: PathBuf,
        /// What `SQLite` said.
        source: rusqlite::Error,
    },
    /// A configuration could not be put into words.
    #[error("{}: {source}", path.display())]
    Yaml {
        /// The configuration file.
        path: PathBuf,
        /// What the YAML writer said.
        source: serde_yaml_ng::Error,
    },
    /// A description of a dataset could not be put into words.
    #[error("{}: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What the JSON writer said.
        source: serde_json::Error,
    },
    /// The folder holds files that no demo has written.
    #[error("{} is not empty and not a labql demo: choose another folder", path.display())]
    NotADemo {
        /// The folder.
        path: PathBuf,
    },
    /// An experiment is described in a way that no workflow can have.
    #[error("experiment {expid:?}: {reason}")]
    BadSpec {
        /// The experiment.
        expid: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl DemoError {
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + use<'_> {
        move |source| Self::Io {
            path: path.to_owned(),
            source,
        }
    }

    pub(super) fn database(path: &Path) -> impl FnOnce(rusqlite::Error) -> Self + use<'_> {
        move |source| Self::Database {
            path: path.to_owned(),
            source,
        }
    }
}
