//! One dataset read into the register, whatever became of it.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};

use super::{IndexReport, Indexer, is_conflict};
use crate::datasets::readers::{DatasetUri, Problem, Reading, Store};
use crate::datasets::write::{Author, Before, Mark, Stored, register};
use crate::entity::dataset;
use crate::failure::Failure;

/// How often a dataset is read before it is given up that others write it, too.
const TRIES: usize = 5;

/// What became of a dataset that was read anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refreshed {
    /// It is new in the register.
    Registered,
    /// It had changed.
    Updated,
    /// It had not.
    Unchanged,
    /// It is gone, or not frozen any more, and was taken out.
    Removed,
    /// There is none, and none was registered; or it is not frozen yet.
    Absent,
}

impl Refreshed {
    /// As a label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
            Self::Removed => "removed",
            Self::Absent => "absent",
        }
    }

    pub(super) fn of(stored: &Stored) -> Self {
        if stored.created {
            Self::Registered
        } else {
            Self::Updated
        }
    }

    /// Whether the register was changed.
    pub fn is_change(self) -> bool {
        matches!(self, Self::Registered | Self::Updated | Self::Removed)
    }

    /// Whether the dataset is registered.
    pub(super) fn is_there(self) -> bool {
        !matches!(self, Self::Removed | Self::Absent)
    }

    pub(super) fn count(self, report: &mut IndexReport) {
        match self {
            Self::Registered => report.registered += 1,
            Self::Updated => report.updated += 1,
            Self::Unchanged => report.unchanged += 1,
            Self::Removed => report.removed += 1,
            Self::Absent => {}
        }
    }
}

impl Indexer {
    /// Makes the register say of one dataset what is there now: registers, updates or removes it. Answers also with what is
    /// wrong with parts of it.
    ///
    /// # Errors
    /// A rejection if it cannot be read, or if the author may not register where it lies;
    /// [`Failure::SourceUnavailable`] if the storage does not answer.
    pub async fn refresh(
        &self,
        author: &Author<'_>,
        uri: &DatasetUri,
    ) -> Result<(Refreshed, Vec<Problem>), Failure> {
        let store = self.open(uri.base()).await?;
        self.refresh_in(author, &store, uri).await
    }

    /// The same, where its storage is open already.
    pub(super) async fn refresh_in(
        &self,
        author: &Author<'_>,
        store: &Store,
        uri: &DatasetUri,
    ) -> Result<(Refreshed, Vec<Problem>), Failure> {
        for _ in 1..TRIES {
            match self.try_refresh(author, store, uri).await {
                Err(failure) if is_conflict(&failure) => {}
                done => return done,
            }
        }
        self.try_refresh(author, store, uri).await
    }

    async fn try_refresh(
        &self,
        author: &Author<'_>,
        store: &Store,
        uri: &DatasetUri,
    ) -> Result<(Refreshed, Vec<Problem>), Failure> {
        // Before anything is looked at: what is written since is newer.
        let before = self.before(uri).await?;
        let reading = match store.find(uri).await.map_err(|it| broken(&it))? {
            Some(survey) if before.has(survey.fingerprint()) => {
                return Ok((Refreshed::Unchanged, Vec::new()));
            }
            Some(survey) => Some(store.read(&survey).await.map_err(|it| broken(&it))?),
            None => None,
        };
        let Some(reading) = reading.filter(|reading| reading.document.is_frozen()) else {
            let deleted = register::delete(&self.database, author, uri.as_str(), &before).await?;
            self.feed.wake();
            let refreshed = if deleted {
                Refreshed::Removed
            } else {
                Refreshed::Absent
            };
            return Ok((refreshed, Vec::new()));
        };
        let stored = self.write(author, &reading, &before).await?;
        Ok((Refreshed::of(&stored), reading.problems))
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
        let store = self.open(uri.base()).await?;
        for _ in 1..TRIES {
            match self.try_register(author, &store, &uri).await {
                Err(failure) if is_conflict(&failure) => {}
                done => return done,
            }
        }
        self.try_register(author, &store, &uri).await
    }

    async fn try_register(
        &self,
        author: &Author<'_>,
        store: &Store,
        uri: &DatasetUri,
    ) -> Result<(Stored, Vec<Problem>), Failure> {
        let before = self.before(uri).await?;
        let refused = |problem: Problem| Failure::bad_input("uri", problem.to_string());
        let survey = store.survey(uri).await.map_err(refused)?;
        let reading = store.read(&survey).await.map_err(refused)?;
        let stored = self.write(author, &reading, &before).await?;
        Ok((stored, reading.problems))
    }

    /// Registers what was read of a dataset that stood in the register like this before.
    pub(super) async fn write(
        &self,
        author: &Author<'_>,
        reading: &Reading,
        before: &Before,
    ) -> Result<Stored, Failure> {
        // What may be read another time is looked for then.
        let is_whole = !reading.problems.iter().any(|problem| problem.transient);
        let fingerprint = is_whole.then_some(reading.fingerprint.as_str());
        let document = &reading.document;
        let stored = register::register(&self.database, author, document, fingerprint, before);
        let stored = stored.await?;
        self.feed.wake();
        Ok(stored)
    }

    async fn before(&self, uri: &DatasetUri) -> Result<Before, Failure> {
        let row: Option<(Option<String>, i64)> = dataset::Entity::find()
            .select_only()
            .columns([dataset::Column::Fingerprint, dataset::Column::UpdatedAt])
            .filter(dataset::Column::Uri.eq(uri.as_str()))
            .into_tuple()
            .one(self.database.read())
            .await?;
        let mark = row.map(|(fingerprint, updated_at)| Mark::new(fingerprint, updated_at));
        Ok(Before::of(mark))
    }
}

fn broken(problem: &Problem) -> Failure {
    if problem.transient {
        Failure::SourceUnavailable(problem.to_string())
    } else {
        Failure::bad_input("uri", problem.to_string())
    }
}
