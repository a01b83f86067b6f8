//! The list of datasets and single ones.

use std::sync::Arc;

use sea_orm::sea_query::{Condition, Expr, ExprTrait, JoinType, Query, SelectStatement};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect, Statement};

use super::{DatasetFilter, Reader};
use crate::database::{Database, is_one_of_texts};
use crate::datasets::text;
use crate::entity::base_uri;
use crate::entity::dataset::{Column, Entity, Model};
use crate::failure::Failure;
use crate::narrow::{self, Columns};
use crate::paging::{self, KeyKind, KeyValue, OrderPart, Ordering, Page, Slice};

/// By what datasets can be ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DatasetOrderField {
    /// The URI.
    Uri,
    /// The name.
    Name,
    /// The UUID.
    Uuid,
    /// The base URI.
    BaseUri,
    /// Who made it.
    CreatorUsername,
    /// When it was made.
    CreatedAt,
    /// When it was frozen.
    FrozenAt,
    /// When it was registered for the first time.
    RegisteredAt,
    /// The size of its items; unknown sizes first.
    SizeBytes,
    /// How many items; unknown counts first.
    ItemCount,
    /// How well it fits the text that is looked for; without one all fit alike.
    Relevance,
}

impl DatasetOrderField {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Uri,
        Self::Name,
        Self::Uuid,
        Self::BaseUri,
        Self::CreatorUsername,
        Self::CreatedAt,
        Self::FrozenAt,
        Self::RegisteredAt,
        Self::SizeBytes,
        Self::ItemCount,
    ];

    const fn sql(self) -> &'static str {
        match self {
            Self::Uri => "uri",
            Self::Name => "name",
            Self::Uuid => "uuid",
            Self::BaseUri => "base_uri",
            Self::CreatorUsername => "creator_username",
            Self::CreatedAt => "created_at",
            Self::FrozenAt => "frozen_at",
            Self::RegisteredAt => "registered_at",
            Self::SizeBytes => "size_order",
            Self::ItemCount => "items_order",
            Self::Relevance => "found.score",
        }
    }

    const fn column(self) -> Option<Column> {
        Some(match self {
            Self::Uri => Column::Uri,
            Self::Name => Column::Name,
            Self::Uuid => Column::Uuid,
            Self::BaseUri => Column::BaseUri,
            Self::CreatorUsername => Column::CreatorUsername,
            Self::CreatedAt => Column::CreatedAt,
            Self::FrozenAt => Column::FrozenAt,
            Self::RegisteredAt => Column::RegisteredAt,
            Self::SizeBytes => Column::SizeBytes,
            Self::ItemCount => Column::ItemCount,
            Self::Relevance => return None,
        })
    }

    fn key(self, row: &Model, score: i64) -> KeyValue {
        match self {
            Self::Uri => KeyValue::Text(row.uri.clone()),
            Self::Name => KeyValue::Text(row.name.clone()),
            Self::Uuid => KeyValue::Text(row.uuid.clone()),
            Self::BaseUri => KeyValue::Text(row.base_uri.clone()),
            Self::CreatorUsername => KeyValue::Text(row.creator_username.clone()),
            Self::CreatedAt => KeyValue::Int(row.created_at),
            Self::FrozenAt => KeyValue::Int(row.frozen_at),
            Self::RegisteredAt => KeyValue::Int(row.registered_at),
            Self::SizeBytes => KeyValue::Int(row.size_bytes.unwrap_or(-1)),
            Self::ItemCount => KeyValue::Int(row.item_count.unwrap_or(-1)),
            Self::Relevance => KeyValue::Int(score),
        }
    }

    fn part(self, descending: bool) -> OrderPart {
        let is_text = matches!(
            self,
            Self::Uri | Self::Name | Self::Uuid | Self::BaseUri | Self::CreatorUsername
        );
        OrderPart {
            sql: self.sql(),
            kind: if is_text { KeyKind::Text } else { KeyKind::Int },
            descending,
        }
    }
}

/// An order of datasets: by these fields (true: descending), and by URI in the end.
///
/// What is looked for by text and in no order comes as it fits, the best first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DatasetOrder(Vec<(DatasetOrderField, bool)>);

impl DatasetOrder {
    /// The order of the datasets that a filter lets through; see [`Self::new`]. Where nothing is looked for by text, there is
    /// none by relevance.
    pub fn of(
        filter: &DatasetFilter,
        fields: impl IntoIterator<Item = (DatasetOrderField, bool)>,
    ) -> Self {
        let ranked = filter.text.is_some();
        let relevance = DatasetOrderField::Relevance;
        let fields = fields.into_iter();
        let fields: Vec<_> = fields
            .filter(|(it, _)| ranked || *it != relevance)
            .collect();
        if fields.is_empty() && ranked {
            return Self(vec![(relevance, true), (DatasetOrderField::Uri, false)]);
        }
        Self::new(fields)
    }

    fn is_by_relevance(&self) -> bool {
        let mut fields = self.0.iter();
        fields.any(|(field, _)| *field == DatasetOrderField::Relevance)
    }

    /// Later fields decide between rows that earlier ones leave equal. A field that is named twice counts once, and none
    /// counts behind the URI, of which there is one for each dataset.
    pub fn new(fields: impl IntoIterator<Item = (DatasetOrderField, bool)>) -> Self {
        let mut kept: Vec<(DatasetOrderField, bool)> = Vec::new();
        for (field, descending) in fields {
            if kept.iter().all(|(known, _)| *known != field) {
                kept.push((field, descending));
            }
            if field == DatasetOrderField::Uri {
                return Self(kept);
            }
        }
        let descending = kept.last().is_some_and(|(_, descending)| *descending);
        kept.push((DatasetOrderField::Uri, descending));
        Self(kept)
    }

    /// The order for the pages.
    pub fn ordering(&self) -> Ordering {
        let parts = self.0.iter();
        Ordering {
            tag: format!("datasets{:?}", self.0),
            parts: parts
                .map(|(field, descending)| field.part(*descending))
                .collect(),
        }
    }

    /// The key in this order of a row with this score.
    pub fn key(&self, row: &Model, score: i64) -> Vec<KeyValue> {
        let fields = self.0.iter();
        fields.map(|(field, _)| field.key(row, score)).collect()
    }

    /// The columns of which its keys are made.
    fn columns(&self) -> Columns<Model> {
        let columns = self.0.iter().filter_map(|(field, _)| field.column());
        columns.fold(Columns::of(&[]), Columns::with)
    }
}

/// The columns that every dataset is read with.
fn always() -> Columns<Model> {
    Columns::of(&[Column::Id, Column::BaseUriId, Column::Uri])
}

/// These columns of a page of datasets, each with its score, which is 0 unless they are ordered by it; the columns by which
/// they are ordered are added.
pub async fn page(
    database: &Database,
    reader: Reader,
    filter: &DatasetFilter,
    order: &DatasetOrder,
    page: &Page,
    columns: Columns<Model>,
) -> Result<Slice<(i64, Arc<Model>)>, Failure> {
    let columns = columns.and(always()).and(order.columns());
    let ordering = order.ordering();
    if let Some(query) = ranked(database, reader, filter, order, columns) {
        let rows = paging::fetch_numbered(database, query, columns, &ordering, page);
        return Ok(rows.await?);
    }
    let condition = filter.condition(database, reader);
    let rows = paging::fetch::<Entity>(database, condition, columns, &ordering, page).await?;
    Ok(rows.map(|row| (0, row)))
}

/// The scores and these columns of the datasets that a text finds, if they are ordered by their scores.
fn ranked(
    database: &Database,
    reader: Reader,
    filter: &DatasetFilter,
    order: &DatasetOrder,
    columns: Columns<Model>,
) -> Option<SelectStatement> {
    let text = filter.text.as_ref().filter(|_| order.is_by_relevance())?;
    // Whoever has a score has been found.
    let others = DatasetFilter {
        text: None,
        ..filter.clone()
    };
    let of_row = Expr::col(("found", "dataset_id")).equals((Entity, Column::Id));
    let columns = columns.iter().map(|column| column.as_column_ref());
    let query = Query::select()
        .column(("found", "score"))
        .columns(columns)
        .from(Entity)
        .join_subquery(
            JoinType::InnerJoin,
            text::scores(text, database.backend()),
            "found",
            of_row,
        )
        .cond_where(others.condition(database, reader))
        .take();
    Some(query)
}

/// How many datasets there are.
pub async fn count(
    database: &Database,
    reader: Reader,
    filter: &DatasetFilter,
) -> Result<i64, Failure> {
    let query = if filter.is_of_base_uris() {
        // The writer keeps what would have to be counted.
        let mut kept = base_uri::Entity::find()
            .select_only()
            .column_as(
                Expr::cust("CAST(COALESCE(SUM(dataset_count), 0) AS BIGINT)"),
                "count",
            )
            .filter(base_uri::Column::Id.in_subquery(reader.searchable()));
        if let Some(uris) = &filter.base_uris {
            kept = kept.filter(is_one_of_texts(
                database,
                base_uri::Column::Uri.as_column_ref(),
                uris,
            ));
        }
        kept.into_tuple().one(database.read()).await
    } else {
        Entity::find()
            .select_only()
            .column_as(Column::Id.count(), "count")
            .filter(filter.condition(database, reader))
            .into_tuple()
            .one(database.read())
            .await
    };
    Ok(query?.unwrap_or_default())
}

/// These columns of the dataset with this URI; none if there is none that this reader may see.
pub async fn by_uri(
    database: &Database,
    reader: Reader,
    uri: &str,
    columns: Columns<Model>,
) -> Result<Option<Arc<Model>>, Failure> {
    // PostgreSQL refuses to look for what it cannot store.
    if uri.contains('\0') {
        return Ok(None);
    }
    Ok(find(database, reader, Column::Uri.eq(uri), columns)
        .await?
        .pop())
}

/// The datasets with these URIs that this reader may see.
pub async fn by_uris(
    database: &Database,
    reader: Reader,
    uris: &[String],
) -> Result<Vec<Arc<Model>>, Failure> {
    let of_uris = is_one_of_texts(database, Column::Uri.as_column_ref(), uris);
    find(database, reader, of_uris, Columns::all()).await
}

/// These columns of the dataset with this row id, if this reader may see it.
pub async fn by_id(
    database: &Database,
    reader: Reader,
    id: i64,
    columns: Columns<Model>,
) -> Result<Option<Arc<Model>>, Failure> {
    Ok(find(database, reader, Column::Id.eq(id), columns)
        .await?
        .pop())
}

async fn find(
    database: &Database,
    reader: Reader,
    which: impl Into<Expr>,
    columns: Columns<Model>,
) -> Result<Vec<Arc<Model>>, Failure> {
    let condition = Condition::all().add(which.into()).add(reader.may_see());
    Ok(narrow::find::<Entity>(database, condition, columns.and(always())).await?)
}

/// The statement of a page, for those who want to see how a database goes about it.
pub fn statement(
    database: &Database,
    reader: Reader,
    filter: &DatasetFilter,
    order: &DatasetOrder,
    page: &Page,
) -> Statement {
    let columns = always().and(order.columns());
    let query = if let Some(query) = ranked(database, reader, filter, order, columns) {
        paging::cut_query(database, query, &order.ordering(), page)
    } else {
        let condition = filter.condition(database, reader);
        paging::query::<Entity>(database, condition, columns, &order.ordering(), page)
    };
    database.backend().build(&query)
}
