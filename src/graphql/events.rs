//! The position of the log.

use async_graphql::{Context, Object, Result};

use super::context::ContextExt;
use super::error::internal;
use crate::events::{self, Cursor};

/// Questions about the log of changes.
#[derive(Default)]
pub struct EventsQuery;

#[Object]
impl EventsQuery {
    /// The position of the log that this query shows at least: subscribe with it as `after`, and nothing falls between.
    /// Ask for it before the objects that you will follow, in the same query.
    async fn event_cursor(&self, ctx: &Context<'_>) -> Result<String> {
        ctx.check_read()?;
        let head = events::head(ctx.database()?).await.map_err(internal)?;
        Ok(Cursor(head).to_string())
    }
}
