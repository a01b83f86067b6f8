//! Runs and steps as their states change: rows and events in one transaction. Commands and the mover change them here only.

use std::collections::BTreeMap;

use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QuerySelect, Set};

use crate::database::Database;
use crate::entity::{flow_run, flow_step, workflow};
use crate::events::{self, Feed, NewEvent};
use crate::failure::Failure;
use crate::flows::changes::{self, ChangeKind};
use crate::flows::read::runs::RunKind;
use crate::flows::state::{Reason, RunState, StepState};
use crate::workers;

/// The state of a run.
///
/// # Errors
/// If it is unknown: another labql has written it.
pub fn run_state(run: &flow_run::Model) -> Result<RunState, Failure> {
    RunState::from_name(&run.state)
        .ok_or_else(|| Failure::internal(format!("unknown state {} of a run", run.state)))
}

/// The state of a step.
///
/// # Errors
/// If it is unknown: another labql has written it.
pub fn step_state(step: &flow_step::Model) -> Result<StepState, Failure> {
    StepState::from_name(&step.state)
        .ok_or_else(|| Failure::internal(format!("unknown state {} of a step", step.state)))
}

/// Why a run or step did not end well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why {
    /// For programs.
    pub reason: Reason,
    /// For people.
    pub message: String,
}

impl Why {
    /// This reason, in these words.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
        }
    }
}

/// A run that nobody else changes until it is committed or dropped, which changes nothing.
pub struct OpenRun {
    /// The row. Whatever is changed of it, but for its state and the times of its changes, is saved with it.
    pub run: flow_run::Model,
    /// The time of the database, in milliseconds since 1970-01-01 UTC.
    pub now: i64,
    transaction: DatabaseTransaction,
    before: flow_run::Model,
    /// The steps that change, with the states that they had.
    steps: BTreeMap<i64, (String, flow_step::Model)>,
    events: Vec<NewEvent>,
    actor: Option<String>,
}

impl OpenRun {
    /// Opens a run to change it. None: there is no such run.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn open(database: &Database, id: i64) -> Result<Option<Self>, Failure> {
        let transaction = database.begin().await?;
        let run = flow_run::Entity::find_by_id(id)
            .lock_exclusive()
            .one(&transaction)
            .await?;
        let now = workers::now(&transaction).await?;
        Ok(run.map(|run| Self::of(transaction, run, now)))
    }

    /// Opens a run that this process holds. None: there is no such run any more, or somebody else holds it.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn held(database: &Database, id: i64, holder: &str) -> Result<Option<Self>, Failure> {
        let open = Self::open(database, id).await?;
        Ok(open.filter(|open| open.run.holder.as_deref() == Some(holder)))
    }

    /// A run whose row was read and locked in this transaction.
    pub fn of(transaction: DatabaseTransaction, run: flow_run::Model, now: i64) -> Self {
        Self {
            before: run.clone(),
            run,
            now,
            transaction,
            steps: BTreeMap::new(),
            events: Vec::new(),
            actor: None,
        }
    }

    /// Who changes it, for the events that follow.
    pub fn by(&mut self, actor: &str) {
        self.actor = Some(actor.to_owned());
    }

    /// For whatever else is done together with the change.
    pub fn transaction(&self) -> &DatabaseTransaction {
        &self.transaction
    }

    /// The state of the run.
    ///
    /// # Errors
    /// If it is unknown.
    pub fn state(&self) -> Result<RunState, Failure> {
        run_state(&self.run)
    }

    /// Moves the run on into another state. Whatever belongs to it (`is_ranked`, `host`, …) is set in the row before, so that
    /// the event has it. When it ends, nobody holds it any more.
    ///
    /// # Errors
    /// If that state may not follow.
    pub fn set_state(&mut self, to: RunState, why: Option<Why>) -> Result<(), Failure> {
        let from = self.state()?;
        if !from.becomes(to).map_err(Failure::internal)? {
            return Ok(());
        }
        let (run, now) = (&mut self.run, self.now);
        to.as_str().clone_into(&mut run.state);
        run.updated_at = now;
        let kind = match to {
            RunState::Pending => ChangeKind::Created,
            RunState::Running => ChangeKind::Started,
            RunState::Canceling => ChangeKind::Canceling,
            RunState::Success | RunState::Error | RunState::Canceled => ChangeKind::Ended,
        };
        if to == RunState::Running {
            run.started_at = Some(now.max(run.created_at));
        }
        if to.is_final() {
            run.ended_at = Some(now.max(run.started_at.unwrap_or(run.created_at)));
            run.holder = None;
            run.lease_until = None;
        }
        if let Some(why) = why {
            run.reason = Some(why.reason.as_str().to_owned());
            run.message = Some(why.message);
        }
        let event = changes::event(kind, &self.run, None, self.actor.as_deref());
        self.events.push(event);
        Ok(())
    }

    /// Moves a step of the run on into another state. What belongs to it (`attempts`, `exit_code`, …) is set before; the time
    /// at which its first attempt began to run is the caller's to set if it is known better than now.
    ///
    /// # Errors
    /// If that state may not follow.
    pub fn set_step(
        &mut self,
        step: &mut flow_step::Model,
        to: StepState,
        why: Option<Why>,
    ) -> Result<(), Failure> {
        let from = step_state(step)?;
        let before = step.state.clone();
        if !from.becomes(to).map_err(Failure::internal)? {
            return Ok(());
        }
        to.as_str().clone_into(&mut step.state);
        if to == StepState::Running && step.started_at.is_none() {
            step.started_at = Some(self.now);
        }
        if to.is_final() {
            let ended = step.ended_at.unwrap_or(self.now);
            step.ended_at = Some(ended.max(step.started_at.unwrap_or(ended)));
            step.not_before = None;
        }
        if let Some(why) = why {
            step.reason = Some(why.reason.as_str().to_owned());
            step.message = Some(why.message);
        }
        self.run.updated_at = self.now;
        let event = changes::event(
            ChangeKind::Step,
            &self.run,
            Some(step),
            self.actor.as_deref(),
        );
        self.events.push(event);
        self.keep_step(before, step);
        Ok(())
    }

    /// Saves what was changed of a step, which stays in its state; nobody is told.
    pub fn save_step(&mut self, step: &flow_step::Model) {
        self.keep_step(step.state.clone(), step);
    }

    fn keep_step(&mut self, before: String, step: &flow_step::Model) {
        let (_, kept) = self
            .steps
            .entry(step.position)
            .or_insert_with(|| (before, step.clone()));
        *kept = step.clone();
    }

    /// Tells something else together with the change.
    pub fn tell(&mut self, event: NewEvent) {
        self.events.push(event);
    }

    /// Saves all of it, and tells of it. If the run ended with a result that counts, the ranking of its workflow is another.
    ///
    /// # Errors
    /// Those of the database; then nothing is changed.
    pub async fn commit(self, feed: &Feed) -> Result<flow_run::Model, Failure> {
        let saved = self.save().await?;
        let tells = !saved.events.is_empty();
        events::append(&saved.transaction, saved.events).await?;
        saved.transaction.commit().await?;
        if tells {
            feed.wake();
        }
        Ok(saved.run)
    }

    /// Saves all of it, for who changes further runs in the same transaction, and then tells of all of them.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) async fn save(self) -> Result<Saved, Failure> {
        let Self {
            run,
            transaction,
            before,
            steps,
            events,
            ..
        } = self;
        for (state, step) in steps.into_values() {
            save_step(&transaction, &state, step).await?;
        }
        let is_ended = run.ended_at.is_some() && before.ended_at.is_none();
        if run != before {
            save_run(&transaction, &before.state, run.clone()).await?;
        }
        if is_ended && run.is_ranked && run.kind == RunKind::Run.as_str() {
            ranking_changed(&transaction, run.workflow_id).await?;
        }
        Ok(Saved {
            run,
            transaction,
            events,
        })
    }
}

/// A run that was saved, and is not committed yet.
pub(crate) struct Saved {
    /// The row.
    pub run: flow_run::Model,
    /// The transaction.
    pub transaction: DatabaseTransaction,
    /// What is to be told.
    pub events: Vec<NewEvent>,
}

/// Notes that the best runs of a workflow may be others.
pub(crate) async fn ranking_changed(
    transaction: &DatabaseTransaction,
    workflow: i64,
) -> Result<(), Failure> {
    use sea_orm::sea_query::{Expr, ExprTrait};
    workflow::Entity::update_many()
        .col_expr(
            workflow::Column::Ranking,
            Expr::col(workflow::Column::Ranking).add(1),
        )
        .filter(workflow::Column::Id.eq(workflow))
        .exec(transaction)
        .await?;
    Ok(())
}

/// The columns that change after a run was made.
async fn save_run(
    transaction: &DatabaseTransaction,
    state: &str,
    run: flow_run::Model,
) -> Result<(), Failure> {
    use flow_run::Column::{Id, State};
    let id = run.id;
    let changed = flow_run::ActiveModel {
        state: Set(run.state),
        reason: Set(run.reason),
        message: Set(run.message),
        updated_at: Set(run.updated_at),
        started_at: Set(run.started_at),
        ended_at: Set(run.ended_at),
        cancel_requested_at: Set(run.cancel_requested_at),
        cancel_requested_by: Set(run.cancel_requested_by),
        host: Set(run.host),
        holder: Set(run.holder),
        lease_until: Set(run.lease_until),
        is_ranked: Set(run.is_ranked),
        result_problem: Set(run.result_problem),
        files_bytes: Set(run.files_bytes),
        cleaned_at: Set(run.cleaned_at),
        ..Default::default()
    };
    let done = flow_run::Entity::update_many()
        .set(changed)
        .filter(Id.eq(id))
        .filter(State.eq(state))
        .exec(transaction)
        .await?;
    if done.rows_affected == 1 {
        return Ok(());
    }
    let message = format!("run {id} is not {state}, although it was read and locked so");
    Err(Failure::internal(message))
}

async fn save_step(
    transaction: &DatabaseTransaction,
    state: &str,
    step: flow_step::Model,
) -> Result<(), Failure> {
    use flow_step::Column::{Position, RunId, State};
    let (run, position) = (step.run_id, step.position);
    let changed = flow_step::ActiveModel {
        state: Set(step.state),
        attempts: Set(step.attempts),
        reason: Set(step.reason),
        message: Set(step.message),
        exit_code: Set(step.exit_code),
        remote_id: Set(step.remote_id),
        not_before: Set(step.not_before),
        started_at: Set(step.started_at),
        ended_at: Set(step.ended_at),
        ..Default::default()
    };
    let done = flow_step::Entity::update_many()
        .set(changed)
        .filter(RunId.eq(run))
        .filter(Position.eq(position))
        .filter(State.eq(state))
        .exec(transaction)
        .await?;
    if done.rows_affected == 1 {
        return Ok(());
    }
    let message = format!("step {position} of run {run} is not {state}, although it was read so");
    Err(Failure::internal(message))
}
