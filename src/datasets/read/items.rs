//! The items of datasets, as their manifests list them.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::sea_query::{Condition, Expr};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};

use crate::database::{Database, is_one_of, is_one_of_texts};
use crate::entity::dataset_item::{Column, Entity, Model};
use crate::failure::Failure;
use crate::narrow::Columns;
use crate::paging::{self, KeyKind, KeyValue, OrderPart, Ordering, Page, Slice};
use crate::pattern::Pattern;

/// Which items are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ItemFilter {
    /// With any of these identifiers.
    pub identifiers: Option<Vec<String>>,
    /// Part of the path.
    pub relpath: Option<Pattern>,
}

impl ItemFilter {
    /// Does it let everything through?
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn condition(&self, database: &Database) -> Condition {
        let mut all = Condition::all();
        if let Some(identifiers) = &self.identifiers {
            let column = Column::Identifier.as_column_ref();
            all = all.add(is_one_of_texts(database, column, identifiers));
        }
        if let Some(relpath) = &self.relpath {
            all = all.add(relpath.condition(Expr::col(Column::Relpath)));
        }
        all
    }
}

/// Items by identifier, as manifests have them.
pub fn by_identifier() -> Ordering {
    Ordering {
        tag: "items".into(),
        parts: vec![OrderPart {
            sql: "identifier",
            kind: KeyKind::Text,
            descending: false,
        }],
    }
}

/// The key of an item.
pub fn key(row: &Model) -> Vec<KeyValue> {
    vec![KeyValue::Text(row.identifier.clone())]
}

/// These columns of the same page of the items of each of these datasets. Whoever asks has found that the datasets may be
/// seen.
pub async fn of_datasets(
    database: &Database,
    datasets: &[i64],
    filter: &ItemFilter,
    page: &Page,
    columns: Columns<Model>,
) -> Result<HashMap<i64, Slice<Arc<Model>>>, Failure> {
    let columns = columns.with(Column::Identifier);
    let condition = filter.condition(database);
    let ordering = by_identifier();
    if let [dataset] = datasets {
        let condition = condition.add(Column::DatasetId.eq(*dataset));
        let slice = paging::fetch::<Entity>(database, condition, columns, &ordering, page).await?;
        return Ok(HashMap::from([(*dataset, slice)]));
    }
    Ok(paging::fetch_by_parent::<Entity>(
        database,
        condition,
        columns.with(Column::DatasetId),
        Column::DatasetId,
        datasets,
        |item| item.dataset_id,
        &ordering,
        page,
    )
    .await?)
}

/// How many items of each of these datasets the filter lets through.
pub async fn count_of_datasets(
    database: &Database,
    datasets: &[i64],
    filter: &ItemFilter,
) -> Result<HashMap<i64, i64>, Failure> {
    let rows: Vec<(i64, i64)> = Entity::find()
        .select_only()
        .column(Column::DatasetId)
        .column_as(Column::Identifier.count(), "count")
        .filter(is_one_of(database, Column::DatasetId, datasets))
        .filter(filter.condition(database))
        .group_by(Column::DatasetId)
        .into_tuple()
        .all(database.read())
        .await?;
    Ok(rows.into_iter().collect())
}
