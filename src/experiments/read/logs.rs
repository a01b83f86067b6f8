//! The logs of jobs, read from the root when they are asked for.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use sea_orm::{ColumnTrait, EntityTrait, JoinType, QueryFilter, QuerySelect, RelationTrait};
use tokio::sync::Semaphore;

use crate::database::{Database, is_one_of};
use crate::entity::{experiment, job, source};
use crate::experiments::readers::{
    self, Expid, JobLogName, LogFile, LogFolder, OpenLog, Root, SourceError,
};
use crate::failure::Failure;

/// How many logs are read at once, in the whole process. A log may have to be unpacked from its beginning, and one query
/// can ask for a thousand.
const READERS: usize = 4;
static READS: Semaphore = Semaphore::const_new(READERS);

/// The most logs of one job of which is told.
pub const MOST_OF_JOB: usize = 1000;

/// Where an experiment's root is, and into which folders its symbolic links may lead.
#[derive(Clone, Debug)]
pub struct RootFolders {
    root: PathBuf,
    allowed: Vec<PathBuf>,
    expid: Arc<str>,
}

impl RootFolders {
    fn new(location: String, allowed: &str, expid: &str) -> Self {
        Self {
            root: location.into(),
            allowed: serde_json::from_str(allowed).unwrap_or_default(),
            expid: expid.into(),
        }
    }

    fn of(source: source::Model, experiment: &experiment::Model) -> Self {
        Self::new(source.location, &source.allowed_folders, &experiment.expid)
    }

    /// The expid of the experiment, as text.
    pub fn expid_text(&self) -> &str {
        &self.expid
    }

    /// The experiment.
    pub(super) fn expid(&self) -> Result<Expid, SourceError> {
        Expid::parse(&self.expid)
    }

    /// Opens the root. A folder that is gone, such as a disk that is not mounted, lets nothing in.
    pub(super) fn open(&self) -> Result<Root, SourceError> {
        let root = Root::new(&self.root)?;
        Ok(self.allowed.iter().fold(root, |root, folder| {
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
        .filter_map(|(experiment, source)| {
            Some((experiment.id, RootFolders::of(source?, &experiment)))
        })
        .collect())
}

/// Where the root of the experiment of this expid is; none without such an experiment.
pub async fn root_of(database: &Database, expid: &str) -> Result<Option<RootFolders>, Failure> {
    let found = experiment::Entity::find()
        .filter(experiment::Column::Expid.eq(expid))
        .find_also_related(source::Entity)
        .one(database.read())
        .await?;
    Ok(found.and_then(|(experiment, source)| Some(RootFolders::of(source?, &experiment))))
}

/// Opens a log, to read the whole of it.
pub async fn open(
    root: RootFolders,
    folder: LogFolder,
    name: &str,
) -> Result<OpenLog, SourceError> {
    let name = name.to_owned();
    blocking(move || readers::open_log(&root.open()?, &root.expid()?, folder, &name)).await
}

/// What is known of a log by its name; none if there is no such file.
pub async fn find(
    root: RootFolders,
    folder: LogFolder,
    name: &str,
) -> Result<Option<LogFile>, SourceError> {
    let name = name.to_owned();
    blocking(move || readers::find_log(&root.open()?, &root.expid()?, folder, &name)).await
}

/// The log of a job that a history names. It does not know whether the log was compressed later. None if there is no such
/// file, or the name could not be that of one.
pub async fn find_recorded(root: RootFolders, name: &str) -> Result<Option<LogFile>, SourceError> {
    let names = ["", ".gz", ".xz"].map(|ending| format!("{name}{ending}"));
    blocking(move || {
        let (root, expid) = (root.open()?, root.expid()?);
        for name in names {
            match readers::find_log(&root, &expid, LogFolder::Jobs, &name) {
                Ok(None) | Err(SourceError::Hostile(_)) => {}
                found => return found,
            }
        }
        Ok(None)
    })
    .await
}

/// What is known of these logs; those that have gone meanwhile, and what is not a log, are left out.
pub async fn find_all(
    root: RootFolders,
    names: Vec<JobLogName>,
) -> Result<Vec<(JobLogName, LogFile)>, SourceError> {
    blocking(move || {
        let (root, expid) = (root.open()?, root.expid()?);
        let found = names.into_iter().filter_map(|name| {
            let file = readers::find_log(&root, &expid, LogFolder::Jobs, &name.name);
            Some((name, file.ok().flatten()?))
        });
        Ok(found.take(MOST_OF_JOB).collect())
    })
    .await
}

/// The last lines of a log.
pub async fn tail(
    root: RootFolders,
    folder: LogFolder,
    name: &str,
    lines: usize,
) -> Result<Vec<String>, SourceError> {
    let name = name.to_owned();
    blocking(move || readers::tail(&root.open()?, &root.expid()?, folder, &name, lines))
        .await
        .map(|tail| tail.lines)
}

/// The logs of a job by their names, or why they cannot be told.
pub type NamesOfJob = Result<Arc<[JobLogName]>, Arc<str>>;

/// The logs of jobs, by the row ids of the jobs; jobs without any are left out. One statement, and one look through the log
/// folder of each experiment.
pub async fn of_jobs(
    database: &Database,
    jobs: &[i64],
) -> Result<HashMap<i64, NamesOfJob>, Failure> {
    let rows: Vec<(i64, String, String, String, String)> = job::Entity::find()
        .select_only()
        .columns([job::Column::Id, job::Column::Name])
        .column(experiment::Column::Expid)
        .columns([source::Column::Location, source::Column::AllowedFolders])
        .join(JoinType::InnerJoin, job::Relation::Experiment.def())
        .join(JoinType::InnerJoin, experiment::Relation::Source.def())
        .filter(is_one_of(database, (job::Entity, job::Column::Id), jobs))
        .into_tuple()
        .all(database.read())
        .await?;
    let mut experiments: HashMap<String, (RootFolders, HashMap<String, i64>)> = HashMap::new();
    for (id, name, expid, location, allowed) in rows {
        let known = experiments.entry(expid);
        let (_, jobs) = known.or_insert_with_key(|expid| {
            (RootFolders::new(location, &allowed, expid), HashMap::new())
        });
        jobs.insert(name, id);
    }
    let mut found = HashMap::new();
    for (root, jobs) in experiments.into_values() {
        let names: HashSet<String> = jobs.keys().cloned().collect();
        let logs = blocking(move || readers::job_logs(&root.open()?, &root.expid()?, &names)).await;
        match logs {
            Ok(logs) => found.extend(
                logs.into_iter()
                    .filter_map(|(job, logs)| Some((*jobs.get(&job)?, Ok(Arc::from(logs))))),
            ),
            Err(error) => {
                let problem: Arc<str> = error.to_string().into();
                found.extend(
                    jobs.into_values()
                        .map(|job| (job, Err(Arc::clone(&problem)))),
                );
            }
        }
    }
    Ok(found)
}

/// Runs what reads files on a thread that may block, a few at once.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SourceError> + Send + 'static,
) -> Result<T, SourceError> {
    blocking_within(&READS, work).await
}

/// Runs what reads something on a thread that may block, as many at once as there are places.
pub(super) async fn blocking_within<T: Send + 'static>(
    places: &'static Semaphore,
    work: impl FnOnce() -> Result<T, SourceError> + Send + 'static,
) -> Result<T, SourceError> {
    let failed = |error| SourceError::Unreadable(error);
    let permit = places.acquire().await;
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
