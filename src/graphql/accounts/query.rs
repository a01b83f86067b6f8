//! Questions about accounts.

use std::sync::Arc;

use async_graphql::{Context, Object, Result};

use super::types::{User, UserConnection, Viewer};
use crate::auth::accounts;
use crate::graphql::context::{ContextExt, failed};
use crate::paging::{self, KeyValue, PAGE, PageArguments};

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
            Some(id) => ctx.loaders()?.users().load_one(id).await?,
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
    async fn users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, at most 500; 50 when absent.")] first: Option<i64>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 500.")] last: Option<i64>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
    ) -> Result<UserConnection> {
        ctx.administrator()?;
        let database = ctx.database()?;
        let ordering = accounts::by_username();
        let page = PageArguments {
            first,
            after,
            last,
            before,
        };
        let page = page.resolve(PAGE, &ordering).map_err(failed)?;
        let slice = accounts::users_page(database, &page)
            .await
            .map_err(failed)?;
        let total = if ctx.wants_total() {
            let count = accounts::user_count(database).await.map_err(failed)?;
            i64::try_from(count).ok()
        } else {
            None
        };
        let slice = slice.map(|row| User(Arc::unwrap_or_clone(row)));
        Ok(UserConnection::new(slice, total, move |user| {
            paging::encode_cursor(&ordering, &[KeyValue::Text(user.0.username.clone())])
        }))
    }
}
