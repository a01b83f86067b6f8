//! Asking for actions, and withdrawing them.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};

use super::types::Action;
use crate::experiments::actions::{self, AskError, Asked, Create, Invalid, SetStatus};
use crate::failure::{Failure, RejectionCode};
use crate::graphql::context::{ContextExt, failed};
use crate::graphql::error::ErrorCode;
use crate::graphql::id::GlobalId;
use crate::graphql::user_error::{UserError, UserErrorCode, payload};

/// A status that can be set.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "actions::FinalStatus")]
enum FinalJobStatus {
    /// May be submitted.
    Ready,
    /// Ended well.
    Completed,
    /// Waits for its parents.
    Waiting,
    /// Taken out of the workflow.
    Suspended,
    /// Unknown.
    Unknown,
    /// Held.
    Held,
}

/// What each wish has: how Autosubmit is called, if it is.
#[derive(InputObject)]
struct Call {
    /// By which profile of `actionProfiles`; absent: by the only one there is for you.
    profile: Option<String>,
    /// Only tell in `argv` how Autosubmit would be called.
    #[graphql(default)]
    dry_run: bool,
    /// Makes the mutation safe to repeat: the same key makes nothing new and gives the same action.
    idempotency_key: Option<String>,
}

/// An experiment to be run.
#[derive(InputObject)]
struct RunExperimentInput {
    /// The expid.
    expid: String,
    #[graphql(flatten)]
    call: Call,
}

/// An experiment to be stopped.
#[derive(InputObject)]
struct StopExperimentInput {
    /// The expid.
    expid: String,
    /// By SIGKILL: Autosubmit writes nothing down any more.
    #[graphql(default)]
    force: bool,
    #[graphql(flatten)]
    call: Call,
}

/// An experiment to be made.
#[derive(InputObject)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of its own"
)]
struct CreateExperimentInput {
    /// What it is for.
    description: String,
    /// The main platform; absent: Autosubmit's default, `local`.
    hpc: Option<String>,
    /// The expid of one to copy.
    copy: Option<String>,
    /// The repository of its project; with `minimal`.
    git_repo: Option<String>,
    /// The branch of the repository.
    git_branch: Option<String>,
    /// Where in the repository its configuration is.
    config_path: Option<String>,
    /// With the smallest configuration.
    #[graphql(default)]
    minimal: bool,
    /// With the configuration in the local minimal file in place of a repository's.
    #[graphql(default)]
    use_local_minimal: bool,
    /// An operational experiment (`o…`).
    #[graphql(default)]
    operational: bool,
    /// A test (`t…`).
    #[graphql(default)]
    testcase: bool,
    #[graphql(flatten)]
    call: Call,
}

/// A job list to be made.
#[derive(InputObject)]
struct CreateJobListInput {
    /// The expid.
    expid: String,
    /// Show which wrappers there would be.
    #[graphql(default)]
    check_wrapper: bool,
    /// Take the experiment over to the version of Autosubmit that is called.
    #[graphql(default)]
    update_version: bool,
    /// Make the list anew although there is one.
    #[graphql(default)]
    force: bool,
    #[graphql(flatten)]
    call: Call,
}

/// Jobs whose status is to be set.
#[derive(InputObject)]
struct SetJobStatusInput {
    /// The expid.
    expid: String,
    /// The names of jobs.
    jobs: Option<Vec<String>>,
    /// The status that they get.
    final_status: FinalJobStatus,
    /// Chunks, in Autosubmit's notation: `[ 19601101 [ fc0 [1 2] fc1 [3-5] ] ]`.
    filter_chunks: Option<String>,
    /// Only jobs of these statuses, by name.
    filter_status: Option<Vec<String>>,
    /// Only jobs of these sections, each with its splits if need be: `SIM [1-3]`.
    filter_type: Option<Vec<String>>,
    /// Chunks and sections together: `[ 19601101 [ fc0 [1] ] ],SIM`.
    filter_type_chunk: Option<String>,
    /// Chunks and sections with splits together.
    filter_type_chunk_split: Option<String>,
    /// Show which wrappers there would be.
    #[graphql(default)]
    check_wrapper: bool,
    /// Take the experiment over to the version of Autosubmit that is called.
    #[graphql(default)]
    update_version: bool,
    #[graphql(flatten)]
    call: Call,
}

/// An experiment to be described.
#[derive(InputObject)]
struct UpdateExperimentDescriptionInput {
    /// The expid.
    expid: String,
    /// The new description.
    description: String,
    #[graphql(flatten)]
    call: Call,
}

/// An action to be withdrawn.
#[derive(InputObject)]
struct CancelActionInput {
    /// Its global id.
    id: ID,
}

/// The answer to `cancelAction`.
#[derive(SimpleObject)]
struct CancelActionPayload {
    /// The action: canceled, or about to be.
    action: Option<Action>,
    /// Why not.
    errors: Vec<UserError>,
}

/// What became of a wish.
#[derive(Default)]
struct Answer {
    action: Option<Action>,
    argv: Option<Vec<String>>,
    errors: Vec<UserError>,
}

/// Defines the answer to a mutation that asks for an action.
macro_rules! asked {
    ($($payload:ident $description:literal),+ $(,)?) => {$(
        #[doc = $description]
        #[derive(SimpleObject)]
        struct $payload {
            /// The action as it was asked for: `actionUpdates` tells what becomes of it.
            action: Option<Action>,
            /// How Autosubmit would be called; null unless `dryRun` asked for that.
            argv: Option<Vec<String>>,
            /// Why not.
            errors: Vec<UserError>,
        }

        impl From<Answer> for $payload {
            fn from(Answer { action, argv, errors }: Answer) -> Self {
                Self { action, argv, errors }
            }
        }
    )+};
}

asked!(
    RunExperimentPayload "The answer to `runExperiment`.",
    StopExperimentPayload "The answer to `stopExperiment`.",
    CreateExperimentPayload "The answer to `createExperiment`.",
    CreateJobListPayload "The answer to `createJobList`.",
    SetJobStatusPayload "The answer to `setJobStatus`.",
    UpdateExperimentDescriptionPayload "The answer to `updateExperimentDescription`.",
);

/// Asks for an action, or for how it would be called.
async fn ask<T: From<Answer>>(ctx: &Context<'_>, action: actions::Action, call: Call) -> Result<T> {
    let user = ctx.signed_in()?;
    let actions = &ctx.services()?.actions;
    let asked = Asked {
        action,
        profile: call.profile,
        idempotency_key: call.idempotency_key,
    };
    let done = if call.dry_run {
        let argv = actions.dry_run(user, &asked).await;
        argv.map(|argv| Answer {
            argv: Some(argv),
            ..Answer::default()
        })
    } else {
        let row = actions.request(user, asked).await;
        row.map(|row| Answer {
            action: Some(Action(Arc::new(row))),
            ..Answer::default()
        })
    };
    let refused = |errors| Answer {
        errors,
        ..Answer::default()
    };
    let answer = match done {
        Ok(answer) => answer,
        Err(AskError::Forbidden(message)) => return Err(ErrorCode::Forbidden.error(message)),
        Err(AskError::Invalid(wrong)) => refused(wrong.into_iter().map(invalid).collect()),
        Err(AskError::Failed(Failure::Rejected(rejection))) => refused(vec![rejection.into()]),
        Err(AskError::Failed(failure)) => return Err(failed(failure)),
    };
    Ok(answer.into())
}

fn invalid(invalid: Invalid) -> UserError {
    UserError {
        code: UserErrorCode::BadInput,
        field: Some(camel_case(invalid.field)),
        message: invalid.message,
    }
}

/// The name of an input field.
fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let mut field = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        field.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        field.push_str(letters.as_str());
    }
    field
}

/// Asking for actions, and withdrawing them.
#[derive(Default)]
pub struct ActionsMutation;

#[Object]
impl ActionsMutation {
    /// Runs an experiment; needs the right `RUN`. The action is under way for as long as the experiment runs.
    async fn run_experiment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which, and how.")] input: RunExperimentInput,
    ) -> Result<RunExperimentPayload> {
        let action = actions::Action::Run { expid: input.expid };
        ask(ctx, action, input.call).await
    }

    /// Stops the run of an experiment, whoever began it; needs the right `STOP`.
    async fn stop_experiment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which, and how.")] input: StopExperimentInput,
    ) -> Result<StopExperimentPayload> {
        let action = actions::Action::Stop {
            expid: input.expid,
            force: input.force,
        };
        ask(ctx, action, input.call).await
    }

    /// Makes a new experiment; needs the right `CREATE`. When the action has succeeded, `expid` names the experiment.
    async fn create_experiment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new experiment.")] input: CreateExperimentInput,
    ) -> Result<CreateExperimentPayload> {
        let action = actions::Action::Create(Create {
            description: input.description,
            hpc: input.hpc,
            copy: input.copy,
            git_repo: input.git_repo,
            git_branch: input.git_branch,
            config_path: input.config_path,
            minimal: input.minimal,
            use_local_minimal: input.use_local_minimal,
            operational: input.operational,
            testcase: input.testcase,
        });
        ask(ctx, action, input.call).await
    }

    /// Makes the job list of an experiment by its configuration; needs the right `CREATE_JOB_LIST`.
    async fn create_job_list(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Of which, and how.")] input: CreateJobListInput,
    ) -> Result<CreateJobListPayload> {
        let action = actions::Action::CreateJobList {
            expid: input.expid,
            check_wrapper: input.check_wrapper,
            update_version: input.update_version,
            force: input.force,
        };
        ask(ctx, action, input.call).await
    }

    /// Sets the status of jobs that are named or that filters choose; needs the right `SET_STATUS`. Autosubmit refuses
    /// it while the experiment runs.
    async fn set_job_status(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which jobs, and the status.")] input: SetJobStatusInput,
    ) -> Result<SetJobStatusPayload> {
        let action = actions::Action::SetStatus(SetStatus {
            expid: input.expid,
            jobs: input.jobs.unwrap_or_default(),
            final_status: input.final_status.into(),
            filter_chunks: input.filter_chunks,
            filter_status: input.filter_status.unwrap_or_default(),
            filter_type: input.filter_type.unwrap_or_default(),
            filter_type_chunk: input.filter_type_chunk,
            filter_type_chunk_split: input.filter_type_chunk_split,
            check_wrapper: input.check_wrapper,
            update_version: input.update_version,
        });
        ask(ctx, action, input.call).await
    }

    /// Changes the description of an experiment; needs the right `DESCRIBE`.
    async fn update_experiment_description(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which, and the description.")] input: UpdateExperimentDescriptionInput,
    ) -> Result<UpdateExperimentDescriptionPayload> {
        let action = actions::Action::Describe {
            expid: input.expid,
            description: input.description,
        };
        ask(ctx, action, input.call).await
    }

    /// Withdraws an action: your own, or anybody's if you are an administrator. One that has not begun never will; the
    /// program of one that is under way is asked to end (SIGTERM), and made to after ten seconds (SIGKILL). What it had
    /// done stays done, and what it began on another machine may go on. To stop an experiment use `stopExperiment`, which
    /// lets Autosubmit end in order. Withdrawing twice is no error; one that has ended: `CONFLICT`.
    async fn cancel_action(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The action.")] input: CancelActionInput,
    ) -> Result<CancelActionPayload> {
        let user = ctx.signed_in()?;
        let done = match GlobalId::decode(&input.id) {
            Some(GlobalId::Action(id)) => ctx.services()?.actions.cancel(user, id).await,
            _ => Err(Failure::rejected(
                RejectionCode::NotFound,
                Some("id"),
                "there is no such action",
            )),
        };
        let (row, errors) = payload(done)?;
        let action = row.map(|row| Action(Arc::new(row)));
        Ok(CancelActionPayload { action, errors })
    }
}
