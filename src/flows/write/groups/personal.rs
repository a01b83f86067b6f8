//! The group of a user alone, for runs that name no group.

use std::collections::BTreeMap;

use sea_orm::{ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter};

use super::{insert, is_taken, lock_names};
use crate::entity::flow_group;
use crate::failure::Failure;
use crate::flows::rights::Role;

/// The group of a user alone, which is made if there is none; the user is its owner.
///
/// # Errors
/// Those of the database.
pub(in crate::flows::write) async fn personal(
    transaction: &DatabaseTransaction,
    workflow: i64,
    user_id: i64,
    username: &str,
) -> Result<flow_group::Model, Failure> {
    if let Some(group) = find_personal(transaction, workflow, user_id).await? {
        return Ok(group);
    }
    lock_names(transaction, workflow).await?;
    // Somebody else may have made it meanwhile.
    if let Some(group) = find_personal(transaction, workflow, user_id).await? {
        return Ok(group);
    }
    let mut name = username.to_owned();
    let mut number = 1;
    while is_taken(transaction, workflow, &name).await? {
        number += 1;
        name = format!("{username} ({number})");
    }
    let row = flow_group::Model {
        workflow_id: workflow,
        name,
        personal_of: Some(user_id),
        parameters: "[]".to_owned(),
        ..flow_group::Model::default()
    };
    insert(transaction, row, &BTreeMap::from([(user_id, Role::Owner)])).await
}

/// The group of a user alone, if there is one.
///
/// # Errors
/// Those of the database.
pub(in crate::flows::write) async fn find_personal(
    connection: &impl ConnectionTrait,
    workflow: i64,
    user: i64,
) -> Result<Option<flow_group::Model>, Failure> {
    use flow_group::Column::{PersonalOf, WorkflowId};
    Ok(flow_group::Entity::find()
        .filter(WorkflowId.eq(workflow))
        .filter(PersonalOf.eq(user))
        .one(connection)
        .await?)
}
