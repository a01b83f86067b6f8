//! Reading what lies in a base URI into the register. What is new or has changed is read, what has not is known by its
//! fingerprint, and what is gone is taken out. Each dataset is a transaction of its own: what was reached before an end stays,
//! and the next reading goes on from there.
//!
//! While it goes on, and afterwards, the base URI tells how far it is ([`IndexReport`]).

mod report;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use tokio::time::{MissedTickBehavior, interval};

pub use self::report::{IndexProblem, IndexReport};
use super::readers::{BaseUri, DatasetUri, Problem, Reading, StorageSettings, Store, StoreError};
use super::write::{Author, Stored, lock, register};
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
    pub storage: Arc<StorageSettings>,
}

/// What became of a dataset that was found.
enum Look {
    /// It is as it was.
    Unchanged(DatasetUri),
    /// It was read, and whether all of it could be.
    Read(DatasetUri, Box<Reading>),
    /// It cannot be read; what is known of it stays.
    Broken(DatasetUri, Problem),
    /// Something that cannot be a dataset, or the storage cannot be looked through.
    NoDataset(Problem),
}

impl Indexer {
    /// Reads one base URI. `progress` hears of each dataset.
    ///
    /// # Errors
    /// A rejection if there is no such base URI where the author may register, if it cannot be opened, or if it is being read
    /// already.
    pub fn index<'a>(
        &'a self,
        author: &'a Author<'a>,
        uri: &'a str,
        progress: &'a (dyn Fn(&IndexReport) + Send + Sync),
    ) -> BoxFuture<'a, Result<IndexReport, Failure>> {
        self.run(author, uri, progress).boxed()
    }

    async fn run(
        &self,
        author: &Author<'_>,
        uri: &str,
        progress: &(dyn Fn(&IndexReport) + Send + Sync),
    ) -> Result<IndexReport, Failure> {
        let base = BaseUri::parse(uri)
            .map_err(|error| Failure::bad_input("uri", format!("the base URI {error}")))?;
        let mut report = IndexReport::new(Utc::now().millis());
        let id = self.begin(author, &base, &report).await?;
        let done = self.read_all(author, &base, id, &mut report, progress);
        let done = done.await;
        report.finished_at = Some(Utc::now().millis());
        if let Err(failure) = &done {
            report.note(base.as_str(), told(failure));
        }
        let complete = matches!(done, Ok(true));
        self.save(id, &mut report, complete).await?;
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

    /// Writes down how far it is; at the end also when, if all of it was seen.
    async fn save(&self, id: i64, report: &mut IndexReport, complete: bool) -> Result<(), Failure> {
        report.updated_at = Utc::now().millis();
        let transaction = self.database.begin().await?;
        let mut update = base_uri::Entity::update_many()
            .col_expr(base_uri::Column::LastIndex, report.to_json().into())
            .filter(base_uri::Column::Id.eq(id));
        if complete {
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
        report: &mut IndexReport,
        progress: &(dyn Fn(&IndexReport) + Send + Sync),
    ) -> Result<bool, Failure> {
        let store = Store::open(base, &self.storage).map_err(|error| cannot_open(base, &error))?;
        let known = Arc::new(self.known(id).await?);
        // What must not be taken for gone.
        let mut seen: HashSet<String> = HashSet::new();
        let mut unclear: Vec<String> = Vec::new();
        let mut looks = looks(store, Arc::clone(&known));
        let mut ticks = interval(TOLD_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let look = tokio::select! {
                look = looks.next() => look,
                _ = ticks.tick() => {
                    self.save(id, report, false).await?;
                    continue;
                }
            };
            match look {
                None => break,
                Some(Look::Unchanged(uri)) => {
                    report.unchanged += 1;
                    seen.insert(uri.as_str().to_owned());
                }
                Some(Look::Broken(uri, problem)) => {
                    report.problem(&problem);
                    seen.insert(uri.as_str().to_owned());
                }
                Some(Look::NoDataset(problem)) => {
                    report.problem(&problem);
                    unclear.push(problem.source);
                }
                Some(Look::Read(uri, reading)) => {
                    if self.take(author, *reading, report).await? {
                        seen.insert(uri.as_str().to_owned());
                    }
                }
            }
            progress(report);
        }
        let complete = !unclear.iter().any(|source| source == base.as_str());
        if complete {
            let is_unclear = |uri: &str| unclear.iter().any(|source| is_about(source, uri));
            for uri in known.keys() {
                if !seen.contains(uri) && !is_unclear(uri) {
                    let deleted = register::delete(&self.database, author, uri).await?;
                    report.removed += u64::from(deleted);
                    self.feed.wake();
                    progress(report);
                }
            }
        }
        Ok(complete)
    }

    /// Registers what was read. Says whether it is a frozen dataset: others are none yet.
    async fn take(
        &self,
        author: &Author<'_>,
        reading: Reading,
        report: &mut IndexReport,
    ) -> Result<bool, Failure> {
        if !reading.document.is_frozen() {
            return Ok(false);
        }
        for problem in &reading.problems {
            report.problem(problem);
        }
        // What may be read another time is looked for then.
        let is_whole = !reading.problems.iter().any(|problem| problem.transient);
        let fingerprint = is_whole.then_some(reading.fingerprint.as_str());
        let document = &reading.document;
        match register::register(&self.database, author, document, fingerprint).await {
            Ok(stored) if stored.created => report.registered += 1,
            Ok(_) => report.updated += 1,
            Err(Failure::Rejected(rejection)) => report.note(&document.uri, &rejection.message),
            Err(failure) => return Err(failure),
        }
        self.feed.wake();
        Ok(true)
    }

    /// The datasets that are registered in a base URI, with their fingerprints.
    async fn known(&self, base_uri: i64) -> Result<HashMap<String, Option<String>>, Failure> {
        use dataset::Column::{BaseUriId, Fingerprint, Uri};
        let rows: Vec<(String, Option<String>)> = dataset::Entity::find()
            .select_only()
            .columns([Uri, Fingerprint])
            .filter(BaseUriId.eq(base_uri))
            .into_tuple()
            .all(self.database.read())
            .await?;
        Ok(rows.into_iter().collect())
    }

    /// Reads one dataset into the register, whether it has changed or not; answers with what is wrong with parts of it.
    ///
    /// # Errors
    /// A rejection if it cannot be read, is not frozen, or if the author may not register where it lies.
    pub async fn register(
        &self,
        author: &Author<'_>,
        uri: &str,
    ) -> Result<(Stored, Vec<Problem>), Failure> {
        let uri = DatasetUri::parse(uri)
            .map_err(|error| Failure::bad_input("uri", format!("the URI {error}")))?;
        let store = Store::open(uri.base(), &self.storage);
        let store = store.map_err(|error| cannot_open(uri.base(), &error))?;
        let broken = |problem: Problem| Failure::bad_input("uri", problem.to_string());
        let survey = store.survey(&uri).await.map_err(broken)?;
        let reading = store.read(&survey).await.map_err(broken)?;
        let (document, fingerprint) = (&reading.document, reading.fingerprint.as_str());
        let stored = register::register(&self.database, author, document, Some(fingerprint));
        let stored = stored.await?;
        self.feed.wake();
        Ok((stored, reading.problems))
    }
}

/// Looks at all that is found, and reads what is new or has changed.
fn looks(store: Store, known: Arc<HashMap<String, Option<String>>>) -> BoxStream<'static, Look> {
    store
        .list()
        .map(move |found| look(store.clone(), Arc::clone(&known), found))
        .buffer_unordered(LOOKS_AT_ONCE)
        .boxed()
}

async fn look(
    store: Store,
    known: Arc<HashMap<String, Option<String>>>,
    found: Result<DatasetUri, Problem>,
) -> Look {
    let uri = match found {
        Ok(uri) => uri,
        Err(problem) => return Look::NoDataset(problem),
    };
    let survey = match store.survey(&uri).await {
        Ok(survey) => survey,
        Err(problem) => return Look::Broken(uri, problem),
    };
    let before = known.get(uri.as_str()).and_then(Option::as_deref);
    if before == Some(survey.fingerprint()) {
        return Look::Unchanged(uri);
    }
    match store.read(&survey).await {
        Ok(reading) => Look::Read(uri, Box::new(reading)),
        Err(problem) => Look::Broken(uri, problem),
    }
}

/// Is what a problem is about this dataset, or something in it?
fn is_about(source: &str, uri: &str) -> bool {
    source
        .strip_prefix(uri)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
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
