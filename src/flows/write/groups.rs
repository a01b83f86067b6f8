//! Groups.

mod members;
mod parameters;
mod personal;

pub(super) use personal::{find_personal, personal};

use std::collections::BTreeMap;

use sea_orm::sea_query::Condition;
use sea_orm::{
    ActiveModelTrait, ActiveValue::NotSet, ColumnTrait, DatabaseTransaction, EntityTrait,
    IntoActiveModel, PaginatorTrait, QueryFilter, QuerySelect, Set,
};
use serde_json::Value as Json;

use super::delete::{self, Removed};
use super::{QUEUE, account, conflict, unknown};
use crate::auth::idempotency::Replay;
use crate::auth::viewer::ViewerUser;
use crate::database;
use crate::entity::{flow_group, flow_group_member, flow_run, flow_upload, workflow};
use crate::events;
use crate::failure::Failure;
use crate::flows::Flows;
use crate::flows::disk;
use crate::flows::rights::{Asker, Role};
use crate::workers;

/// The longest name, in characters.
const LONGEST_NAME: usize = 512;

/// A group that somebody wants to make.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NewGroup<'a> {
    /// The row id of the workflow.
    pub workflow: i64,
    /// Its name, unique in the workflow.
    pub name: &'a str,
    /// Who is in it besides its maker: usernames.
    pub members: &'a [(String, Role)],
    /// Parameters that it has besides those of the workflow, as templates have them.
    pub parameters: Option<&'a Json>,
    /// The same key makes nothing new.
    pub idempotency_key: Option<&'a str>,
}

/// What is to change of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupUpdate {
    /// Its name.
    pub name: Option<String>,
    /// All who are in it: usernames.
    pub members: Option<Vec<(String, Role)>>,
}

/// Makes a group, whose owner the user is.
///
/// # Errors
/// A rejection that says what cannot be.
pub async fn create(
    flows: &Flows,
    user: &ViewerUser,
    new: &NewGroup<'_>,
) -> Result<flow_group::Model, Failure> {
    let maker = account(user)?;
    let name = check_name(new.name)?;
    let members: Vec<String> = new
        .members
        .iter()
        .map(|(name, role)| format!("{name}={role}"))
        .collect();
    let parameters = new.parameters.map(Json::to_string).unwrap_or_default();
    let request = format!("{}|{name:?}|{members:?}|{parameters}", new.workflow);
    let key = new.idempotency_key;
    let replay = Replay::new(&user.username, "createGroup", key, &request)?;
    let transaction = flows.database.begin().await?;
    if let Some(id) = replay.seen(&transaction).await? {
        // Keys outlive what they made, and whether the user is in it.
        let made = flow_group::Entity::find_by_id(id).one(&transaction).await?;
        let role = Asker::of_user(user).role(&transaction, id).await?;
        let gone = || Failure::bad_input("idempotencyKey", "what it made is gone");
        return made.filter(|_| role.is_some()).ok_or_else(gone);
    }
    let workflow = workflow::Entity::find_by_id(new.workflow);
    let workflow = workflow.one(&transaction).await?;
    let workflow = workflow.ok_or_else(|| unknown("workflow", "workflow"))?;
    if workflow.archived_at.is_some() {
        return Err(archived());
    }
    let parameters = match new.parameters {
        Some(json) => parameters::check(&transaction, &workflow, json).await?,
        None => Vec::new(),
    };
    let mut members = members::named(&flows.database, &transaction, new.members).await?;
    members.insert(maker, Role::Owner);
    lock_names(&transaction, workflow.id).await?;
    check_free(&transaction, workflow.id, name).await?;
    let row = flow_group::Model {
        workflow_id: workflow.id,
        name: name.to_owned(),
        parameters: serde_json::to_string(&parameters).map_err(Failure::internal)?,
        ..flow_group::Model::default()
    };
    let group = insert(&transaction, row, &members).await?;
    replay.note(&transaction, group.id).await?;
    transaction.commit().await?;
    tracing::info!(
        group = group.id,
        workflow = workflow.name,
        actor = user.username,
        "a group was made"
    );
    Ok(group)
}

async fn insert(
    transaction: &DatabaseTransaction,
    mut row: flow_group::Model,
    members: &BTreeMap<i64, Role>,
) -> Result<flow_group::Model, Failure> {
    row.created_at = workers::now(transaction).await?;
    let mut row = row.into_active_model().reset_all();
    row.id = NotSet;
    let group = row.insert(transaction).await?;
    members::put(transaction, group.id, members).await?;
    Ok(group)
}

/// Changes a group; for its owners.
///
/// # Errors
/// A rejection that says what cannot be.
pub async fn update(
    flows: &Flows,
    user: &ViewerUser,
    id: i64,
    update: &GroupUpdate,
) -> Result<flow_group::Model, Failure> {
    let name = update.name.as_deref().map(check_name).transpose()?;
    let transaction = flows.database.begin().await?;
    let mut group = find(&transaction, user, id).await?;
    if let Some(name) = name.filter(|name| *name != group.name) {
        lock_names(&transaction, group.workflow_id).await?;
        check_free(&transaction, group.workflow_id, name).await?;
        name.clone_into(&mut group.name);
        let renamed = flow_group::ActiveModel {
            id: Set(group.id),
            name: Set(group.name.clone()),
            ..Default::default()
        };
        renamed.update(&transaction).await?;
    }
    if let Some(members) = &update.members {
        let members = members::named(&flows.database, &transaction, members).await?;
        if !members.values().any(|role| *role == Role::Owner) {
            let message = "one of the members must be its OWNER";
            return Err(Failure::bad_input("members", message));
        }
        if let Some(person) = group.personal_of
            && members.get(&person) != Some(&Role::Owner)
        {
            let message = "whose own group it is stays its OWNER";
            return Err(Failure::bad_input("members", message));
        }
        flow_group_member::Entity::delete_many()
            .filter(flow_group_member::Column::GroupId.eq(id))
            .exec(&transaction)
            .await?;
        members::put(&transaction, id, &members).await?;
    }
    transaction.commit().await?;
    tracing::info!(group = id, actor = user.username, "a group was changed");
    Ok(group)
}

/// A group that nobody else changes until the transaction ends, of which the user is an owner.
async fn find(
    transaction: &DatabaseTransaction,
    user: &ViewerUser,
    id: i64,
) -> Result<flow_group::Model, Failure> {
    let group = flow_group::Entity::find_by_id(id)
        .lock_exclusive()
        .one(transaction)
        .await?;
    let group = group.ok_or_else(|| unknown("id", "group"))?;
    let asker = Asker::of_user(user);
    asker.needs(transaction, id, Role::Owner, "id").await?;
    Ok(group)
}

/// Deletes a group with its uploads and runs; for its owners. The runs go in many transactions: if that is broken off, it can
/// be done again.
///
/// # Errors
/// A rejection if there is no such group, or one of its runs has not ended.
pub async fn delete(flows: &Flows, user: &ViewerUser, id: i64) -> Result<(), Failure> {
    let actor = Some(user.username.as_str());
    let of_it = Condition::all().add(flow_run::Column::GroupId.eq(id));
    let transaction = flows.database.begin().await?;
    find(&transaction, user, id).await?;
    check_ended(&transaction, id).await?;
    transaction.commit().await?;
    delete::all(flows, &of_it, actor).await?;
    let transaction = flows.database.begin().await?;
    // Nobody starts a run meanwhile.
    database::lock(&transaction, QUEUE).await?;
    find(&transaction, user, id).await?;
    check_ended(&transaction, id).await?;
    let Removed { events, mut paths } =
        delete::runs(flows, &transaction, &of_it, None, actor).await?;
    let keys: Vec<String> = flow_upload::Entity::find()
        .select_only()
        .column(flow_upload::Column::Key)
        .filter(flow_upload::Column::GroupId.eq(id))
        .into_tuple()
        .all(&transaction)
        .await?;
    paths.extend(keys.iter().map(|key| flows.places.upload(key)));
    flow_group::Entity::delete_by_id(id)
        .exec(&transaction)
        .await?;
    let tells = !events.is_empty();
    events::append(&transaction, events).await?;
    transaction.commit().await?;
    if tells {
        flows.feed.wake();
    }
    disk::remove_all(paths).await;
    tracing::info!(group = id, actor = user.username, "a group was deleted");
    Ok(())
}

async fn check_ended(transaction: &DatabaseTransaction, group: i64) -> Result<(), Failure> {
    let open = flow_run::Entity::find()
        .filter(flow_run::Column::GroupId.eq(group))
        .filter(flow_run::Column::EndedAt.is_null())
        .count(transaction)
        .await?;
    if open > 0 {
        let message = format!("{open} of its runs have not ended");
        return Err(conflict(Some("id"), message));
    }
    Ok(())
}

/// The rejection of what would be done with a workflow that is archived.
pub(super) fn archived() -> Failure {
    conflict(Some("workflow"), "the workflow is archived")
}

fn check_name(name: &str) -> Result<&str, Failure> {
    let name = name.trim();
    let is_name = !name.is_empty()
        && name.chars().count() <= LONGEST_NAME
        && !name.chars().any(char::is_control);
    if is_name {
        return Ok(name);
    }
    let message =
        format!("a name has from 1 to {LONGEST_NAME} characters, and no control characters");
    Err(Failure::bad_input("name", message))
}

/// Of two who want the same name in a workflow the second finds that it is taken.
async fn lock_names(transaction: &DatabaseTransaction, workflow: i64) -> Result<(), Failure> {
    let name = format!("flow-groups|{workflow}");
    Ok(database::lock(transaction, &name).await?)
}

async fn is_taken(
    transaction: &DatabaseTransaction,
    workflow: i64,
    name: &str,
) -> Result<bool, Failure> {
    use flow_group::Column::{Name, WorkflowId};
    let found = flow_group::Entity::find()
        .filter(WorkflowId.eq(workflow))
        .filter(Name.eq(name))
        .one(transaction)
        .await?;
    Ok(found.is_some())
}

async fn check_free(
    transaction: &DatabaseTransaction,
    workflow: i64,
    name: &str,
) -> Result<(), Failure> {
    if is_taken(transaction, workflow, name).await? {
        let message = "the workflow has a group of this name already";
        return Err(conflict(Some("name"), message));
    }
    Ok(())
}
