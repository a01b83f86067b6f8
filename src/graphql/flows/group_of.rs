//! The groups that runs and uploads belong to, loaded for all of them together.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::group::RunGroup;
use super::run::RunRows;
use super::upload::UploadRows;
use crate::database::Database;
use crate::entity::flow_group;
use crate::failure::Failure;
use crate::flows::read::groups;
use crate::flows::rights::Asker;
use crate::graphql::level::{ChildList, Level};
use crate::narrow::Columns;

/// The groups of runs or of uploads.
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
        let belongings = belongings(level);
        let ids: BTreeSet<i64> = belongings.iter().map(|(_, group)| *group).collect();
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let ids: Vec<i64> = ids.into_iter().collect();
        let found = groups::by_ids(database, self.asker, &ids, self.columns).await?;
        let level = RunGroup::level(found.values());
        let with_group = |(row, group): (i64, i64)| {
            let group = found.get(&group)?;
            Some((row, Some(RunGroup::on_level(Arc::clone(group), &level))))
        };
        Ok(belongings.into_iter().filter_map(with_group).collect())
    }
}

/// The rows of a level that belong to a group, each with that.
fn belongings(level: &Level) -> Vec<(i64, i64)> {
    if let Some(runs) = level.rows::<RunRows>() {
        let of_run = runs.iter().map(|run| (run.id, run.group_id));
        return of_run
            .filter_map(|(id, group)| Some((id, group?)))
            .collect();
    }
    let uploads = level.rows::<UploadRows>().into_iter().flatten();
    let of_upload = uploads.map(|upload| (upload.id, upload.group_id));
    of_upload
        .filter_map(|(id, group)| Some((id, group?)))
        .collect()
}
