//! Workflows.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::ColumnTrait;
use sea_orm::sea_query::{Condition, Expr};

use super::{count_rows, one_of};
use crate::database::{Database, is_one_of_texts};
use crate::entity::workflow::{Column, Entity, Model};
use crate::failure::Failure;
use crate::narrow::{self, Columns};
use crate::paging::{self, KeyKind, KeyValue, OrderPart, Ordering, Page, Slice};
use crate::pattern::Pattern;

/// Which workflows are asked for: those for which all of this is true.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct WorkflowFilter {
    /// Their name.
    pub text: Option<Pattern>,
    /// Archived ones, or those that are not; none: both.
    pub archived: Option<bool>,
}

impl WorkflowFilter {
    fn condition(&self) -> Condition {
        let text = self.text.as_ref();
        let text = text.map(|text| text.condition(Expr::col(Column::Name)));
        let archived = self.archived.map(|is_archived| {
            if is_archived {
                Column::ArchivedAt.is_not_null()
            } else {
                Column::ArchivedAt.is_null()
            }
        });
        Condition::all().add_option(text).add_option(archived)
    }
}

/// Workflows by name, for pages.
pub fn alphabetical() -> Ordering {
    Ordering {
        tag: "workflows".into(),
        parts: vec![OrderPart {
            sql: "name",
            kind: KeyKind::Text,
            descending: false,
        }],
    }
}

/// The key of a workflow.
pub fn key(row: &Model) -> Vec<KeyValue> {
    vec![KeyValue::Text(row.name.clone())]
}

/// These columns of a page of workflows.
///
/// # Errors
/// Those of the database.
pub async fn page(
    database: &Database,
    filter: &WorkflowFilter,
    columns: Columns<Model>,
    page: &Page,
) -> Result<Slice<Arc<Model>>, Failure> {
    let columns = columns.with(Column::Id).with(Column::Name);
    let (condition, ordering) = (filter.condition(), alphabetical());
    Ok(paging::fetch::<Entity>(database, condition, columns, &ordering, page).await?)
}

/// How many workflows there are.
///
/// # Errors
/// Those of the database.
pub async fn count(database: &Database, filter: &WorkflowFilter) -> Result<i64, Failure> {
    count_rows::<Entity>(database, filter.condition()).await
}

/// The workflow with this row id.
///
/// # Errors
/// Those of the database.
pub async fn by_id(database: &Database, id: i64) -> Result<Option<Arc<Model>>, Failure> {
    let found = narrow::find::<Entity>(database, Column::Id.eq(id), Columns::all());
    Ok(found.await?.pop())
}

/// The workflow of this name.
///
/// # Errors
/// Those of the database.
pub async fn by_name(database: &Database, name: &str) -> Result<Option<Arc<Model>>, Failure> {
    // PostgreSQL refuses to look for what it cannot store.
    if name.contains('\0') {
        return Ok(None);
    }
    let found = narrow::find::<Entity>(database, Column::Name.eq(name), Columns::all());
    Ok(found.await?.pop())
}

/// The workflows of these names, as far as there are such.
///
/// # Errors
/// Those of the database.
pub async fn by_names(
    database: &Database,
    names: &[String],
) -> Result<HashMap<String, Arc<Model>>, Failure> {
    // As above.
    let names = names.iter().filter(|name| !name.contains('\0'));
    let names: Vec<String> = names.cloned().collect();
    if names.is_empty() {
        return Ok(HashMap::new());
    }
    let named = is_one_of_texts(database, Column::Name, &names);
    let rows = narrow::find::<Entity>(database, named, Columns::all());
    let rows = rows.await?.into_iter();
    Ok(rows.map(|row| (row.name.clone(), row)).collect())
}

/// These columns of the workflows with these row ids, as far as there are such.
///
/// # Errors
/// Those of the database.
pub async fn by_ids(
    database: &Database,
    ids: &[i64],
    columns: Columns<Model>,
) -> Result<HashMap<i64, Arc<Model>>, Failure> {
    let columns = columns.with(Column::Id);
    let rows = narrow::find::<Entity>(database, one_of(database, Column::Id, ids), columns);
    let rows = rows.await?.into_iter();
    Ok(rows.map(|row| (row.id, row)).collect())
}
