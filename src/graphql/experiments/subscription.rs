//! Changes of experiments as they happen.

use async_graphql::{Context, Result, SimpleObject, Subscription};
use chrono::{DateTime, Utc};
use futures_util::{Stream, StreamExt};

use super::experiment::Experiment;
use crate::events::{self, Cursor, Topic};
use crate::experiments::read;
use crate::graphql::context::{ContextExt, failed};
use crate::graphql::engine::ResumeFrom;
use crate::graphql::error::ErrorCode;
use crate::time::from_millis;

/// A change of an experiment.
#[derive(SimpleObject)]
pub struct ExperimentUpdate {
    /// The position of this change in the log: subscribe with `after` to go on from here.
    cursor: String,
    /// When the change was noticed.
    recorded_at: Option<DateTime<Utc>>,
    /// The experiment as it is now.
    experiment: Experiment,
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

/// Changes of experiments as they happen.
#[derive(Default)]
pub struct ExperimentsSubscription;

#[Subscription]
impl ExperimentsSubscription {
    /// Tells of every change of every experiment: of its row, its jobs, its runs, its problems. With `after`, first those
    /// since that cursor, none lost and none twice; without, those from now on.
    async fn experiment_updates(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The cursor of the last change that was seen.")] after: Option<String>,
    ) -> Result<impl Stream<Item = Result<ExperimentUpdate>>> {
        ctx.check_read()?;
        let services = ctx.services()?.clone();
        let resume = ctx.data_opt::<ResumeFrom>().map(|resume| resume.0.clone());
        let head = events::head(&services.database).await;
        let head = head.map_err(failed)?;
        let after = match resume.or(after) {
            Some(cursor) => position(&cursor, head)?,
            None => head,
        };
        let changes = services.feed.subscribe(Topic::Experiment, after);
        Ok(changes.filter_map(move |event| {
            let database = services.database.clone();
            async move {
                let event = match event {
                    Ok(event) => event,
                    Err(failure) => return Some(Err(failed(failure))),
                };
                match read::experiments::by_expid(&database, &event.subject).await {
                    Ok(row) => row.map(|row| {
                        Ok(ExperimentUpdate {
                            cursor: Cursor(event.position.unwrap_or_default()).to_string(),
                            recorded_at: from_millis(event.recorded_at),
                            experiment: Experiment::single(row),
                        })
                    }),
                    Err(failure) => Some(Err(failed(failure))),
                }
            }
        }))
    }
}
