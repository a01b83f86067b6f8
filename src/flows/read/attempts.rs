//! Attempts at steps.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use sea_orm::sea_query::Order;

use super::one_of;
use crate::database::Database;
use crate::entity::flow_attempt::{Column, Entity, Model};
use crate::failure::Failure;
use crate::narrow::{self, Columns};

/// The attempts at each of these steps, by run and place, in their order.
///
/// # Errors
/// Those of the database.
pub async fn of_steps(
    database: &Database,
    steps: &[(i64, i64)],
) -> Result<HashMap<(i64, i64), Vec<Arc<Model>>>, Failure> {
    let runs: HashSet<i64> = steps.iter().map(|(run, _)| *run).collect();
    let runs: Vec<i64> = runs.into_iter().collect();
    let wanted: HashSet<(i64, i64)> = steps.iter().copied().collect();
    let columns = Columns::all();
    let mut query = narrow::select::<Entity>(one_of(database, Column::RunId, &runs), columns);
    query
        .order_by((Entity, Column::RunId), Order::Asc)
        .order_by((Entity, Column::Position), Order::Asc)
        .order_by((Entity, Column::Number), Order::Asc);
    let mut attempts: HashMap<(i64, i64), Vec<Arc<Model>>> = HashMap::new();
    for attempt in narrow::all(database, &query, columns).await? {
        let step = (attempt.run_id, attempt.position);
        if wanted.contains(&step) {
            attempts.entry(step).or_default().push(attempt);
        }
    }
    Ok(attempts)
}
