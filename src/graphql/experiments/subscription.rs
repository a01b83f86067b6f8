//! Changes of experiments and jobs as they happen.

use std::sync::Arc;

use async_graphql::{Context, Enum, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};

use super::enums::JobStatus;
use super::experiment::Experiment;
use super::job::Job;
use crate::events::{Event, Filter, Topic};
use crate::experiments::changes::{self, ExperimentChange, JobChange};
use crate::experiments::{read, status};
use crate::graphql::context::{ContextExt, failed};
use crate::graphql::error::internal;
use crate::graphql::live::Updates;
use crate::narrow::Columns;
use crate::time::from_millis;

/// What happened to an experiment or to a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "changes::ChangeKind")]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// It is another one than before.
    Changed,
    /// The job is gone from its list.
    Removed,
    /// The experiment is gone from its root, and kept.
    Archived,
}

impl ChangeKind {
    /// What a newer labql may say beside these is a change, too.
    fn of(event: &Event) -> Self {
        changes::ChangeKind::from_name(&event.kind).map_or(Self::Changed, Into::into)
    }
}

/// A change of an experiment.
#[derive(SimpleObject)]
pub struct ExperimentUpdate {
    /// The position of this change in the log: subscribe with `after` to go on from here.
    cursor: String,
    /// When the change was noticed.
    recorded_at: Option<DateTime<Utc>>,
    /// What happened.
    kind: ChangeKind,
    /// The experiment as this change left it; its lists are as they are now.
    experiment: Experiment,
}

impl ExperimentUpdate {
    async fn of(ctx: &Context<'_>, event: &Event) -> Result<Self> {
        let services = ctx.services()?;
        let told = ExperimentChange::of(event).map(|change| change.experiment);
        let row = match told {
            Ok(row) if row.expid == event.subject => Arc::new(row),
            // Of a labql that told less: the experiment as it is now.
            _ => read::experiments::by_expid(&services.database, &event.subject, Columns::all())
                .await
                .map_err(failed)?
                .ok_or_else(|| internal("the experiment of an event is gone"))?,
        };
        Ok(Self {
            cursor: services.feed.cursor(event).to_string(),
            recorded_at: from_millis(event.recorded_at),
            kind: ChangeKind::of(event),
            experiment: Experiment::single(row),
        })
    }
}

/// A change of a job.
#[derive(SimpleObject)]
pub struct JobUpdate {
    /// The position of this change in the log: subscribe with `after` to go on from here.
    cursor: String,
    /// When the change was noticed.
    recorded_at: Option<DateTime<Utc>>,
    /// What happened.
    kind: ChangeKind,
    /// The job as this change left it, or as it was when it was removed; its parents, children and attempts are as they
    /// are now.
    job: Job,
    /// Its status before; null for a job that is new.
    previous_status: Option<JobStatus>,
}

impl JobUpdate {
    fn of(ctx: &Context<'_>, event: &Event) -> Result<Self> {
        let change = JobChange::of(event).map_err(internal)?;
        let previous = change.previous_status.map(i64::from);
        Ok(Self {
            cursor: ctx.services()?.feed.cursor(event).to_string(),
            recorded_at: from_millis(event.recorded_at),
            kind: ChangeKind::of(event),
            job: Job::single(change.job, &event.subject),
            previous_status: previous
                .and_then(status::JobStatus::from_code)
                .map(Into::into),
        })
    }
}

/// Changes of experiments and jobs as they happen.
#[derive(Default)]
pub struct ExperimentUpdates;

#[Object]
impl ExperimentUpdates {
    /// Tells of every change of every experiment, or of one: of its row, its jobs, its runs, its problems. With `after`,
    /// first those since that cursor, none lost and none twice; without, those from now on.
    async fn experiment_updates(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only of this experiment.")] expid: Option<String>,
        #[graphql(
            desc = "The cursor of the last change that was seen; `beginning`: all that the log still has."
        )]
        after: Option<String>,
    ) -> Result<ExperimentUpdate> {
        ctx.check_read()?;
        let filter = Filter::topic(Topic::Experiment).about(expid);
        let event = ctx.update(filter, after).await?;
        ExperimentUpdate::of(ctx, &event).await
    }

    /// Tells of every change of every job of an experiment, or of all experiments: one update for each job that changed.
    /// The jobs of an experiment that is read for the first time are not told one by one. With `after`, first those
    /// since that cursor, none lost and none twice; without, those from now on.
    async fn job_updates(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only of this experiment.")] expid: Option<String>,
        #[graphql(
            desc = "The cursor of the last change that was seen; `beginning`: all that the log still has."
        )]
        after: Option<String>,
    ) -> Result<JobUpdate> {
        ctx.check_read()?;
        let filter = Filter::topic(Topic::Job).about(expid);
        let event = ctx.update(filter, after).await?;
        JobUpdate::of(ctx, &event)
    }
}
