//! Runs.

pub use crate::entity::flow_run::{Column, Model};

mod filter;

pub use filter::{RunFilter, RunKind};

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::ColumnTrait;
use sea_orm::sea_query::{Condition, Query};

use super::{count_by_parent, count_rows, groups_of, one_of};
use crate::database::Database;
use crate::entity::flow_group;
use crate::entity::flow_run::Entity;
use crate::failure::Failure;
use crate::flows::rights::Asker;
use crate::narrow::{self, Columns};
use crate::paging::{self, KeyKind, KeyValue, OrderPart, Ordering, Page, Slice};

/// What somebody may see: the runs of their groups, and what was made of those of all groups where they take part.
fn seen_by(asker: Asker) -> Condition {
    use crate::entity::flow_group::Column::{Id, WorkflowId};
    match asker {
        Asker::Administrator => Condition::all(),
        Asker::User(user) => {
            let workflows = Query::select()
                .column((flow_group::Entity, WorkflowId))
                .from(flow_group::Entity)
                .and_where(Id.in_subquery(groups_of(user)))
                .take();
            let of_all = Condition::all()
                .add(Column::GroupId.is_null())
                .add(Column::WorkflowId.in_subquery(workflows));
            Condition::any()
                .add(Column::GroupId.in_subquery(groups_of(user)))
                .add(of_all)
        }
        Asker::Nobody => Condition::all().add(Column::Id.lt(0)),
    }
}

/// By what runs can be ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RunOrderField {
    /// When they were made.
    #[default]
    CreatedAt,
    /// When they left the queue; those that have not before all others.
    StartedAt,
    /// When they ended; those that have not before all others.
    EndedAt,
}

/// An order of runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RunOrder {
    /// By what.
    pub field: RunOrderField,
    /// The latest first.
    pub descending: bool,
}

impl Default for RunOrder {
    fn default() -> Self {
        Self {
            field: RunOrderField::CreatedAt,
            descending: true,
        }
    }
}

impl RunOrder {
    /// The order for the pages.
    pub fn ordering(self) -> Ordering {
        let part = |sql| OrderPart {
            sql,
            kind: KeyKind::Int,
            descending: self.descending,
        };
        let parts = match self.field {
            // Row ids are given in the order of time.
            RunOrderField::CreatedAt => vec![part("id")],
            RunOrderField::StartedAt => vec![part("COALESCE(started_at, 0)"), part("id")],
            RunOrderField::EndedAt => vec![part("COALESCE(ended_at, 0)"), part("id")],
        };
        Ordering {
            tag: format!("runs{:?}{}", self.field, self.descending),
            parts,
        }
    }

    /// The key in this order of a run.
    pub fn key(self, row: &Model) -> Vec<KeyValue> {
        let time = match self.field {
            RunOrderField::CreatedAt => return vec![KeyValue::Int(row.id)],
            RunOrderField::StartedAt => row.started_at,
            RunOrderField::EndedAt => row.ended_at,
        };
        vec![KeyValue::Int(time.unwrap_or(0)), KeyValue::Int(row.id)]
    }

    fn columns(self) -> Columns<Model> {
        match self.field {
            RunOrderField::CreatedAt => Columns::of(&[Column::Id]),
            RunOrderField::StartedAt => Columns::of(&[Column::Id, Column::StartedAt]),
            RunOrderField::EndedAt => Columns::of(&[Column::Id, Column::EndedAt]),
        }
    }
}

/// These columns of a page of the runs that somebody may see; the columns of the order are added.
///
/// # Errors
/// Those of the database.
pub async fn page(
    database: &Database,
    asker: Asker,
    filter: &RunFilter,
    order: RunOrder,
    columns: Columns<Model>,
    page: &Page,
) -> Result<Slice<Arc<Model>>, Failure> {
    let condition = filter.condition(database).add(seen_by(asker));
    let (columns, ordering) = (columns.and(order.columns()), order.ordering());
    Ok(paging::fetch::<Entity>(database, condition, columns, &ordering, page).await?)
}

/// How many such runs there are.
///
/// # Errors
/// Those of the database.
pub async fn count(database: &Database, asker: Asker, filter: &RunFilter) -> Result<i64, Failure> {
    let condition = filter.condition(database).add(seen_by(asker));
    count_rows::<Entity>(database, condition).await
}

/// What runs belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Parent {
    /// A workflow, in all its versions.
    Workflow,
    /// A version of a workflow.
    Version,
    /// A group.
    Group,
}

impl Parent {
    const fn column(self) -> Column {
        match self {
            Self::Workflow => Column::WorkflowId,
            Self::Version => Column::VersionId,
            Self::Group => Column::GroupId,
        }
    }

    fn of(self, run: &Model) -> i64 {
        match self {
            Self::Workflow => run.workflow_id,
            Self::Version => run.version_id,
            Self::Group => run.group_id.unwrap_or_default(),
        }
    }
}

/// A list of runs of each of many parents.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RunsOf {
    /// Who asks.
    pub asker: Asker,
    /// What the parents are.
    pub parent: Parent,
    /// Which runs.
    pub filter: RunFilter,
    /// In which order.
    pub order: RunOrder,
}

impl RunsOf {
    /// These columns of the same page of the runs of each of these parents.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn page(
        &self,
        database: &Database,
        parents: &[i64],
        columns: Columns<Model>,
        page: &Page,
    ) -> Result<HashMap<i64, Slice<Arc<Model>>>, Failure> {
        let column = self.parent.column();
        let condition = self.filter.condition(database).add(seen_by(self.asker));
        let columns = columns.and(self.order.columns()).with(column);
        let ordering = self.order.ordering();
        if let [parent] = parents {
            let condition = condition.add(column.eq(*parent));
            let slice = paging::fetch::<Entity>(database, condition, columns, &ordering, page);
            return Ok(HashMap::from([(*parent, slice.await?)]));
        }
        Ok(paging::fetch_by_parent::<Entity>(
            database,
            condition,
            columns,
            column,
            parents,
            |run| self.parent.of(run),
            &ordering,
            page,
        )
        .await?)
    }

    /// How many runs there are of each of these parents.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn count(
        &self,
        database: &Database,
        parents: &[i64],
    ) -> Result<HashMap<i64, i64>, Failure> {
        let condition = self.filter.condition(database).add(seen_by(self.asker));
        count_by_parent::<Entity>(database, condition, self.parent.column(), parents).await
    }
}

/// These columns of the run with this row id, if somebody may see it.
///
/// # Errors
/// Those of the database.
pub async fn by_id(
    database: &Database,
    asker: Asker,
    id: i64,
    columns: Columns<Model>,
) -> Result<Option<Arc<Model>>, Failure> {
    let mut found = by_ids(database, asker, &[id], columns).await?;
    Ok(found.remove(&id))
}

/// These columns of the runs with these row ids that somebody may see.
///
/// # Errors
/// Those of the database.
pub async fn by_ids(
    database: &Database,
    asker: Asker,
    ids: &[i64],
    columns: Columns<Model>,
) -> Result<HashMap<i64, Arc<Model>>, Failure> {
    let condition = Condition::all()
        .add(one_of(database, Column::Id, ids))
        .add(seen_by(asker));
    let rows = narrow::find::<Entity>(database, condition, columns.with(Column::Id)).await?;
    Ok(rows.into_iter().map(|row| (row.id, row)).collect())
}
