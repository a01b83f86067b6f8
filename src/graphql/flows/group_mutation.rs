//! Commands on groups and uploads.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};

use super::enums::GroupRole;
use super::group::RunGroup;
use super::named::{self, group_row, unknown};
use crate::flows::rights::{Asker, Role};
use crate::flows::write::groups::{self, GroupUpdate, NewGroup};
use crate::flows::write::uploads;
use crate::graphql::context::{ContextExt, failed};
use crate::graphql::error::internal;
use crate::graphql::id::GlobalId;
use crate::graphql::json_text::JsonText;
use crate::graphql::user_error::{UserError, payload};

/// Somebody who shall be in a group.
#[derive(Clone, Debug, InputObject)]
struct GroupMemberInput {
    /// Who.
    username: String,
    /// What they may do there.
    #[graphql(default_with = "GroupRole::Member")]
    role: GroupRole,
}

fn members(members: Vec<GroupMemberInput>) -> Vec<(String, Role)> {
    let members = members.into_iter();
    members.map(|it| (it.username, it.role.into())).collect()
}

/// A group to be made.
#[derive(InputObject)]
struct CreateGroupInput {
    /// The workflow that it runs, by global id or name.
    workflow: ID,
    /// Its name, unique in the workflow.
    name: String,
    /// Who is in it besides you, who are its owner.
    #[graphql(default)]
    members: Vec<GroupMemberInput>,
    /// The parameters that it has besides those of the workflow: a list, as templates have it.
    parameters: Option<JsonText>,
    /// Makes the mutation safe to repeat: the same key makes nothing new and gives the same group.
    idempotency_key: Option<String>,
}

/// The answer to `createGroup`.
#[derive(SimpleObject)]
struct CreateGroupPayload {
    /// The group; null: it was not made.
    group: Option<RunGroup>,
    /// Why not.
    errors: Vec<UserError>,
}

/// What shall become otherwise of a group. What is absent stays.
#[derive(InputObject)]
struct UpdateGroupInput {
    /// The global id of the group.
    id: ID,
    /// Its name, unique in the workflow.
    name: Option<String>,
    /// All who shall be in it, at least one of them an owner.
    members: Option<Vec<GroupMemberInput>>,
}

/// The answer to `updateGroup`.
#[derive(SimpleObject)]
struct UpdateGroupPayload {
    /// The group; null: it was not changed, or you are not in it any more.
    group: Option<RunGroup>,
    /// Why it was not changed.
    errors: Vec<UserError>,
}

/// A group to be deleted.
#[derive(InputObject)]
struct DeleteGroupInput {
    /// Its global id.
    id: ID,
}

/// The answer to `deleteGroup`.
#[derive(SimpleObject)]
struct DeleteGroupPayload {
    /// The global id of the group; null: it was not deleted.
    id: Option<ID>,
    /// Why not.
    errors: Vec<UserError>,
}

/// An upload to be deleted.
#[derive(InputObject)]
struct DeleteUploadInput {
    /// Its global id.
    id: ID,
}

/// The answer to `deleteUpload`.
#[derive(SimpleObject)]
struct DeleteUploadPayload {
    /// The global id of the upload; null: it was not deleted.
    id: Option<ID>,
    /// Why not.
    errors: Vec<UserError>,
}

/// Commands on groups and uploads.
#[derive(Default)]
pub struct RunGroupsMutation;

#[Object]
impl RunGroupsMutation {
    /// Makes a group in a workflow, and you its owner; for whoever has an account here.
    async fn create_group(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new group.")] input: CreateGroupInput,
    ) -> Result<CreateGroupPayload> {
        let (user, services) = (ctx.signed_in()?, ctx.services()?);
        let parameters = input.parameters.as_ref().map(JsonText::value).transpose();
        let parameters = parameters.map_err(internal)?;
        let members = members(input.members);
        let made = async {
            let workflow = named::workflow(&services.database, &input.workflow).await?;
            let new = NewGroup {
                workflow: workflow.ok_or_else(|| unknown("workflow", "workflow"))?.id,
                name: &input.name,
                members: &members,
                parameters: parameters.as_ref(),
                idempotency_key: input.idempotency_key.as_deref(),
            };
            groups::create(&services.flows, user, &new).await
        };
        let made = made.await;
        services.feed.wake_for_accounts();
        let (row, errors) = payload(made)?;
        let group = row.map(|row| RunGroup::single(Arc::new(row)));
        Ok(CreateGroupPayload { group, errors })
    }

    /// Changes the name of a group, or who is in it; for its owners and administrators.
    async fn update_group(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which, and what shall become otherwise.")] input: UpdateGroupInput,
    ) -> Result<UpdateGroupPayload> {
        let (user, services) = (ctx.signed_in()?, ctx.services()?);
        let update = GroupUpdate {
            name: input.name,
            members: input.members.map(members),
        };
        let done = async {
            let id = group_row("id", &input.id)?;
            groups::update(&services.flows, user, id, &update).await
        };
        let done = done.await;
        services.feed.wake_for_accounts();
        let (row, errors) = payload(done)?;
        let group = match row {
            Some(row) if still_in(ctx, row.id).await? => Some(RunGroup::single(Arc::new(row))),
            _ => None,
        };
        Ok(UpdateGroupPayload { group, errors })
    }

    /// Deletes a group with its uploads, runs and files; for its owners and administrators. While one of its runs has not ended:
    /// `CONFLICT`.
    async fn delete_group(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The group.")] input: DeleteGroupInput,
    ) -> Result<DeleteGroupPayload> {
        let (user, services) = (ctx.signed_in()?, ctx.services()?);
        let done = async {
            let id = group_row("id", &input.id)?;
            groups::delete(&services.flows, user, id).await
        };
        let done = done.await;
        services.feed.wake_for_accounts();
        let (deleted, errors) = payload(done)?;
        Ok(DeleteGroupPayload {
            id: deleted.map(|()| input.id),
            errors,
        })
    }

    /// Deletes an upload; for members of its group, and whoever brought it without one. While a run that has not ended needs it:
    /// `CONFLICT`.
    async fn delete_upload(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The upload.")] input: DeleteUploadInput,
    ) -> Result<DeleteUploadPayload> {
        let (user, flows) = (ctx.signed_in()?, &ctx.services()?.flows);
        let done = match GlobalId::decode(&input.id) {
            Some(GlobalId::Upload(key)) => uploads::delete(flows, user, &key).await,
            _ => Err(unknown("id", "upload")),
        };
        let (deleted, errors) = payload(done)?;
        Ok(DeleteUploadPayload {
            id: deleted.map(|()| input.id),
            errors,
        })
    }
}

/// Whether the viewer may still see a group that they have changed.
async fn still_in(ctx: &Context<'_>, group: i64) -> Result<bool> {
    let asker = Asker::of(ctx.viewer()?);
    let role = asker.role(ctx.database()?.read(), group).await;
    Ok(role.map_err(failed)?.is_some())
}
