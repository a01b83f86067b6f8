//! What ids and names of workflows and groups name.

use std::sync::Arc;

use async_graphql::ID;

use crate::database::Database;
use crate::entity::{workflow, workflow_version};
use crate::failure::{Failure, RejectionCode};
use crate::flows::read::{versions, workflows};
use crate::graphql::id::GlobalId;
use crate::narrow::Columns;

/// The name of a workflow that is given by global id or by name, and the number of the version if it is given.
pub(super) fn name(id: &ID) -> (String, Option<i64>) {
    match GlobalId::decode(id) {
        Some(GlobalId::Workflow(name, number)) => (name, Some(number)),
        _ => (id.to_string(), None),
    }
}

/// The workflow that is given by global id, of whatever version, or by name.
pub(super) async fn workflow(
    database: &Database,
    id: &ID,
) -> Result<Option<Arc<workflow::Model>>, Failure> {
    workflows::by_name(database, &name(id).0).await
}

/// These columns of a version that is given by name and number; without a number, of the newest.
pub(super) async fn numbered(
    database: &Database,
    name: &str,
    number: Option<i64>,
    columns: Columns<workflow_version::Model>,
) -> Result<Option<Version>, Failure> {
    let Some(row) = workflows::by_name(database, name).await? else {
        return Ok(None);
    };
    let number = number.unwrap_or(row.latest);
    let version = versions::by_number(database, row.id, number, columns).await?;
    Ok(version.map(|version| (row, version)))
}

/// The version that is given by global id, or the newest one of the workflow that is given by name.
pub(super) async fn version(database: &Database, id: &ID) -> Result<Option<Version>, Failure> {
    let (name, number) = name(id);
    numbered(database, &name, number, Columns::of(&[])).await
}

/// A version of a workflow with its workflow.
pub(super) type Version = (Arc<workflow::Model>, Arc<workflow_version::Model>);

/// [`numbered`] for several, in their order.
pub(super) async fn all_numbered(
    database: &Database,
    named: &[(String, Option<i64>)],
    columns: Columns<workflow_version::Model>,
) -> Result<Vec<Option<Version>>, Failure> {
    let names: Vec<String> = named.iter().map(|(name, _)| name.clone()).collect();
    let rows = workflows::by_names(database, &names).await?;
    let of = |(name, number): &(String, Option<i64>)| {
        let row = rows.get(name)?;
        Some((Arc::clone(row), number.unwrap_or(row.latest)))
    };
    let wanted: Vec<_> = named.iter().map(of).collect();
    let numbers = wanted.iter().flatten();
    let numbers: Vec<_> = numbers.map(|(row, number)| (row.id, *number)).collect();
    let found = versions::by_numbers(database, &numbers, columns).await?;
    let with_version = |wanted: Option<(Arc<workflow::Model>, i64)>| {
        let (row, number) = wanted?;
        let version = found.get(&(row.id, number))?;
        Some((row, Arc::clone(version)))
    };
    Ok(wanted.into_iter().map(with_version).collect())
}

/// What is not there, or not for this caller.
pub(super) fn unknown(field: &'static str, what: &str) -> Failure {
    let message = format!("there is no such {what}");
    Failure::rejected(RejectionCode::NotFound, Some(field), message)
}

/// The row id of the group with this global id.
pub(super) fn group_row(field: &'static str, id: &ID) -> Result<i64, Failure> {
    match GlobalId::decode(id) {
        Some(GlobalId::RunGroup(id)) => Ok(id),
        _ => Err(unknown(field, "group")),
    }
}
