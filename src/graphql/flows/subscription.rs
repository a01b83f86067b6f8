//! Changes of runs as they happen, and what their steps print.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::enums::RunState;
use super::log::RunLogLine;
use super::named;
use super::run::Run;
use super::step::RunStep;
use crate::database::Database;
use crate::entity::flow_run;
use crate::events::{Event, Filter, Topic};
use crate::failure::{Failure, RejectionCode};
use crate::flows::changes::{self, RunChange};
use crate::flows::read::logs;
use crate::flows::rights::Asker;
use crate::flows::state;
use crate::graphql::context::{ContextExt, failed};
use crate::graphql::error::{ErrorCode, internal};
use crate::graphql::id::GlobalId;
use crate::graphql::live::{RunLog, Updates};
use crate::paging::{KeyValue, PAGE, PageArguments};
use crate::time::from_millis;

/// The name of [`RunUpdates::run_updates`] in the schema.
pub const RUN_UPDATES: &str = "runUpdates";

/// What stands for the beginning of a log, in place of a cursor.
const BEGINNING: &str = "beginning";

/// What happened to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "changes::ChangeKind")]
pub enum RunUpdateKind {
    /// It was started, and waits for its turn.
    Created,
    /// It left the queue.
    Started,
    /// Another process moves it forward from now on: the one that did has ended, or says nothing any more. See `Run.mover`.
    TakenOver,
    /// The state of a step changed.
    Step,
    /// Somebody wants it to end.
    Canceling,
    /// It has ended.
    Ended,
    /// It is kept no longer.
    Deleted,
}

/// Which changes of runs; all conditions must hold.
#[derive(Clone, Debug, Default, InputObject)]
struct RunUpdateFilter {
    /// Of the run with this global id.
    run: Option<ID>,
    /// Of runs of this workflow, in all its versions: by global id or name.
    workflow: Option<ID>,
    /// Of runs of the group with this global id.
    group: Option<ID>,
    /// Of runs that are in any of these states right after the change.
    states: Option<Vec<RunState>>,
    /// Of any of these kinds.
    kinds: Option<Vec<RunUpdateKind>>,
}

/// The same, as it is noted with what a subscriber listens for: what names name is looked up once, when the subscription
/// begins.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Wanted {
    workflow: Option<i64>,
    group: Option<i64>,
    states: Option<Vec<state::RunState>>,
    kinds: Option<Vec<String>>,
}

impl RunUpdateFilter {
    async fn resolve(self, database: &Database) -> Result<Filter, Failure> {
        let workflow = match &self.workflow {
            None => None,
            Some(id) => match named::workflow(database, id).await? {
                Some(workflow) => Some(workflow.id),
                None => return Err(unknown("filter.workflow", "workflow")),
            },
        };
        let group = match self.group.as_ref().map(GlobalId::decode) {
            None => None,
            Some(Some(GlobalId::RunGroup(id))) => Some(id),
            Some(_) => return Err(unknown("filter.group", "group")),
        };
        let run = match self.run.as_ref().map(GlobalId::decode) {
            None => None,
            Some(Some(GlobalId::Run(id))) => Some(id.to_string()),
            Some(_) => return Err(unknown("filter.run", "run")),
        };
        let states = self.states.map(|states| states.into_iter().map(Into::into));
        let name = |kind: RunUpdateKind| changes::ChangeKind::from(kind).as_str().to_owned();
        let kinds = self.kinds.map(|kinds| kinds.into_iter().map(name));
        let wanted = Wanted {
            workflow,
            group,
            states: states.map(Iterator::collect),
            kinds: kinds.map(Iterator::collect),
        };
        let among = serde_json::to_string(&wanted).map_err(Failure::internal)?;
        Ok(Filter::topic(Topic::Flow).about(run).among(among))
    }
}

fn unknown(field: &'static str, what: &str) -> Failure {
    Failure::bad_input(field, format!("there is no such {what}"))
}

impl Wanted {
    fn of(filter: &Filter) -> Result<Self> {
        let among = filter.among.as_deref().unwrap_or("{}");
        serde_json::from_str(among).map_err(internal)
    }

    fn admits(&self, kind: &str, run: &flow_run::Model) -> bool {
        let state = state::RunState::from_name(&run.state);
        let is_state = |states: &Vec<_>| state.is_some_and(|state| states.contains(&state));
        let is_kind = |kinds: &Vec<String>| kinds.iter().any(|it| it == kind);
        self.workflow.is_none_or(|id| id == run.workflow_id)
            && self.group.is_none_or(|id| Some(id) == run.group_id)
            && self.states.as_ref().is_none_or(is_state)
            && self.kinds.as_ref().is_none_or(is_kind)
    }
}

/// A change of a run.
#[derive(SimpleObject)]
pub struct RunUpdate {
    /// The position of this change in the log: subscribe with `after` to go on from here.
    cursor: String,
    /// When it happened.
    recorded_at: Option<DateTime<Utc>>,
    /// What happened; null: something that this server does not know yet.
    kind: Option<RunUpdateKind>,
    /// The run as this change left it; its steps, files, log and arguments are as they are now.
    run: Run,
    /// The step whose state changed, as this change left it; null: that of none did.
    step: Option<RunStep>,
}

impl RunUpdate {
    /// None if the viewer did not ask for this change, or may not see the run now.
    async fn of(ctx: &Context<'_>, event: &Event, wanted: &Wanted) -> Result<Option<Self>> {
        let services = ctx.services()?;
        let change = RunChange::of(event).map_err(internal)?;
        if !wanted.admits(&event.kind, &change.run) {
            return Ok(None);
        }
        let asker = Asker::of(ctx.viewer()?);
        let sees = asker.sees(services.database.read(), &change.run).await;
        if !sees.map_err(failed)? {
            return Ok(None);
        }
        let run = Arc::new(change.run);
        let step = change.step.map(Arc::new);
        Ok(Some(Self {
            cursor: services.feed.cursor(event).to_string(),
            recorded_at: from_millis(event.recorded_at),
            kind: changes::ChangeKind::from_name(&event.kind).map(Into::into),
            step: step.map(|step| RunStep::single(step, &run)),
            run: Run::single(run),
        }))
    }
}

/// Changes of runs as they happen, and what their steps print.
#[derive(Default)]
pub struct RunUpdates;

#[Object]
impl RunUpdates {
    /// Tells of every change of the runs that you may see at that moment, and of their steps: each change of a state is one. With
    /// `after`, first those since that cursor, none lost and none twice; without, those from now on. Nobody is told of runs that
    /// went with their group or workflow.
    async fn run_updates(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only these changes.")] filter: Option<RunUpdateFilter>,
        #[graphql(
            desc = "The cursor of the last change that was seen; `beginning`: all that the log still has."
        )]
        after: Option<String>,
    ) -> Result<RunUpdate> {
        ctx.check_read()?;
        let listens_for = if let Some(followed) = ctx.followed() {
            followed.clone()
        } else {
            let filter = filter.unwrap_or_default().resolve(ctx.database()?).await;
            filter.map_err(failed)?
        };
        let wanted = Wanted::of(&listens_for)?;
        let event = ctx.update(listens_for, after).await?;
        let update = RunUpdate::of(ctx, &event, &wanted).await?;
        update.ok_or_else(|| ctx.pass_over())
    }

    /// Tells what the steps of a run print, piece by piece: first what was printed since the cursor, none lost and none twice, then
    /// what comes. It ends when the run has ended and all was told.
    async fn run_log(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The global id of the run.")] run: ID,
        #[graphql(
            desc = "The cursor of the last piece that was seen, be it here or in `Run.log`; absent or `beginning`: all of them."
        )]
        after: Option<String>,
    ) -> Result<RunLogLine> {
        ctx.check_read()?;
        if let Some(piece) = ctx.piece() {
            return Ok(piece.clone());
        }
        let Some(GlobalId::Run(run)) = GlobalId::decode(&run) else {
            let message = "there is no such run";
            let none = Failure::rejected(RejectionCode::NotFound, Some("run"), message);
            return Err(failed(none));
        };
        let after = seen(ctx.resumed(after))?;
        let (services, asker) = (ctx.services()?, Asker::of(ctx.viewer()?));
        let log = RunLog::open(&services.database, &services.feed, asker, run, after).await;
        Err(ctx.follow_log(log.map_err(failed)?))
    }
}

/// The row id of the piece behind which to begin.
fn seen(after: Option<String>) -> Result<i64> {
    let page = PageArguments {
        after: after.filter(|after| after != BEGINNING),
        ..PageArguments::default()
    };
    let page = page.resolve(PAGE, &logs::oldest_first()).map_err(failed)?;
    match page.from.as_deref() {
        None => Ok(0),
        Some([KeyValue::Int(id)]) => Ok(*id),
        Some(_) => Err(ErrorCode::BadInput.error("after: not a cursor of the log of a run")),
    }
}
