//! The settings of workflows, and deleting them.

use sea_orm::sea_query::Condition;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, QueryFilter,
    QuerySelect,
};

use super::delete::{self, Removed};
use super::{Author, QUEUE, conflict, unknown};
use crate::database;
use crate::entity::{flow_group, flow_run, flow_upload, workflow, workflow_version};
use crate::events;
use crate::failure::Failure;
use crate::flows::Flows;
use crate::flows::disk;
use crate::flows::settings::ExecutorName;
use crate::workers;

/// The largest numbers: a priority either way, runs, days and seconds (a year).
pub(super) const LARGEST_PRIORITY: i64 = 1_000_000;
const MOST: i64 = 1_000_000;
const LONGEST_DAYS: i64 = 100_000;
pub(super) const LONGEST_SECONDS: i64 = 366 * 86_400;

/// What is to change of a workflow: outside none, it stays; inside none, it is as the site has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkflowUpdate {
    /// Where its runs run.
    pub executor: Option<Option<ExecutorName>>,
    /// Of its runs: the largest goes first.
    pub priority: Option<i64>,
    /// How many of its runs may be under way at once; 0: no limit but that of the executor.
    pub most_running: Option<Option<i64>>,
    /// The same for each user.
    pub most_running_per_user: Option<Option<i64>>,
    /// How many of its runs that have not ended a user may have.
    pub most_open_per_user: Option<Option<i64>>,
    /// How long a run may take, in seconds.
    pub timeout_seconds: Option<Option<i64>>,
    /// How many days runs that ended well are kept after their end; 0: for good.
    pub keep_days: Option<Option<i64>>,
    /// The same for other runs.
    pub keep_failed_days: Option<Option<i64>>,
    /// How many ended runs of each group are kept at most; 0: all.
    pub keep_number: Option<Option<i64>>,
    /// The runs up to this rank are kept whatever else is said.
    pub keep_ranked: Option<Option<i64>>,
    /// Whether anything is made of the best runs.
    pub post_processing: Option<bool>,
    /// Whether nobody may start runs of it.
    pub archived: Option<bool>,
}

impl WorkflowUpdate {
    fn check(&self, slurm: bool) -> Result<(), Failure> {
        if self.executor == Some(Some(ExecutorName::Slurm)) && !slurm {
            return Err(no_slurm());
        }
        let within = |field, number: Option<i64>, least: i64, most: i64| match number {
            Some(number) if !(least..=most).contains(&number) => {
                Err(Failure::bad_input(field, format!("from {least} to {most}")))
            }
            _ => Ok(()),
        };
        let (priority, most) = (self.priority, LARGEST_PRIORITY);
        within("priority", priority, -most, most)?;
        for (field, number, least, most) in [
            ("mostRunning", self.most_running, 0, MOST),
            ("mostRunningPerUser", self.most_running_per_user, 0, MOST),
            ("mostOpenPerUser", self.most_open_per_user, 1, MOST),
            ("timeoutSeconds", self.timeout_seconds, 1, LONGEST_SECONDS),
            ("keepDays", self.keep_days, 0, LONGEST_DAYS),
            ("keepFailedDays", self.keep_failed_days, 0, LONGEST_DAYS),
            ("keepNumber", self.keep_number, 0, MOST),
            ("keepRanked", self.keep_ranked, 0, MOST),
        ] {
            within(field, number.flatten(), least, most)?;
        }
        Ok(())
    }

    fn apply(&self, row: &mut workflow::Model, now: i64) {
        if let Some(executor) = self.executor {
            row.executor = executor.map(|executor| executor.as_str().to_owned());
        }
        for (to, said) in [
            (&mut row.most_running, self.most_running),
            (&mut row.most_running_per_user, self.most_running_per_user),
            (&mut row.most_open_per_user, self.most_open_per_user),
            (&mut row.timeout_seconds, self.timeout_seconds),
            (&mut row.keep_days, self.keep_days),
            (&mut row.keep_failed_days, self.keep_failed_days),
            (&mut row.keep_number, self.keep_number),
            (&mut row.keep_ranked, self.keep_ranked),
        ] {
            if let Some(said) = said {
                *to = said;
            }
        }
        row.priority = self.priority.unwrap_or(row.priority);
        match self.archived {
            Some(true) => row.archived_at = row.archived_at.or(Some(now)),
            Some(false) => row.archived_at = None,
            None => {}
        }
        if let Some(post_processing) = self.post_processing {
            if post_processing && !row.post_processing {
                // Something may have been left undone until now.
                row.ranking += 1;
            }
            row.post_processing = post_processing;
        }
    }
}

/// The rejection of an executor that is not there.
pub(super) fn no_slurm() -> Failure {
    let message = "runs do not use Slurm here (`flows.slurm.enabled`)";
    Failure::bad_input("executor", message)
}

/// Changes the settings of a workflow. Whether a user may has been found by whoever calls.
///
/// # Errors
/// A rejection if there is no such workflow, or a number cannot be.
pub async fn update(
    flows: &Flows,
    author: &Author<'_>,
    id: i64,
    update: &WorkflowUpdate,
) -> Result<workflow::Model, Failure> {
    update.check(flows.settings.slurm.enabled)?;
    let transaction = flows.database.begin().await?;
    let row = find(&transaction, id).await?;
    let now = workers::now(&transaction).await?;
    let mut changed = row.clone();
    update.apply(&mut changed, now);
    if changed != row {
        let changed = changed.clone().into_active_model().reset_all();
        changed.update(&transaction).await?;
        transaction.commit().await?;
        tracing::info!(
            workflow = row.name,
            author = author.name(),
            "the settings of a workflow were changed"
        );
    }
    Ok(changed)
}

/// A workflow that nobody else changes until the transaction ends.
async fn find(transaction: &DatabaseTransaction, id: i64) -> Result<workflow::Model, Failure> {
    let row = workflow::Entity::find_by_id(id)
        .lock_exclusive()
        .one(transaction)
        .await?;
    row.ok_or_else(|| unknown("id", "workflow"))
}

/// Deletes a workflow with all that belongs to it: versions, groups, uploads and runs. It is archived first, and its runs go
/// in many transactions: if that is broken off, it can be done again. Whether a user may has been found by whoever calls.
///
/// # Errors
/// A rejection if there is no such workflow, or one of its runs has not ended.
pub async fn delete(flows: &Flows, author: &Author<'_>, id: i64) -> Result<(), Failure> {
    use flow_run::Column::WorkflowId;
    let transaction = flows.database.begin().await?;
    // Nobody starts a run meanwhile.
    database::lock(&transaction, QUEUE).await?;
    let mut row = find(&transaction, id).await?;
    check_ended(&transaction, id).await?;
    row.archived_at = Some(workers::now(&transaction).await?);
    let row = row.into_active_model().reset_all().update(&transaction);
    let row = row.await?;
    transaction.commit().await?;
    let of_it = Condition::all().add(WorkflowId.eq(id));
    delete::all(flows, &of_it, Some(author.name())).await?;
    let transaction = flows.database.begin().await?;
    database::lock(&transaction, QUEUE).await?;
    check_ended(&transaction, id).await?;
    // Its runs before the workflow: whoever else changes both does so in this order.
    let Removed { events, mut paths } =
        delete::runs(flows, &transaction, &of_it, None, Some(author.name())).await?;
    paths.extend(files(flows, &transaction, id).await?);
    workflow::Entity::delete_by_id(id)
        .exec(&transaction)
        .await?;
    let tells = !events.is_empty();
    events::append(&transaction, events).await?;
    transaction.commit().await?;
    if tells {
        flows.feed.wake();
    }
    disk::remove_all(paths).await;
    tracing::info!(
        workflow = row.name,
        author = author.name(),
        "a workflow was deleted"
    );
    Ok(())
}

async fn check_ended(transaction: &DatabaseTransaction, workflow: i64) -> Result<(), Failure> {
    let open = flow_run::Entity::find()
        .select_only()
        .column(flow_run::Column::Id)
        .filter(flow_run::Column::WorkflowId.eq(workflow))
        .filter(flow_run::Column::EndedAt.is_null())
        .limit(1)
        .into_tuple::<i64>()
        .one(transaction)
        .await?;
    match open {
        None => Ok(()),
        Some(_) => Err(conflict(Some("id"), "some of its runs have not ended")),
    }
}

/// The files of the versions of a workflow, and what was brought for its groups.
async fn files(
    flows: &Flows,
    transaction: &DatabaseTransaction,
    id: i64,
) -> Result<Vec<std::path::PathBuf>, Failure> {
    use flow_group::Column::{Id, WorkflowId};
    let folders: Vec<String> = workflow_version::Entity::find()
        .select_only()
        .column(workflow_version::Column::Folder)
        .filter(workflow_version::Column::WorkflowId.eq(id))
        .into_tuple()
        .all(transaction)
        .await?;
    let groups = sea_orm::sea_query::Query::select()
        .column(Id)
        .from(flow_group::Entity)
        .and_where(WorkflowId.eq(id))
        .take();
    let keys: Vec<String> = flow_upload::Entity::find()
        .select_only()
        .column(flow_upload::Column::Key)
        .filter(flow_upload::Column::GroupId.in_subquery(groups))
        .into_tuple()
        .all(transaction)
        .await?;
    let folders = folders.iter().map(|folder| flows.places.version(folder));
    let uploads = keys.iter().map(|key| flows.places.upload(key));
    Ok(folders.chain(uploads).collect())
}
