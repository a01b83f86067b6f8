//! Where the tables of an installation are read from: copies of SQLite files, or a PostgreSQL server. The readers above
//! ask for tables by their names and do not know which.

use std::collections::HashMap;
use std::sync::Arc;

use super::{
    Expid, Root, RowProblems, SourceError, SourceFile,
    cells::Cells,
    postgres::{Picture, Server},
    sqlite::Database,
};

/// Where a root has its tables.
#[derive(Debug, Clone, Default)]
pub(super) enum Place {
    /// In SQLite files of the root.
    #[default]
    Files,
    /// On a server.
    Server(Arc<Server>),
    /// On a server, as they were at one moment.
    Picture(Arc<Picture>),
}

impl Place {
    /// The tables of one owner (the central ones: none) at one moment: those of the picture, if it is one of that owner.
    fn picture(&self, owner: Option<&Expid>) -> Result<Option<Arc<Picture>>, SourceError> {
        match self {
            Self::Files => Ok(None),
            Self::Server(server) => Picture::take(server, owner).map(Arc::new).map(Some),
            Self::Picture(picture) if picture.owner() == owner => Ok(Some(Arc::clone(picture))),
            Self::Picture(picture) => Picture::take(picture.server(), owner)
                .map(Arc::new)
                .map(Some),
        }
    }
}

impl SourceFile {
    /// The tables that it consists of; it is there when one of them is.
    const fn tables(self) -> &'static [&'static str] {
        match self {
            Self::Central => &["experiment", "details"],
            Self::Times => &["experiment_status"],
            Self::JobListPickle => &["job_pkl"],
            Self::JobListDatabase => &["jobs"],
            Self::Structure => &["experiment_structure"],
            Self::Packages => &[
                "wrappers_jobs",
                "job_package",
                "preview_wrappers_jobs",
                "wrapper_job_package",
            ],
            Self::History => &["experiment_run", "job_data"],
            Self::UserMetrics => &["user_metrics"],
            Self::Config | Self::ConfigSnapshot => &[],
        }
    }

    /// Whether a server has it, where there is one.
    pub(super) const fn is_of_tables(self) -> bool {
        !self.tables().is_empty()
    }

    /// What a server calls it.
    pub(super) fn on_server(self, expid: &Expid) -> String {
        match (self, self.tables()) {
            (Self::Central | Self::Times | Self::JobListPickle, [first, ..]) => (*first).to_owned(),
            (_, [only]) => format!("{expid}.{only}"),
            _ => expid.to_string(),
        }
    }
}

impl Root {
    /// The same root, whose tables are on a server.
    #[must_use]
    pub fn with_server(mut self, server: Arc<Server>) -> Self {
        self.place = Place::Server(server);
        self
    }

    /// The same root, with the tables of an experiment (none: the central ones) as they are at this moment, if they are
    /// on a server: whatever is read of them from here on belongs together. The files of a root are read one by one.
    ///
    /// # Errors
    /// [`SourceError::Unavailable`].
    pub fn picture(&self, owner: Option<&Expid>) -> Result<Self, SourceError> {
        let place = match self.place.picture(owner)? {
            Some(picture) => Place::Picture(picture),
            None => Place::Files,
        };
        let mut root = self.clone();
        root.place = place;
        Ok(root)
    }

    /// Whether all that was read of [`Root::picture`] could be read: a server that went away meanwhile, or took too long,
    /// makes what is missing no fault of the experiment.
    ///
    /// # Errors
    /// [`SourceError::Unavailable`], [`SourceError::Slow`].
    pub fn intact(&self) -> Result<(), SourceError> {
        match &self.place {
            Place::Picture(picture) => picture.intact(),
            Place::Files | Place::Server(_) => Ok(()),
        }
    }

    /// Whether the server of the tables answers at all, if there is one.
    pub fn answers(&self) -> bool {
        match &self.place {
            Place::Files => true,
            Place::Server(server) => server.answers(),
            Place::Picture(picture) => picture.server().answers(),
        }
    }

    /// Whether the tables are on a server.
    pub(super) fn has_server(&self) -> bool {
        !matches!(self.place, Place::Files)
    }

    /// The states of the tables of these experiments on the server, by expid; files tell by themselves. See
    /// [`Picture::states`].
    ///
    /// # Errors
    /// [`SourceError`].
    pub fn table_states(&self, expids: &[&str]) -> Result<HashMap<String, String>, SourceError> {
        match self.place.picture(None)? {
            Some(picture) => picture.states(expids),
            None => Ok(HashMap::new()),
        }
    }

    /// The state of the central tables on the server; empty for files, which tell by themselves.
    ///
    /// # Errors
    /// [`SourceError`].
    pub fn central_table_state(&self) -> Result<String, SourceError> {
        match self.place.picture(None)? {
            Some(picture) => picture.central_state(),
            None => Ok(String::new()),
        }
    }

    /// The picture of an experiment, where there is a server.
    pub(super) fn pictured(&self, expid: &Expid) -> Result<Option<Arc<Picture>>, SourceError> {
        self.place.picture(Some(expid))
    }
}

/// Tables that are read together.
#[derive(Debug)]
pub(crate) enum Tables {
    /// Those of one SQLite file.
    File {
        /// Relative to the root.
        path: String,
        database: Database,
    },
    /// Those of one owner on a server.
    Picture { name: String, picture: Arc<Picture> },
}

impl Tables {
    /// Opens tables of an experiment.
    ///
    /// # Errors
    /// [`SourceError`]; `Missing` if the file, or each of the tables, is not there.
    pub(crate) fn of(root: &Root, source: SourceFile, expid: &Expid) -> Result<Self, SourceError> {
        match root.place.picture(Some(expid))? {
            Some(picture) => Self::pictured(picture, source, root.name_of(source, expid)),
            None => Self::file(root, root.relative(source, expid)),
        }
    }

    /// Opens central tables.
    ///
    /// # Errors
    /// As for [`Self::of`].
    pub(crate) fn central(root: &Root, source: SourceFile) -> Result<Self, SourceError> {
        match root.place.picture(None)? {
            Some(picture) => Self::pictured(picture, source, root.central_name(source)),
            None => Self::file(root, root.central_name(source)),
        }
    }

    fn file(root: &Root, path: String) -> Result<Self, SourceError> {
        let database = Database::open(root, &path)?;
        Ok(Self::File { path, database })
    }

    fn pictured(
        picture: Arc<Picture>,
        source: SourceFile,
        name: String,
    ) -> Result<Self, SourceError> {
        if source.tables().iter().any(|table| picture.has(table)) {
            Ok(Self::Picture { name, picture })
        } else {
            Err(SourceError::Missing)
        }
    }

    /// What to call them when something is wrong.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::File { path, .. } => path,
            Self::Picture { name, .. } => name,
        }
    }

    /// Reads a table, one call of `parse` a row; a row that it refuses becomes a problem. Columns that the table does
    /// not have read as null. None if there is no such table.
    ///
    /// # Errors
    /// [`SourceError`], if it cannot be read, or a required column is missing.
    pub(crate) fn read<T>(
        &self,
        table: &str,
        columns: &[&'static str],
        required: &[&str],
        problems: &mut RowProblems,
        parse: impl Fn(&Cells<'_>) -> Result<T, String>,
    ) -> Result<Option<Vec<T>>, SourceError> {
        match self {
            Self::File { database, .. } => database.read(table, columns, required, problems, parse),
            Self::Picture { picture, .. } => {
                picture.read(table, columns, required, problems, parse)
            }
        }
    }
}
