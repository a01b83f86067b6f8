//! The mirror of an Autosubmit root: notices change by size and times of files, reads only the experiments that
//! changed, writes only the rows that differ, one transaction an experiment.
//!
//! Several processes may mirror one root, and several roots may share a database. So each transaction first locks the
//! row of its source (the one that reads the central databases, which may take over experiments, locks those of all
//! sources, in the order of their ids), reads within the lock what it compares with, and takes the lock of the event
//! log last: all in the same order, so none can wait for another in a circle.

mod central;
mod diff;
mod ledger;
mod rows;
mod store;
mod work;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::StreamExt;
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, Set,
};
use serde::Serialize;
use tokio::task::JoinError;

use crate::database::Database;
use crate::entity::{experiment, source};
use crate::events::{self, Feed, NewEvent, Topic};
use crate::experiments::readers::{
    ExperimentRecord, Expid, Problem, Root, SourceFile, SourceFingerprint, read_experiment,
};
use crate::failure::Failure;
use ledger::State;
pub use store::Written;
pub use work::MirrorWork;

/// The kind of source that this mirror reads.
const KIND: &str = "autosubmit";
/// How many experiments are read at the same time.
const READERS: usize = 2;

/// What a pass found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Experiments that are in the root.
    pub experiments: u64,
    /// Those whose files had changed and were read.
    pub read: u64,
    /// Those that were found gone.
    pub archived: u64,
    /// Rows of experiments that were written.
    pub rows: Written,
    /// Problems that the root has now.
    pub problems: u64,
    /// Whether there are new events.
    #[serde(skip)]
    told: bool,
}

/// Called with the number of experiments done and to do.
pub type Progress<'a> = &'a (dyn Fn(u64, u64) + Send + Sync);

/// The mirror of one root.
#[derive(Clone)]
pub struct Mirror {
    database: Database,
    feed: Feed,
    root: Arc<Root>,
    source_id: i64,
}

impl Mirror {
    /// Opens the root and makes it known to the database. Symbolic links in it may also lead into the `allowed` folders.
    pub async fn open(
        database: Database,
        feed: Feed,
        root: &Path,
        allowed: &[PathBuf],
    ) -> Result<Self, Failure> {
        let (path, folders) = (root.to_owned(), allowed.to_owned());
        let opened = blocking(move || open_root(path, folders)).await?;
        let root = opened.map_err(|message| Failure::bad_input("root", message))?;
        let source_id = source_id(&database, &root).await?;
        Ok(Self {
            database,
            feed,
            root: Arc::new(root),
            source_id,
        })
    }

    /// Looks at everything once. An experiment that cannot be mirrored is a problem of its own, and the others go on.
    pub async fn pass(&self, progress: Progress<'_>) -> Result<Report, Failure> {
        let mut report = Report::default();
        let states = ledger::states(self.database.read(), self.source_id).await?;
        self.central(&states, &mut report).await?;
        let experiments = experiment::Entity::find()
            .filter(experiment::Column::SourceId.eq(self.source_id))
            .filter(experiment::Column::ArchivedAt.is_null())
            .all(self.database.read())
            .await?;
        report.experiments = experiments.len() as u64;

        let changed = self.changed(experiments, states).await?;
        let total = changed.len() as u64;
        progress(0, total);
        let mut reading = futures_util::stream::iter(changed)
            .map(|changed| async {
                let (root, to_read) = (Arc::clone(&self.root), changed.clone());
                let record = blocking(move || {
                    read_experiment(&root, &to_read.expid, to_read.version.as_deref())
                });
                (record.await, changed)
            })
            .buffered(READERS);
        while let Some((record, changed)) = reading.next().await {
            self.mirror(&changed, record, &mut report).await?;
            report.read += 1;
            progress(report.read, total);
        }
        drop(reading);
        report.problems = ledger::problem_count(self.database.read(), self.source_id).await?;
        if report.told {
            self.feed.wake();
        }
        metrics::counter!("labql_mirror_passes_total").increment(1);
        metrics::counter!("labql_mirror_experiments_read_total").increment(report.read);
        metrics::counter!("labql_mirror_rows_written_total").increment(report.rows.total());
        Ok(report)
    }

    /// Starts a transaction about experiments of this source; see the order of locks above. SQLite has one writer
    /// anyway.
    async fn begin(&self) -> Result<DatabaseTransaction, Failure> {
        let transaction = self.database.begin().await?;
        let source = source::Entity::find_by_id(self.source_id)
            .lock_exclusive()
            .one(&transaction)
            .await?;
        match source {
            Some(_) => Ok(transaction),
            None => Err(Failure::internal("the source is gone from the database")),
        }
    }

    /// Starts a transaction that may take experiments over from other sources.
    async fn begin_for_all_sources(&self) -> Result<DatabaseTransaction, Failure> {
        let transaction = self.database.begin().await?;
        source::Entity::find()
            .filter(source::Column::Kind.eq(KIND))
            .order_by_asc(source::Column::Id)
            .lock_exclusive()
            .all(&transaction)
            .await?;
        Ok(transaction)
    }

    /// The experiments whose files are not as they were when they were last read.
    async fn changed(
        &self,
        experiments: Vec<experiment::Model>,
        states: HashMap<String, State>,
    ) -> Result<Vec<Changed>, Failure> {
        let root = Arc::clone(&self.root);
        let changed = move || {
            experiments
                .into_iter()
                .filter_map(|row| {
                    let expid = Expid::parse(&row.expid).ok()?;
                    let known = states.get(&row.expid);
                    let extra: Vec<_> = known
                        .map(|state| state.extra_paths.as_slice())
                        .unwrap_or_default()
                        .iter()
                        .map(|path| root.source_fingerprint(SourceFile::Config, path.clone()))
                        .collect();
                    let changed = Changed {
                        id: row.id,
                        prints: root.fingerprints(&expid),
                        expid,
                        version: row.autosubmit_version,
                    };
                    (known != Some(&changed.state(&extra))).then_some(changed)
                })
                .collect()
        };
        Ok(blocking(changed).await?)
    }

    /// Stores what was read of an experiment. What goes wrong with it is kept as its problem until it goes well; only
    /// if not even that can be stored is it a failure.
    async fn mirror(
        &self,
        changed: &Changed,
        record: Result<ExperimentRecord, JoinError>,
        report: &mut Report,
    ) -> Result<(), Failure> {
        let expid = changed.expid.as_str();
        let message = match record {
            Ok(record) => match self.store(changed, &record, report).await {
                Ok(()) => return Ok(()),
                Err(error) => {
                    tracing::error!(expid, %error, "an experiment could not be stored");
                    "it could not be stored; the log says more"
                }
            },
            Err(error) => {
                tracing::error!(expid, %error, "the reader of an experiment failed");
                "its reader failed; the log says more"
            }
        };
        let problem = Problem::new(expid, message).transient();
        let transaction = self.begin().await?;
        let state = State::default();
        let noted =
            ledger::replace_problems(&transaction, self.source_id, expid, &[problem]).await?;
        if noted | ledger::keep_state(&transaction, self.source_id, expid, &state).await? {
            events::append(&transaction, vec![event(expid, "changed")]).await?;
            report.told = true;
        }
        Ok(transaction.commit().await?)
    }

    /// Writes what was read of an experiment, in one transaction.
    async fn store(
        &self,
        changed: &Changed,
        record: &ExperimentRecord,
        report: &mut Report,
    ) -> Result<(), Failure> {
        let (id, expid) = (changed.id, record.expid.as_str());
        let transaction = self.begin().await?;
        let old = experiment::Entity::find_by_id(id)
            .filter(experiment::Column::SourceId.eq(self.source_id))
            .filter(experiment::Column::ArchivedAt.is_null())
            .one(&transaction)
            .await?;
        let Some(old) = old else {
            // Another process has just found it gone.
            return Ok(transaction.rollback().await?);
        };
        let mut written = store::job_list(&transaction, id, record).await?;
        if let Some(runs) = record.runs.known() {
            written += store::runs(&transaction, id, runs).await?;
        }
        if let Some(attempts) = record.attempts.known() {
            written += store::attempts(&transaction, id, attempts).await?;
        }
        let mut row = old.clone();
        rows::complete_experiment(&mut row, record);
        if row != old {
            rows::changed_columns(&old, &row)
                .update(&transaction)
                .await?;
            written.updated += 1;
        }
        let source_id = self.source_id;
        let problems =
            ledger::replace_problems(&transaction, source_id, expid, &record.problems).await?;
        let state = changed
            .state(&record.watched)
            .unless_transient(&record.problems);
        let state_changed = ledger::keep_state(&transaction, source_id, expid, &state).await?;
        let told = written.total() > 0 || problems;
        if !told && !state_changed {
            return Ok(transaction.rollback().await?);
        }
        if told {
            events::append(&transaction, vec![event(expid, "changed")]).await?;
        }
        transaction.commit().await?;
        report.rows += written;
        report.told |= told;
        Ok(())
    }
}

/// An experiment that is to be read.
#[derive(Clone, Debug)]
struct Changed {
    id: i64,
    expid: Expid,
    version: Option<String>,
    /// The states of its files before they were read.
    prints: Vec<SourceFingerprint>,
}

impl Changed {
    /// Its state with the files in `extra`.
    fn state(&self, extra: &[SourceFingerprint]) -> State {
        let version = self.version.as_deref().unwrap_or_default();
        State::new(&self.prints, extra, version)
    }
}

fn open_root(path: PathBuf, allowed: Vec<PathBuf>) -> Result<Root, String> {
    let shown = path.display().to_string();
    let root = Root::new(path).map_err(|error| format!("{shown}: {error}"))?;
    allowed.into_iter().try_fold(root, |root, folder| {
        let shown = folder.display().to_string();
        root.allow(folder)
            .map_err(|error| format!("allowed folder {shown}: {error}"))
    })
}

/// The row of the source: made unless it is there, whoever else makes it at this moment.
async fn source_id(database: &Database, root: &Root) -> Result<i64, Failure> {
    use source::Column;
    let location = root.path().display().to_string();
    let folders: Vec<_> = root
        .allowed()
        .iter()
        .map(|folder| folder.display().to_string())
        .collect();
    let folders = serde_json::Value::from(folders).to_string();
    let known = || {
        source::Entity::find()
            .filter(Column::Kind.eq(KIND))
            .filter(Column::Location.eq(&location))
    };
    if let Some(known) = known().one(database.read()).await?
        && known.allowed_folders == folders
    {
        return Ok(known.id);
    }
    let transaction = database.begin().await?;
    let row = source::ActiveModel {
        kind: Set(KIND.to_owned()),
        location: Set(location.clone()),
        allowed_folders: Set(folders),
        ..Default::default()
    };
    let update = OnConflict::columns([Column::Kind, Column::Location])
        .update_column(Column::AllowedFolders)
        .to_owned();
    source::Entity::insert(row)
        .on_conflict(update)
        .exec_without_returning(&transaction)
        .await?;
    let made = known().one(&transaction).await?;
    transaction.commit().await?;
    made.map(|source| source.id)
        .ok_or_else(|| Failure::internal("the source is gone from the database"))
}

fn event(expid: &str, kind: &'static str) -> NewEvent {
    NewEvent {
        topic: Topic::Experiment,
        subject: expid.to_owned(),
        kind,
        payload: serde_json::Value::Object(serde_json::Map::new()),
        actor: None,
    }
}

/// Runs a reader on a thread that may block; an error if it panics.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, JoinError> {
    tokio::task::spawn_blocking(work).await
}
