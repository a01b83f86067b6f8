//! What of flows global ids name.

use std::collections::HashMap;

use async_graphql::{Context, Result};

use super::group::RunGroup;
use super::named;
use super::run::Run;
use super::upload::Upload;
use super::workflow::{self, Workflow};
use crate::flows::read::{groups, runs, uploads};
use crate::flows::rights::Asker;
use crate::graphql::context::{ContextExt, failed};
use crate::graphql::id::GlobalId;
use crate::graphql::level::Level;
use crate::graphql::rows::columns;

/// What was found, by what names it.
#[derive(Default)]
pub struct Found {
    /// Versions of workflows, by name and number.
    pub workflows: HashMap<(String, i64), Workflow>,
    /// Groups, by row id.
    pub groups: HashMap<i64, RunGroup>,
    /// Uploads, by key.
    pub uploads: HashMap<String, Upload>,
    /// Runs, by row id.
    pub runs: HashMap<i64, Run>,
}

/// Finds what the ids name of flows and the viewer may see, as much of it as is selected below this field. Whoever asks may
/// read.
pub async fn by_ids(ctx: &Context<'_>, ids: &[Option<GlobalId>]) -> Result<Found> {
    let (database, asker) = (ctx.database()?, Asker::of(ctx.viewer()?));
    let (mut named, mut of_groups, mut keys, mut of_runs) = (vec![], vec![], vec![], vec![]);
    for id in ids.iter().flatten() {
        match id {
            GlobalId::Workflow(name, number) => named.push((name.clone(), Some(*number))),
            GlobalId::RunGroup(id) => of_groups.push(*id),
            GlobalId::Upload(key) => keys.push(key.clone()),
            GlobalId::Run(id) => of_runs.push(*id),
            _ => {}
        }
    }
    let mut found = Found::default();
    if !named.is_empty() {
        let versions = named::all_numbered(database, &named, workflow::columns_here(ctx)).await;
        let versions: Vec<_> = versions.map_err(failed)?.into_iter().flatten().collect();
        let level = Level::of_rows(versions.iter().map(|(row, _)| row.id));
        let workflows = versions.into_iter().map(|(row, version)| {
            let key = (row.name.clone(), version.number);
            (key, Workflow::on_level(row, version, &level))
        });
        found.workflows = workflows.collect();
    }
    if !of_groups.is_empty() {
        let columns = columns::<RunGroup, _>([ctx.field()]);
        let rows = groups::by_ids(database, asker, &of_groups, columns).await;
        let rows = rows.map_err(failed)?;
        let level = RunGroup::level(rows.values());
        let groups = rows.into_iter();
        found.groups = groups
            .map(|(id, row)| (id, RunGroup::on_level(row, &level)))
            .collect();
    }
    if !keys.is_empty() {
        let columns = columns::<Upload, _>([ctx.field()]);
        let rows = uploads::by_keys(database, asker, &keys, columns).await;
        let rows = rows.map_err(failed)?;
        let level = Upload::level(rows.values());
        let uploads = rows.into_iter();
        found.uploads = uploads
            .map(|(key, row)| (key, Upload::on_level(row, &level)))
            .collect();
    }
    if !of_runs.is_empty() {
        let columns = columns::<Run, _>([ctx.field()]);
        let rows = runs::by_ids(database, asker, &of_runs, columns).await;
        let rows = rows.map_err(failed)?;
        let level = Run::level(rows.values());
        let runs = rows.into_iter();
        found.runs = runs
            .map(|(id, row)| (id, Run::on_level(row, &level)))
            .collect();
    }
    Ok(found)
}
