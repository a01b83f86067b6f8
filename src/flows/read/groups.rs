//! Groups and who is in them.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::sea_query::{Condition, Expr};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use super::{by_id as order_by_id, count_by_parent, count_rows, in_group_of, one_of};
use crate::database::{Database, is_one_of};
use crate::entity::flow_group::{Column, Entity, Model};
use crate::entity::flow_group_member;
use crate::failure::Failure;
use crate::flows::rights::Asker;
use crate::narrow::{self, Columns};
use crate::paging::{self, KeyValue, Ordering, Page, Slice};
use crate::pattern::Pattern;

/// Which groups are asked for: those for which all of this is true.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct GroupFilter {
    /// Of the workflow with this row id.
    pub workflow: Option<i64>,
    /// Their name.
    pub text: Option<Pattern>,
}

impl GroupFilter {
    fn condition(&self, asker: Asker) -> Condition {
        let text = self.text.as_ref();
        let text = text.map(|text| text.condition(Expr::col(Column::Name)));
        in_group_of(asker, Column::Id)
            .add_option(self.workflow.map(|id| Column::WorkflowId.eq(id)))
            .add_option(text)
    }
}

/// Groups, the newest first.
pub fn newest_first() -> Ordering {
    order_by_id("flowGroups", true)
}

/// The key of a group.
pub fn key(row: &Model) -> Vec<KeyValue> {
    vec![KeyValue::Int(row.id)]
}

/// These columns of a page of the groups that somebody may see.
///
/// # Errors
/// Those of the database.
pub async fn page(
    database: &Database,
    asker: Asker,
    filter: &GroupFilter,
    columns: Columns<Model>,
    page: &Page,
) -> Result<Slice<Arc<Model>>, Failure> {
    let (condition, ordering) = (filter.condition(asker), newest_first());
    let columns = columns.with(Column::Id);
    Ok(paging::fetch::<Entity>(database, condition, columns, &ordering, page).await?)
}

/// How many such groups there are.
///
/// # Errors
/// Those of the database.
pub async fn count(
    database: &Database,
    asker: Asker,
    filter: &GroupFilter,
) -> Result<i64, Failure> {
    count_rows::<Entity>(database, filter.condition(asker)).await
}

/// These columns of the same page of the groups of each of these workflows that somebody may see.
///
/// # Errors
/// Those of the database.
pub async fn of_workflows(
    database: &Database,
    asker: Asker,
    workflows: &[i64],
    columns: Columns<Model>,
    page: &Page,
) -> Result<HashMap<i64, Slice<Arc<Model>>>, Failure> {
    Ok(paging::fetch_by_parent::<Entity>(
        database,
        in_group_of(asker, Column::Id),
        columns.with(Column::Id).with(Column::WorkflowId),
        Column::WorkflowId,
        workflows,
        |group| group.workflow_id,
        &newest_first(),
        page,
    )
    .await?)
}

/// How many groups of each of these workflows somebody may see.
///
/// # Errors
/// Those of the database.
pub async fn count_of_workflows(
    database: &Database,
    asker: Asker,
    workflows: &[i64],
) -> Result<HashMap<i64, i64>, Failure> {
    let condition = in_group_of(asker, Column::Id);
    count_by_parent::<Entity>(database, condition, Column::WorkflowId, workflows).await
}

/// These columns of the group with this row id, if somebody may see it.
///
/// # Errors
/// Those of the database.
pub async fn by_id(
    database: &Database,
    asker: Asker,
    id: i64,
    columns: Columns<Model>,
) -> Result<Option<Arc<Model>>, Failure> {
    let mut found = by_ids(database, asker, &[id], columns).await?;
    Ok(found.remove(&id))
}

/// These columns of the groups with these row ids that somebody may see.
///
/// # Errors
/// Those of the database.
pub async fn by_ids(
    database: &Database,
    asker: Asker,
    ids: &[i64],
    columns: Columns<Model>,
) -> Result<HashMap<i64, Arc<Model>>, Failure> {
    let condition = in_group_of(asker, Column::Id).add(one_of(database, Column::Id, ids));
    let rows = narrow::find::<Entity>(database, condition, columns.with(Column::Id)).await?;
    Ok(rows.into_iter().map(|row| (row.id, row)).collect())
}

/// Who is in each of these groups, in the order of their row ids.
///
/// # Errors
/// Those of the database.
pub async fn members(
    database: &Database,
    groups: &[i64],
) -> Result<HashMap<i64, Vec<flow_group_member::Model>>, Failure> {
    use flow_group_member::Column::{GroupId, UserId};
    let rows = flow_group_member::Entity::find()
        .filter(is_one_of(database, GroupId.as_column_ref(), groups))
        .order_by_asc(GroupId)
        .order_by_asc(UserId)
        .all(database.read())
        .await?;
    let mut members: HashMap<i64, Vec<flow_group_member::Model>> = HashMap::new();
    for row in rows {
        members.entry(row.group_id).or_default().push(row);
    }
    Ok(members)
}
