//! The logs of jobs, read from the root when they are asked for.

use std::path::PathBuf;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use tokio::sync::Semaphore;

use crate::database::Database;
use crate::entity::{experiment, source};
use crate::experiments::readers::{self, Expid, LogFile, LogStream, Root, SourceError};
use crate::failure::Failure;

/// How many logs are read at once, in the whole process. A log may have to be unpacked from its beginning, and one query
/// can ask for a thousand.
const READERS: usize = 4;
static READS: Semaphore = Semaphore::const_new(READERS);

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
    let failed = |error| SourceError::Unreadable(error);
    let permit = READS.acquire().await;
    let permit = permit.map_err(|error| failed(std::io::Error::other(error)))?;
    // The permit goes with the work, which ends in its own time when the query is given up.
    let work = move || {
        let _permit = permit;
        work()
    };
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(failed(std::io::Error::other(error))))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Barrier};

    use tokio::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn a_read_holds_its_place_to_its_end() {
        let (began, mut begun) = mpsc::unbounded_channel();
        let end = Arc::new(Barrier::new(READERS + 1));
        for _ in 0..READERS {
            let (began, end) = (began.clone(), Arc::clone(&end));
            let read = tokio::spawn(blocking(move || {
                let _ = began.send(());
                end.wait();
                Ok(())
            }));
            begun.recv().await.unwrap();
            // The query is given up.
            read.abort();
            assert!(read.await.unwrap_err().is_cancelled());
        }
        let full = READS.try_acquire().is_err();
        end.wait();
        assert!(full);
        let all = u32::try_from(READERS).unwrap();
        assert!(READS.acquire_many(all).await.is_ok());
    }
}
