//! What is said of the items of datasets.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::sea_query::{Condition, Order};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};

use crate::database::{Database, is_one_of, is_one_of_texts};
use crate::entity::dataset_overlay::{self, Column as OverlayColumn};
use crate::entity::dataset_overlay_value::{Column, Entity, Model};
use crate::failure::Failure;
use crate::narrow::{self, Columns};
use crate::paging::{self, KeyKind, KeyValue, OrderPart, Ordering, Page, Slice};

/// The overlays of each of these datasets, by name. Whoever asks has found that the datasets may be seen.
pub async fn of_datasets(
    database: &Database,
    datasets: &[i64],
) -> Result<HashMap<i64, Vec<Arc<dataset_overlay::Model>>>, Failure> {
    let columns = Columns::all();
    let of = is_one_of(database, OverlayColumn::DatasetId.as_column_ref(), datasets);
    let mut query = narrow::select::<dataset_overlay::Entity>(of, columns);
    query
        .order_by(OverlayColumn::DatasetId, Order::Asc)
        .order_by(OverlayColumn::Name, Order::Asc);
    let mut overlays: HashMap<i64, Vec<_>> = HashMap::new();
    for overlay in narrow::all::<dataset_overlay::Model>(database, &query, columns).await? {
        overlays
            .entry(overlay.dataset_id)
            .or_default()
            .push(overlay);
    }
    Ok(overlays)
}

/// Values by the identifiers of the items.
pub fn by_identifier() -> Ordering {
    Ordering {
        tag: "overlayValues".into(),
        parts: vec![OrderPart {
            sql: "identifier",
            kind: KeyKind::Text,
            descending: false,
        }],
    }
}

/// The key of a value.
pub fn key(row: &Model) -> Vec<KeyValue> {
    vec![KeyValue::Text(row.identifier.clone())]
}

/// The same page of the values of each of these overlays; of items with any of these identifiers, if there are some. Whoever
/// asks has found that the overlays may be seen.
pub async fn values(
    database: &Database,
    overlays: &[i64],
    identifiers: Option<&[String]>,
    page: &Page,
) -> Result<HashMap<i64, Slice<Arc<Model>>>, Failure> {
    let columns = Columns::all();
    let mut condition = Condition::all();
    if let Some(identifiers) = identifiers {
        let column = Column::Identifier.as_column_ref();
        condition = condition.add(is_one_of_texts(database, column, identifiers));
    }
    let ordering = by_identifier();
    if let [overlay] = overlays {
        let condition = condition.add(Column::OverlayId.eq(*overlay));
        let slice = paging::fetch::<Entity>(database, condition, columns, &ordering, page).await?;
        return Ok(HashMap::from([(*overlay, slice)]));
    }
    Ok(paging::fetch_by_parent::<Entity>(
        database,
        condition,
        columns,
        Column::OverlayId,
        overlays,
        |value| value.overlay_id,
        &ordering,
        page,
    )
    .await?)
}

/// How many values each of these overlays has of items with these identifiers.
pub async fn count(
    database: &Database,
    overlays: &[i64],
    identifiers: &[String],
) -> Result<HashMap<i64, i64>, Failure> {
    let rows: Vec<(i64, i64)> = Entity::find()
        .select_only()
        .column(Column::OverlayId)
        .column_as(Column::Identifier.count(), "count")
        .filter(is_one_of(
            database,
            Column::OverlayId.as_column_ref(),
            overlays,
        ))
        .filter(is_one_of_texts(
            database,
            Column::Identifier.as_column_ref(),
            identifiers,
        ))
        .group_by(Column::OverlayId)
        .into_tuple()
        .all(database.read())
        .await?;
    Ok(rows.into_iter().collect())
}
