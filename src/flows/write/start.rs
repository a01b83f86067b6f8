//! Starting runs.

mod check;

use sea_orm::{
    ActiveModelTrait, ActiveValue::NotSet, ColumnTrait, DatabaseTransaction, EntityTrait,
    IntoActiveModel, QueryFilter, QuerySelect, SqlErr,
};
use serde_json::json;

use self::check::Checked;
use super::{QUEUE, account, groups, limits, unknown};
use crate::auth::idempotency::Replay;
use crate::auth::viewer::ViewerUser;
use crate::database;
use crate::entity::{flow_group, flow_run, flow_step, workflow};
use crate::events;
use crate::failure::Failure;
use crate::flows::Flows;
use crate::flows::arguments::{Argument, ArgumentProblem};
use crate::flows::changes::{self, ChangeKind};
use crate::flows::commands::RunCommands;
use crate::flows::read::runs::RunKind;
use crate::flows::rights::Asker;
use crate::flows::settings::ExecutorName;
use crate::flows::state::{RunState, StepState};
use crate::workers;

/// How many steps one statement inserts; each has twelve values.
const STEPS_TOGETHER: usize = database::MOST_BINDS / 12;

/// A run that somebody wants to start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NewRun<'a> {
    /// The row id of the version.
    pub version: i64,
    /// The row id of the group; none: the user's personal one, which is made if need be.
    pub group: Option<i64>,
    /// What it is given.
    pub arguments: &'a [Argument],
    /// Where it runs; none: as the workflow or the site has it.
    pub executor: Option<ExecutorName>,
    /// The largest goes first; none: as the workflow has it. Only administrators may say more than that and 0.
    pub priority: Option<i64>,
    /// How long it may take, in seconds, if that is less than the workflow says.
    pub timeout_seconds: Option<u64>,
    /// How often its steps may run again at most.
    pub retry_limit: Option<u32>,
    /// The same key starts nothing new.
    pub idempotency_key: Option<&'a str>,
}

/// Why a run is not started.
#[derive(Clone, Debug, PartialEq)]
pub enum StartError {
    /// Arguments are wrong.
    Arguments(Vec<ArgumentProblem>),
    /// Anything else.
    Failed(Failure),
}

impl<E: Into<Failure>> From<E> for StartError {
    fn from(failure: E) -> Self {
        Self::Failed(failure.into())
    }
}

/// Starts a run: it waits for its turn.
///
/// # Errors
/// What is wrong with the arguments, or a rejection.
pub async fn start(
    flows: &Flows,
    user: &ViewerUser,
    new: &NewRun<'_>,
) -> Result<flow_run::Model, StartError> {
    let user_id = account(user)?;
    let key = new.idempotency_key;
    let replay = Replay::new(&user.username, "startRun", key, &new.request())?;
    let transaction = flows.database.begin().await?;
    if let Some(id) = replay.seen(&transaction).await? {
        // Keys outlive what they made, and the account, and whether the user may see it.
        let made = flow_run::Entity::find_by_id(id)
            .filter(flow_run::Column::StarterId.eq(user_id))
            .one(&transaction)
            .await?;
        let gone = || Failure::bad_input("idempotencyKey", "what it made is gone");
        let made = made.ok_or_else(gone)?;
        if !Asker::of_user(user).sees(&transaction, &made).await? {
            return Err(gone().into());
        }
        return Ok(made);
    }
    let mut checked = new.check(flows, &transaction, user, user_id).await?;
    // One after the other: those who start at the same moment would all find room. Before rows are locked, as whoever deletes does.
    database::lock(&transaction, QUEUE).await?;
    // Whoever deletes a workflow archives it under this lock.
    check_open(&transaction, checked.workflow.id).await?;
    checked.check_uploads(&transaction, user_id, true).await?;
    let workflow = &checked.workflow;
    let group = match checked.group.take() {
        Some(group) => group,
        None => groups::personal(&transaction, workflow.id, user_id, &user.username).await?,
    };
    limits::check(&transaction, &flows.settings.queue, user_id, workflow).await?;
    let run = checked.insert(&transaction, user, user_id, &group).await?;
    replay.note(&transaction, run.id).await?;
    let event = changes::event(ChangeKind::Created, &run, None, Some(&user.username));
    events::append(&transaction, vec![event]).await?;
    transaction.commit().await?;
    flows.feed.wake();
    metrics::counter!("labql_flow_runs_started_total").increment(1);
    tracing::info!(
        run = run.id,
        workflow = checked.workflow.name,
        group = run.group_id,
        starter = run.starter,
        "a run was started"
    );
    Ok(run)
}

/// A rejection if the workflow was archived meanwhile; that it is gone, its run tells.
async fn check_open(transaction: &DatabaseTransaction, workflow: i64) -> Result<(), Failure> {
    let archived = workflow::Entity::find_by_id(workflow)
        .select_only()
        .column(workflow::Column::ArchivedAt)
        .into_tuple::<Option<i64>>()
        .one(transaction)
        .await?;
    match archived {
        Some(Some(_)) => Err(groups::archived()),
        Some(None) | None => Ok(()),
    }
}

/// What a run would do, checked as if it were started; how many there are does not count.
///
/// # Errors
/// What is wrong with the arguments, or a rejection.
pub async fn examine(
    flows: &Flows,
    user: &ViewerUser,
    new: &NewRun<'_>,
) -> Result<RunCommands, StartError> {
    let user_id = account(user)?;
    let connection = flows.database.read();
    let checked = new.check(flows, connection, user, user_id).await?;
    checked.check_uploads(connection, user_id, false).await?;
    Ok(checked.commands)
}

impl NewRun<'_> {
    /// All of it as a text, to tell whether it is asked for again.
    fn request(&self) -> String {
        let request = json!({
            "version": self.version,
            "group": self.group,
            "arguments": self.arguments,
            "executor": self.executor,
            "priority": self.priority,
            "timeoutSeconds": self.timeout_seconds,
            "retryLimit": self.retry_limit,
        });
        request.to_string()
    }
}

impl Checked<'_> {
    async fn insert(
        &self,
        transaction: &DatabaseTransaction,
        user: &ViewerUser,
        user_id: i64,
        group: &flow_group::Model,
    ) -> Result<flow_run::Model, Failure> {
        let now = workers::now(transaction).await?;
        let timeout = self.new.timeout_seconds;
        let timeout = timeout.and_then(|seconds| i64::try_from(seconds).ok());
        let arguments = self.arguments.given();
        let row = flow_run::Model {
            workflow_id: self.workflow.id,
            version_id: self.version.id,
            group_id: Some(group.id),
            kind: RunKind::Run.as_str().to_owned(),
            state: RunState::Pending.as_str().to_owned(),
            executor: self.executor.as_str().to_owned(),
            priority: self.priority,
            timeout_seconds: timeout,
            created_at: now,
            updated_at: now,
            starter_id: Some(user_id),
            starter: user.username.clone(),
            folder: uuid::Uuid::new_v4().simple().to_string(),
            retry_limit: self.new.retry_limit.map(i64::from),
            arguments: serde_json::to_string(&arguments).map_err(Failure::internal)?,
            ..flow_run::Model::default()
        };
        let mut row = row.into_active_model().reset_all();
        row.id = NotSet;
        let run = row.insert(transaction).await;
        let run = run.map_err(|error| match error.sql_err() {
            // Its workflow or group was deleted at this moment.
            Some(SqlErr::ForeignKeyConstraintViolation(_)) => unknown("workflow", "workflow"),
            _ => error.into(),
        })?;
        insert_steps(transaction, run.id, &self.commands).await?;
        Ok(run)
    }
}

/// Inserts the steps of a run. Those without commands are left out when their turn comes.
async fn insert_steps(
    transaction: &DatabaseTransaction,
    run: i64,
    commands: &RunCommands,
) -> Result<(), Failure> {
    let steps = commands.steps.iter().zip(0_i64..);
    let rows: Vec<flow_step::ActiveModel> = steps
        .map(|(step, position)| {
            let row = flow_step::Model {
                run_id: run,
                position,
                name: step.step.clone(),
                state: StepState::Pending.as_str().to_owned(),
                is_left_out: step.commands.is_none(),
                ..flow_step::Model::default()
            };
            row.into_active_model().reset_all()
        })
        .collect();
    for rows in rows.chunks(STEPS_TOGETHER) {
        flow_step::Entity::insert_many(rows.to_vec())
            .exec_without_returning(transaction)
            .await?;
    }
    Ok(())
}
