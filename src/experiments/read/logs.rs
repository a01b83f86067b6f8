//! The logs of jobs, read from the root when they are asked for.

use std::collections::HashMap;
use std::path::PathBuf;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use tokio::sync::Semaphore;

use crate::database::Database;
use crate::entity::{experiment, source};
use crate::experiments::readers::{
    self, Expid, LogFile, LogFolder, LogStream, OpenLog, Root, SourceError,
};
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
    pub(super) fn open(self) -> Result<Root, SourceError> {
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

/// Where the root of the experiment of this expid is; none without such an experiment.
pub async fn root_of(database: &Database, expid: &str) -> Result<Option<RootFolders>, Failure> {
    let found = experiment::Entity::find()
        .filter(experiment::Column::Expid.eq(expid))
        .find_also_related(source::Entity)
        .one(database.read())
        .await?;
    Ok(found.and_then(|(_, source)| source).map(RootFolders::of))
}

/// Opens a log, to read the whole of it.
pub async fn open(
    root: RootFolders,
    expid: &str,
    folder: LogFolder,
    name: &str,
) -> Result<OpenLog, SourceError> {
    let (expid, name) = (Expid::parse(expid)?, name.to_owned());
    blocking(move || readers::open_log(&root.open()?, &expid, folder, &name)).await
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

/// Runs what reads files on a thread that may block, a few at once.
pub(super) async fn blocking<T: Send + 'static>(
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
