//! The mirror of an Autosubmit root: notices change by size and times of files, reads only the experiments that
//! changed, writes only the rows that differ, one transaction an experiment. Where to look, notifications of the file
//! system tell; and all is looked at now and then, since not every file system sends them.
//!
//! Where an installation has its tables on a server, that is asked for their states at each such look, for all
//! experiments together. And in case that a change shows nowhere, everything is read again every few hours.
//!
//! Several processes may mirror one root, and several roots may share a database. So each transaction first locks the
//! row of its source (the one that reads the central databases, which may take over experiments, locks those of all
//! sources, in the order of their ids), reads within the lock what it compares with, and takes the lock of the event
//! log last: all in the same order, so none can wait for another in a circle.

mod agenda;
mod central;
mod configurations;
mod diff;
mod folders;
mod gap;
mod ledger;
mod life;
mod look;
mod record;
mod rounds;
mod rows;
mod source_row;
mod store;
mod trouble;
mod watch;
mod work;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::StreamExt;
use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select,
};
use serde::Serialize;
use tokio::task::JoinError;

use crate::config::AutosubmitConfig;
use crate::database::{Database, MOST_BINDS};
use crate::entity::{experiment, source};
use crate::events::Feed;
use crate::experiments::readers::{CENTRAL, Root, SourceError};
use crate::failure::Failure;
use crate::time::Millis;
use agenda::{Agenda, CENTRE, Dirty, lock};
use look::Look;
use rounds::Rounds;
pub use store::Written;
use trouble::Troubles;
use watch::Watch;
pub use work::MirrorWork;

/// The kind of source that this mirror reads.
const KIND: &str = "autosubmit";
/// How many experiments are read at the same time.
const READERS: usize = 2;
/// How long after a pass the next one may be that nothing but time has made due.
const OVERDUE: TimeDelta = TimeDelta::seconds(1);

/// What a pass looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All experiments of the root.
    All,
    /// Those whose files have changed since the last pass began, as notifications tell, and those that fall silent.
    Dirty,
}

/// What a pass found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Experiments that were looked at; in a pass over everything those that are in the root.
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
    agenda: Arc<Agenda>,
    watch: Arc<Watch>,
    rounds: Arc<Mutex<Rounds>>,
    troubles: Arc<Mutex<Troubles>>,
}

impl Mirror {
    /// Opens the root and makes it known to the database. `config` says what else belongs to it: into which folders its
    /// symbolic links may also lead, and where its tables are.
    pub async fn open(
        database: Database,
        feed: Feed,
        root: &Path,
        config: &AutosubmitConfig,
    ) -> Result<Self, Failure> {
        let (path, of_path) = (root.to_owned(), config.clone());
        let opened = blocking(move || (of_path.is_about(&path), open_root(path, of_path))).await?;
        let (is_about, opened) = opened;
        let mut root = opened.map_err(|message| Failure::bad_input("root", message))?;
        if is_about && let Some(server) = config.server()? {
            root = root.with_server(server);
        }
        let location = root.path().display().to_string();
        let allowed = root.allowed().iter();
        let allowed: Vec<_> = allowed.map(|folder| folder.display().to_string()).collect();
        let source_id = source_row::id(&database, &location, Some(&allowed)).await?;
        let agenda = Arc::new(Agenda::default());
        Ok(Self {
            database,
            feed,
            root: Arc::new(root),
            source_id,
            watch: Arc::new(Watch::new(Arc::clone(&agenda))),
            agenda,
            rounds: Arc::default(),
            troubles: Arc::default(),
        })
    }

    /// Has passes woken by file notifications, of at most so many folders; see [`Mirror::wake`].
    #[must_use]
    pub fn watching(self, max_watches: usize) -> Self {
        self.watch.start(max_watches);
        self
    }

    /// Returns when a pass over [`Scope::Dirty`] has something to do: files have changed and are quiet again, a source
    /// is to be tried again, or an experiment falls silent. What happens during a pass wakes afterwards.
    pub async fn wake(&self) {
        self.agenda.wake().await;
    }

    /// Looks once. An experiment that cannot be mirrored is a problem of its own, and the others go on. After a pass
    /// that fails or is broken off, the next one looks at everything.
    pub async fn pass(&self, scope: Scope, progress: Progress<'_>) -> Result<Report, Failure> {
        self.pass_at(Utc::now(), scope, progress).await
    }

    /// As [`Mirror::pass`]; `now` decides which experiments run.
    pub async fn pass_at(
        &self,
        now: DateTime<Utc>,
        scope: Scope,
        progress: Progress<'_>,
    ) -> Result<Report, Failure> {
        let mut report = Report::default();
        let mut taken = self.agenda.take();
        let dirty = std::mem::take(&mut taken.dirty);
        let whole = dirty.all || scope == Scope::All;
        let looks = if whole {
            self.look_at_all(dirty, now, &mut report).await?
        } else {
            self.look_at_dirty(dirty, now, &mut report).await?
        };
        report.experiments = looks.len() as u64;

        let (mut changed, unchanged): (Vec<_>, Vec<_>) =
            looks.into_iter().partition(|look| look.changed);
        lock(&self.troubles).begin(&mut changed);
        let total = changed.len() as u64;
        progress(0, total);
        let mut reading = futures_util::stream::iter(changed)
            .map(|look| async {
                let record = self.read(&look).await;
                (record, look)
            })
            .buffered(READERS);
        while let Some((record, look)) = reading.next().await {
            let record = self.blame(&look, record?).await?;
            self.mirror(&look, record, now, &mut report).await?;
            report.read += 1;
            progress(report.read, total);
        }
        drop(reading);
        self.judge_unchanged(unchanged, now, &mut report).await?;
        let silence = self.next_silence().await?;
        // What is overdue now will not have become better a moment later.
        self.agenda
            .set_deadline(silence.map(|silence| silence.max(now + OVERDUE)));
        report.problems = ledger::problem_count(self.database.read(), self.source_id).await?;
        taken.done();
        if report.told {
            self.feed.wake();
        }
        metrics::counter!("labql_mirror_passes_total").increment(1);
        metrics::counter!("labql_mirror_experiments_read_total").increment(report.read);
        metrics::counter!("labql_mirror_rows_written_total").increment(report.rows.total());
        Ok(report)
    }

    async fn look_at_all(
        &self,
        dirty: Dirty,
        now: DateTime<Utc>,
        report: &mut Report,
    ) -> Result<Vec<Look>, Failure> {
        let states = ledger::states(self.database.read(), self.source_id, None).await?;
        self.central(&states, report).await?;
        let experiments = self.experiments().all(self.database.read()).await?;
        self.look(experiments, states, dirty, true, now).await
    }

    /// Looks at what has changed and at what falls silent; the cost does not grow with the root.
    async fn look_at_dirty(
        &self,
        mut dirty: Dirty,
        now: DateTime<Utc>,
        report: &mut Report,
    ) -> Result<Vec<Look>, Failure> {
        let connection = self.database.read();
        if dirty.owners.remove(CENTRE) {
            let centre = [CENTRE.to_owned()];
            let states = ledger::states(connection, self.source_id, Some(&centre)).await?;
            let touched = self.central(&states, report).await?;
            dirty.owners.extend(touched);
        }
        let owners: Vec<&str> = dirty.owners.iter().map(String::as_str).collect();
        let mut experiments = Vec::new();
        for owners in owners.chunks(MOST_BINDS) {
            let owners = experiment::Column::Expid.is_in(owners.iter().copied());
            experiments.extend(self.experiments().filter(owners).all(connection).await?);
        }
        let due = experiment::Column::ActiveUntil.lte(now.millis());
        let due = self.experiments().filter(due).all(connection).await?;
        experiments.extend(
            due.into_iter()
                .filter(|row| !dirty.owners.contains(&row.expid)),
        );
        if experiments.is_empty() {
            return Ok(Vec::new());
        }
        let expids: Vec<String> = experiments.iter().map(|row| row.expid.clone()).collect();
        let mut states = HashMap::new();
        for expids in expids.chunks(MOST_BINDS) {
            states.extend(ledger::states(connection, self.source_id, Some(expids)).await?);
        }
        self.look(experiments, states, dirty, false, now).await
    }

    /// The experiments of this root.
    fn experiments(&self) -> Select<experiment::Entity> {
        experiment::Entity::find()
            .filter(experiment::Column::SourceId.eq(self.source_id))
            .filter(experiment::Column::ArchivedAt.is_null())
    }

    /// An experiment of this root, unless another process has just found it gone.
    async fn present(
        &self,
        transaction: &DatabaseTransaction,
        id: i64,
    ) -> Result<Option<experiment::Model>, Failure> {
        let row = self.experiments().filter(experiment::Column::Id.eq(id));
        Ok(row.one(transaction).await?)
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
}

fn open_root(path: PathBuf, config: AutosubmitConfig) -> Result<Root, String> {
    let shown = path.display().to_string();
    let central = if config.is_about(&path) {
        &config.central_database
    } else {
        CENTRAL
    };
    let root = Root::new(path)
        .and_then(|root| root.with_central(central))
        .map_err(|error| format!("{shown}: {error}"))?;
    config
        .allowed_folders
        .into_iter()
        .try_fold(root, |root, folder| {
            let shown = folder.display().to_string();
            root.allow(folder)
                .map_err(|error| format!("allowed folder {shown}: {error}"))
        })
}

/// The failure of a pass whose sources cannot be asked at all.
fn unreachable(error: SourceError) -> Failure {
    Failure::SourceUnavailable(match error {
        SourceError::Unavailable(why) => format!("the Autosubmit installation's database: {why}"),
        other => other.to_string(),
    })
}

/// Runs a reader on a thread that may block; an error if it panics.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, JoinError> {
    tokio::task::spawn_blocking(work).await
}
