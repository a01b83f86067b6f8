//! Questions about background work.

use async_graphql::{Context, Object, Result};

use super::types::Worker;
use crate::graphql::context::{ContextExt, failed};
use crate::workers::read;

/// Questions about background work.
#[derive(Default)]
pub struct WorkersQuery;

#[Object]
impl WorkersQuery {
    /// The background workers, by name.
    async fn workers(&self, ctx: &Context<'_>) -> Result<Vec<Worker>> {
        ctx.check_read()?;
        let workers = read::all(ctx.database()?).await.map_err(failed)?;
        ctx.charge(workers.len())?;
        Ok(workers.into_iter().map(Worker).collect())
    }
}
