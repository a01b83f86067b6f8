//! Who said what of focal planes.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use sea_orm::sea_query::Condition;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};

use crate::database::{Database, is_one_of};
use crate::entity::fplane_source::{Column, Entity, Model};
use crate::failure::Failure;
use crate::narrow::{self, Columns};
use crate::paging::{self, KeyKind, KeyValue, OrderPart, Ordering, Page, Slice};
use crate::time::Micros;

/// The kinds of sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SourceKind {
    /// A message of the telescope.
    Status,
    /// A file of a plane.
    File,
    /// A night of a table of dated mappings.
    Mapping,
    /// A list of measured positions.
    Positions,
    /// A correction by hand.
    Correction,
}

impl SourceKind {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Status,
        Self::File,
        Self::Mapping,
        Self::Positions,
        Self::Correction,
    ];

    /// The name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Status => "STATUS",
            Self::File => "FILE",
            Self::Mapping => "MAPPING",
            Self::Positions => "POSITIONS",
            Self::Correction => "CORRECTION",
        }
    }

    /// The kind of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// Which sources are asked for: those for which all of this is true.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct SourceFilter {
    /// Of one of these kinds; empty: of any.
    pub kinds: Vec<SourceKind>,
    /// That tell of a time that begins then or later.
    pub from: Option<DateTime<Utc>>,
    /// That tell of a time that begins before.
    pub until: Option<DateTime<Utc>>,
}

impl SourceFilter {
    fn condition(&self) -> Condition {
        let mut all = Condition::all();
        if !self.kinds.is_empty() {
            let names = self.kinds.iter().map(|kind| kind.as_str());
            all = all.add(Column::Kind.is_in(names));
        }
        all.add_option(self.from.map(|from| Column::ValidFrom.gte(from.micros())))
            .add_option(self.until.map(|until| Column::ValidFrom.lt(until.micros())))
    }
}

/// Sources, the last that was told first.
pub fn newest_first() -> Ordering {
    Ordering {
        tag: "fplaneSources".into(),
        parts: vec![OrderPart {
            sql: "id",
            kind: KeyKind::Int,
            descending: true,
        }],
    }
}

/// The key of a source.
pub fn key(row: &Model) -> Vec<KeyValue> {
    vec![KeyValue::Int(row.id)]
}

/// These columns of a page of sources.
pub async fn page(
    database: &Database,
    filter: &SourceFilter,
    columns: Columns<Model>,
    page: &Page,
) -> Result<Slice<Arc<Model>>, Failure> {
    let columns = columns.with(Column::Id);
    let (condition, ordering) = (filter.condition(), newest_first());
    Ok(paging::fetch::<Entity>(database, condition, columns, &ordering, page).await?)
}

/// How many sources there are.
pub async fn count(database: &Database, filter: &SourceFilter) -> Result<i64, Failure> {
    let rows = Entity::find().filter(filter.condition());
    let count = rows.count(database.read()).await?;
    Ok(i64::try_from(count).unwrap_or(i64::MAX))
}

/// These columns of the sources with these ids, as far as there are such.
pub async fn by_ids(
    database: &Database,
    ids: &[i64],
    columns: Columns<Model>,
) -> Result<HashMap<i64, Arc<Model>>, Failure> {
    let condition = Condition::all().add(is_one_of(database, Column::Id.as_column_ref(), ids));
    let columns = columns.with(Column::Id);
    let rows = narrow::find::<Entity>(database, condition, columns).await?;
    Ok(rows.into_iter().map(|row| (row.id, row)).collect())
}
