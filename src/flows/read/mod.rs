//! Questions about workflows, groups and runs. Whatever belongs to groups is asked for an [`Asker`](super::rights::Asker): what
//! somebody may not see is not found and not counted, like what does not exist. Children are asked for by their parents, which
//! whoever asks has found already.

pub mod attempts;
pub mod files;
pub mod groups;
pub mod logs;
pub mod ranking;
pub mod runs;
pub mod steps;
pub mod uploads;
pub mod versions;
pub mod workflows;

use sea_orm::sea_query::{Condition, IntoColumnRef, Query, SelectStatement, SimpleExpr};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};

use super::rights::Asker;
use crate::database::{Database, is_one_of};
use crate::entity::flow_group_member;
use crate::paging::{KeyKind, OrderPart, Ordering};

/// The condition that a column is one of these ids. With one id, pages are read from an index that begins with the column.
fn one_of<C: ColumnTrait + IntoColumnRef>(
    database: &Database,
    column: C,
    ids: &[i64],
) -> SimpleExpr {
    match ids {
        [id] => ColumnTrait::eq(&column, *id),
        ids => is_one_of(database, column, ids),
    }
}

/// The order of row ids.
fn by_id(tag: &str, descending: bool) -> Ordering {
    Ordering {
        tag: tag.to_owned(),
        parts: vec![OrderPart {
            sql: "id",
            kind: KeyKind::Int,
            descending,
        }],
    }
}

/// The groups that a user is in.
fn groups_of(user: i64) -> SelectStatement {
    use flow_group_member::Column::{GroupId, UserId};
    Query::select()
        .column((flow_group_member::Entity, GroupId))
        .from(flow_group_member::Entity)
        .and_where(ColumnTrait::eq(&UserId, user))
        .take()
}

/// The condition that a column names a group that somebody may see.
fn in_group_of(asker: Asker, column: impl ColumnTrait) -> Condition {
    match asker {
        Asker::Administrator => Condition::all(),
        Asker::User(user) => Condition::all().add(column.in_subquery(groups_of(user))),
        Asker::Nobody => Condition::all().add(column.lt(0)),
    }
}

/// How many rows there are for each of these parents.
async fn count_by_parent<E: EntityTrait>(
    database: &Database,
    condition: Condition,
    parent: E::Column,
    parents: &[i64],
) -> Result<std::collections::HashMap<i64, i64>, crate::failure::Failure> {
    let rows: Vec<(i64, i64)> = E::find()
        .select_only()
        .column(parent)
        .column_as(sea_orm::sea_query::Expr::cust("COUNT(*)"), "count")
        .filter(is_one_of(database, parent.as_column_ref(), parents))
        .filter(condition)
        .group_by(parent)
        .into_tuple()
        .all(database.read())
        .await?;
    Ok(rows.into_iter().collect())
}

/// How many rows a query has.
async fn count_rows<E: EntityTrait>(
    database: &Database,
    condition: Condition,
) -> Result<i64, crate::failure::Failure>
where
    E::Model: Sync,
{
    use sea_orm::PaginatorTrait;
    let count = E::find().filter(condition).count(database.read()).await?;
    Ok(i64::try_from(count).unwrap_or(i64::MAX))
}
