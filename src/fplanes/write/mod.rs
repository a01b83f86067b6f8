//! Commands on focal planes. Each is one transaction with its events: it locks the head first and appends to the log last, so
//! commands go one after the other, and what is known at a time never changes any more once something is known later.
//!
//! A dry run is the same transaction, rolled back. Nothing is ever deleted: what is known otherwise from now on is kept as it
//! was known until now.

mod bench;
pub mod correct;
pub mod import;
mod mentions;
mod said;
mod store;
pub mod tags;
mod tell;
pub mod update;
mod warnings;

pub use crate::datasets::write::Author;
pub use warnings::{Warning, WarningCode};

use chrono::{DateTime, Utc};
use sea_orm::sea_query::LockType;
use sea_orm::{DatabaseTransaction, EntityTrait, QuerySelect};

use crate::entity::fplane_head;
use crate::failure::Failure;
use crate::fplanes::difference::SlotChange;
use crate::fplanes::model::Plane;
use crate::fplanes::readers::Problem;

/// What a source changed at the instant from which on it tells.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Row id of the source; none: in a dry run.
    pub source: Option<i64>,
    /// Since when it holds.
    pub valid_from: DateTime<Utc>,
    /// Until when a correction holds.
    pub valid_until: Option<DateTime<Utc>>,
    /// What is otherwise at `valid_from` than before it was told. Positions are those by design, unless something measured
    /// was told.
    pub changes: Vec<SlotChange>,
}

/// What a command came to, or would come to.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Is it kept? Not that of a dry run.
    pub committed: bool,
    /// Was all of it told before? Then nothing was done.
    pub is_repeated: bool,
    /// What is odd about it.
    pub warnings: Vec<Warning>,
    /// The plane at the last instant that was told of, as it is known with this.
    pub plane: Plane,
    /// What each source changed, in order of time. Of what was told before there is the source, without changes.
    pub steps: Vec<Step>,
}

impl Outcome {
    /// All changes, in order of time.
    pub fn changes(&self) -> impl Iterator<Item = &SlotChange> {
        self.steps.iter().flat_map(|step| &step.changes)
    }

    /// Row id of the last source; none: in a dry run.
    pub fn source(&self) -> Option<i64> {
        self.steps.last()?.source
    }
}

/// What an import came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// What was told, or would be; none: there is nothing in it that could be.
    pub outcome: Option<Outcome>,
    /// What is wrong or odd with the text, by lines.
    pub problems: Vec<Problem>,
}

/// Locks the head until the transaction ends: nobody else tells anything until then.
async fn lock(transaction: &DatabaseTransaction) -> Result<fplane_head::Model, Failure> {
    let head = fplane_head::Entity::find_by_id(1)
        .lock(LockType::Update)
        .one(transaction)
        .await?;
    head.ok_or_else(|| Failure::internal("focal planes have no head"))
}
