//! The row of a worker: read, and changed in one transaction with the events that tell of it.

use std::time::Instant;

use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveModelTrait, ActiveValue::NotSet, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter,
    QuerySelect,
};

use super::lease;
use super::schedule::millis;
use super::snapshot::{Snapshot, Telling};
use super::status::{WorkerStatus, status_at};
use super::work::Work;
use crate::database::Database;
use crate::entity::worker::{Column, Entity, Model};
use crate::events::{self, Feed, NewEvent, Topic};
use crate::failure::Failure;

/// A row as it was at a moment.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub row: Model,
    /// The time of the database, in milliseconds since 1970-01-01 UTC.
    pub now: i64,
    /// The same moment on this machine.
    pub at: Instant,
}

/// What a change tells those who listen.
#[derive(Clone, Debug)]
pub(super) struct Tale {
    pub kind: &'static str,
    pub actor: Option<String>,
}

impl Tale {
    /// Something that happened by itself.
    pub fn of(kind: &'static str) -> Self {
        Self { kind, actor: None }
    }

    /// Something that a person did.
    pub fn by(kind: &'static str, actor: &str) -> Self {
        Self {
            kind,
            actor: Some(actor.to_owned()),
        }
    }
}

/// What became of a row.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Nothing.
    Keep,
    /// It changed; that is nothing to tell.
    Quiet,
    /// It changed.
    Tell(Tale),
}

/// The row and the time; none: there is no such worker.
pub(super) async fn read(database: &Database, name: &str) -> Result<Option<Seen>, Failure> {
    let row = Entity::find()
        .filter(Column::Name.eq(name))
        .one(database.read())
        .await?;
    let now = lease::now(database.read()).await?;
    let at = Instant::now();
    Ok(row.map(|row| Seen { row, now, at }))
}

/// Makes the row of a worker that is new to the database, whoever else makes it at this moment.
pub(super) async fn register(
    database: &Database,
    work: &dyn Work,
    lease: std::time::Duration,
) -> Result<(), Failure> {
    let transaction = database.begin().await?;
    let now = lease::now(&transaction).await?;
    let row = Model {
        id: 0,
        name: work.name().to_owned(),
        kind: work.kind().as_str().to_owned(),
        status: WorkerStatus::Idle.as_str().to_owned(),
        schedule: work.schedule().to_string(),
        interval_ms: work.schedule().interval_ms(),
        next_due_at: now,
        paused_at: None,
        paused_by: None,
        requested_at: None,
        requested_by: None,
        holder: None,
        host: None,
        lease_ms: millis(lease),
        lease_until: None,
        heartbeat_at: None,
        started_at: None,
        failures: 0,
        last_started_at: None,
        last_finished_at: None,
        last_outcome: None,
        last_changes: 0,
        last_problems: "[]".to_owned(),
        last_error: None,
    };
    let mut row = row.into_active_model().reset_all();
    row.id = NotSet;
    Entity::insert(row)
        .on_conflict(OnConflict::column(Column::Name).do_nothing().to_owned())
        .exec_without_returning(&transaction)
        .await?;
    Ok(transaction.commit().await?)
}

/// Changes a row as `decide` says, in one transaction with the events, and gives it as it is then; none: there is no
/// such worker. That a worker was lost is told before anything else that becomes of it, and so is that it is back.
pub(super) async fn change(
    database: &Database,
    feed: &Feed,
    name: &str,
    decide: impl FnOnce(&mut Model, i64) -> Result<Step, Failure> + Send,
) -> Result<Option<Seen>, Failure> {
    let transaction = database.begin().await?;
    let old = Entity::find()
        .filter(Column::Name.eq(name))
        .lock_exclusive()
        .one(&transaction)
        .await?;
    let Some(old) = old else {
        return Ok(None);
    };
    let now = lease::now(&transaction).await?;
    let at = Instant::now();
    let mut row = old.clone();
    let mut tellings = Vec::new();
    let mut before = parse_status(&old)?;
    if status_at(&old, now) == WorkerStatus::Lost && before != WorkerStatus::Lost {
        tracing::warn!(worker = name, host = old.host, "a worker was lost");
        pass_to(&mut row, before, now)?;
        before = WorkerStatus::Lost;
        tellings.push(event(&row, Tale::of("lost"), now));
    }
    let step = decide(&mut row, now)?;
    let status = pass_to(&mut row, before, now)?;
    match step {
        Step::Tell(tale) => tellings.push(event(&row, tale, now)),
        Step::Quiet if before == WorkerStatus::Lost && status != before => {
            tellings.push(event(&row, Tale::of("recovered"), now));
        }
        Step::Quiet | Step::Keep => {}
    }
    if row == old {
        transaction.rollback().await?;
        return Ok(Some(Seen { row, now, at }));
    }
    let (id, holder, status) = (old.id, old.holder, old.status);
    let mut changed = row.clone().into_active_model().reset_all();
    changed.id = NotSet;
    let of_holder = match holder {
        Some(holder) => Column::Holder.eq(holder),
        None => Column::Holder.is_null(),
    };
    let done = Entity::update_many()
        .set(changed)
        .filter(Column::Id.eq(id))
        .filter(Column::Status.eq(status))
        .filter(of_holder)
        .exec(&transaction)
        .await?;
    if done.rows_affected != 1 {
        return Err(Failure::internal(
            "the row of a worker changed under a lock",
        ));
    }
    let told = !tellings.is_empty();
    events::append(&transaction, tellings.into_iter().flatten().collect()).await?;
    transaction.commit().await?;
    if told {
        feed.wake();
    }
    Ok(Some(Seen { row, now, at }))
}

fn parse_status(row: &Model) -> Result<WorkerStatus, Failure> {
    WorkerStatus::parse(&row.status)
        .ok_or_else(|| Failure::internal(format!("unknown status {} of a worker", row.status)))
}

/// Notes the status that the row now has, if it may have it.
fn pass_to(row: &mut Model, before: WorkerStatus, now: i64) -> Result<WorkerStatus, Failure> {
    let status = status_at(row, now);
    if !before.may_become(status) {
        let (name, before, status) = (&row.name, before.as_str(), status.as_str());
        return Err(Failure::internal(format!(
            "worker {name} cannot go from {before} to {status}"
        )));
    }
    status.as_str().clone_into(&mut row.status);
    Ok(status)
}

fn event(row: &Model, tale: Tale, now: i64) -> Option<NewEvent> {
    // The end of a run is all that has changes.
    let ended = matches!(tale.kind, "finished");
    let changes = if ended { row.last_changes } else { 0 };
    let telling = Telling::new(Snapshot::of(row, now)?, changes);
    Some(NewEvent {
        topic: Topic::Worker,
        subject: row.name.clone(),
        kind: tale.kind,
        payload: serde_json::to_value(telling).ok()?,
        actor: tale.actor,
    })
}
