//! The list of experiments and single ones.

use std::sync::Arc;

use sea_orm::sea_query::{Condition, Expr};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};

use crate::database::{Database, is_one_of};
use crate::entity::experiment::{Column, Entity, Model};
use crate::experiments::status::{ExperimentKind, ExperimentStatus};
use crate::failure::Failure;
use crate::narrow::{self, Columns};
use crate::paging::{self, KeyKind, KeyValue, OrderPart, Ordering, Page, Slice};
use crate::pattern::Pattern;

/// Which experiments are asked for.
#[derive(Clone, Debug, Default)]
pub struct ExperimentFilter {
    /// Part of the expid, the description or the owner.
    pub text: Option<Pattern>,
    /// Whose they are.
    pub owner: Option<Pattern>,
    /// The main platform.
    pub hpc: Option<Pattern>,
    /// The version that made them.
    pub autosubmit_version: Option<Pattern>,
    /// The kind that the expid tells.
    pub kind: Option<ExperimentKind>,
    /// Running or not.
    pub status: Option<ExperimentStatus>,
    /// With those that are gone from their root (true: only those; none: all).
    pub archived: Option<bool>,
    /// Made after this time, in milliseconds.
    pub created_after: Option<i64>,
    /// Made before this time, in milliseconds.
    pub created_before: Option<i64>,
}

/// By what experiments can be ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExperimentOrderField {
    /// The expid.
    Expid,
    /// When it was made; unknown times first.
    CreatedAt,
    /// When its job list last changed; unknown times first.
    ModifiedAt,
    /// The description: its first 200 characters.
    Description,
    /// Not running before running.
    Status,
}

/// How many characters of a description its index holds.
const KEY_OF_DESCRIPTION: usize = 200;

impl ExperimentOrderField {
    const fn sql(self) -> &'static str {
        match self {
            Self::Expid => "expid",
            Self::CreatedAt => "COALESCE(created_at, -1)",
            Self::ModifiedAt => "COALESCE(modified_at, -1)",
            Self::Description => "substr(description, 1, 200)",
            Self::Status => "status",
        }
    }

    const fn column(self) -> Column {
        match self {
            Self::Expid => Column::Expid,
            Self::CreatedAt => Column::CreatedAt,
            Self::ModifiedAt => Column::ModifiedAt,
            Self::Description => Column::Description,
            Self::Status => Column::Status,
        }
    }

    const fn kind(self) -> KeyKind {
        match self {
            Self::Expid | Self::Description => KeyKind::Text,
            Self::CreatedAt | Self::ModifiedAt | Self::Status => KeyKind::Int,
        }
    }

    fn key(self, row: &Model) -> KeyValue {
        match self {
            Self::Expid => KeyValue::Text(row.expid.clone()),
            Self::CreatedAt => KeyValue::Int(row.created_at.unwrap_or(-1)),
            Self::ModifiedAt => KeyValue::Int(row.modified_at.unwrap_or(-1)),
            Self::Description => {
                KeyValue::Text(row.description.chars().take(KEY_OF_DESCRIPTION).collect())
            }
            Self::Status => KeyValue::Int(row.status.into()),
        }
    }
}

/// An order of experiments: by these fields (true: descending), and by expid in the end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ExperimentOrder(Vec<(ExperimentOrderField, bool)>);

impl ExperimentOrder {
    /// Later fields decide between rows that earlier ones leave equal. A field that is named twice counts once.
    pub fn new(fields: impl IntoIterator<Item = (ExperimentOrderField, bool)>) -> Self {
        let mut kept: Vec<(ExperimentOrderField, bool)> = Vec::new();
        for (field, descending) in fields {
            if kept.iter().all(|(known, _)| *known != field) {
                kept.push((field, descending));
            }
        }
        if kept
            .iter()
            .all(|(field, _)| *field != ExperimentOrderField::Expid)
        {
            let descending = kept.last().is_some_and(|(_, descending)| *descending);
            kept.push((ExperimentOrderField::Expid, descending));
        }
        Self(kept)
    }

    /// The order for the pages.
    pub fn ordering(&self) -> Ordering {
        Ordering {
            tag: format!("experiments{:?}", self.0),
            parts: self
                .0
                .iter()
                .map(|&(field, descending)| OrderPart {
                    sql: field.sql(),
                    kind: field.kind(),
                    descending,
                })
                .collect(),
        }
    }

    /// The columns of which its keys are made.
    fn columns(&self) -> Columns<Model> {
        self.0.iter().fold(Columns::of(&[]), |columns, (field, _)| {
            columns.with(field.column())
        })
    }

    /// The key of a row in this order.
    pub fn key(&self, row: &Model) -> Vec<KeyValue> {
        self.0.iter().map(|(field, _)| field.key(row)).collect()
    }
}

fn condition(filter: &ExperimentFilter) -> Condition {
    let mut condition = Condition::all();
    if let Some(text) = &filter.text {
        condition = condition.add(
            Condition::any()
                .add(text.condition(Expr::col(Column::Expid)))
                .add(text.condition(Expr::col(Column::Description)))
                .add(text.condition(Expr::col(Column::Owner))),
        );
    }
    for (pattern, column) in [
        (&filter.owner, Column::Owner),
        (&filter.hpc, Column::Hpc),
        (&filter.autosubmit_version, Column::AutosubmitVersion),
    ] {
        if let Some(pattern) = pattern {
            condition = condition.add(pattern.condition(Expr::col(column)));
        }
    }
    if let Some(kind) = filter.kind {
        condition = condition.add(Column::Kind.eq(kind.code()));
    }
    if let Some(status) = filter.status {
        condition = condition.add(Column::Status.eq(status.code()));
    }
    if let Some(archived) = filter.archived {
        condition = condition.add(if archived {
            Column::ArchivedAt.is_not_null()
        } else {
            Column::ArchivedAt.is_null()
        });
    }
    // Unknown times are neither after nor before any. Not the expression of the indexes, on purpose: PostgreSQL would take
    // the one by time alone for it and pass over the one by platform and time.
    if let Some(after) = filter.created_after {
        condition = condition.add(Column::CreatedAt.gt(after));
    }
    if let Some(before) = filter.created_before {
        condition = condition.add(Column::CreatedAt.lt(before));
    }
    condition
}

/// These columns of a page of experiments; those by which they are ordered are added.
pub async fn page(
    database: &Database,
    filter: &ExperimentFilter,
    order: &ExperimentOrder,
    page: &Page,
    columns: Columns<Model>,
) -> Result<Slice<Arc<Model>>, Failure> {
    let columns = columns.and(always()).and(order.columns());
    let ordering = order.ordering();
    Ok(paging::fetch::<Entity>(database, condition(filter), columns, &ordering, page).await?)
}

/// How many experiments there are.
pub async fn count(database: &Database, filter: &ExperimentFilter) -> Result<u64, Failure> {
    let matching = Entity::find().filter(condition(filter));
    Ok(matching.count(database.read()).await?)
}

/// The columns that every experiment is read with.
fn always() -> Columns<Model> {
    Columns::of(&[Column::Id, Column::Expid])
}

/// These columns of the experiment with this expid.
pub async fn by_expid(
    database: &Database,
    expid: &str,
    columns: Columns<Model>,
) -> Result<Option<Arc<Model>>, Failure> {
    let of_expid = Column::Expid.eq(expid);
    let found = narrow::find::<Entity>(database, of_expid, columns.and(always()));
    Ok(found.await?.pop())
}

/// The experiments with these expids.
pub async fn by_expids(database: &Database, expids: &[&str]) -> Result<Vec<Model>, Failure> {
    Ok(Entity::find()
        .filter(Column::Expid.is_in(expids.iter().copied()))
        .all(database.read())
        .await?)
}

/// These columns of the experiments with these row ids.
pub async fn by_ids(
    database: &Database,
    ids: &[i64],
    columns: Columns<Model>,
) -> Result<Vec<Arc<Model>>, Failure> {
    let of_ids = is_one_of(database, Column::Id, ids);
    Ok(narrow::find::<Entity>(database, of_ids, columns.and(always())).await?)
}
