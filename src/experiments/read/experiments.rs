//! The list of experiments and single ones.

use sea_orm::sea_query::{Condition, Expr, ExprTrait};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, Select};

use crate::database::Database;
use crate::entity::experiment::{self, Column, Entity, Model};
use crate::experiments::status::{ExperimentKind, ExperimentStatus};
use crate::failure::Failure;
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
    /// The description.
    Description,
    /// Not running before running.
    Status,
}

impl ExperimentOrderField {
    const fn sql(self) -> (&'static str, KeyKind) {
        match self {
            Self::Expid => ("expid", KeyKind::Text),
            Self::CreatedAt => ("COALESCE(created_at, -1)", KeyKind::Int),
            Self::ModifiedAt => ("COALESCE(modified_at, -1)", KeyKind::Int),
            Self::Description => ("description", KeyKind::Text),
            Self::Status => ("status", KeyKind::Int),
        }
    }

    fn key(self, row: &Model) -> KeyValue {
        match self {
            Self::Expid => KeyValue::Text(row.expid.clone()),
            Self::CreatedAt => KeyValue::Int(row.created_at.unwrap_or(-1)),
            Self::ModifiedAt => KeyValue::Int(row.modified_at.unwrap_or(-1)),
            Self::Description => KeyValue::Text(row.description.clone()),
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
                .map(|&(field, descending)| {
                    let (sql, kind) = field.sql();
                    OrderPart {
                        sql,
                        kind,
                        descending,
                    }
                })
                .collect(),
        }
    }

    /// The key of a row in this order.
    pub fn key(&self, row: &Model) -> Vec<KeyValue> {
        self.0.iter().map(|(field, _)| field.key(row)).collect()
    }
}

fn select(filter: &ExperimentFilter) -> Select<Entity> {
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
    Entity::find().filter(condition)
}

/// A page of experiments.
pub async fn page(
    database: &Database,
    filter: &ExperimentFilter,
    ordering: &Ordering,
    page: &Page,
) -> Result<Slice<Model>, Failure> {
    Ok(paging::fetch(database.read(), select(filter), ordering, page).await?)
}

/// How many experiments there are.
pub async fn count(database: &Database, filter: &ExperimentFilter) -> Result<u64, Failure> {
    Ok(select(filter).count(database.read()).await?)
}

/// The experiment with this expid.
pub async fn by_expid(database: &Database, expid: &str) -> Result<Option<Model>, Failure> {
    Ok(Entity::find()
        .filter(Column::Expid.eq(expid))
        .one(database.read())
        .await?)
}

/// The experiments with these row ids.
pub async fn by_ids(database: &Database, ids: &[i64]) -> Result<Vec<Model>, Failure> {
    let mut found = Vec::with_capacity(ids.len());
    for ids in ids.chunks(super::MOST_BINDS) {
        found.extend(
            experiment::Entity::find()
                .filter(Expr::col(Column::Id).is_in(ids.iter().copied()))
                .all(database.read())
                .await?,
        );
    }
    Ok(found)
}
