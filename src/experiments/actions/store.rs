//! The row of an action: changed in one transaction with the event that tells of it.

use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QuerySelect, Set};
use serde::{Deserialize, Serialize};

use super::state::{ActionState, EndReason};
use crate::database::Database;
use crate::entity::action::{ActiveModel, Column, Entity, Model};
use crate::events::{self, Event, Feed, NewEvent, Topic};
use crate::failure::Failure;
use crate::workers;

/// A piece of what the program of an action printed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Piece {
    /// How many bytes of output came before it.
    pub offset: i64,
    /// How many bytes of output it stands for.
    pub bytes: i64,
    /// These as text: what is no UTF-8 is replaced.
    pub text: String,
}

/// The payload of events of [`Topic::Action`], whose subject is the number of the action.
///
/// An event outlives the labql that wrote it. So a reader ignores fields that it does not know, and takes those that are
/// missing for empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ActionChange {
    /// The row as this change left it, without arguments and output.
    pub action: Model,
    /// What was printed.
    pub output: Option<Piece>,
}

impl ActionChange {
    /// The change that an event tells of.
    ///
    /// # Errors
    /// If its payload is none of this type.
    pub fn of(event: &Event) -> serde_json::Result<Self> {
        serde_json::from_str(&event.payload)
    }
}

/// What happened to an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionChangeKind {
    /// Somebody asked for it.
    Requested,
    /// It has begun.
    Began,
    /// It printed something.
    Output,
    /// Somebody withdrew it while it was under way.
    CancelRequested,
    /// It has ended.
    Ended,
}

impl ActionChangeKind {
    const ALL: [Self; 5] = [
        Self::Requested,
        Self::Began,
        Self::Output,
        Self::CancelRequested,
        Self::Ended,
    ];

    /// The kind of the event in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Began => "began",
            Self::Output => "output",
            Self::CancelRequested => "cancel-requested",
            Self::Ended => "ended",
        }
    }

    /// The kind that an event in the log names.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// The event that tells of a change. Its actor is whoever asked for the action, whatever happens to it: that is whom it
/// is told.
pub(super) fn event(row: &Model, kind: ActionChangeKind, output: Option<Piece>) -> NewEvent {
    let change = ActionChange {
        action: Model {
            arguments: String::new(),
            output_tail: String::new(),
            ..row.clone()
        },
        output,
    };
    NewEvent {
        topic: Topic::Action,
        subject: row.id.to_string(),
        kind: kind.as_str(),
        // Texts and numbers always become JSON.
        payload: serde_json::to_value(change).unwrap_or_default(),
        actor: Some(row.actor.clone()),
    }
}

/// The state of a row.
pub(super) fn state(row: &Model) -> Result<ActionState, Failure> {
    ActionState::parse(&row.state)
        .ok_or_else(|| Failure::internal(format!("unknown state {} of an action", row.state)))
}

/// Ends an action.
pub(super) fn end(
    row: &mut Model,
    state: ActionState,
    reason: EndReason,
    message: Option<String>,
    at: i64,
) {
    state.as_str().clone_into(&mut row.state);
    row.reason = Some(reason.as_str().to_owned());
    row.message = message;
    row.ended_at = Some(at.max(row.began_at.unwrap_or(row.requested_at)));
    row.holder = None;
    row.lease_until = None;
}

/// A row that nobody else changes until it is saved or dropped.
pub(super) struct Open {
    pub transaction: DatabaseTransaction,
    pub row: Model,
    /// The time of the database, in milliseconds since 1970-01-01 UTC.
    pub now: i64,
    old: Model,
}

/// Opens a row to change it. None: there is no such action.
pub(super) async fn open(database: &Database, id: i64) -> Result<Option<Open>, Failure> {
    let transaction = database.begin().await?;
    let row = Entity::find_by_id(id)
        .lock_exclusive()
        .one(&transaction)
        .await?;
    let now = workers::now(&transaction).await?;
    Ok(row.map(|row| Open {
        transaction,
        old: row.clone(),
        row,
        now,
    }))
}

impl Open {
    /// Saves the row, and tells what became of it if that is anything to tell.
    ///
    /// # Errors
    /// If it is in a state that may not follow the one that it had.
    pub async fn save(
        self,
        feed: &Feed,
        told: Option<(ActionChangeKind, Option<Piece>)>,
    ) -> Result<Model, Failure> {
        let Self {
            transaction,
            row,
            old,
            ..
        } = self;
        let (before, after) = (state(&old)?, state(&row)?);
        if before != after && !before.may_become(after) {
            let (id, before, after) = (row.id, before.as_str(), after.as_str());
            return Err(Failure::internal(format!(
                "action {id} cannot go from {before} to {after}"
            )));
        }
        let done = Entity::update_many()
            .set(changed(&row))
            .filter(Column::Id.eq(row.id))
            .filter(Column::State.eq(old.state))
            .exec(&transaction)
            .await?;
        if done.rows_affected != 1 {
            return Err(Failure::internal(
                "the row of an action changed under a lock",
            ));
        }
        let tells = told.is_some();
        let told = told.map(|(kind, output)| event(&row, kind, output));
        events::append(&transaction, told.into_iter().collect()).await?;
        transaction.commit().await?;
        if tells {
            feed.wake();
        }
        Ok(row)
    }

    /// Saves the row and tells what became of it.
    pub async fn tell(self, feed: &Feed, kind: ActionChangeKind) -> Result<Model, Failure> {
        self.save(feed, Some((kind, None))).await
    }
}

/// The columns that change after an action was asked for.
fn changed(row: &Model) -> ActiveModel {
    let row = row.clone();
    ActiveModel {
        expid: Set(row.expid),
        state: Set(row.state),
        began_at: Set(row.began_at),
        ended_at: Set(row.ended_at),
        exit_code: Set(row.exit_code),
        reason: Set(row.reason),
        message: Set(row.message),
        cancel_requested_at: Set(row.cancel_requested_at),
        cancel_requested_by: Set(row.cancel_requested_by),
        keeper: Set(row.keeper),
        host: Set(row.host),
        holder: Set(row.holder),
        lease_until: Set(row.lease_until),
        output_bytes: Set(row.output_bytes),
        output_tail: Set(row.output_tail),
        ..Default::default()
    }
}
