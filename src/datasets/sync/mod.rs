//! Reading what lies in a base URI into the register. What is new or has changed is read, what has not is known by its
//! fingerprint, and what is gone is taken out. Each dataset is a transaction of its own: what was reached before an end stays,
//! and the next reading goes on from there.
//!
//! While it goes on, and afterwards, the base URI tells how far it is ([`IndexReport`]).

mod refresh;
mod report;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::Utc;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

pub use self::refresh::Refreshed;
pub use self::report::{IndexProblem, IndexReport};
use super::readers::{BaseUri, DatasetUri, Problem, Reading, Storage, Store, StoreError};
use super::write::{Author, Before, Mark, lock, register};
use crate::database::Database;
use crate::entity::{base_uri, dataset};
use crate::events::Feed;
use crate::failure::{Failure, RejectionCode};
use crate::time::Millis;

/// Datasets that are looked at and read at once.
const LOOKS_AT_ONCE: usize = 4;
/// How often the base URI is told how far it is.
const TOLD_EVERY: Duration = Duration::from_secs(2);

/// Reads base URIs into the register.
#[derive(Clone)]
pub struct Indexer {
    /// labql's own database.
    pub database: Database,
    /// Where changes are told at once.
    pub feed: Feed,
    /// The storage that may be read.
    pub storage: Arc<Storage>,
}

/// What it means that nothing is in a base URI in which datasets are registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Emptiness {
    /// Perhaps its storage is not there: a folder on which nothing is mounted looks so, too. Nothing is taken out.
    IsSuspect,
    /// All of them are gone.
    IsTrue,
}

/// Why an empty base URI is left alone.
const NOTHING_THERE: &str = "there is nothing, where datasets are registered, as when a disk is not mounted: nothing was \
    taken out of the register; if they are gone indeed, say so (`removeAll`, or --remove-all on the command line)";

/// How the datasets of a base URI stand in the register, by their URIs.
type Known = HashMap<String, Mark>;

/// What became of a dataset that was found.
enum Look {
    /// It is as it was.
    Unchanged(DatasetUri),
    /// It was read, and whether all of it could be.
    Read(DatasetUri, Box<Reading>),
    /// It cannot be read; what is known of it stays.
    Broken(DatasetUri, Problem),
    /// Something tells of it, and it is not there.
    Gone,
    /// Something that cannot be a dataset, or the storage cannot be looked through.
    NoDataset(Problem),
}

impl Indexer {
    /// Reads one base URI. `progress` hears of each dataset.
    ///
    /// # Errors
    /// A rejection if there is no such base URI where the author may register, if it cannot be opened, if it is being read
    /// already, or if nothing is there and that is suspect.
    pub fn index<'a>(
        &'a self,
        author: &'a Author<'a>,
        uri: &'a str,
        emptiness: Emptiness,
        progress: &'a (dyn Fn(&IndexReport) + Send + Sync),
    ) -> BoxFuture<'a, Result<IndexReport, Failure>> {
        self.run(author, uri, emptiness, progress).boxed()
    }

    async fn run(
        &self,
        author: &Author<'_>,
        uri: &str,
        emptiness: Emptiness,
        progress: &(dyn Fn(&IndexReport) + Send + Sync),
    ) -> Result<IndexReport, Failure> {
        let base = BaseUri::parse(uri)
            .map_err(|error| Failure::bad_input("uri", format!("the base URI {error}")))?;
        let mut report = IndexReport::new(Utc::now().millis());
        let id = self.begin(author, &base, &report).await?;
        let latest = Mutex::new(report.clone());
        let tell = |report: &IndexReport| {
            latest
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .follow(report);
            progress(report);
        };
        let ended = CancellationToken::new();
        let work = async {
            let work = self.read_all(author, &base, id, emptiness, &mut report, &tell);
            let done = work.await;
            ended.cancel();
            done
        };
        let (done, ()) = tokio::join!(work, self.keep_telling(id, &latest, &ended));
        report.finished_at = Some(Utc::now().millis());
        if let Err(failure) = &done {
            report.note(base.as_str(), told(failure));
        }
        report.complete = matches!(done, Ok(true));
        self.save(id, &mut report).await?;
        progress(&report);
        done.map(|_| report)
    }

    /// Notes that the base URI is being read; answers with its row id.
    async fn begin(
        &self,
        author: &Author<'_>,
        base: &BaseUri,
        report: &IndexReport,
    ) -> Result<i64, Failure> {
        let transaction = self.database.begin().await?;
        let (field, message) = (
            "uri",
            "there is no such base URI, or you may not register datasets there",
        );
        let id = lock(&transaction, base.as_str(), author, field, message).await?;
        let before: Option<Option<String>> = base_uri::Entity::find_by_id(id)
            .select_only()
            .column(base_uri::Column::LastIndex)
            .into_tuple()
            .one(&transaction)
            .await?;
        let before = before.flatten().as_deref().and_then(IndexReport::from_json);
        if before.is_some_and(|before| before.is_going_on(report.started_at)) {
            let message = "it is being read already: its `lastIndex` tells how far that is";
            return Err(Failure::rejected(
                RejectionCode::Conflict,
                Some("uri"),
                message,
            ));
        }
        base_uri::Entity::update_many()
            .col_expr(base_uri::Column::LastIndex, report.to_json().into())
            .filter(base_uri::Column::Id.eq(id))
            .exec(&transaction)
            .await?;
        transaction.commit().await?;
        Ok(id)
    }

    /// Writes down every now and then how far it is, also while a single dataset takes long: after a while of silence another
    /// one may begin.
    async fn keep_telling(&self, id: i64, latest: &Mutex<IndexReport>, ended: &CancellationToken) {
        let mut ticks = interval_at(Instant::now() + TOLD_EVERY, TOLD_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while ended.run_until_cancelled(ticks.tick()).await.is_some() {
            let mut report = latest
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone();
            if let Err(error) = self.save(id, &mut report).await {
                tracing::warn!(%error, "how far the reading of a base URI is could not be written down");
            }
        }
    }

    /// Writes down how far it is; at the end also when, if all of it was seen.
    async fn save(&self, id: i64, report: &mut IndexReport) -> Result<(), Failure> {
        report.updated_at = Utc::now().millis();
        let transaction = self.database.begin().await?;
        let mut update = base_uri::Entity::update_many()
            .col_expr(base_uri::Column::LastIndex, report.to_json().into())
            .filter(base_uri::Column::Id.eq(id));
        if report.complete {
            update = update.col_expr(base_uri::Column::IndexedAt, report.finished_at.into());
        }
        update.exec(&transaction).await?;
        Ok(transaction.commit().await?)
    }

    /// Reads what is there and takes out what is not. Says whether all of the storage could be seen.
    async fn read_all(
        &self,
        author: &Author<'_>,
        base: &BaseUri,
        id: i64,
        emptiness: Emptiness,
        report: &mut IndexReport,
        progress: &(dyn Fn(&IndexReport) + Send + Sync),
    ) -> Result<bool, Failure> {
        let store = self.open(base).await?;
        let known = Arc::new(self.known(id).await?);
        // What must not be taken for gone.
        let mut seen: HashSet<String> = HashSet::new();
        let mut unclear: Vec<String> = Vec::new();
        // What is there and not frozen any more.
        let mut thawed: HashSet<String> = HashSet::new();
        let mut is_empty = true;
        let mut looks = looks(store.clone(), Arc::clone(&known));
        while let Some(look) = looks.next().await {
            is_empty = false;
            match look {
                Look::Unchanged(uri) => {
                    report.unchanged += 1;
                    seen.insert(uri.as_str().to_owned());
                }
                Look::Broken(uri, problem) => {
                    report.problem(&problem);
                    seen.insert(uri.as_str().to_owned());
                }
                Look::Gone => {}
                Look::NoDataset(problem) => {
                    report.problem(&problem);
                    unclear.push(problem.source);
                }
                Look::Read(uri, reading) if reading.document.is_frozen() => {
                    let before = Before::of(known.get(uri.as_str()).cloned());
                    let taken = self.take(author, &store, &uri, *reading, &before, report);
                    if taken.await? {
                        seen.insert(uri.as_str().to_owned());
                    }
                }
                Look::Read(uri, _) => {
                    thawed.insert(uri.as_str().to_owned());
                }
            }
            progress(report);
        }
        let complete = !unclear.iter().any(|source| source == base.as_str());
        if is_empty && !known.is_empty() && emptiness == Emptiness::IsSuspect {
            let conflict = RejectionCode::Conflict;
            return Err(Failure::rejected(conflict, Some("uri"), NOTHING_THERE));
        }
        if complete {
            let is_unclear = |uri: &str| unclear.iter().any(|source| is_about(source, uri));
            for (uri, mark) in known.iter() {
                let is_gone = !seen.contains(uri)
                    && !is_unclear(uri)
                    && (thawed.contains(uri) || is_gone(&store, uri, report).await);
                if is_gone {
                    let before = Before::Registered(mark.clone());
                    match register::delete(&self.database, author, uri, &before).await {
                        Ok(deleted) => report.removed += u64::from(deleted),
                        // Somebody has been there meanwhile, and seen what is there.
                        Err(failure) if is_conflict(&failure) => continue,
                        Err(failure) => return Err(failure),
                    }
                    self.feed.wake();
                    progress(report);
                }
            }
        }
        Ok(complete)
    }

    /// Registers what was read. What is wrong with one dataset keeps no other away. Says whether it is there.
    async fn take(
        &self,
        author: &Author<'_>,
        store: &Store,
        uri: &DatasetUri,
        reading: Reading,
        before: &Before,
        report: &mut IndexReport,
    ) -> Result<bool, Failure> {
        let taken = match self.write(author, &reading, before).await {
            Ok(stored) => Ok((Refreshed::of(&stored), reading.problems)),
            // Somebody has changed it since it was read.
            Err(failure) if is_conflict(&failure) => self.refresh_in(author, store, uri).await,
            Err(failure) => Err(failure),
        };
        match taken {
            Ok((refreshed, problems)) => {
                for problem in &problems {
                    report.problem(problem);
                }
                refreshed.count(report);
                return Ok(refreshed.is_there());
            }
            // Whoever asked for all this may not any more, or the base URI is gone.
            Err(Failure::Rejected(rejection)) if rejection.code == RejectionCode::NotFound => {
                return Err(Failure::Rejected(rejection));
            }
            Err(Failure::Rejected(rejection)) => report.note(uri.as_str(), &rejection.message),
            Err(Failure::SourceUnavailable(problem)) => report.note(uri.as_str(), &problem),
            Err(Failure::Internal(inside)) => {
                tracing::error!(%uri, error = inside, "a dataset could not be registered");
                report.note(
                    uri.as_str(),
                    "it could not be registered: the log of labql says why",
                );
            }
            Err(failure) => return Err(failure),
        }
        Ok(true)
    }

    async fn open(&self, base: &BaseUri) -> Result<Store, Failure> {
        let store = self.storage.open(base).await;
        store.map_err(|error| cannot_open(base, &error))
    }

    /// The datasets that are registered in a base URI.
    async fn known(&self, base_uri: i64) -> Result<Known, Failure> {
        use dataset::Column::{BaseUriId, Fingerprint, UpdatedAt, Uri};
        let rows: Vec<(String, Option<String>, i64)> = dataset::Entity::find()
            .select_only()
            .columns([Uri, Fingerprint, UpdatedAt])
            .filter(BaseUriId.eq(base_uri))
            .into_tuple()
            .all(self.database.read())
            .await?;
        let known = rows
            .into_iter()
            .map(|(uri, fingerprint, updated_at)| (uri, Mark::new(fingerprint, updated_at)));
        Ok(known.collect())
    }
}

/// Looks at all that is found, and reads what is new or has changed.
fn looks(store: Store, known: Arc<Known>) -> BoxStream<'static, Look> {
    store
        .list()
        .map(move |found| look(store.clone(), Arc::clone(&known), found))
        .buffer_unordered(LOOKS_AT_ONCE)
        .boxed()
}

async fn look(store: Store, known: Arc<Known>, found: Result<DatasetUri, Problem>) -> Look {
    let uri = match found {
        Ok(uri) => uri,
        Err(problem) => return Look::NoDataset(problem),
    };
    let survey = match store.find(&uri).await {
        Ok(Some(survey)) => survey,
        // As in a bucket where a dataset was deleted, but not what tells of it.
        Ok(None) => return Look::Gone,
        Err(problem) => return Look::Broken(uri, problem),
    };
    let before = known.get(uri.as_str());
    if before.is_some_and(|mark| mark.has(survey.fingerprint())) {
        return Look::Unchanged(uri);
    }
    match store.read(&survey).await {
        Ok(reading) => Look::Read(uri, Box::new(reading)),
        Err(problem) => Look::Broken(uri, problem),
    }
}

/// Is a dataset that was not found among the others really not there? Things move while a folder is gone through.
async fn is_gone(store: &Store, uri: &str, report: &mut IndexReport) -> bool {
    // Somebody has told of it, and nothing can be there under this URI.
    let Ok(parsed) = DatasetUri::parse(uri) else {
        return true;
    };
    match store.find(&parsed).await {
        Ok(found) => found.is_none(),
        Err(problem) => {
            report.problem(&problem);
            false
        }
    }
}

/// Is what a problem is about this dataset, or something in it?
fn is_about(source: &str, uri: &str) -> bool {
    source
        .strip_prefix(uri)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Has somebody else been there meanwhile?
fn is_conflict(failure: &Failure) -> bool {
    matches!(failure, Failure::Rejected(rejection) if rejection.code == RejectionCode::Conflict)
}

/// Paths of this machine are for its administrators.
fn cannot_open(base: &BaseUri, error: &StoreError) -> Failure {
    tracing::warn!(base_uri = %base, "cannot be opened: {error}");
    let message = match error {
        StoreError::Folder { source, .. } => format!("the folder cannot be opened: {source}"),
        other => other.to_string(),
    };
    Failure::bad_input("uri", message)
}

/// A failure in words for those who may register.
fn told(failure: &Failure) -> &str {
    match failure {
        Failure::Rejected(rejection) => &rejection.message,
        _ => "the database failed; what was reached before stays",
    }
}

#[cfg(test)]
mod tests {
    use super::is_about;

    #[test]
    fn a_problem_is_about_what_it_lies_in() {
        let uri = "file:///srv/a";
        assert!(is_about("file:///srv/a", uri));
        assert!(is_about("file:///srv/a/.dtool/dtool", uri));
        assert!(!is_about("file:///srv/ab", uri));
        assert!(!is_about("file:///srv", uri));
    }
}
