//! Any object by its global id.

use async_graphql::{Context, ID, Interface, Object, Result};

use super::accounts::{ApiKey, User};
use super::context::{ContextExt, failed};
use super::experiments::{Experiment, ExperimentRun, Job};
use super::id::GlobalId;
use crate::auth::accounts;
use crate::experiments::read;

/// An object with a global id.
#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "The global id of the object."))]
pub enum Node {
    /// An experiment.
    Experiment(Experiment),
    /// A job.
    Job(Job),
    /// A run of an experiment.
    ExperimentRun(ExperimentRun),
    /// A user.
    User(User),
    /// An API key.
    ApiKey(ApiKey),
}

/// How many ids `nodes` takes at most.
const MOST_IDS: usize = 100;

/// Objects by their global ids.
#[derive(Default)]
pub struct NodeQuery;

#[Object]
impl NodeQuery {
    /// The object with this global id; null when there is none that you may see.
    async fn node(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The global id.")] id: ID,
    ) -> Result<Option<Node>> {
        ctx.check_read()?;
        find(ctx, &id).await
    }

    /// The objects with these global ids, in their order, with null for what there is not or you may not see.
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The global ids, at most 100.")] ids: Vec<ID>,
    ) -> Result<Vec<Option<Node>>> {
        ctx.check_read()?;
        if ids.len() > MOST_IDS {
            return Err(super::error::ErrorCode::BadInput.error(format!("ids: at most {MOST_IDS}")));
        }
        let mut found = Vec::with_capacity(ids.len());
        for id in &ids {
            found.push(find(ctx, id).await?);
        }
        Ok(found)
    }
}

async fn find(ctx: &Context<'_>, id: &ID) -> Result<Option<Node>> {
    let database = ctx.database()?;
    let Some(id) = GlobalId::decode(id) else {
        return Ok(None);
    };
    match id {
        GlobalId::Experiment(expid) => {
            let row = read::experiments::by_expid(database, &expid).await;
            Ok(row
                .map_err(failed)?
                .map(|row| Node::Experiment(Experiment::single(row))))
        }
        GlobalId::Job(expid, name) => {
            let job = Job::find(database, &expid, &name).await?;
            Ok(job.map(Node::Job))
        }
        GlobalId::ExperimentRun(expid, number) => {
            let run = ExperimentRun::find(database, &expid, number).await?;
            Ok(run.map(Node::ExperimentRun))
        }
        GlobalId::User(name) => {
            let Ok(viewer) = ctx.signed_in() else {
                return Ok(None);
            };
            if !viewer.is_admin && viewer.username != name {
                return Ok(None);
            }
            let row = accounts::user_by_name(database, &name).await;
            Ok(row.map_err(failed)?.map(|row| Node::User(User(row))))
        }
        GlobalId::ApiKey(id) => {
            let Ok(viewer) = ctx.signed_in() else {
                return Ok(None);
            };
            let row = accounts::api_key_for(database, viewer, id).await;
            Ok(row.map_err(failed)?.map(|row| Node::ApiKey(ApiKey(row))))
        }
    }
}
