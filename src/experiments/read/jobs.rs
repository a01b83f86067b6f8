//! The jobs of experiments.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use sea_orm::sea_query::{Condition, Expr, ExprTrait, IntoColumnRef};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect, Select};

use crate::database::{Database, is_one_of};
use crate::entity::job::{Column, Entity, Model};
use crate::entity::wrapper_job;
use crate::experiments::status::JobStatus;
use crate::failure::Failure;
use crate::narrow::{self, Columns};
use crate::paging::{self, KeyKind, KeyValue, OrderPart, Ordering, Page, PageSize, Slice};
use crate::pattern::Pattern;

/// The pages of a job list.
pub const PAGE: PageSize = PageSize {
    default: 50,
    maximum: 25_000,
};

/// Which jobs are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct JobFilter {
    /// Part of the name.
    pub name: Option<Pattern>,
    /// Any of these statuses.
    pub statuses: Option<Vec<JobStatus>>,
    /// Any of these sections.
    pub sections: Option<Vec<String>>,
    /// Any of these members.
    pub members: Option<Vec<String>>,
    /// Any of these chunks.
    pub chunks: Option<Vec<i64>>,
    /// Any of these start dates, in milliseconds.
    pub dates: Option<Vec<i64>>,
}

impl JobFilter {
    /// Does it let everything through?
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn condition(&self) -> Condition {
        self.condition_with(Column::Name)
    }

    /// The condition for the rows of a table that has the same columns, but perhaps another one for the name.
    pub(super) fn condition_with(&self, name: impl IntoColumnRef) -> Condition {
        let mut condition = Condition::all();
        if let Some(pattern) = &self.name {
            condition = condition.add(pattern.condition(Expr::col(name)));
        }
        if let Some(statuses) = &self.statuses {
            let codes = statuses.iter().map(|status| status.code());
            condition = condition.add(Expr::col(Column::Status).is_in(codes));
        }
        for (texts, column) in [
            (&self.sections, Column::Section),
            (&self.members, Column::Member),
        ] {
            if let Some(texts) = texts {
                condition = condition.add(Expr::col(column).is_in(texts.iter().cloned()));
            }
        }
        for (numbers, column) in [(&self.chunks, Column::Chunk), (&self.dates, Column::Date)] {
            if let Some(numbers) = numbers {
                condition = condition.add(Expr::col(column).is_in(numbers.iter().copied()));
            }
        }
        condition
    }
}

/// By what jobs can be ordered; equal ones by name. (Not by name in lower case as well: PostgreSQL reckons each expression
/// of an order for each row that it gives, also where an index has it already, and this one takes it longest.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum JobOrderField {
    /// The name without regard to ASCII case, as Autosubmit API orders them.
    #[default]
    Name,
    /// The status code.
    Status,
    /// The section.
    Section,
    /// The priority.
    Priority,
    /// Start date, member, chunk.
    Date,
}

impl JobOrderField {
    const fn parts(self) -> &'static [(&'static str, KeyKind)] {
        use KeyKind::{Int, Text};
        match self {
            Self::Name => &[("LOWER(name)", Text), ("name", Text)],
            Self::Status => &[("status", Int), ("name", Text)],
            Self::Section => &[("COALESCE(section, '')", Text), ("name", Text)],
            Self::Priority => &[("COALESCE(priority, -1)", Int), ("name", Text)],
            Self::Date => &[
                ("COALESCE(date, -9223372036854775807)", Int),
                ("COALESCE(member, '')", Text),
                ("COALESCE(chunk, -1)", Int),
                ("name", Text),
            ],
        }
    }

    /// The columns of which its keys are made, without the name.
    fn columns(self) -> Columns<Model> {
        Columns::of(match self {
            Self::Name => &[],
            Self::Status => &[Column::Status],
            Self::Section => &[Column::Section],
            Self::Priority => &[Column::Priority],
            Self::Date => &[Column::Date, Column::Member, Column::Chunk],
        })
    }

    fn key(self, row: &Model) -> Vec<KeyValue> {
        let mut key = match self {
            Self::Name => vec![KeyValue::Text(row.name.to_ascii_lowercase())],
            Self::Status => vec![KeyValue::Int(row.status.into())],
            Self::Section => vec![KeyValue::Text(row.section.clone().unwrap_or_default())],
            Self::Priority => vec![KeyValue::Int(row.priority.unwrap_or(-1))],
            Self::Date => vec![
                KeyValue::Int(row.date.unwrap_or(-i64::MAX)),
                KeyValue::Text(row.member.clone().unwrap_or_default()),
                KeyValue::Int(row.chunk.unwrap_or(-1)),
            ],
        };
        key.push(KeyValue::Text(row.name.clone()));
        key
    }
}

/// An order of jobs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct JobOrder {
    /// By what.
    pub field: JobOrderField,
    /// From high to low.
    pub descending: bool,
}

impl JobOrder {
    /// The order for the pages.
    pub fn ordering(self) -> Ordering {
        let parts = self.field.parts().iter().map(|&(sql, kind)| OrderPart {
            sql,
            kind,
            descending: self.descending,
        });
        Ordering {
            tag: format!("jobs{:?}{}", self.field, self.descending),
            parts: parts.collect(),
        }
    }

    /// The key of a row in this order.
    pub fn key(self, row: &Model) -> Vec<KeyValue> {
        self.field.key(row)
    }

    /// The columns of which the key is made.
    pub(super) fn columns(self) -> Columns<Model> {
        self.field.columns()
    }
}

/// These columns of the same page of the jobs of each of these experiments; name and keys are added.
pub async fn of_experiments(
    database: &Database,
    experiments: &[i64],
    filter: &JobFilter,
    order: JobOrder,
    page: &Page,
    columns: Columns<Model>,
) -> Result<HashMap<i64, Slice<Arc<Model>>>, Failure> {
    let columns = columns.and(always()).and(order.field.columns());
    let condition = filter.condition();
    let ordering = order.ordering();
    if let [experiment] = experiments {
        let condition = condition.add(Column::ExperimentId.eq(*experiment));
        let slice = paging::fetch::<Entity>(database, condition, columns, &ordering, page).await?;
        return Ok(HashMap::from([(*experiment, slice)]));
    }
    Ok(paging::fetch_by_parent::<Entity>(
        database,
        condition,
        columns,
        Column::ExperimentId,
        experiments,
        |job| job.experiment_id,
        &ordering,
        page,
    )
    .await?)
}

/// The columns that every job is read with.
pub fn always() -> Columns<Model> {
    Columns::of(&[Column::Id, Column::ExperimentId, Column::Name])
}

/// These columns of the jobs with these row ids.
pub async fn by_ids(
    database: &Database,
    ids: &[i64],
    columns: Columns<Model>,
) -> Result<Vec<Arc<Model>>, Failure> {
    let of_ids = is_one_of(database, Column::Id, ids);
    Ok(narrow::find::<Entity>(database, of_ids, columns.and(always())).await?)
}

/// How many jobs of each of these experiments the filter lets through.
pub async fn count_of_experiments(
    database: &Database,
    experiments: &[i64],
    filter: &JobFilter,
) -> Result<HashMap<i64, i64>, Failure> {
    let rows: Vec<(i64, i64)> = Entity::find()
        .select_only()
        .column(Column::ExperimentId)
        .column_as(Column::Id.count(), "count")
        .filter(is_one_of(database, Column::ExperimentId, experiments))
        .filter(filter.condition())
        .group_by(Column::ExperimentId)
        .into_tuple()
        .all(database.read())
        .await?;
    Ok(rows.into_iter().collect())
}

/// All jobs of each of these wrappers that the filter lets through, by wrapper. A wrapper holds as many jobs as one
/// submission to the scheduler, so its pages are cut in memory.
pub async fn of_wrappers(
    database: &Database,
    wrappers: &[i64],
    filter: &JobFilter,
) -> Result<Vec<(i64, Model)>, Failure> {
    let mut found = Vec::new();
    for wrappers in wrappers.chunks(super::MOST_BINDS) {
        let rows = wrapper_job::Entity::find()
            .find_also_related(Entity)
            .filter(wrapper_job::Column::WrapperId.is_in(wrappers.iter().copied()))
            .filter(filter.condition())
            .all(database.read())
            .await?;
        found.extend(
            rows.into_iter()
                .filter_map(|(link, job)| job.map(|job| (link.wrapper_id, job))),
        );
    }
    Ok(found)
}

/// One job by its name.
pub async fn by_name(
    database: &Database,
    experiment: i64,
    name: &str,
) -> Result<Option<Model>, Failure> {
    Ok(one(name)
        .filter(Column::ExperimentId.eq(experiment))
        .one(database.read())
        .await?)
}

fn one(name: &str) -> Select<Entity> {
    Entity::find().filter(Column::Name.eq(name))
}

/// The jobs of these names in these experiments.
pub async fn by_names(database: &Database, names: &[(i64, &str)]) -> Result<Vec<Model>, Failure> {
    let mut any = Condition::any();
    for &(experiment, name) in names {
        let both = Condition::all()
            .add(Column::ExperimentId.eq(experiment))
            .add(Column::Name.eq(name));
        any = any.add(both);
    }
    Ok(Entity::find().filter(any).all(database.read()).await?)
}

/// Jobs by status, as the writer keeps them with the experiment: `{"5": 49}`. Statuses without jobs are left out.
pub fn kept_counts(json: &str) -> BTreeMap<JobStatus, i64> {
    let counts: HashMap<String, i64> = serde_json::from_str(json).unwrap_or_default();
    counts
        .into_iter()
        .filter_map(|(code, count)| Some((JobStatus::from_code(code.parse().ok()?)?, count)))
        .collect()
}
