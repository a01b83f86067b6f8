//! Files that people brought.

pub use crate::entity::flow_upload::Model;

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::ColumnTrait;
use sea_orm::sea_query::Condition;

use super::{by_id, count_by_parent, count_rows, groups_of};
use crate::database::{Database, is_one_of_texts};
use crate::entity::flow_upload::{Column, Entity};
use crate::failure::Failure;
use crate::flows::rights::Asker;
use crate::narrow::{self, Columns};
use crate::paging::{self, KeyValue, Ordering, Page, Slice};

/// What somebody may see: the files of their groups, and those without a group that they brought themselves.
fn seen_by(asker: Asker) -> Condition {
    match asker {
        Asker::Administrator => Condition::all(),
        Asker::User(user) => Condition::any()
            .add(Column::GroupId.in_subquery(groups_of(user)))
            .add(own_of(user)),
        Asker::Nobody => Condition::all().add(Column::Id.lt(0)),
    }
}

/// Uploads, the newest first.
pub fn newest_first() -> Ordering {
    by_id("flowUploads", true)
}

/// The key of an upload in a list; not its name among arguments.
pub fn key(row: &Model) -> Vec<KeyValue> {
    vec![KeyValue::Int(row.id)]
}

/// The columns that tell which upload it is.
fn always() -> Columns<Model> {
    Columns::of(&[Column::Id, Column::Key, Column::GroupId])
}

/// These columns of the same page of the uploads of each of these groups.
///
/// # Errors
/// Those of the database.
pub async fn of_groups(
    database: &Database,
    groups: &[i64],
    columns: Columns<Model>,
    page: &Page,
) -> Result<HashMap<i64, Slice<Arc<Model>>>, Failure> {
    let columns = columns.and(always());
    let ordering = newest_first();
    if let [group] = groups {
        let condition = Condition::all().add(Column::GroupId.eq(*group));
        let slice = paging::fetch::<Entity>(database, condition, columns, &ordering, page).await?;
        return Ok(HashMap::from([(*group, slice)]));
    }
    Ok(paging::fetch_by_parent::<Entity>(
        database,
        Condition::all(),
        columns,
        Column::GroupId,
        groups,
        |upload| upload.group_id.unwrap_or_default(),
        &ordering,
        page,
    )
    .await?)
}

/// How many uploads there are of each of these groups.
///
/// # Errors
/// Those of the database.
pub async fn count_of_groups(
    database: &Database,
    groups: &[i64],
) -> Result<HashMap<i64, i64>, Failure> {
    count_by_parent::<Entity>(database, Condition::all(), Column::GroupId, groups).await
}

/// These columns of a page of what a user brought without a group.
///
/// # Errors
/// Those of the database.
pub async fn own(
    database: &Database,
    user: i64,
    columns: Columns<Model>,
    page: &Page,
) -> Result<Slice<Arc<Model>>, Failure> {
    let (columns, ordering) = (columns.and(always()), newest_first());
    Ok(paging::fetch::<Entity>(database, own_of(user), columns, &ordering, page).await?)
}

/// How much a user brought without a group.
///
/// # Errors
/// Those of the database.
pub async fn count_own(database: &Database, user: i64) -> Result<i64, Failure> {
    count_rows::<Entity>(database, own_of(user)).await
}

fn own_of(user: i64) -> Condition {
    Condition::all()
        .add(Column::GroupId.is_null())
        .add(Column::CreatedBy.eq(user))
}

/// The upload with this key, if somebody may see it.
///
/// # Errors
/// Those of the database.
pub async fn by_key(
    database: &Database,
    asker: Asker,
    key: &str,
) -> Result<Option<Arc<Model>>, Failure> {
    let mut found = by_keys(database, asker, &[key.to_owned()], Columns::all()).await?;
    Ok(found.remove(key))
}

/// These columns of the uploads with these keys that somebody may see.
///
/// # Errors
/// Those of the database.
pub async fn by_keys(
    database: &Database,
    asker: Asker,
    keys: &[String],
    columns: Columns<Model>,
) -> Result<HashMap<String, Arc<Model>>, Failure> {
    // PostgreSQL refuses to look for what it cannot store.
    let keys = keys.iter().filter(|key| !key.contains('\0'));
    let keys: Vec<String> = keys.cloned().collect();
    let of_keys = is_one_of_texts(database, Column::Key.as_column_ref(), &keys);
    let condition = Condition::all().add(seen_by(asker)).add(of_keys);
    let rows = narrow::find::<Entity>(database, condition, columns.and(always())).await?;
    Ok(rows.into_iter().map(|row| (row.key.clone(), row)).collect())
}
