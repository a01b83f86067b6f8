//! What runs belong to, loaded for all of them together.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::run::{Run, RunRows};
use super::workflow::Workflow;
use crate::database::Database;
use crate::entity::{flow_run, workflow_version};
use crate::failure::Failure;
use crate::flows::read::runs;
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
        let ids: BTreeSet<i64> = runs.iter().map(|run| run.version_id).collect();
        let ids: Vec<i64> = ids.into_iter().collect();
        let versions = Workflow::by_versions(database, &ids, self.0).await?;
        let of_run = |run: &Arc<flow_run::Model>| (run.id, versions.get(&run.version_id).cloned());
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
