//! What becomes of background workers, as it happens.

use async_graphql::{Context, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};

use super::types::Worker;
use crate::database::Database;
use crate::events::{Event, Filter, Topic};
use crate::failure::Failure;
use crate::graphql::context::{ContextExt, failed};
use crate::graphql::error::internal;
use crate::graphql::live::Updates;
use crate::graphql::number::count;
use crate::time::from_millis;
use crate::workers::{Telling, read};

/// Something that became of a worker.
#[derive(SimpleObject)]
pub struct WorkerUpdate {
    /// The position of this change in the log: subscribe with `after` to go on from here.
    cursor: String,
    /// When it happened.
    recorded_at: Option<DateTime<Utc>>,
    /// The worker as this change left it.
    worker: Worker,
    /// How much the run changed whose end this is, such as rows; 0 for anything else.
    changes: i32,
}

impl WorkerUpdate {
    pub(crate) async fn of(ctx: &Context<'_>, event: &Event) -> Result<Self> {
        let services = ctx.services()?;
        let told = told(&services.database, event).await.map_err(failed)?;
        let told = told.ok_or_else(|| internal("the worker of an event is gone"))?;
        Ok(Self {
            cursor: services.feed.cursor(event).to_string(),
            recorded_at: from_millis(event.recorded_at),
            worker: Worker(told.worker),
            changes: count(told.changes),
        })
    }
}

/// What the event tells; the worker as it is now, if its payload has another form.
async fn told(database: &Database, event: &Event) -> Result<Option<Telling>, Failure> {
    if let Some(telling) = Telling::read(&event.payload) {
        return Ok(Some(telling));
    }
    let mut found = read::by_names(database, &[event.subject.as_str()]).await?;
    let changes = 0;
    Ok(found.pop().map(|worker| Telling { worker, changes }))
}

/// What becomes of background workers, as it happens.
#[derive(Default)]
pub struct WorkerUpdates;

#[Object]
impl WorkerUpdates {
    /// Tells what becomes of background workers: runs that were asked for, that take longer than a second, that changed
    /// something, failed or went well again after a failure; workers that were paused, resumed, lost, or found again. A
    /// run that was due and found nothing to do is not told. With `after`, first those since that cursor, none lost and
    /// none twice; without, those from now on.
    async fn worker_updates(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "The cursor of the last change that was seen; `beginning`: all that the log still has."
        )]
        after: Option<String>,
    ) -> Result<WorkerUpdate> {
        ctx.check_read()?;
        let event = ctx.update(Filter::topic(Topic::Worker), after).await?;
        WorkerUpdate::of(ctx, &event).await
    }
}
