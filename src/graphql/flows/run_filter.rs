//! Which runs.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{ID, InputObject};

use super::enums::{RunExecutor, RunKind, RunReason, RunState};
use super::named::{self, Version};
use crate::database::Database;
use crate::failure::Failure;
use crate::flows::read::{runs, workflows};
use crate::graphql::datasets::TimeRange;
use crate::graphql::id::GlobalId;
use crate::graphql::level::{ChildList, Level};
use crate::narrow::Columns;

/// How many workflows a filter names at most.
const MOST_WORKFLOWS: usize = 20;
/// How many groups a filter names at most.
const MOST_GROUPS: usize = 500;
/// The row id of nothing.
const NOTHING: i64 = -1;

/// Which runs; all conditions must hold. A list that is empty says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, InputObject)]
pub struct RunFilter {
    /// Of any of these workflows, in all their versions: by global id or name, at most 20.
    workflows: Option<Vec<ID>>,
    /// Of any of these workflows, in exactly these versions: by global id, at most 20.
    versions: Option<Vec<ID>>,
    /// Of any of the groups with these global ids, at most 500.
    groups: Option<Vec<ID>>,
    /// In any of these states.
    states: Option<Vec<RunState>>,
    /// Of any of these kinds.
    kinds: Option<Vec<RunKind>>,
    /// That did not end well, for any of these reasons.
    reasons: Option<Vec<RunReason>>,
    /// Executed in any of these ways.
    executors: Option<Vec<RunExecutor>>,
    /// Started by the user of this name.
    started_by: Option<String>,
    /// Started in this time.
    created_at: Option<TimeRange>,
}

impl RunFilter {
    /// The same with row ids.
    pub(super) async fn resolve(self, database: &Database) -> Result<runs::RunFilter, Failure> {
        let created_at = self.created_at.unwrap_or_default();
        Ok(runs::RunFilter {
            workflows: workflow_rows(database, self.workflows.as_deref()).await?,
            versions: version_rows(database, self.versions.as_deref()).await?,
            groups: groups(self.groups.as_deref())?,
            states: all(self.states),
            kinds: all(self.kinds),
            reasons: all(self.reasons),
            executors: all(self.executors),
            starter: self.started_by,
            created_from: created_at.from,
            created_until: created_at.before,
        })
    }
}

/// What a filter below a list names is looked for once, and not for each row.
impl ChildList for RunFilter {
    type Children = Option<Arc<runs::RunFilter>>;

    async fn load(
        &self,
        database: &Database,
        level: &Level,
    ) -> Result<HashMap<i64, Self::Children>, Failure> {
        let filter = Arc::new(self.clone().resolve(database).await?);
        let with_filter = |parent: &i64| (*parent, Some(Arc::clone(&filter)));
        Ok(level.parents().iter().map(with_filter).collect())
    }
}

fn all<T: Into<U>, U>(values: Option<Vec<T>>) -> Vec<U> {
    let values = values.unwrap_or_default().into_iter();
    values.map(Into::into).collect()
}

fn at_most<'a>(
    field: &'static str,
    ids: Option<&'a [ID]>,
    most: usize,
) -> Result<&'a [ID], Failure> {
    let ids = ids.unwrap_or_default();
    if ids.len() > most {
        return Err(Failure::bad_input(field, format!("at most {most} values")));
    }
    Ok(ids)
}

async fn workflow_rows(database: &Database, ids: Option<&[ID]>) -> Result<Vec<i64>, Failure> {
    let ids = at_most("workflows", ids, MOST_WORKFLOWS)?;
    let names: Vec<String> = ids.iter().map(|id| named::name(id).0).collect();
    let found = workflows::by_names(database, &names).await?;
    // What there is not must not become no condition at all.
    let row = |name: &String| found.get(name).map_or(NOTHING, |row| row.id);
    Ok(names.iter().map(row).collect())
}

async fn version_rows(database: &Database, ids: Option<&[ID]>) -> Result<Vec<i64>, Failure> {
    let ids = at_most("versions", ids, MOST_WORKFLOWS)?;
    let named: Vec<_> = ids.iter().map(named::name).collect();
    let found = named::all_numbered(database, &named, Columns::of(&[])).await?;
    let row = |found: &Option<Version>| found.as_ref().map_or(NOTHING, |(_, it)| it.id);
    Ok(found.iter().map(row).collect())
}

fn groups(ids: Option<&[ID]>) -> Result<Vec<i64>, Failure> {
    let row = |id: &ID| match GlobalId::decode(id) {
        Some(GlobalId::RunGroup(id)) => id,
        _ => NOTHING,
    };
    let ids = at_most("groups", ids, MOST_GROUPS)?;
    Ok(ids.iter().map(row).collect())
}
