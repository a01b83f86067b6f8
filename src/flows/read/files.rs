//! Files that runs gave.

pub use crate::entity::flow_file::Model;

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::ColumnTrait;
use sea_orm::sea_query::{Condition, Order};

use super::one_of;
use crate::database::Database;
use crate::entity::flow_file::{Column, Entity};
use crate::failure::Failure;
use crate::narrow::{self, Columns};

/// The files of each of these runs, in their order.
///
/// # Errors
/// Those of the database.
pub async fn of_runs(
    database: &Database,
    runs: &[i64],
    columns: Columns<Model>,
) -> Result<HashMap<i64, Vec<Arc<Model>>>, Failure> {
    let columns = columns.and(Columns::of(&[Column::Id, Column::RunId, Column::Name]));
    let mut query = narrow::select::<Entity>(one_of(database, Column::RunId, runs), columns);
    query
        .order_by((Entity, Column::RunId), Order::Asc)
        .order_by((Entity, Column::Place), Order::Asc)
        .order_by((Entity, Column::Id), Order::Asc);
    let mut files: HashMap<i64, Vec<Arc<Model>>> = HashMap::new();
    for file in narrow::all(database, &query, columns).await? {
        files.entry(file.run_id).or_default().push(file);
    }
    Ok(files)
}

/// The file of a run with this name.
///
/// # Errors
/// Those of the database.
pub async fn by_name(
    database: &Database,
    run: i64,
    name: &str,
) -> Result<Option<Arc<Model>>, Failure> {
    // PostgreSQL refuses to look for what it cannot store.
    if name.contains('\0') {
        return Ok(None);
    }
    let condition = Condition::all()
        .add(Column::RunId.eq(run))
        .add(Column::Name.eq(name));
    let found = narrow::find::<Entity>(database, condition, Columns::all());
    Ok(found.await?.pop())
}
