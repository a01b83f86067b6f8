//! The runs of experiments, from their history.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::sea_query::Condition;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};

use crate::database::{Database, is_one_of};
use crate::entity::experiment_run::{Column, Entity, Model};
use crate::failure::Failure;
use crate::narrow::Columns;
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

/// These columns of the same page of the runs of each of these experiments.
pub async fn of_experiments(
    database: &Database,
    experiments: &[i64],
    ordering: &Ordering,
    page: &Page,
    columns: Columns<Model>,
) -> Result<HashMap<i64, Slice<Arc<Model>>>, Failure> {
    Ok(paging::fetch_by_parent::<Entity>(
        database,
        Condition::all(),
        columns.and(Columns::of(&[
            Column::Id,
            Column::ExperimentId,
            Column::Number,
        ])),
        Column::ExperimentId,
        experiments,
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
        .filter(is_one_of(database, Column::ExperimentId, experiments))
        .group_by(Column::ExperimentId)
        .into_tuple()
        .all(database.read())
        .await?;
    Ok(rows.into_iter().collect())
}

/// The runs of these numbers in these experiments.
pub async fn by_numbers(database: &Database, runs: &[(i64, i64)]) -> Result<Vec<Model>, Failure> {
    let mut any = Condition::any();
    for &(experiment, number) in runs {
        let both = Condition::all()
            .add(Column::ExperimentId.eq(experiment))
            .add(Column::Number.eq(number));
        any = any.add(both);
    }
    Ok(Entity::find().filter(any).all(database.read()).await?)
}
