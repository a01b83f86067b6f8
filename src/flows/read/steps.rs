//! Steps of runs.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::sea_query::Order;

use super::one_of;
use crate::database::Database;
use crate::entity::flow_step::{Column, Entity, Model};
use crate::failure::Failure;
use crate::narrow::{self, Columns};

/// The steps of each of these runs, in their order.
///
/// # Errors
/// Those of the database.
pub async fn of_runs(
    database: &Database,
    runs: &[i64],
    columns: Columns<Model>,
) -> Result<HashMap<i64, Vec<Arc<Model>>>, Failure> {
    let columns = columns.and(Columns::of(&[Column::RunId, Column::Position]));
    let mut query = narrow::select::<Entity>(one_of(database, Column::RunId, runs), columns);
    query
        .order_by((Entity, Column::RunId), Order::Asc)
        .order_by((Entity, Column::Position), Order::Asc);
    let mut steps: HashMap<i64, Vec<Arc<Model>>> = HashMap::new();
    for step in narrow::all(database, &query, columns).await? {
        steps.entry(step.run_id).or_default().push(step);
    }
    Ok(steps)
}
