//! What people changed of datasets.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::sea_query::Condition;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};

use crate::database::{Database, is_one_of};
use crate::entity::dataset_change::{Column, Entity, Model};
use crate::failure::Failure;
use crate::narrow::Columns;
use crate::paging::{self, KeyKind, KeyValue, OrderPart, Ordering, Page, Slice};

/// Changes, the newest first.
pub fn newest_first() -> Ordering {
    Ordering {
        tag: "datasetChanges".into(),
        parts: vec![OrderPart {
            sql: "id",
            kind: KeyKind::Int,
            descending: true,
        }],
    }
}

/// The key of a change.
pub fn key(row: &Model) -> Vec<KeyValue> {
    vec![KeyValue::Int(row.id)]
}

/// These columns of the same page of the changes of each of these datasets. Whoever asks has found that the datasets may be
/// seen.
pub async fn of_datasets(
    database: &Database,
    datasets: &[i64],
    page: &Page,
    columns: Columns<Model>,
) -> Result<HashMap<i64, Slice<Arc<Model>>>, Failure> {
    let columns = columns.and(Columns::of(&[Column::Id, Column::DatasetId]));
    let ordering = newest_first();
    if let [dataset] = datasets {
        let condition = Condition::all().add(Column::DatasetId.eq(*dataset));
        let slice = paging::fetch::<Entity>(database, condition, columns, &ordering, page).await?;
        return Ok(HashMap::from([(*dataset, slice)]));
    }
    Ok(paging::fetch_by_parent::<Entity>(
        database,
        Condition::all(),
        columns,
        Column::DatasetId,
        datasets,
        |change| change.dataset_id,
        &ordering,
        page,
    )
    .await?)
}

/// How many changes there are of each of these datasets.
pub async fn count_of_datasets(
    database: &Database,
    datasets: &[i64],
) -> Result<HashMap<i64, i64>, Failure> {
    let rows: Vec<(i64, i64)> = Entity::find()
        .select_only()
        .column(Column::DatasetId)
        .column_as(Column::Id.count(), "count")
        .filter(is_one_of(
            database,
            Column::DatasetId.as_column_ref(),
            datasets,
        ))
        .group_by(Column::DatasetId)
        .into_tuple()
        .all(database.read())
        .await?;
    Ok(rows.into_iter().collect())
}
