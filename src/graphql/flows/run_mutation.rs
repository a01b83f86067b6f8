//! Starting, canceling and deleting runs.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use macros::row;

use super::arguments::{self, ArgumentError, RunArgumentInput};
use super::enums::RunExecutor;
use super::named::{self, group_row, unknown};
use super::run::Run;
use crate::failure::Failure;
use crate::flows::Flows;
use crate::flows::arguments::{Argument, ArgumentProblem};
use crate::flows::commands::RunCommands;
use crate::flows::write::start::{self, NewRun, StartError};
use crate::flows::write::{cancel, delete};
use crate::graphql::context::{ContextExt, failed};
use crate::graphql::id::GlobalId;
use crate::graphql::rows::Rows;
use crate::graphql::user_error::{UserError, UserErrorCode, payload};

/// A run to be started.
#[derive(InputObject)]
struct StartRunInput {
    /// The workflow: by the global id of a version, or by name for the newest version.
    workflow: ID,
    /// What it is given, one for each parameter that is given something.
    arguments: Option<Vec<RunArgumentInput>>,
    /// The global id of the group that it is to belong to; absent: your own group in the workflow, which is made if there is none.
    group: Option<ID>,
    /// Where its steps are executed; absent: as the workflow or the site says.
    executor: Option<RunExecutor>,
    /// The largest goes first; above 0 for administrators only. Absent: as the workflow says.
    priority: Option<i32>,
    /// How long it may take after it has left the queue, in seconds; absent: as the workflow says.
    timeout_seconds: Option<i32>,
    /// How often its steps may run again at most, if they may at all; absent: as the workflow says.
    retry_limit: Option<i32>,
    /// Makes the mutation safe to repeat: the same key starts nothing new and gives the same run.
    idempotency_key: Option<String>,
    /// Only check all of it, and tell in `commands` what would be run.
    #[graphql(default)]
    dry_run: bool,
}

/// A command of a step.
pub struct RunCommand {
    step: Arc<str>,
    image: Option<Arc<str>>,
    command: String,
}

/// A command of a step.
#[row]
impl RunCommand {
    /// The name of the step.
    fn step(&self) -> &str {
        &self.step
    }

    /// The image that would have what the command needs; runners without containers ignore it. Null: it is for none.
    fn image(&self) -> Option<&str> {
        self.image.as_deref()
    }

    /// The command with its values, for a person: what is run has them in its environment. Where a value cannot be shown in its
    /// place, its variable stands.
    fn command(&self) -> &str {
        &self.command
    }
}

/// The answer to `startRun`.
#[derive(Default, SimpleObject)]
struct StartRunPayload {
    /// The run, which waits for its turn: `runUpdates` tells what becomes of it. Null: it was not started.
    run: Option<Run>,
    /// What would be run, in the order of the steps; those that are left out have none. Null unless `dryRun` asked for it.
    commands: Option<Rows<RunCommand>>,
    /// What is wrong with the arguments: one for each parameter.
    argument_errors: Rows<ArgumentError>,
    /// Why not; what is wrong with arguments is among these, with the field `arguments.` and the name of the parameter.
    errors: Vec<UserError>,
}

/// A run to be canceled.
#[derive(InputObject)]
struct CancelRunInput {
    /// Its global id.
    id: ID,
    /// Why, for people: it becomes its message.
    reason: Option<String>,
}

/// The answer to `cancelRun`.
#[derive(SimpleObject)]
struct CancelRunPayload {
    /// The run: canceled, or about to be. Null: it was not canceled.
    run: Option<Run>,
    /// Why not.
    errors: Vec<UserError>,
}

/// A run to be deleted.
#[derive(InputObject)]
struct DeleteRunInput {
    /// Its global id.
    id: ID,
}

/// The answer to `deleteRun`.
#[derive(SimpleObject)]
struct DeleteRunPayload {
    /// The global id of the run; null: it was not deleted.
    id: Option<ID>,
    /// Why not.
    errors: Vec<UserError>,
}

impl StartRunInput {
    /// The run, if what names its workflow and group names something.
    async fn resolve<'a>(
        &'a self,
        flows: &Flows,
        arguments: &'a [Argument],
    ) -> Result<NewRun<'a>, Failure> {
        let found = named::version(&flows.database, &self.workflow).await?;
        let (_, version) = found.ok_or_else(|| unknown("workflow", "workflow"))?;
        let group = self.group.as_ref().map(|id| group_row("group", id));
        Ok(NewRun {
            version: version.id,
            group: group.transpose()?,
            arguments,
            executor: self.executor.map(Into::into),
            priority: self.priority.map(Into::into),
            timeout_seconds: from_zero("timeoutSeconds", self.timeout_seconds)?,
            retry_limit: from_zero("retryLimit", self.retry_limit)?,
            idempotency_key: self.idempotency_key.as_deref(),
        })
    }
}

fn from_zero<T: TryFrom<i32>>(
    field: &'static str,
    number: Option<i32>,
) -> Result<Option<T>, Failure> {
    let number = number.map(T::try_from).transpose();
    number.map_err(|_| Failure::bad_input(field, "it must not be less than 0"))
}

/// Starting, canceling and deleting runs.
#[derive(Default)]
pub struct RunsMutation;

#[Object]
impl RunsMutation {
    /// Starts a run of a workflow, for a group that you are a member of; for whoever has an account here.
    async fn start_run(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Of which workflow, and with what.")] input: StartRunInput,
    ) -> Result<StartRunPayload> {
        let (user, flows) = (ctx.signed_in()?, &ctx.services()?.flows);
        let mut input = input;
        let arguments = arguments::given(input.arguments.take())?;
        let new = match input.resolve(flows, &arguments).await {
            Ok(new) => new,
            Err(failure) => return refused(StartError::Failed(failure)),
        };
        if input.dry_run {
            return match start::examine(flows, user, &new).await {
                Ok(commands) => {
                    let commands = shown(commands);
                    ctx.charge(commands.len())?;
                    Ok(StartRunPayload {
                        commands: Some(commands.into()),
                        ..StartRunPayload::default()
                    })
                }
                Err(error) => refused(error),
            };
        }
        match start::start(flows, user, &new).await {
            Ok(row) => Ok(StartRunPayload {
                run: Some(Run::single(Arc::new(row))),
                ..StartRunPayload::default()
            }),
            Err(error) => refused(error),
        }
    }

    /// Cancels a run; for members of its group. One that waits is canceled at once; the steps of one that runs are asked to end
    /// (SIGTERM), and made to after a while (SIGKILL). Canceling one that is to end is no error; one that has ended: `CONFLICT`.
    async fn cancel_run(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The run.")] input: CancelRunInput,
    ) -> Result<CancelRunPayload> {
        let (user, flows) = (ctx.signed_in()?, &ctx.services()?.flows);
        let done = match GlobalId::decode(&input.id) {
            Some(GlobalId::Run(id)) => {
                cancel::cancel(flows, user, id, input.reason.as_deref()).await
            }
            _ => Err(unknown("id", "run")),
        };
        let (row, errors) = payload(done)?;
        let run = row.map(|row| Run::single(Arc::new(row)));
        Ok(CancelRunPayload { run, errors })
    }

    /// Deletes a run with its log and files; for members of its group. One that has not ended: `CONFLICT`.
    async fn delete_run(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The run.")] input: DeleteRunInput,
    ) -> Result<DeleteRunPayload> {
        let (user, flows) = (ctx.signed_in()?, &ctx.services()?.flows);
        let done = match GlobalId::decode(&input.id) {
            Some(GlobalId::Run(id)) => delete::delete(flows, user, id).await,
            _ => Err(unknown("id", "run")),
        };
        let (deleted, errors) = payload(done)?;
        Ok(DeleteRunPayload {
            id: deleted.map(|()| input.id),
            errors,
        })
    }
}

/// The answer where no run was started.
fn refused(error: StartError) -> Result<StartRunPayload> {
    let mut answer = StartRunPayload::default();
    match error {
        StartError::Arguments(problems) => {
            answer.errors = problems.iter().map(user_error).collect();
            answer.argument_errors = problems.into_iter().map(ArgumentError).collect();
        }
        StartError::Failed(Failure::Rejected(rejection)) => answer.errors = vec![rejection.into()],
        StartError::Failed(failure) => return Err(failed(failure)),
    }
    Ok(answer)
}

fn user_error(problem: &ArgumentProblem) -> UserError {
    UserError {
        code: UserErrorCode::BadInput,
        field: Some(format!("arguments.{}", problem.parameter)),
        message: problem.message.clone(),
    }
}

/// What a dry run shows.
fn shown(commands: RunCommands) -> Vec<RunCommand> {
    let mut shown = Vec::new();
    for step in commands.steps {
        let name: Arc<str> = step.step.into();
        let image: Option<Arc<str>> = step.image.map(Into::into);
        for command in step.commands.into_iter().flatten() {
            shown.push(RunCommand {
                step: Arc::clone(&name),
                image: image.clone(),
                command: command.shown,
            });
        }
    }
    shown
}
