//! Changes of experiments as they happen.

use async_graphql::{Context, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};

use super::experiment::Experiment;
use crate::events::{Event, Filter, Topic};
use crate::experiments::read;
use crate::graphql::context::{ContextExt, failed};
use crate::graphql::error::internal;
use crate::graphql::live::Updates;
use crate::time::from_millis;

/// A change of an experiment.
#[derive(SimpleObject)]
pub struct ExperimentUpdate {
    /// The position of this change in the log: subscribe with `after` to go on from here.
    cursor: String,
    /// When the change was noticed.
    recorded_at: Option<DateTime<Utc>>,
    /// The experiment as this change left it.
    experiment: Experiment,
}

impl ExperimentUpdate {
    async fn of(ctx: &Context<'_>, event: &Event) -> Result<Self> {
        let services = ctx.services()?;
        let row = read::experiments::by_expid(&services.database, &event.subject).await;
        let row = row.map_err(failed)?;
        let row = row.ok_or_else(|| internal("the experiment of an event is gone"))?;
        Ok(Self {
            cursor: services.feed.cursor(event).to_string(),
            recorded_at: from_millis(event.recorded_at),
            experiment: Experiment::single(row),
        })
    }
}

/// Changes of experiments as they happen.
#[derive(Default)]
pub struct ExperimentUpdates;

#[Object]
impl ExperimentUpdates {
    /// Tells of every change of every experiment: of its row, its jobs, its runs, its problems. With `after`, first those
    /// since that cursor, none lost and none twice; without, those from now on.
    async fn experiment_updates(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "The cursor of the last change that was seen; `beginning`: all that the log still has."
        )]
        after: Option<String>,
    ) -> Result<ExperimentUpdate> {
        ctx.check_read()?;
        let event = ctx.update(Filter::topic(Topic::Experiment), after).await?;
        ExperimentUpdate::of(ctx, &event).await
    }
}
