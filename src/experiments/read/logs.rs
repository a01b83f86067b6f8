//! The logs of jobs, read from the root when they are asked for.

use std::collections::HashMap;
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
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Barrier};

    use super::*;

    #[tokio::test]
    async fn few_logs_are_read_at_once() {
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        // Each read waits until as many run as may.
        let together = Arc::new(Barrier::new(READERS));
        let reads = (0..READERS * 8).map(|_| {
            let (running, most) = (Arc::clone(&running), Arc::clone(&most));
            let together = Arc::clone(&together);
            blocking(move || {
                let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                most.fetch_max(now, Ordering::SeqCst);
                together.wait();
                running.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            })
        });
        let done = futures_util::future::join_all(reads).await;
        assert!(done.iter().all(Result::is_ok));
        assert_eq!(most.load(Ordering::SeqCst), READERS);
    }
}
