//! The type `Action`.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Result};
use chrono::{DateTime, Utc};
use macros::row;

use crate::entity::action;
use crate::experiments::actions::{self, read, state};
use crate::experiments::read::experiments;
use crate::graphql::connection::connection;
use crate::graphql::context::{ContextExt, failed};
use crate::graphql::experiments::Experiment;
use crate::graphql::id::GlobalId;
use crate::graphql::json::json_enums;
use crate::graphql::json_text::JsonText;
use crate::graphql::number::{count, int};
use crate::time::from_millis;

/// What can be done.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq, Hash)]
#[graphql(remote = "actions::ActionKind")]
pub enum ActionKind {
    /// Runs an experiment (`autosubmit run`).
    Run,
    /// Stops the run of an experiment (`autosubmit stop`).
    Stop,
    /// Makes a new experiment (`autosubmit expid`).
    Create,
    /// Makes the job list of an experiment (`autosubmit create`).
    CreateJobList,
    /// Sets the status of jobs (`autosubmit setstatus`).
    SetStatus,
    /// Changes the description of an experiment (`autosubmit updatedescrip`).
    Describe,
}

/// Where an action stands.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq, Hash)]
#[graphql(remote = "state::ActionState")]
pub enum ActionState {
    /// It was asked for and has not begun.
    Requested,
    /// Autosubmit is at it. A run is, for as long as the experiment runs.
    Running,
    /// It went well.
    Succeeded,
    /// It did not, or it could not be begun.
    Failed,
    /// Somebody withdrew it, or stopped the run. What Autosubmit had done by then stays done.
    Canceled,
    /// Nobody can tell how it ended. It is not begun again by itself.
    Lost,
}

/// Why an action ended as it did.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq, Hash)]
#[graphql(remote = "state::EndReason")]
pub enum ActionEndReason {
    /// The program ended by itself. Autosubmit ends with the exit code 0 after some failures; then its output told.
    Exited,
    /// A signal ended the program that did not come from here.
    Signaled,
    /// The program took longer than the profile allows.
    TimedOut,
    /// Somebody withdrew it, or stopped the run by `stopExperiment` or by hand.
    Canceled,
    /// The program could not be started.
    NotStarted,
    /// When it should have begun, the user had no right to it any more.
    RightWithdrawn,
    /// When it should have begun, the configuration did not allow it any more; or its profile is gone, without which nobody can
    /// tell how it ended.
    NotConfigured,
    /// When it should have begun, the experiment was gone.
    ExperimentGone,
    /// No server was there to begin it in time.
    NotBegunInTime,
    /// The server was busy with other actions until it was too late to begin it.
    Busy,
    /// The connection to the other machine broke, or it did not confirm that the program was ended: what became of it there
    /// is not known.
    ConnectionLost,
    /// The process is gone, and nobody noted how it ended.
    ProcessGone,
    /// The machine that keeps its program has not been heard of for too long.
    HostGone,
}

json_enums!(ActionKind, ActionState, ActionEndReason);

/// Something that a person had Autosubmit do. Whoever asked for it sees it, and administrators.
#[derive(Clone)]
pub struct Action(pub Arc<action::Model>);

connection!(
    ActionConnection,
    ActionEdge,
    Action,
    "A page of actions.",
    "An action in a page."
);

impl Action {
    /// The row with what events leave out: none, if it is not kept any more.
    async fn whole(&self, ctx: &Context<'_>) -> Result<Option<Arc<action::Model>>> {
        if !self.0.arguments.is_empty() {
            return Ok(Some(Arc::clone(&self.0)));
        }
        // Whoever sees the one may see the other.
        let whose = read::Whose::Everybodys;
        let found = read::by_ids(ctx.database()?, whose, &[self.0.id]).await;
        Ok(found.map_err(failed)?.pop())
    }
}

/// Something that a person had Autosubmit do. Whoever asked for it sees it, and administrators.
#[row(columns = action::Column)]
impl Action {
    /// The global id.
    #[reads(Id)]
    pub fn id(&self) -> ID {
        GlobalId::Action(self.0.id).encode()
    }

    /// Counts the actions, as the subject of its events and messages name it.
    #[reads(Id)]
    fn number(&self) -> Option<i32> {
        int(Some(self.0.id))
    }

    /// What is done; null: something that this server does not know.
    #[reads(Kind)]
    fn kind(&self) -> Option<ActionKind> {
        actions::ActionKind::from_name(&self.0.kind).map(Into::into)
    }

    /// The expid of the experiment on which it is done, or which it made; null while that is not made.
    #[reads(Expid)]
    fn expid(&self) -> Option<&str> {
        self.0.expid.as_deref()
    }

    /// The experiment on which it is done, or which it made; null while that is not made, or the mirror has not seen it.
    #[reads(Expid)]
    async fn experiment(
        actions: &[Action],
        ctx: &Context<'_>,
    ) -> Result<impl Fn(&Action) -> Option<Experiment>> {
        let mut expids: Vec<&str> = actions
            .iter()
            .filter_map(|one| one.0.expid.as_deref())
            .collect();
        expids.sort_unstable();
        expids.dedup();
        let rows = if expids.is_empty() {
            Vec::new()
        } else {
            experiments::by_expids(ctx.database()?, &expids)
                .await
                .map_err(failed)?
        };
        let rows: Vec<_> = rows.into_iter().map(Arc::new).collect();
        let level = Experiment::level(&rows);
        let found: HashMap<String, Experiment> = rows
            .into_iter()
            .map(|row| (row.expid.clone(), Experiment::on_level(row, &level)))
            .collect();
        Ok(move |one: &Action| found.get(one.0.expid.as_deref()?).cloned())
    }

    /// The profile by which Autosubmit is called.
    #[reads(Profile)]
    fn profile(&self) -> &str {
        &self.0.profile
    }

    /// What was asked for, as it was asked for; null: it is not kept any more.
    #[reads(Id, Arguments)]
    async fn arguments(&self, ctx: &Context<'_>) -> Result<Option<JsonText>> {
        let row = self.whole(ctx).await?;
        Ok(row.map(|row| JsonText::written(row.arguments.clone())))
    }

    /// Who asked for it: the username.
    #[reads(Actor)]
    fn actor(&self) -> &str {
        &self.0.actor
    }

    /// Where it stands.
    #[reads(State)]
    fn state(&self) -> ActionState {
        // A newer server may know more states: then this one cannot tell.
        state::ActionState::parse(&self.0.state)
            .unwrap_or(state::ActionState::Lost)
            .into()
    }

    /// When it was asked for.
    #[reads(RequestedAt)]
    fn requested_at(&self) -> Option<DateTime<Utc>> {
        from_millis(self.0.requested_at)
    }

    /// When it began; null: it has not, or never did.
    #[reads(BeganAt)]
    fn began_at(&self) -> Option<DateTime<Utc>> {
        self.0.began_at.and_then(from_millis)
    }

    /// When it ended; null: it has not.
    #[reads(EndedAt)]
    fn ended_at(&self) -> Option<DateTime<Utc>> {
        self.0.ended_at.and_then(from_millis)
    }

    /// The exit code of the program; null: it has not ended, or not by itself.
    #[reads(ExitCode)]
    fn exit_code(&self) -> Option<i32> {
        int(self.0.exit_code)
    }

    /// Why it ended as it did, for programs; null: it has not ended.
    #[reads(Reason)]
    fn reason(&self) -> Option<ActionEndReason> {
        let reason = self.0.reason.as_deref()?;
        state::EndReason::parse(reason).map(Into::into)
    }

    /// Why it ended as it did, for people; null: there is nothing to say.
    #[reads(Message)]
    fn message(&self) -> Option<&str> {
        self.0.message.as_deref()
    }

    /// When somebody withdrew it; null: nobody did.
    #[reads(CancelRequestedAt)]
    fn cancel_requested_at(&self) -> Option<DateTime<Utc>> {
        self.0.cancel_requested_at.and_then(from_millis)
    }

    /// Who withdrew it: the username.
    #[reads(CancelRequestedBy)]
    fn cancel_requested_by(&self) -> Option<&str> {
        self.0.cancel_requested_by.as_deref()
    }

    /// The machine whose labql keeps its program; null: it has not begun.
    #[reads(Host)]
    fn host(&self) -> Option<&str> {
        self.0.host.as_deref()
    }

    /// How many bytes its program has printed, up to the limit of the profile.
    #[reads(OutputBytes)]
    fn output_bytes(&self) -> i32 {
        count(self.0.output_bytes)
    }

    /// The end of what its program is known to have printed by now, at most 8 KiB, with U+FFFD for what is no text; in an
    /// update, too, it is that of the present. `actionUpdates` tells all of it. Null: the action is not kept any more.
    #[reads(Id, Arguments, OutputTail)]
    async fn output_tail(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        let row = self.whole(ctx).await?;
        Ok(row.map(|row| row.output_tail.clone()))
    }
}
