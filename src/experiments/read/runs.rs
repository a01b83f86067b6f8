//! The runs of experiments, from their history.

use std::collections::HashMap;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};

use crate::database::Database;
use crate::entity::experiment_run::{Column, Entity, Model};
use crate::failure::Failure;
use crate::paging::{self, KeyKind, KeyValue, OrderPart, Ordering, Page, Slice};

/// Runs by number.
pub fn by_number(descending: bool) -> Ordering {
    Ordering {
        tag: format!("runs{descending}"),
        parts: vec![OrderPart {
            sql: "number",
            kind: KeyKind::Int,
            descending,
        }],
    }
}

/// The key of a run.
pub fn key(row: &Model) -> Vec<KeyValue> {
    vec![KeyValue::Int(row.number)]
}

/// The same page of the runs of each of these experiments.
pub async fn of_experiments(
    database: &Database,
    experiments: &[i64],
    ordering: &Ordering,
    page: &Page,
) -> Result<HashMap<i64, Slice<Model>>, Failure> {
    let select = Entity::find().filter(Column::ExperimentId.is_in(experiments.iter().copied()));
    Ok(paging::fetch_by_parent(
        database.read(),
        select,
        "experiment_id",
        |run| run.experiment_id,
        ordering,
        page,
    )
    .await?)
}

/// How many runs each of these experiments has had.
pub async fn count_of_experiments(
    database: &Database,
    experiments: &[i64],
) -> Result<HashMap<i64, i64>, Failure> {
    let rows: Vec<(i64, i64)> = Entity::find()
        .select_only()
        .column(Column::ExperimentId)
        .column_as(Column::Id.count(), "count")
        .filter(Column::ExperimentId.is_in(experiments.iter().copied()))
        .group_by(Column::ExperimentId)
        .into_tuple()
        .all(database.read())
        .await?;
    Ok(rows.into_iter().collect())
}

/// One run by its number.
pub async fn by_experiment_and_number(
    database: &Database,
    experiment: i64,
    number: i64,
) -> Result<Option<Model>, Failure> {
    Ok(Entity::find()
        .filter(Column::ExperimentId.eq(experiment))
        .filter(Column::Number.eq(number))
        .one(database.read())
        .await?)
}
