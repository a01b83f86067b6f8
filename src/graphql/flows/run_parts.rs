//! What runs belong to, loaded for all of them together.

use std::collections::HashMap;
use std::sync::Arc;

use super::group::RunGroup;
use super::run::{Run, RunRows};
use super::workflow::Workflow;
use crate::database::Database;
use crate::entity::{flow_group, flow_run, workflow_version};
use crate::failure::Failure;
use crate::flows::read::{groups, runs};
use crate::flows::rights::Asker;
use crate::graphql::level::{ChildList, Level};
use crate::narrow::Columns;

/// The versions of workflows that runs run.
#[derive(Clone, Copy, Hash, PartialEq, Eq)]
pub(super) struct WorkflowOf(pub Columns<workflow_version::Model>);

impl ChildList for WorkflowOf {
    type Children = Option<Workflow>;

    async fn load(
        &self,
        database: &Database,
        level: &Level,
    ) -> Result<HashMap<i64, Self::Children>, Failure> {
        let Some(runs) = level.rows::<RunRows>() else {
            return Ok(HashMap::new());
        };
        let ids = distinct(runs.iter().map(|run| run.version_id));
        let versions = Workflow::by_versions(database, &ids, self.0).await?;
        let of_run = |run: &Arc<flow_run::Model>| (run.id, versions.get(&run.version_id).cloned());
        Ok(runs.iter().map(of_run).collect())
    }
}

/// The groups of runs.
#[derive(Clone, Copy, Hash, PartialEq, Eq)]
pub(super) struct GroupOf {
    pub asker: Asker,
    pub columns: Columns<flow_group::Model>,
}

impl ChildList for GroupOf {
    type Children = Option<RunGroup>;

    async fn load(
        &self,
        database: &Database,
        level: &Level,
    ) -> Result<HashMap<i64, Self::Children>, Failure> {
        let Some(runs) = level.rows::<RunRows>() else {
            return Ok(HashMap::new());
        };
        let ids = distinct(runs.iter().filter_map(|run| run.group_id));
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let found = groups::by_ids(database, self.asker, &ids, self.columns).await?;
        let groups = RunGroup::level(found.values());
        let of_run = |run: &Arc<flow_run::Model>| {
            let row = run.group_id.and_then(|id| found.get(&id));
            let group = row.map(|row| RunGroup::on_level(Arc::clone(row), &groups));
            (run.id, group)
        };
        Ok(runs.iter().map(of_run).collect())
    }
}

/// Runs by row id, of a level whose parents are these ids, as far as somebody may see them.
#[derive(Clone, Copy, Hash, PartialEq, Eq)]
pub(super) struct RunById {
    pub asker: Asker,
    pub columns: Columns<flow_run::Model>,
}

impl ChildList for RunById {
    type Children = Option<Run>;

    async fn load(
        &self,
        database: &Database,
        level: &Level,
    ) -> Result<HashMap<i64, Self::Children>, Failure> {
        if level.parents().is_empty() {
            return Ok(HashMap::new());
        }
        let found = runs::by_ids(database, self.asker, level.parents(), self.columns).await?;
        let runs = Run::level(found.values());
        let on_level = |(id, row)| (id, Some(Run::on_level(row, &runs)));
        Ok(found.into_iter().map(on_level).collect())
    }
}

fn distinct(ids: impl Iterator<Item = i64>) -> Vec<i64> {
    let mut ids: Vec<i64> = ids.collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}
