//! Datasets that belong to others: their copies, and what was derived from them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use sea_orm::sea_query::{Condition, Expr, ExprTrait, JoinType, Order, Query};

use super::Reader;
use crate::database::{Database, is_one_of};
use crate::entity::dataset::{Column, Entity, Model};
use crate::entity::dataset_link;
use crate::failure::Failure;
use crate::narrow::{self, Columns};

/// How many are told at most of all datasets that are asked for together.
const MOST: usize = 50_000;

/// The datasets that are asked for; the table itself has those that are found.
const ORIGINAL: &str = "original";

/// How datasets belong to another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Relation {
    /// They have the same UUID.
    Copies,
    /// They were derived from it, or from copies of it.
    Derivatives,
}

/// These columns of the datasets that belong to each of these datasets and that this reader may see, by URI.
pub async fn of_datasets(
    database: &Database,
    reader: Reader,
    relation: Relation,
    datasets: &[i64],
    columns: Columns<Model>,
) -> Result<HashMap<i64, Vec<Arc<Model>>>, Failure> {
    use dataset_link::Column::{DatasetId, Parent};
    let columns = columns.and(Columns::of(&[Column::Id, Column::BaseUriId, Column::Uri]));
    let related = |column: Column| Expr::col((Entity, column));
    let mut query = Query::select();
    query
        .expr(Expr::col((ORIGINAL, Column::Id)))
        .exprs(columns.iter().map(related))
        .from_as(Entity, ORIGINAL);
    match relation {
        Relation::Copies => query.join(
            JoinType::InnerJoin,
            Entity,
            Condition::all()
                .add(related(Column::Uuid).equals((ORIGINAL, Column::Uuid)))
                .add(related(Column::Id).not_equals((ORIGINAL, Column::Id))),
        ),
        Relation::Derivatives => query
            .join(
                JoinType::InnerJoin,
                dataset_link::Entity,
                Expr::col((dataset_link::Entity, Parent)).equals((ORIGINAL, Column::Uuid)),
            )
            .join(
                JoinType::InnerJoin,
                Entity,
                related(Column::Id).equals((dataset_link::Entity, DatasetId)),
            ),
    };
    query
        .and_where(is_one_of(database, (ORIGINAL, Column::Id), datasets))
        .and_where(reader.may_see())
        .order_by((Entity, Column::Uri), Order::Asc)
        // One more tells that there are more.
        .limit(MOST as u64 + 1);
    let rows = narrow::pairs::<Model>(database, &query, columns).await?;
    if rows.len() > MOST {
        let what = match relation {
            Relation::Copies => "copies",
            Relation::Derivatives => "links to follow",
        };
        let message = format!("there are more than {MOST} {what}; ask for fewer datasets");
        return Err(Failure::too_complex(message));
    }
    let mut found: HashMap<i64, Vec<Arc<Model>>> = HashMap::new();
    // One that names its parent at several keys comes several times.
    let mut seen = HashSet::new();
    for (dataset, row) in rows {
        if seen.insert((dataset, row.id)) {
            found.entry(dataset).or_default().push(row);
        }
    }
    Ok(found)
}
