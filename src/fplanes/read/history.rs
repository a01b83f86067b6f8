//! What was where, and when.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sea_orm::sea_query::Condition;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};

use super::records::layer_name;
use crate::database::Database;
use crate::entity::fplane_record::{Column, Entity, Model};
use crate::failure::Failure;
use crate::fplanes::model::Layer;
use crate::narrow::Columns;
use crate::paging::{self, KeyKind, KeyValue, OrderPart, Ordering, Page, Slice};
use crate::time::Micros;

/// The layers that tell what is in slots: most often that is what is asked for.
pub const IN_SLOTS: [Layer; 2] = [Layer::Mapping, Layer::Special];

/// Which records are asked for: those for which all of this is true.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct HistoryFilter {
    /// Of this slot.
    pub ifuslot: Option<String>,
    /// With this IFU.
    pub ifuid: Option<String>,
    /// With this spectrograph.
    pub specid: Option<String>,
    /// With this place in an enclosure.
    pub specslot: Option<String>,
    /// With this controller.
    pub cntlid: Option<String>,
    /// With this multiplexer.
    pub muxid: Option<String>,
    /// Of one of these layers; empty: of any.
    pub layers: Vec<Layer>,
    /// That this source brought.
    pub source: Option<i64>,
    /// That hold at some time since then.
    pub from: Option<DateTime<Utc>>,
    /// That begin before then.
    pub until: Option<DateTime<Utc>>,
    /// As they were known then; none: as they are known now.
    pub known_at: Option<DateTime<Utc>>,
    /// Those, too, that were known before, or came to be known since.
    pub with_superseded: bool,
}

impl HistoryFilter {
    /// None: nothing is such.
    fn condition(&self) -> Option<Condition> {
        let ids = [
            (Column::Ifuslot, &self.ifuslot),
            (Column::Ifuid, &self.ifuid),
            (Column::Specid, &self.specid),
            (Column::Specslot, &self.specslot),
            (Column::Cntlid, &self.cntlid),
            (Column::Muxid, &self.muxid),
        ];
        let mut all = Condition::all();
        for (column, id) in ids {
            if let Some(id) = id {
                // PostgreSQL refuses to look for what it cannot store.
                if id.contains('\0') {
                    return None;
                }
                all = all.add(column.eq(id.as_str()));
            }
        }
        if !self.layers.is_empty() {
            let names = self.layers.iter().map(|layer| layer_name(*layer));
            all = all.add(Column::Layer.is_in(names));
        }
        let ends_after = |at: i64| {
            let for_good = Condition::any().add(Column::ValidUntil.is_null());
            for_good.add(Column::ValidUntil.gt(at))
        };
        all = all
            .add_option(self.source.map(|source| Column::SourceId.eq(source)))
            .add_option(self.from.map(|from| ends_after(from.micros())))
            .add_option(self.until.map(|until| Column::ValidFrom.lt(until.micros())));
        Some(match self.known_at.map(|at| at.micros()) {
            _ if self.with_superseded => all,
            None => all.add(Column::KnownUntil.is_null()),
            Some(at) => {
                let known = Condition::any().add(Column::KnownUntil.is_null());
                let known = known.add(Column::KnownUntil.gt(at));
                all.add(Column::KnownFrom.lte(at)).add(known)
            }
        })
    }
}

/// Records in the order of time.
pub fn oldest_first() -> Ordering {
    let part = |sql| OrderPart {
        sql,
        kind: KeyKind::Int,
        descending: false,
    };
    Ordering {
        tag: "fplaneHistory".into(),
        parts: vec![part("valid_from"), part("id")],
    }
}

/// The key of a record.
pub fn key(row: &Model) -> Vec<KeyValue> {
    vec![KeyValue::Int(row.valid_from), KeyValue::Int(row.id)]
}

/// These columns of a page of records.
pub async fn page(
    database: &Database,
    filter: &HistoryFilter,
    columns: Columns<Model>,
    page: &Page,
) -> Result<Slice<Arc<Model>>, Failure> {
    let Some(condition) = filter.condition() else {
        return Ok(Slice::default());
    };
    let columns = columns.and(Columns::of(&[Column::Id, Column::ValidFrom]));
    let ordering = oldest_first();
    Ok(paging::fetch::<Entity>(database, condition, columns, &ordering, page).await?)
}

/// How many records there are.
pub async fn count(database: &Database, filter: &HistoryFilter) -> Result<i64, Failure> {
    let Some(condition) = filter.condition() else {
        return Ok(0);
    };
    let rows = Entity::find().filter(condition);
    let count = rows.count(database.read()).await?;
    Ok(i64::try_from(count).unwrap_or(i64::MAX))
}
