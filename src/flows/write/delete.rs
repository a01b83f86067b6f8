//! Deleting runs.

use std::collections::BTreeSet;
use std::path::PathBuf;

use sea_orm::sea_query::Condition;
use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};

use super::{check_run, conflict, states, unknown};
use crate::auth::viewer::ViewerUser;
use crate::database::is_one_of;
use crate::entity::flow_run::{Column, Entity, Model};
use crate::events::{self, NewEvent};
use crate::failure::Failure;
use crate::flows::Flows;
use crate::flows::changes::{self, ChangeKind};
use crate::flows::disk;
use crate::flows::rights::Role;

/// How many runs go in one transaction, with their steps, logs and files.
const TOGETHER: u64 = 100;

/// Deletes a run that has ended, with its log and files; for members of its group.
///
/// # Errors
/// A rejection if there is no such run, or it has not ended.
pub async fn delete(flows: &Flows, user: &ViewerUser, run: i64) -> Result<(), Failure> {
    let transaction = flows.database.begin().await?;
    let row = Entity::find_by_id(run)
        .lock_exclusive()
        .one(&transaction)
        .await?;
    let row = row.ok_or_else(|| unknown("id", "run"))?;
    check_run(&transaction, user, &row, Role::Member).await?;
    if !states::run_state(&row)?.is_final() {
        let message = "it has not ended: cancel it first";
        return Err(conflict(Some("id"), message));
    }
    let of_it = Condition::all().add(Column::Id.eq(run));
    let removed = runs(flows, &transaction, &of_it, None, Some(&user.username)).await?;
    events::append(&transaction, removed.events).await?;
    transaction.commit().await?;
    flows.feed.wake();
    disk::remove_all(removed.paths).await;
    tracing::info!(run, actor = user.username, "a run was deleted");
    Ok(())
}

/// What is left to do when runs have been deleted.
pub(super) struct Removed {
    /// What is told of it, last in the transaction.
    pub events: Vec<NewEvent>,
    /// What is removed when that is done.
    pub paths: Vec<PathBuf>,
}

/// Deletes the runs that have ended and for which a condition holds, the oldest first; at most so many.
///
/// # Errors
/// Those of the database.
pub(super) async fn runs(
    flows: &Flows,
    transaction: &DatabaseTransaction,
    condition: &Condition,
    most: Option<u64>,
    actor: Option<&str>,
) -> Result<Removed, Failure> {
    let rows: Vec<Model> = Entity::find()
        .filter(condition.clone())
        .filter(Column::EndedAt.is_not_null())
        .order_by_asc(Column::Id)
        .limit(most)
        .lock_exclusive()
        .all(transaction)
        .await?;
    let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
    Entity::delete_many()
        .filter(is_one_of(&flows.database, Column::Id.as_column_ref(), &ids))
        .exec(transaction)
        .await?;
    // Always in the same order, so that nobody waits for each other in a circle.
    let ranked = rows.iter().filter(|row| row.is_ranked);
    let ranked: BTreeSet<i64> = ranked.map(|row| row.workflow_id).collect();
    for workflow in ranked {
        states::ranking_changed(transaction, workflow).await?;
    }
    let event = |row: &Model| changes::event(ChangeKind::Deleted, row, None, actor);
    let folder = |row: &Model| flows.places.run(&row.folder).folder;
    Ok(Removed {
        events: rows.iter().map(event).collect(),
        paths: rows.iter().map(folder).collect(),
    })
}

/// Deletes all runs that have ended and for which a condition holds, in many transactions, with their files. Says how many.
///
/// # Errors
/// Those of the database; what is deleted by then is deleted.
pub(super) async fn all(
    flows: &Flows,
    condition: &Condition,
    actor: Option<&str>,
) -> Result<u64, Failure> {
    let mut count = 0;
    loop {
        let transaction = flows.database.begin().await?;
        let Removed { events, paths } =
            runs(flows, &transaction, condition, Some(TOGETHER), actor).await?;
        if events.is_empty() {
            return Ok(count);
        }
        count += events.len() as u64;
        events::append(&transaction, events).await?;
        transaction.commit().await?;
        flows.feed.wake();
        disk::remove_all(paths).await;
    }
}
