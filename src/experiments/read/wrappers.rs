//! The wrappers of experiments.

use std::collections::HashMap;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use crate::database::Database;
use crate::entity::wrapper::{Column, Entity, Model};
use crate::failure::Failure;

/// The wrappers of each of these experiments, by name.
pub async fn of_experiments(
    database: &Database,
    experiments: &[i64],
) -> Result<HashMap<i64, Vec<Model>>, Failure> {
    let rows = Entity::find()
        .filter(Column::ExperimentId.is_in(experiments.iter().copied()))
        .order_by_asc(Column::Name)
        .all(database.read())
        .await?;
    let mut found: HashMap<i64, Vec<Model>> = HashMap::new();
    for row in rows {
        found.entry(row.experiment_id).or_default().push(row);
    }
    Ok(found)
}
