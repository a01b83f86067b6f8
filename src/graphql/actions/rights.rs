//! Who may have Autosubmit do what.

use async_graphql::{Context, InputObject, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};

use super::types::ActionKind;
use crate::entity::action_right;
use crate::experiments::actions;
use crate::experiments::actions::rights::{self, Right};
use crate::graphql::accounts::User;
use crate::graphql::context::ContextExt;
use crate::graphql::user_error::{UserError, payload};
use crate::time::from_millis;

/// What a user may have Autosubmit do, and on which experiments.
#[derive(Clone, SimpleObject)]
pub struct ActionRight {
    /// What.
    kind: ActionKind,
    /// On the experiments whose expids match this pattern, in which `*` stands for anything; null: on the user's own,
    /// those that Autosubmit knows under the username, and those that the user had made by `createExperiment`. To make an
    /// experiment, it says nothing.
    experiments: Option<String>,
    /// Since when.
    granted_at: Option<DateTime<Utc>>,
    /// Who granted it.
    granted_by: String,
}

impl ActionRight {
    /// None for a right to something that this server does not know.
    pub fn of(row: action_right::Model) -> Option<Self> {
        Some(Self {
            kind: actions::ActionKind::from_name(&row.kind)?.into(),
            experiments: Some(row.experiments).filter(|pattern| !pattern.is_empty()),
            granted_at: from_millis(row.granted_at),
            granted_by: row.granted_by,
        })
    }
}

/// A right to be granted.
#[derive(InputObject)]
struct GrantActionRightInput {
    /// To whom.
    username: String,
    /// What may be done.
    kind: ActionKind,
    /// On experiments whose expids match this pattern of small letters, digits and `*`, which stands for anything: `*`
    /// is all experiments. Absent or null: on the user's own.
    experiments: Option<String>,
}

/// The answer to `grantActionRight`.
#[derive(SimpleObject)]
struct GrantActionRightPayload {
    /// The user, with the new right.
    user: Option<User>,
    /// Why not.
    errors: Vec<UserError>,
}

/// A right to be taken away.
#[derive(InputObject)]
struct RevokeActionRightInput {
    /// From whom.
    username: String,
    /// What.
    kind: ActionKind,
    /// The pattern, as it was granted; absent or null: the right to the user's own experiments.
    experiments: Option<String>,
}

/// The answer to `revokeActionRight`.
#[derive(SimpleObject)]
struct RevokeActionRightPayload {
    /// The user, without the right.
    user: Option<User>,
    /// Why not.
    errors: Vec<UserError>,
}

/// Commands on rights.
#[derive(Default)]
pub struct ActionRightsMutation;

#[Object]
impl ActionRightsMutation {
    /// Lets a user have Autosubmit do something; for administrators. No right is implied: administrators grant them to
    /// themselves, too. Granting twice is no error.
    async fn grant_action_right(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The right.")] input: GrantActionRightInput,
    ) -> Result<GrantActionRightPayload> {
        let actor = &ctx.administrator()?.username;
        let right = Right {
            kind: input.kind.into(),
            experiments: input.experiments,
        };
        let done = rights::grant(ctx.database()?, actor, &input.username, &right).await;
        ctx.services()?.feed.wake_for_accounts();
        let (user, errors) = payload(done)?;
        let user = user.map(User);
        Ok(GrantActionRightPayload { user, errors })
    }

    /// Takes a right away; for administrators. Actions that have begun go on; those that have not will not. Taking away
    /// what is not there is no error.
    async fn revoke_action_right(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The right.")] input: RevokeActionRightInput,
    ) -> Result<RevokeActionRightPayload> {
        let actor = &ctx.administrator()?.username;
        let right = Right {
            kind: input.kind.into(),
            experiments: input.experiments,
        };
        let done = rights::revoke(ctx.database()?, actor, &input.username, &right).await;
        ctx.services()?.feed.wake_for_accounts();
        let (user, errors) = payload(done)?;
        let user = user.map(User);
        Ok(RevokeActionRightPayload { user, errors })
    }
}
