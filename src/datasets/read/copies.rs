//! Copies of datasets: others with the same UUID.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::sea_query::Condition;
use sea_orm::sea_query::{Alias, Expr, ExprTrait, JoinType, Order};

use super::Reader;
use crate::database::{Database, is_one_of};
use crate::entity::dataset::{Column, Entity, Model};
use crate::failure::Failure;
use crate::narrow::{self, Columns};

/// How many copies of all these datasets together are told at most.
const MOST: usize = 50_000;

/// These columns of the copies of each of these datasets that this reader may see, by URI.
pub async fn of_datasets(
    database: &Database,
    reader: Reader,
    datasets: &[i64],
    columns: Columns<Model>,
) -> Result<HashMap<i64, Vec<Arc<Model>>>, Failure> {
    let columns = columns.and(Columns::of(&[Column::Id, Column::BaseUriId, Column::Uri]));
    let original = Alias::new("original");
    let of = |column: Column| Expr::col((original.clone(), column));
    let copy = |column: Column| Expr::col((Entity, column));
    let mut query = sea_orm::sea_query::Query::select();
    query
        .expr(of(Column::Id))
        .exprs(columns.iter().map(copy))
        .from_as(Entity, original.clone())
        .join(
            JoinType::InnerJoin,
            Entity,
            Condition::all()
                .add(copy(Column::Uuid).equals((original.clone(), Column::Uuid)))
                .add(copy(Column::Id).not_equals((original.clone(), Column::Id))),
        )
        .and_where(is_one_of(
            database,
            (original.clone(), Column::Id),
            datasets,
        ))
        .and_where(reader.may_see())
        .order_by((Entity, Column::Uri), Order::Asc)
        // One more tells that there are more.
        .limit(MOST as u64 + 1);
    let rows = narrow::pairs(database, &query, columns).await?;
    if rows.len() > MOST {
        let message = format!("there are more than {MOST} copies; ask for fewer datasets");
        return Err(Failure::too_complex(message));
    }
    let mut copies: HashMap<i64, Vec<Arc<Model>>> = HashMap::new();
    for (dataset, row) in rows {
        copies.entry(dataset).or_default().push(row);
    }
    Ok(copies)
}
