//! Questions about workers.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use super::lease;
use super::snapshot::Snapshot;
use crate::database::Database;
use crate::entity::worker::{Column, Entity};
use crate::failure::Failure;

/// All workers as they are now, by name.
pub async fn all(database: &Database) -> Result<Vec<Snapshot>, Failure> {
    let rows = Entity::find()
        .order_by_asc(Column::Name)
        .all(database.read())
        .await?;
    let now = lease::now(database.read()).await?;
    let shown = rows.iter().filter_map(|row| Snapshot::of(row, now));
    Ok(shown.collect())
}

/// Some workers as they are now, by name.
pub async fn by_names(database: &Database, names: &[&str]) -> Result<Vec<Snapshot>, Failure> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let rows = Entity::find()
        .filter(Column::Name.is_in(names.iter().copied()))
        .all(database.read())
        .await?;
    let now = lease::now(database.read()).await?;
    let shown = rows.iter().filter_map(|row| Snapshot::of(row, now));
    Ok(shown.collect())
}
