//! The logs of jobs, read from the root when they are asked for.

use std::path::PathBuf;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use crate::database::Database;
use crate::entity::{experiment, source};
use crate::experiments::readers::{self, Expid, LogFile, LogStream, Root, SourceError};
use crate::failure::Failure;

/// Where the root of an experiment is.
pub async fn root_of(database: &Database, experiment: i64) -> Result<Option<PathBuf>, Failure> {
    let found = experiment::Entity::find()
        .filter(experiment::Column::Id.eq(experiment))
        .find_also_related(source::Entity)
        .one(database.read())
        .await?;
    Ok(found
        .and_then(|(_, source)| source)
        .map(|source| PathBuf::from(source.location)))
}

/// The newest log of a job.
pub async fn newest(
    root: PathBuf,
    expid: &str,
    job: &str,
    stream: LogStream,
) -> Result<Option<LogFile>, SourceError> {
    let (expid, job) = (Expid::parse(expid)?, job.to_owned());
    blocking(move || readers::newest_log(&Root::new(root)?, &expid, &job, stream)).await
}

/// The last lines of a log.
pub async fn tail(
    root: PathBuf,
    expid: &str,
    file: &str,
    lines: usize,
) -> Result<Vec<String>, SourceError> {
    let (expid, file) = (Expid::parse(expid)?, file.to_owned());
    blocking(move || readers::tail(&Root::new(root)?, &expid, &file, lines))
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
