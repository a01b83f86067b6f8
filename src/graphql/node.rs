//! Any object by its global id.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, ID, Interface, Object, Result};

use super::accounts::{ApiKey, User};
use super::actions::Action;
use super::context::{ContextExt, failed};
use super::datasets::Dataset;
use super::error::ErrorCode;
use super::experiments::{Experiment, ExperimentRun, Job};
use super::flows::{self, Run, RunGroup, Upload, Workflow};
use super::fplanes::{self, Fplane, FplaneRecord, FplaneSource, FplaneTag};
use super::id::GlobalId;
use super::level::Level;
use super::workers::Worker;
use crate::auth::accounts;
use crate::database::Database;
use crate::datasets::read::{Reader, datasets as datasets_read};
use crate::entity::{action, dataset, experiment, experiment_run, job};
use crate::experiments::actions::{self, read::Whose};
use crate::experiments::read;
use crate::workers;

/// An object with a global id.
#[derive(Interface)]
#[graphql(field(
    name = "id",
    method = "resolve_id",
    ty = "ID",
    desc = "The global id of the object."
))]
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
    /// A background worker.
    Worker(Worker),
    /// Something that a person had Autosubmit do.
    Action(Action),
    /// A dataset.
    Dataset(Dataset),
    /// A focal plane.
    Fplane(Fplane),
    /// What is known of a slot of a focal plane.
    FplaneRecord(FplaneRecord),
    /// Where what is known of focal planes comes from.
    FplaneSource(FplaneSource),
    /// A tag of a focal plane.
    FplaneTag(FplaneTag),
    /// A version of a workflow.
    Workflow(Workflow),
    /// A group of people who run a workflow.
    RunGroup(RunGroup),
    /// A file that somebody brought for runs.
    Upload(Upload),
    /// A run of a workflow.
    Run(Run),
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
        Ok(find(ctx, &[id]).await?.pop().flatten())
    }

    /// The objects with these global ids, in their order, with null for what there is not or you may not see.
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The global ids, at most 100.")] ids: Vec<ID>,
    ) -> Result<Vec<Option<Node>>> {
        ctx.check_read()?;
        if ids.len() > MOST_IDS {
            return Err(ErrorCode::BadInput.error(format!("ids: at most {MOST_IDS}")));
        }
        find(ctx, &ids).await
    }
}

/// Finds many objects with one statement for each of their types.
async fn find(ctx: &Context<'_>, ids: &[ID]) -> Result<Vec<Option<Node>>> {
    let database = ctx.database()?;
    let ids: Vec<Option<GlobalId>> = ids.iter().map(GlobalId::decode).collect();
    let experiments = experiments(database, &ids).await?;
    let row_of = |expid: &str| experiments.get(expid).map(Experiment::row_id);
    let jobs = jobs(database, &ids, row_of).await?;
    let runs = runs(database, &ids, row_of).await?;
    let workers = workers(database, &ids).await?;
    let actions = actions(ctx, &ids).await?;
    let datasets = datasets(ctx, &ids).await?;
    let fplanes = fplanes::by_ids(ctx, &ids).await?;
    let flows = flows::by_ids(ctx, &ids).await?;
    let mut found = Vec::with_capacity(ids.len());
    for id in &ids {
        found.push(match id {
            None => None,
            Some(GlobalId::Experiment(expid)) => {
                experiments.get(expid).cloned().map(Node::Experiment)
            }
            Some(GlobalId::Job(expid, name)) => row_of(expid)
                .and_then(|row| jobs.get(&(row, name.clone())).cloned())
                .map(|row| Node::Job(Job::single(row, expid))),
            Some(GlobalId::ExperimentRun(expid, number)) => row_of(expid)
                .and_then(|row| runs.get(&(row, *number)).cloned())
                .map(|row| Node::ExperimentRun(ExperimentRun::single(Arc::new(row), expid))),
            Some(GlobalId::User(name)) => user(ctx, name).await?.map(Node::User),
            Some(GlobalId::ApiKey(id)) => api_key(ctx, *id).await?.map(Node::ApiKey),
            Some(GlobalId::Worker(name)) => workers.get(name).cloned().map(Node::Worker),
            Some(GlobalId::Action(id)) => actions.get(id).cloned().map(Node::Action),
            Some(GlobalId::Dataset(uri)) => datasets.get(uri).cloned().map(Node::Dataset),
            Some(GlobalId::Fplane(id)) => fplanes.planes.get(id).cloned().map(Node::Fplane),
            Some(GlobalId::FplaneRecord(id)) => {
                fplanes.records.get(id).cloned().map(Node::FplaneRecord)
            }
            Some(GlobalId::FplaneSource(id)) => {
                fplanes.sources.get(id).cloned().map(Node::FplaneSource)
            }
            Some(GlobalId::FplaneTag(id)) => fplanes.tags.get(id).cloned().map(Node::FplaneTag),
            Some(GlobalId::Workflow(name, number)) => {
                let key = (name.clone(), *number);
                flows.workflows.get(&key).cloned().map(Node::Workflow)
            }
            Some(GlobalId::RunGroup(id)) => flows.groups.get(id).cloned().map(Node::RunGroup),
            Some(GlobalId::Upload(key)) => flows.uploads.get(key).cloned().map(Node::Upload),
            Some(GlobalId::Run(id)) => flows.runs.get(id).cloned().map(Node::Run),
        });
    }
    Ok(found)
}

/// The experiments that the ids name or that what they name belongs to, by expid.
async fn experiments(
    database: &Database,
    ids: &[Option<GlobalId>],
) -> Result<HashMap<String, Experiment>> {
    let mut expids: Vec<&str> = ids
        .iter()
        .flatten()
        .filter_map(|id| match id {
            GlobalId::Experiment(expid)
            | GlobalId::Job(expid, _)
            | GlobalId::ExperimentRun(expid, _) => Some(expid.as_str()),
            GlobalId::User(_)
            | GlobalId::ApiKey(_)
            | GlobalId::Worker(_)
            | GlobalId::Action(_)
            | GlobalId::Dataset(_)
            | GlobalId::Fplane(_)
            | GlobalId::FplaneRecord(_)
            | GlobalId::FplaneSource(_)
            | GlobalId::FplaneTag(_)
            | GlobalId::Workflow(..)
            | GlobalId::RunGroup(_)
            | GlobalId::Upload(_)
            | GlobalId::Run(_) => None,
        })
        .collect();
    expids.sort_unstable();
    expids.dedup();
    if expids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = read::experiments::by_expids(database, &expids).await;
    let rows: Vec<_> = rows.map_err(failed)?.into_iter().map(Arc::new).collect();
    let level = Experiment::level(&rows);
    let named = |row: Arc<experiment::Model>| {
        let expid = row.expid.clone();
        (expid, Experiment::on_level(row, &level))
    };
    Ok(rows.into_iter().map(named).collect())
}

async fn jobs(
    database: &Database,
    ids: &[Option<GlobalId>],
    row_of: impl Fn(&str) -> Option<i64>,
) -> Result<HashMap<(i64, String), job::Model>> {
    let names: Vec<(i64, &str)> = ids
        .iter()
        .flatten()
        .filter_map(|id| match id {
            GlobalId::Job(expid, name) => Some((row_of(expid)?, name.as_str())),
            _ => None,
        })
        .collect();
    if names.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = read::jobs::by_names(database, &names).await;
    let keyed = |row: job::Model| ((row.experiment_id, row.name.clone()), row);
    Ok(rows.map_err(failed)?.into_iter().map(keyed).collect())
}

async fn runs(
    database: &Database,
    ids: &[Option<GlobalId>],
    row_of: impl Fn(&str) -> Option<i64>,
) -> Result<HashMap<(i64, i64), experiment_run::Model>> {
    let numbers: Vec<(i64, i64)> = ids
        .iter()
        .flatten()
        .filter_map(|id| match id {
            GlobalId::ExperimentRun(expid, number) => Some((row_of(expid)?, *number)),
            _ => None,
        })
        .collect();
    if numbers.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = read::runs::by_numbers(database, &numbers).await;
    let keyed = |row: experiment_run::Model| ((row.experiment_id, row.number), row);
    Ok(rows.map_err(failed)?.into_iter().map(keyed).collect())
}

async fn workers(database: &Database, ids: &[Option<GlobalId>]) -> Result<HashMap<String, Worker>> {
    let names: Vec<&str> = ids
        .iter()
        .flatten()
        .filter_map(|id| match id {
            GlobalId::Worker(name) => Some(name.as_str()),
            _ => None,
        })
        .collect();
    let found = workers::read::by_names(database, &names).await;
    let named = |worker: workers::Snapshot| (worker.name.clone(), Worker(worker));
    Ok(found.map_err(failed)?.into_iter().map(named).collect())
}

/// Actions, for whoever asked for them and for administrators.
async fn actions(ctx: &Context<'_>, ids: &[Option<GlobalId>]) -> Result<HashMap<i64, Action>> {
    let numbers: Vec<i64> = ids
        .iter()
        .flatten()
        .filter_map(|id| match id {
            GlobalId::Action(id) => Some(*id),
            _ => None,
        })
        .collect();
    let Some(viewer) = ctx.viewer()?.user.as_ref() else {
        return Ok(HashMap::new());
    };
    let found = actions::read::by_ids(ctx.database()?, Whose::seen_by(viewer), &numbers).await;
    let numbered = |row: Arc<action::Model>| (row.id, Action(row));
    Ok(found.map_err(failed)?.into_iter().map(numbered).collect())
}

/// The datasets that the ids name and that the viewer may see, by URI.
async fn datasets(ctx: &Context<'_>, ids: &[Option<GlobalId>]) -> Result<HashMap<String, Dataset>> {
    let uris = ids.iter().flatten().filter_map(|id| match id {
        GlobalId::Dataset(uri) => Some(uri.clone()),
        _ => None,
    });
    let uris: Vec<String> = uris.collect();
    if uris.is_empty() {
        return Ok(HashMap::new());
    }
    let reader = Reader::of(ctx.viewer()?);
    let rows = datasets_read::by_uris(ctx.database()?, reader, &uris).await;
    let rows = rows.map_err(failed)?;
    let level = Level::new(rows.iter().map(|row| row.id).collect(), Vec::new());
    let named = |row: Arc<dataset::Model>| (row.uri.clone(), Dataset::on_level(row, &level));
    Ok(rows.into_iter().map(named).collect())
}

/// A user, for that user and for administrators.
async fn user(ctx: &Context<'_>, name: &str) -> Result<Option<User>> {
    let Some(viewer) = ctx.viewer()?.user.as_ref() else {
        return Ok(None);
    };
    if !viewer.is_admin && viewer.username != name {
        return Ok(None);
    }
    let row = accounts::user_by_name(ctx.database()?.read(), name).await;
    Ok(row.map_err(failed)?.map(User))
}

/// An API key, for its owner and for administrators.
async fn api_key(ctx: &Context<'_>, id: i64) -> Result<Option<ApiKey>> {
    let Some(viewer) = ctx.viewer()?.user.as_ref() else {
        return Ok(None);
    };
    let row = accounts::api_key_for(ctx.database()?, viewer, id).await;
    Ok(row.map_err(failed)?.map(ApiKey))
}
