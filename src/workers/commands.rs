//! What administrators do with workers: each is one transaction, the event in it. Doing twice what was done is no error
//! and no event.

use super::schedule::due_at;
use super::snapshot::Snapshot;
use super::store::{self, Step, Tale};
use crate::database::Database;
use crate::entity::worker::Model;
use crate::events::Feed;
use crate::failure::{Failure, RejectionCode};

/// Lets no further run begin. One that is under way comes to its end; a request for another is withdrawn.
pub async fn pause(
    database: &Database,
    feed: &Feed,
    actor: &str,
    name: &str,
) -> Result<Snapshot, Failure> {
    change(database, feed, name, |row, now| {
        if row.paused_at.is_some() {
            return Ok(Step::Keep);
        }
        row.paused_at = Some(now);
        row.paused_by = Some(actor.to_owned());
        row.requested_at = None;
        row.requested_by = None;
        Ok(Step::Tell(Tale::by("paused", actor)))
    })
    .await
}

/// Lets runs begin again: the next one when it is due, at once if that is past.
pub async fn resume(
    database: &Database,
    feed: &Feed,
    actor: &str,
    name: &str,
) -> Result<Snapshot, Failure> {
    change(database, feed, name, |row, now| {
        if row.paused_at.take().is_none() {
            return Ok(Step::Keep);
        }
        row.paused_by = None;
        // What it missed while it was paused does not make it overdue.
        row.next_due_at = due_at(row, now).max(now);
        Ok(Step::Tell(Tale::by("resumed", actor)))
    })
    .await
}

/// Asks for a run as soon as possible: by whoever holds the worker, and after the run that is under way, if one is.
///
/// # Errors
/// A conflict if it is paused.
pub async fn run_now(
    database: &Database,
    feed: &Feed,
    actor: &str,
    name: &str,
) -> Result<Snapshot, Failure> {
    change(database, feed, name, |row, now| {
        if row.paused_at.is_some() {
            let message = "it is paused: resume it first";
            return Err(Failure::rejected(
                RejectionCode::Conflict,
                Some("name"),
                message,
            ));
        }
        if row.requested_at.is_some() {
            return Ok(Step::Keep);
        }
        row.requested_at = Some(now);
        row.requested_by = Some(actor.to_owned());
        Ok(Step::Tell(Tale::by("requested", actor)))
    })
    .await
}

async fn change(
    database: &Database,
    feed: &Feed,
    name: &str,
    decide: impl FnOnce(&mut Model, i64) -> Result<Step, Failure> + Send,
) -> Result<Snapshot, Failure> {
    let unknown = || {
        let message = "there is no such worker";
        Failure::rejected(RejectionCode::NotFound, Some("name"), message)
    };
    // No name holds it, and PostgreSQL refuses to look for it.
    if name.contains('\0') {
        return Err(unknown());
    }
    let seen = store::change(database, feed, name, decide).await?;
    seen.and_then(|seen| Snapshot::of(&seen.row, seen.now))
        .ok_or_else(unknown)
}
