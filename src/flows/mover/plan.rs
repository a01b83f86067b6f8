//! What a run does: the steps of its version, with what it was given.

use std::collections::BTreeMap;
use std::sync::Arc;

use sea_orm::{ConnectionTrait, EntityTrait, QuerySelect};

use super::versions::{Version, Versions};
use crate::entity::{flow_group, flow_run, workflow};
use crate::failure::Failure;
use crate::flows::Flows;
use crate::flows::arguments::{self, Argument, Arguments, UploadedFile};
use crate::flows::commands::{RunCommands, of_run};
use crate::flows::parameters::Parameter;
use crate::flows::read::runs::RunKind;
use crate::flows::state::Reason;
use crate::flows::template::output::Output;
use crate::flows::template::postprocessing::PostProcessing;
use crate::flows::template::schema::ResultSchema;
use crate::flows::template::workflow::Workflow;
use crate::flows::write::states::Why;

/// What a run does.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub version: Arc<Version>,
    kind: RunKind,
    /// Its commands, and their environment.
    pub commands: RunCommands,
    /// The uploads that it is given.
    pub uploads: Vec<UploadedFile>,
    /// How long it may take, in seconds: the least of what anybody says.
    pub timeout_seconds: Option<u64>,
}

impl Plan {
    /// Of a run, by its whole row. The inner error: this run can never be.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn of(
        flows: &Flows,
        versions: &Versions,
        run: &flow_run::Model,
    ) -> Result<Result<Self, Why>, Failure> {
        let version = match versions.get(&flows.database, run.version_id).await {
            Ok(version) => version,
            Err(Failure::Internal(error)) => {
                tracing::error!(
                    run = run.id,
                    error,
                    "a run has no workflow that can be read"
                );
                return Ok(Err(unreadable("its workflow cannot be read")));
            }
            Err(failure) => return Err(failure),
        };
        let Some(kind) = RunKind::from_name(&run.kind) else {
            return Ok(Err(unreadable("nothing is known of its kind")));
        };
        let database = flows.database.read();
        let of_group = own_parameters(database, run.group_id).await?;
        let of_workflow = timeout_of(database, run.workflow_id).await?;
        let arguments = match given(&version, kind, of_group, run) {
            Ok(arguments) => arguments,
            Err(why) => return Ok(Err(why)),
        };
        let mut plan = Self {
            version,
            kind,
            commands: RunCommands {
                environment: BTreeMap::new(),
                steps: Vec::new(),
            },
            uploads: arguments.uploads(),
            timeout_seconds: None,
        };
        let Some(workflow) = plan.workflow() else {
            return Ok(Err(unreadable("its workflow has no post-processing")));
        };
        let seconds = |limit: Option<i64>| limit.and_then(|limit| u64::try_from(limit).ok());
        let limits = [
            workflow.timeout_seconds,
            seconds(run.timeout_seconds),
            seconds(of_workflow),
        ];
        let limits = limits.into_iter().flatten().filter(|limit| *limit > 0);
        let least = limits.min();
        let worker = flows.settings.worker_variables();
        plan.commands = of_run(workflow, &arguments, &worker);
        plan.timeout_seconds = least;
        Ok(Ok(plan))
    }

    /// Its workflow; none: it is made of the best runs, and nothing is made of these.
    pub fn workflow(&self) -> Option<&Workflow> {
        match self.kind {
            RunKind::Run => Some(&self.version.template.workflow),
            RunKind::PostProcessing => Some(&self.post_processing()?.workflow),
        }
    }

    /// How it is made of the best runs, if it is.
    pub fn post_processing(&self) -> Option<&PostProcessing> {
        let post_processing = self.version.template.post_processing.as_ref();
        post_processing.filter(|_| self.kind == RunKind::PostProcessing)
    }

    /// The files that it gives.
    pub fn outputs(&self) -> &[Output] {
        match (self.kind, self.post_processing()) {
            (RunKind::Run, _) => &self.version.template.outputs,
            (RunKind::PostProcessing, Some(post_processing)) => &post_processing.outputs,
            (RunKind::PostProcessing, None) => &[],
        }
    }

    /// What its results look like.
    pub fn results(&self) -> Option<&ResultSchema> {
        let results = self.version.template.results.as_ref();
        results.filter(|_| self.kind == RunKind::Run)
    }
}

/// What the run was given. It was checked when it was started: what is wrong now was right for another labql.
fn given(
    version: &Version,
    kind: RunKind,
    own: Result<Vec<Parameter>, Why>,
    run: &flow_run::Model,
) -> Result<Arguments, Why> {
    if kind == RunKind::PostProcessing {
        return Ok(Arguments::default());
    }
    let given: Vec<Argument> = serde_json::from_str(&run.arguments)
        .map_err(|_| unreadable("what it was given cannot be read"))?;
    arguments::check(&version.template, &own?, &given).map_err(|problems| {
        let problem = problems.into_iter().next();
        let (parameter, message) = problem.map_or_else(Default::default, |problem| {
            (problem.parameter, problem.message)
        });
        unreadable(format!(
            "what it was given for {parameter:?} cannot be used any more: {message}"
        ))
    })
}

async fn own_parameters(
    connection: &impl ConnectionTrait,
    group: Option<i64>,
) -> Result<Result<Vec<Parameter>, Why>, Failure> {
    let Some(group) = group else {
        return Ok(Ok(Vec::new()));
    };
    let parameters: Option<String> = flow_group::Entity::find_by_id(group)
        .select_only()
        .column(flow_group::Column::Parameters)
        .into_tuple()
        .one(connection)
        .await?;
    let parameters = parameters.unwrap_or_else(|| "[]".to_owned());
    let unreadable = |_| unreadable("the parameters of its group cannot be read");
    Ok(serde_json::from_str(&parameters).map_err(unreadable))
}

async fn timeout_of(
    connection: &impl ConnectionTrait,
    workflow: i64,
) -> Result<Option<i64>, Failure> {
    let timeout: Option<(Option<i64>,)> = workflow::Entity::find_by_id(workflow)
        .select_only()
        .column(workflow::Column::TimeoutSeconds)
        .into_tuple()
        .one(connection)
        .await?;
    Ok(timeout.and_then(|(timeout,)| timeout))
}

fn unreadable(message: impl Into<String>) -> Why {
    Why::new(Reason::Internal, message)
}
