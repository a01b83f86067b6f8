//! Questions about accounts.

use async_graphql::{Context, Object, Result};

use super::types::{User, Viewer};
use crate::auth::accounts;
use crate::graphql::context::{ContextExt, failed};

/// Questions about accounts.
#[derive(Default)]
pub struct AccountsQuery;

#[Object]
impl AccountsQuery {
    /// Who is asking; null when nobody has said who they are.
    async fn viewer(&self, ctx: &Context<'_>) -> Result<Option<Viewer>> {
        let viewer = ctx.viewer()?;
        let Some(user) = &viewer.user else {
            return Ok(None);
        };
        let account = match user.id {
            Some(id) => ctx.loaders()?.users.load_one(id).await?,
            None => None,
        };
        Ok(Some(Viewer {
            username: user.username.clone(),
            is_admin: user.is_admin,
            expires_at: viewer.expires_at,
            user: account,
        }))
    }

    /// All users, by name; for administrators.
    async fn users(&self, ctx: &Context<'_>) -> Result<Vec<User>> {
        ctx.administrator()?;
        let users = accounts::users(ctx.database()?).await.map_err(failed)?;
        Ok(users.into_iter().map(User).collect())
    }
}
