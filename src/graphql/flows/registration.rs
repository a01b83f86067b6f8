//! Registering workflows, and changing what is said of their runs.

use std::path::PathBuf;
use std::sync::Arc;

use async_graphql::{
    Context, ID, InputObject, MaybeUndefined, Object, OneofObject, Result, SimpleObject,
};

use super::enums::RunExecutor;
use super::named::{self, unknown};
use super::problem::TemplateProblem;
use super::workflow::Workflow;
use crate::auth::viewer::ViewerUser;
use crate::entity::workflow;
use crate::failure::Failure;
use crate::flows::Flows;
use crate::flows::sources::Source;
use crate::flows::template::path::RelativePath;
use crate::flows::template::problem::{Problem, Severity};
use crate::flows::template::{Choices, Reading};
use crate::flows::write::Author;
use crate::flows::write::register::{self, Registered};
use crate::flows::write::workflows::{self, WorkflowUpdate};
use crate::graphql::context::{ContextExt, failed};
use crate::graphql::id::GlobalId;
use crate::graphql::rows::{Rows, columns};
use crate::graphql::user_error::{UserError, UserErrorCode, payload};

/// A commit of a git repository.
#[derive(InputObject)]
struct GitSourceInput {
    /// The URL of the repository.
    url: String,
    /// The full id of the commit, in hexadecimal digits: a version says what it is.
    commit: String,
    /// The folder in the repository with the template; absent: the outermost.
    folder: Option<String>,
}

/// From where a template is taken: one of these.
#[derive(OneofObject)]
enum WorkflowSourceInput {
    /// A folder of the server, below one of those that it is configured to take templates from.
    Folder(String),
    /// An upload, by global id: a `tar`, `tar.gz` or `zip`. If there is one folder at its top, that is the template.
    Archive(ID),
    /// A commit of a git repository.
    Git(GitSourceInput),
}

/// A template, and what is said of it in the place of its manifest.
#[derive(InputObject)]
struct TemplateInput {
    /// From where it is taken.
    source: WorkflowSourceInput,
    /// Its name; absent: as the manifest has it.
    name: Option<String>,
    /// What it is for; absent: as the manifest has it.
    description: Option<String>,
    /// The path in the template of the Markdown file that says how it is used; absent: as the manifest has it.
    instructions: Option<String>,
    /// The path in the template of the document with the workflow; absent: as the manifest has it.
    specification: Option<String>,
    /// The path in the template of the manifest; absent: `flowserv.json`, `flowserv.yaml` or `flowserv.yml`.
    manifest: Option<String>,
}

/// A template to be registered.
#[derive(InputObject)]
struct RegisterWorkflowInput {
    #[graphql(flatten)]
    template: TemplateInput,
}

/// A template to be checked.
#[derive(InputObject)]
struct CheckWorkflowInput {
    #[graphql(flatten)]
    template: TemplateInput,
}

/// The answer to `registerWorkflow`.
#[derive(SimpleObject)]
struct RegisterWorkflowPayload {
    /// The version; null: it was not registered.
    workflow: Option<Workflow>,
    /// Is the version new? False: the newest version is the same to the byte. Null: it was not registered.
    created: Option<bool>,
    /// What is wrong with the template. With an error among them it is not registered.
    problems: Rows<TemplateProblem>,
    /// Why it could not be read at all, or one for each error among the problems.
    errors: Vec<UserError>,
}

/// The answer to `checkWorkflow`.
#[derive(SimpleObject)]
struct CheckWorkflowPayload {
    /// Could it be registered? Null: it could not be read at all.
    valid: Option<bool>,
    /// What is wrong with the template.
    problems: Rows<TemplateProblem>,
    /// Why it could not be read at all.
    errors: Vec<UserError>,
}

/// What shall become otherwise of the runs of a workflow. What is absent stays; null means: as the site says.
#[derive(InputObject)]
struct UpdateWorkflowInput {
    /// The workflow, by global id or name; it is about all versions.
    id: ID,
    /// Where runs are executed that do not say so.
    executor: MaybeUndefined<RunExecutor>,
    /// The priority of runs that do not say so: the largest goes first.
    priority: Option<i32>,
    /// How many runs may be under way at once.
    most_running: MaybeUndefined<i32>,
    /// The same for each user.
    most_running_per_user: MaybeUndefined<i32>,
    /// How many runs that have not ended a user may have.
    most_open_per_user: MaybeUndefined<i32>,
    /// How long runs may take that do not say so, in seconds; null: as long as the template says.
    timeout_seconds: MaybeUndefined<i32>,
    /// How many days runs that ended well are kept after their end; 0: for good.
    keep_days: MaybeUndefined<i32>,
    /// The same for other runs.
    keep_failed_days: MaybeUndefined<i32>,
    /// How many ended runs of each group are kept at most; 0: all.
    keep_number: MaybeUndefined<i32>,
    /// The runs up to this rank are kept whatever else is said.
    keep_ranked: MaybeUndefined<i32>,
    /// Is anything made of the best runs, where the template says how?
    post_processing: Option<bool>,
    /// May nobody start runs of it any more?
    archived: Option<bool>,
}

/// The answer to `updateWorkflow`.
#[derive(SimpleObject)]
struct UpdateWorkflowPayload {
    /// The workflow in its newest version; null: it was not changed.
    workflow: Option<Workflow>,
    /// Why not.
    errors: Vec<UserError>,
}

/// A workflow to be deleted.
#[derive(InputObject)]
struct DeleteWorkflowInput {
    /// The workflow, by global id or name; all its versions are deleted.
    id: ID,
}

/// The answer to `deleteWorkflow`.
#[derive(SimpleObject)]
struct DeleteWorkflowPayload {
    /// What was given as its id; null: it was not deleted.
    id: Option<ID>,
    /// Why not.
    errors: Vec<UserError>,
}

impl TemplateInput {
    fn source(&self) -> Result<Source, Failure> {
        Ok(match &self.source {
            WorkflowSourceInput::Folder(path) => Source::Folder(PathBuf::from(path)),
            WorkflowSourceInput::Archive(id) => {
                let Some(GlobalId::Upload(upload)) = GlobalId::decode(id) else {
                    return Err(unknown("source.archive", "upload"));
                };
                Source::Archive { upload }
            }
            WorkflowSourceInput::Git(git) => Source::Git {
                url: git.url.clone(),
                commit: git.commit.clone(),
                folder: git.folder.clone(),
            },
        })
    }

    fn choices(&self) -> Result<Choices, Failure> {
        let path = |field, path: &Option<String>| {
            let path = path.as_deref().map(RelativePath::file).transpose();
            path.map_err(|error| Failure::bad_input(field, error.to_string()))
        };
        Ok(Choices {
            name: self.name.clone(),
            description: self.description.clone(),
            instructions: path("instructions", &self.instructions)?,
            specification: path("specification", &self.specification)?,
            manifest: path("manifest", &self.manifest)?,
        })
    }

    async fn register(self, flows: Flows, user: ViewerUser) -> Result<Registered, Failure> {
        let (source, choices) = (self.source()?, self.choices()?);
        // It goes on when nobody waits for it any more: what was fetched for long is there the next time.
        let task = tokio::spawn(async move {
            register::register(&flows, &Author::User(&user), &source, &choices).await
        });
        task.await?
    }

    async fn examine(&self, flows: &Flows, user: &ViewerUser) -> Result<Reading, Failure> {
        let (source, choices) = (self.source()?, self.choices()?);
        register::examine(flows, &Author::User(user), &source, &choices).await
    }
}

impl From<&UpdateWorkflowInput> for WorkflowUpdate {
    fn from(input: &UpdateWorkflowInput) -> Self {
        let number = |value: &MaybeUndefined<i32>| match value {
            MaybeUndefined::Undefined => None,
            MaybeUndefined::Null => Some(None),
            MaybeUndefined::Value(number) => Some(Some(i64::from(*number))),
        };
        Self {
            executor: match input.executor {
                MaybeUndefined::Undefined => None,
                MaybeUndefined::Null => Some(None),
                MaybeUndefined::Value(executor) => Some(Some(executor.into())),
            },
            priority: input.priority.map(Into::into),
            most_running: number(&input.most_running),
            most_running_per_user: number(&input.most_running_per_user),
            most_open_per_user: number(&input.most_open_per_user),
            timeout_seconds: number(&input.timeout_seconds),
            keep_days: number(&input.keep_days),
            keep_failed_days: number(&input.keep_failed_days),
            keep_number: number(&input.keep_number),
            keep_ranked: number(&input.keep_ranked),
            post_processing: input.post_processing,
            archived: input.archived,
        }
    }
}

/// Registering workflows, and changing what is said of their runs.
#[derive(Default)]
pub struct WorkflowsMutation;

#[Object]
impl WorkflowsMutation {
    /// Registers a template; for administrators. It becomes the next version of the workflow of its name, unless it is the newest
    /// one already. All of it is checked before anything is changed.
    async fn register_workflow(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The template.")] input: RegisterWorkflowInput,
    ) -> Result<RegisterWorkflowPayload> {
        let user = ctx.administrator()?.clone();
        let flows = ctx.services()?.flows.clone();
        let done = input.template.register(flows, user).await;
        let (registered, mut errors) = payload(done)?;
        let (done, problems) = registered.map_or((None, Vec::new()), |it| (it.done, it.problems));
        if done.is_none() {
            errors.extend(problems.iter().filter_map(error_of));
        }
        Ok(RegisterWorkflowPayload {
            created: done.as_ref().map(|done| done.is_new),
            workflow: done.map(|it| Workflow::single(Arc::new(it.workflow), Arc::new(it.version))),
            problems: problems.into_iter().map(TemplateProblem).collect(),
            errors,
        })
    }

    /// Checks a template as `registerWorkflow` would, and changes nothing; for administrators.
    async fn check_workflow(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The template.")] input: CheckWorkflowInput,
    ) -> Result<CheckWorkflowPayload> {
        let user = ctx.administrator()?;
        let flows = &ctx.services()?.flows;
        let done = input.template.examine(flows, user).await;
        let (reading, errors) = payload(done)?;
        let valid = reading.as_ref().map(|it| it.template.is_some());
        let problems = reading.map_or(Vec::new(), |it| it.problems).into_iter();
        Ok(CheckWorkflowPayload {
            valid,
            problems: problems.map(TemplateProblem).collect(),
            errors,
        })
    }

    /// Changes what is said of the runs of a workflow; for administrators. Runs that wait go by it at once.
    async fn update_workflow(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which, and what shall become otherwise.")] input: UpdateWorkflowInput,
    ) -> Result<UpdateWorkflowPayload> {
        let (user, flows) = (ctx.administrator()?, &ctx.services()?.flows);
        let done = async {
            let id = found(ctx, &input.id).await?.id;
            workflows::update(flows, &Author::User(user), id, &(&input).into()).await
        };
        let (row, errors) = payload(done.await)?;
        let ahead = ctx.look_ahead();
        let columns = columns::<Workflow, _>(ahead.field("workflow").selection_fields());
        let rows = row.map(Arc::new).into_iter().collect();
        let newest = Workflow::newest(&flows.database, rows, columns).await;
        Ok(UpdateWorkflowPayload {
            workflow: newest.map_err(failed)?.pop(),
            errors,
        })
    }

    /// Deletes a workflow with its groups, uploads, runs and files; for administrators. While one of its runs has not ended:
    /// `CONFLICT`.
    async fn delete_workflow(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The workflow.")] input: DeleteWorkflowInput,
    ) -> Result<DeleteWorkflowPayload> {
        let (user, flows) = (ctx.administrator()?, &ctx.services()?.flows);
        let done = async {
            let id = found(ctx, &input.id).await?.id;
            workflows::delete(flows, &Author::User(user), id).await
        };
        let (deleted, errors) = payload(done.await)?;
        Ok(DeleteWorkflowPayload {
            id: deleted.map(|()| input.id),
            errors,
        })
    }
}

/// The workflow that is given by global id or name.
async fn found(ctx: &Context<'_>, id: &ID) -> Result<Arc<workflow::Model>, Failure> {
    let database = ctx.database();
    let database = database.map_err(|error| Failure::internal(error.message))?;
    let row = named::workflow(database, id).await?;
    row.ok_or_else(|| unknown("id", "workflow"))
}

/// An error of a template as one of the mutation, for those who show only these.
fn error_of(problem: &Problem) -> Option<UserError> {
    if problem.severity != Severity::Error {
        return None;
    }
    Some(UserError {
        code: UserErrorCode::BadInput,
        field: Some("source".to_owned()),
        message: problem.to_string(),
    })
}
