//! What becomes of background workers, as it happens.

use async_graphql::{Context, Result, SimpleObject, Subscription};
use chrono::{DateTime, Utc};
use futures_util::{Stream, StreamExt};

use super::types::Worker;
use crate::database::Database;
use crate::entity::event;
use crate::events::{self, Cursor, Topic};
use crate::failure::Failure;
use crate::graphql::context::{ContextExt, failed};
use crate::graphql::engine::ResumeFrom;
use crate::graphql::error::ErrorCode;
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

/// The position of a cursor. One beyond the newest event is of another log, or of this one before it was restored:
/// waiting for it would silently miss what happens until then.
fn position(cursor: &str, head: i64) -> Result<i64> {
    let bad = |error: events::CursorError| ErrorCode::BadInput.error(format!("after: {error}"));
    let Cursor(position) = cursor.parse().map_err(bad)?;
    if position > head {
        let message = "after: the log does not reach this cursor: read the state anew";
        return Err(ErrorCode::CursorExpired.error(message));
    }
    Ok(position)
}

/// What the event tells; the worker as it is now, if its payload has another form.
async fn told(database: &Database, event: &event::Model) -> Result<Option<Telling>, Failure> {
    if let Some(telling) = Telling::read(&event.payload) {
        return Ok(Some(telling));
    }
    let mut found = read::by_names(database, &[event.subject.as_str()]).await?;
    let changes = 0;
    Ok(found.pop().map(|worker| Telling { worker, changes }))
}

/// What becomes of background workers, as it happens.
#[derive(Default)]
pub struct WorkersSubscription;

#[Subscription]
impl WorkersSubscription {
    /// Tells what becomes of background workers: runs that were asked for, that take longer than a second, that changed
    /// something, failed or went well again after a failure; workers that were paused, resumed, lost, or found again. A
    /// run that was due and found nothing to do is not told. With `after`, first those since that cursor, none lost and
    /// none twice; without, those from now on.
    async fn worker_updates(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The cursor of the last change that was seen.")] after: Option<String>,
    ) -> Result<impl Stream<Item = Result<WorkerUpdate>>> {
        ctx.check_read()?;
        let services = ctx.services()?.clone();
        let resume = ctx.data_opt::<ResumeFrom>().map(|resume| resume.0.clone());
        let head = events::head(&services.database).await;
        let head = head.map_err(failed)?;
        let after = match resume.or(after) {
            Some(cursor) => position(&cursor, head)?,
            None => head,
        };
        let changes = services.feed.subscribe(Topic::Worker, after);
        Ok(changes.filter_map(move |event| {
            let database = services.database.clone();
            async move {
                let event = match event {
                    Ok(event) => event,
                    Err(failure) => return Some(Err(failed(failure))),
                };
                let telling = told(&database, &event).await.map_err(failed).transpose()?;
                Some(telling.map(|telling| WorkerUpdate {
                    cursor: Cursor(event.position.unwrap_or_default()).to_string(),
                    recorded_at: from_millis(event.recorded_at),
                    worker: Worker(telling.worker),
                    changes: count(telling.changes),
                }))
            }
        }))
    }
}
