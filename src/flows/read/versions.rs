//! Versions of workflows.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::ColumnTrait;
use sea_orm::sea_query::{Condition, Expr, ExprTrait, Query};

use super::{count_by_parent, one_of};
use crate::database::Database;
use crate::entity::workflow;
use crate::entity::workflow_version::{Column, Entity, Model};
use crate::failure::Failure;
use crate::flows::template::Template;
use crate::narrow::{self, Columns};
use crate::paging::{self, KeyKind, KeyValue, OrderPart, Ordering, Page, Slice};

/// Versions of a workflow, the newest first.
pub fn newest_first() -> Ordering {
    Ordering {
        tag: "workflowVersions".into(),
        parts: vec![OrderPart {
            sql: "number",
            kind: KeyKind::Int,
            descending: true,
        }],
    }
}

/// The key of a version.
pub fn key(row: &Model) -> Vec<KeyValue> {
    vec![KeyValue::Int(row.number)]
}

/// The columns that tell which version it is.
fn always() -> Columns<Model> {
    Columns::of(&[Column::Id, Column::WorkflowId, Column::Number])
}

/// These columns of the same page of the versions of each of these workflows.
///
/// # Errors
/// Those of the database.
pub async fn of_workflows(
    database: &Database,
    workflows: &[i64],
    columns: Columns<Model>,
    page: &Page,
) -> Result<HashMap<i64, Slice<Arc<Model>>>, Failure> {
    let columns = columns.and(always());
    let ordering = newest_first();
    if let [workflow] = workflows {
        let condition = Condition::all().add(Column::WorkflowId.eq(*workflow));
        let slice = paging::fetch::<Entity>(database, condition, columns, &ordering, page).await?;
        return Ok(HashMap::from([(*workflow, slice)]));
    }
    Ok(paging::fetch_by_parent::<Entity>(
        database,
        Condition::all(),
        columns,
        Column::WorkflowId,
        workflows,
        |version| version.workflow_id,
        &ordering,
        page,
    )
    .await?)
}

/// How many versions there are of each of these workflows.
///
/// # Errors
/// Those of the database.
pub async fn count_of_workflows(
    database: &Database,
    workflows: &[i64],
) -> Result<HashMap<i64, i64>, Failure> {
    count_by_parent::<Entity>(database, Condition::all(), Column::WorkflowId, workflows).await
}

/// The version with this row id.
///
/// # Errors
/// Those of the database.
pub async fn by_id(
    database: &Database,
    id: i64,
    columns: Columns<Model>,
) -> Result<Option<Arc<Model>>, Failure> {
    let columns = columns.and(always());
    let found = narrow::find::<Entity>(database, Column::Id.eq(id), columns);
    Ok(found.await?.pop())
}

/// These columns of the versions with these row ids, as far as there are such.
///
/// # Errors
/// Those of the database.
pub async fn by_ids(
    database: &Database,
    ids: &[i64],
    columns: Columns<Model>,
) -> Result<HashMap<i64, Arc<Model>>, Failure> {
    let columns = columns.and(always());
    let rows = narrow::find::<Entity>(database, one_of(database, Column::Id, ids), columns);
    let rows = rows.await?.into_iter();
    Ok(rows.map(|row| (row.id, row)).collect())
}

/// The versions of workflows with these numbers, by workflow and number, as far as there are such.
///
/// # Errors
/// Those of the database.
pub async fn by_numbers(
    database: &Database,
    versions: &[(i64, i64)],
    columns: Columns<Model>,
) -> Result<HashMap<(i64, i64), Arc<Model>>, Failure> {
    if versions.is_empty() {
        return Ok(HashMap::new());
    }
    let one = |(workflow, number): &(i64, i64)| {
        Condition::all()
            .add(Column::WorkflowId.eq(*workflow))
            .add(Column::Number.eq(*number))
    };
    let any = versions
        .iter()
        .map(one)
        .fold(Condition::any(), Condition::add);
    let rows = narrow::find::<Entity>(database, any, columns.and(always()));
    let rows = rows.await?.into_iter();
    Ok(rows
        .map(|row| ((row.workflow_id, row.number), row))
        .collect())
}

/// The version of a workflow with this number.
///
/// # Errors
/// Those of the database.
pub async fn by_number(
    database: &Database,
    workflow: i64,
    number: i64,
    columns: Columns<Model>,
) -> Result<Option<Arc<Model>>, Failure> {
    let condition = Condition::all()
        .add(Column::WorkflowId.eq(workflow))
        .add(Column::Number.eq(number));
    let columns = columns.and(always());
    let found = narrow::find::<Entity>(database, condition, columns);
    Ok(found.await?.pop())
}

/// These columns of the newest version of each of these workflows.
///
/// # Errors
/// Those of the database.
pub async fn latest(
    database: &Database,
    workflows: &[i64],
    columns: Columns<Model>,
) -> Result<HashMap<i64, Arc<Model>>, Failure> {
    let newest = Query::select()
        .column((workflow::Entity, workflow::Column::Latest))
        .from(workflow::Entity)
        .and_where(
            Expr::col((workflow::Entity, workflow::Column::Id))
                .equals((Entity, Column::WorkflowId)),
        )
        .take();
    let condition = Condition::all()
        .add(one_of(database, Column::WorkflowId, workflows))
        .add(Column::Number.in_subquery(newest));
    let rows = narrow::find::<Entity>(database, condition, columns.and(always()));
    let rows = rows.await?.into_iter();
    Ok(rows.map(|row| (row.workflow_id, row)).collect())
}

/// The template of a version whose column with it was read.
///
/// # Errors
/// If it cannot be read: then something else than labql has written it.
pub fn template(version: &Model) -> Result<Template, Failure> {
    serde_json::from_str(&version.template).map_err(|error| {
        let id = version.id;
        Failure::internal(format!("the template of workflow version {id}: {error}"))
    })
}
