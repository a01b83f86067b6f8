//! The logs of jobs, read from the root when they are asked for.

use std::collections::HashMap;
use std::path::PathBuf;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use crate::database::Database;
use crate::entity::{experiment, source};
use crate::experiments::readers::{self, Expid, LogFile, LogStream, Root, SourceError};
use crate::failure::Failure;

/// Where the roots of these experiments are.
pub async fn roots_of(
    database: &Database,
    experiments: &[i64],
) -> Result<HashMap<i64, PathBuf>, Failure> {
    let found = experiment::Entity::find()
        .filter(experiment::Column::Id.is_in(experiments.iter().copied()))
        .find_also_related(source::Entity)
        .all(database.read())
        .await?;
    Ok(found
        .into_iter()
        .filter_map(|(experiment, source)| Some((experiment.id, source?.location.into())))
        .collect())
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
