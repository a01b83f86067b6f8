//! The logs of jobs, read from the root when they are asked for.

use std::collections::HashMap;
use std::path::PathBuf;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use crate::database::Database;
use crate::entity::{experiment, source};
use crate::experiments::readers::{self, Expid, LogFile, LogStream, Root, SourceError};
use crate::failure::Failure;

/// Where a root is, and into which folders its symbolic links may lead.
#[derive(Clone, Debug)]
pub struct RootFolders {
    root: PathBuf,
    allowed: Vec<PathBuf>,
}

impl RootFolders {
    fn of(source: source::Model) -> Self {
        Self {
            root: source.location.into(),
            allowed: serde_json::from_str(&source.allowed_folders).unwrap_or_default(),
        }
    }

    /// Opens the root. A folder that is gone, such as a disk that is not mounted, lets nothing in.
    fn open(self) -> Result<Root, SourceError> {
        let root = Root::new(self.root)?;
        Ok(self.allowed.into_iter().fold(root, |root, folder| {
            let wider = root.clone().allow(folder);
            wider.unwrap_or(root)
        }))
    }
}

/// Where the roots of these experiments are.
pub async fn roots_of(
    database: &Database,
    experiments: &[i64],
) -> Result<HashMap<i64, RootFolders>, Failure> {
    let found = experiment::Entity::find()
        .filter(experiment::Column::Id.is_in(experiments.iter().copied()))
        .find_also_related(source::Entity)
        .all(database.read())
        .await?;
    Ok(found
        .into_iter()
        .filter_map(|(experiment, source)| Some((experiment.id, RootFolders::of(source?))))
        .collect())
}

/// The newest log of a job.
pub async fn newest(
    root: RootFolders,
    expid: &str,
    job: &str,
    stream: LogStream,
) -> Result<Option<LogFile>, SourceError> {
    let (expid, job) = (Expid::parse(expid)?, job.to_owned());
    blocking(move || readers::newest_log(&root.open()?, &expid, &job, stream)).await
}

/// The last lines of a log.
pub async fn tail(
    root: RootFolders,
    expid: &str,
    file: &str,
    lines: usize,
) -> Result<Vec<String>, SourceError> {
    let (expid, file) = (Expid::parse(expid)?, file.to_owned());
    blocking(move || readers::tail(&root.open()?, &expid, &file, lines))
        .await
        .map(|tail| tail.lines)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SourceError> + Send + 'static,
) -> Result<T, SourceError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(SourceError::Unreadable(std::io::Error::other(error))))
}
