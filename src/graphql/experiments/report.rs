//! What people and programs report of runs.

use async_graphql::{Context, InputObject, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};

use crate::events::{Event, Filter, Topic};
use crate::experiments::reports::{Recorded, Report, Told};
use crate::graphql::context::ContextExt;
use crate::graphql::error::internal;
use crate::graphql::live::Updates;
use crate::graphql::number::count;
use crate::graphql::user_error::{UserError, payload};
use crate::time::from_millis;

/// What a script, a hook or an operator has to tell of a run that Autosubmit does not record. Reports are in the log of
/// changes and nowhere else: they are kept for as long as the log keeps its events.
#[derive(SimpleObject)]
pub struct RunReport {
    /// The expid of the experiment.
    expid: String,
    /// The number of the run.
    run_number: i32,
    /// What has become of the run, in the words of whoever reports it.
    status: String,
    /// What there is to say about that.
    message: Option<String>,
    /// Who reported it: the username; null: somebody who need not say, or you are no administrator.
    reported_by: Option<String>,
    /// When it was taken into the log.
    reported_at: Option<DateTime<Utc>>,
    /// The position of this report in the log: subscribe with `after` to go on from here. Null in the answer to
    /// `reportRun`: a report gets its position after it was committed.
    cursor: Option<String>,
}

impl From<Recorded> for RunReport {
    fn from(recorded: Recorded) -> Self {
        let Report { expid, told, actor } = recorded.report;
        Self {
            expid,
            run_number: count(told.number),
            status: told.status,
            message: told.message,
            reported_by: actor,
            reported_at: from_millis(recorded.recorded_at),
            cursor: None,
        }
    }
}

impl RunReport {
    fn of(ctx: &Context<'_>, event: &Event) -> Result<Self> {
        let told = Told::of(event).map_err(internal)?;
        let may_know_who = ctx.administrator().is_ok();
        Ok(Self {
            expid: event.subject.clone(),
            run_number: count(told.number),
            status: told.status,
            message: told.message,
            reported_by: event.actor.clone().filter(|_| may_know_who),
            reported_at: from_millis(event.recorded_at),
            cursor: Some(ctx.services()?.feed.cursor(event).to_string()),
        })
    }
}

/// What there is to tell of a run.
#[derive(InputObject)]
struct ReportRunInput {
    /// The expid of the experiment.
    expid: String,
    /// The number of the run.
    number: i64,
    /// What has become of the run, in 1 to 64 characters.
    status: String,
    /// What there is to say about that, in at most 4,096 bytes.
    message: Option<String>,
}

/// The answer to `reportRun`.
#[derive(SimpleObject)]
struct ReportRunPayload {
    /// The report as it was taken into the log.
    report: Option<RunReport>,
    /// Why not.
    errors: Vec<UserError>,
}

/// Reports of runs.
#[derive(Default)]
pub struct ReportsMutation;

#[Object]
impl ReportsMutation {
    /// Tells of a run what Autosubmit does not record, such as that its data was transferred. The report goes into the
    /// log of changes, and to whoever follows `runReports`; it changes nothing of the run. An unknown run: `NOT_FOUND`.
    async fn report_run(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The report.")] input: ReportRunInput,
    ) -> Result<ReportRunPayload> {
        ctx.check_write()?;
        let actor = ctx.viewer()?.user.as_ref();
        let report = Report {
            expid: input.expid,
            told: Told {
                number: input.number,
                status: input.status,
                message: input.message,
            },
            actor: actor.map(|user| user.username.clone()),
        };
        let (report, errors) = payload(ctx.services()?.reports.record(report).await)?;
        let report = report.map(RunReport::from);
        Ok(ReportRunPayload { report, errors })
    }
}

/// Reports of runs as they come.
#[derive(Default)]
pub struct ReportUpdates;

#[Object]
impl ReportUpdates {
    /// Tells what is reported of the runs of all experiments, or of one. With `after`, first what was reported since that
    /// cursor, none lost and none twice; without, what is from now on.
    async fn run_reports(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only of this experiment.")] expid: Option<String>,
        #[graphql(
            desc = "The cursor of the last report that was seen; `beginning`: all that the log still has."
        )]
        after: Option<String>,
    ) -> Result<RunReport> {
        ctx.check_read()?;
        let event = ctx
            .update(Filter::topic(Topic::Run).about(expid), after)
            .await?;
        RunReport::of(ctx, &event)
    }
}
