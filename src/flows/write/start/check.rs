//! Whether a run may be started.

use std::collections::{HashMap, HashSet};

use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect};

use super::{NewRun, StartError};
use crate::auth::viewer::ViewerUser;
use crate::entity::{flow_group, flow_upload, workflow, workflow_version};
use crate::failure::Failure;
use crate::flows::Flows;
use crate::flows::arguments::{self, ArgumentCode, ArgumentProblem, Arguments};
use crate::flows::commands::{self, RunCommands};
use crate::flows::parameters::Parameter;
use crate::flows::read::versions;
use crate::flows::rights::{Asker, Role};
use crate::flows::settings::ExecutorName;
use crate::flows::write::workflows::{LARGEST_PRIORITY, LONGEST_SECONDS, no_slurm};
use crate::flows::write::{groups, unknown};

/// The most repetitions that somebody may ask for.
const MOST_RETRIES: u32 = 100;

/// A run that may be started.
pub(super) struct Checked<'a> {
    /// What is asked for.
    pub new: &'a NewRun<'a>,
    /// Its workflow.
    pub workflow: workflow::Model,
    /// The version.
    pub version: workflow_version::Model,
    /// None: the user's personal one, which is not there yet.
    pub group: Option<flow_group::Model>,
    /// What it is given.
    pub arguments: Arguments,
    /// What it does.
    pub commands: RunCommands,
    /// Where it runs.
    pub executor: ExecutorName,
    /// The largest goes first.
    pub priority: i64,
}

impl NewRun<'_> {
    /// Checks all of it but what it is given of uploads.
    ///
    /// # Errors
    /// What is wrong with the arguments, or a rejection.
    pub(super) async fn check(
        &self,
        flows: &Flows,
        connection: &impl ConnectionTrait,
        user: &ViewerUser,
        user_id: i64,
    ) -> Result<Checked<'_>, StartError> {
        let none = || unknown("workflow", "workflow");
        let found = workflow_version::Entity::find_by_id(self.version).one(connection);
        let version = found.await?.ok_or_else(none)?;
        let found = workflow::Entity::find_by_id(version.workflow_id).one(connection);
        let workflow = found.await?.ok_or_else(none)?;
        if workflow.archived_at.is_some() {
            return Err(groups::archived().into());
        }
        let executor = self.executor(flows, &workflow)?;
        let priority = self.priority(user, &workflow)?;
        self.check_numbers()?;
        let group = self.group(connection, user, user_id, &workflow).await?;
        let template = versions::template(&version)?;
        let own = group.as_ref().map(own_parameters).transpose()?;
        let own = own.unwrap_or_default();
        let arguments = arguments::check(&template, &own, self.arguments);
        let arguments = arguments.map_err(StartError::Arguments)?;
        let variables = flows.settings.worker_variables();
        let commands = commands::of_run(&template.workflow, &arguments, &variables);
        Ok(Checked {
            new: self,
            workflow,
            version,
            group,
            arguments,
            commands,
            executor,
            priority,
        })
    }

    /// The group, if it is there.
    async fn group(
        &self,
        connection: &impl ConnectionTrait,
        user: &ViewerUser,
        user_id: i64,
        workflow: &workflow::Model,
    ) -> Result<Option<flow_group::Model>, Failure> {
        let Some(id) = self.group else {
            return groups::find_personal(connection, workflow.id, user_id).await;
        };
        let asker = Asker::of_user(user);
        asker.needs(connection, id, Role::Member, "group").await?;
        let group = flow_group::Entity::find_by_id(id).one(connection).await?;
        let group = group.ok_or_else(|| unknown("group", "group"))?;
        if group.workflow_id != workflow.id {
            let message = "it is a group of another workflow";
            return Err(Failure::bad_input("group", message));
        }
        Ok(Some(group))
    }

    fn executor(&self, flows: &Flows, workflow: &workflow::Model) -> Result<ExecutorName, Failure> {
        let of_workflow = workflow.executor.as_deref();
        let of_workflow = of_workflow.and_then(ExecutorName::from_name);
        let executor = self.executor.or(of_workflow);
        let executor = executor.unwrap_or(flows.settings.executor);
        if executor == ExecutorName::Slurm && !flows.settings.slurm.enabled {
            return Err(no_slurm());
        }
        Ok(executor)
    }

    fn priority(&self, user: &ViewerUser, workflow: &workflow::Model) -> Result<i64, Failure> {
        let Some(priority) = self.priority else {
            return Ok(workflow.priority);
        };
        if !(-LARGEST_PRIORITY..=LARGEST_PRIORITY).contains(&priority) {
            let message = format!("from -{LARGEST_PRIORITY} to {LARGEST_PRIORITY}");
            return Err(Failure::bad_input("priority", message));
        }
        let most = workflow.priority.max(0);
        if priority > most && !user.is_admin {
            let message = format!("more than {most} is for administrators to say");
            return Err(Failure::bad_input("priority", message));
        }
        Ok(priority)
    }

    fn check_numbers(&self) -> Result<(), Failure> {
        let longest = LONGEST_SECONDS.unsigned_abs();
        if self
            .timeout_seconds
            .is_some_and(|seconds| !(1..=longest).contains(&seconds))
        {
            let message = format!("from 1 to {longest}");
            return Err(Failure::bad_input("timeoutSeconds", message));
        }
        if self.retry_limit.is_some_and(|limit| limit > MOST_RETRIES) {
            let message = format!("from 0 to {MOST_RETRIES}");
            return Err(Failure::bad_input("retryLimit", message));
        }
        Ok(())
    }
}

/// The parameters that a group has besides those of the workflow.
fn own_parameters(group: &flow_group::Model) -> Result<Vec<Parameter>, Failure> {
    serde_json::from_str(&group.parameters).map_err(|error| {
        let id = group.id;
        Failure::internal(format!("the parameters of group {id}: {error}"))
    })
}

impl Checked<'_> {
    /// Refuses uploads that are neither of the group nor the user's own. In a transaction they can be held until it ends, so
    /// that nobody deletes them before the run is there.
    ///
    /// # Errors
    /// The arguments that name them.
    pub async fn check_uploads(
        &self,
        connection: &impl ConnectionTrait,
        user: i64,
        holds: bool,
    ) -> Result<(), StartError> {
        use flow_upload::Column::{CreatedBy, GroupId, Key};
        let wanted = self.arguments.uploads();
        if wanted.is_empty() {
            return Ok(());
        }
        // PostgreSQL refuses to look for what it cannot store.
        let keys: HashSet<&str> = wanted
            .iter()
            .map(|file| file.upload.as_str())
            .filter(|key| !key.contains('\0'))
            .collect();
        let mut query = flow_upload::Entity::find()
            .select_only()
            .columns([Key, GroupId, CreatedBy])
            .filter(Key.is_in(keys));
        if holds {
            query = query.lock_shared();
        }
        let found: Vec<(String, Option<i64>, Option<i64>)> =
            query.into_tuple().all(connection).await?;
        let found: HashMap<String, (Option<i64>, Option<i64>)> = found
            .into_iter()
            .map(|(key, group, by)| (key, (group, by)))
            .collect();
        let group = self.group.as_ref().map(|group| group.id);
        let is_there = |key: &str| match found.get(key) {
            Some((Some(of), _)) => Some(*of) == group,
            Some((None, by)) => *by == Some(user),
            None => false,
        };
        let mut problems: Vec<ArgumentProblem> = Vec::new();
        for file in wanted.iter().filter(|file| !is_there(&file.upload)) {
            if problems.iter().all(|it| it.parameter != file.parameter) {
                problems.push(ArgumentProblem {
                    code: ArgumentCode::InvalidArgument,
                    parameter: file.parameter.clone(),
                    message: "there is no such upload in the group".to_owned(),
                });
            }
        }
        if problems.is_empty() {
            Ok(())
        } else {
            Err(StartError::Arguments(problems))
        }
    }
}
