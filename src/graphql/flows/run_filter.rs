//! Which runs.

use async_graphql::{ID, InputObject};

use super::enums::{RunExecutor, RunKind, RunReason, RunState};
use super::named;
use crate::database::Database;
use crate::failure::Failure;
use crate::flows::read::runs;
use crate::graphql::datasets::TimeRange;
use crate::graphql::id::GlobalId;

/// How many workflows a filter names at most: each is looked for by itself.
const MOST_WORKFLOWS: usize = 20;
/// How many groups a filter names at most.
const MOST_GROUPS: usize = 500;
/// The row id of nothing.
const NOTHING: i64 = -1;

/// Which runs; all conditions must hold. A list that is empty says nothing.
#[derive(Clone, Debug, Default, InputObject)]
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
            workflows: workflows(database, self.workflows.as_deref()).await?,
            versions: versions(database, self.versions.as_deref()).await?,
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

async fn workflows(database: &Database, ids: Option<&[ID]>) -> Result<Vec<i64>, Failure> {
    let mut rows = Vec::new();
    for id in at_most("workflows", ids, MOST_WORKFLOWS)? {
        let found = named::workflow(database, id).await?;
        // What there is not must not become no condition at all.
        rows.push(found.map_or(NOTHING, |row| row.id));
    }
    Ok(rows)
}

async fn versions(database: &Database, ids: Option<&[ID]>) -> Result<Vec<i64>, Failure> {
    let mut rows = Vec::new();
    for id in at_most("versions", ids, MOST_WORKFLOWS)? {
        let found = named::version(database, id).await?;
        rows.push(found.map_or(NOTHING, |(_, version)| version.id));
    }
    Ok(rows)
}

fn groups(ids: Option<&[ID]>) -> Result<Vec<i64>, Failure> {
    let row = |id: &ID| match GlobalId::decode(id) {
        Some(GlobalId::RunGroup(id)) => id,
        _ => NOTHING,
    };
    let ids = at_most("groups", ids, MOST_GROUPS)?;
    Ok(ids.iter().map(row).collect())
}
