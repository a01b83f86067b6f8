//! The folders of job trees. One statement counts the jobs of all folders on a level of the tree, in all experiments that
//! are asked together.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::Arc;

use sea_orm::sea_query::{
    Condition, Expr, ExprTrait, JoinType, Query, SelectStatement, SimpleExpr,
};
use sea_orm::{ConnectionTrait, DbErr, QueryResult};

use super::jobs::{self, JobFilter, JobOrder};
use crate::database::{Database, is_one_of};
use crate::entity::job::{Column, Entity, Model};
use crate::entity::{wrapper, wrapper_job};
use crate::experiments::status::JobStatus;
use crate::experiments::tree::{Folder, FolderValue, JobGrouping, Step};
use crate::failure::Failure;
use crate::narrow::Columns;
use crate::paging::{self, Page, Slice};

/// Folders on one level of a tree.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FolderLevel {
    /// In which folder.
    pub under: Vec<Step>,
    /// What tells their jobs apart, from the outermost grouping; none: the folder `under` itself.
    pub by: Vec<JobGrouping>,
    /// Which jobs are counted.
    pub filter: JobFilter,
}

/// Folders by what the folders around them have in common.
pub type ByParent = HashMap<Vec<FolderValue>, Vec<Arc<Folder>>>;

impl JobGrouping {
    fn column(self) -> SimpleExpr {
        let column = match self {
            Self::Date => Column::Date,
            Self::Member => Column::Member,
            Self::Section => Column::Section,
            Self::Chunk => Column::Chunk,
            Self::Status => Column::Status,
            Self::Wrapper => {
                let id = wrapper_job::Column::WrapperId;
                return Expr::col((wrapper_job::Entity, id));
            }
        };
        Expr::col((Entity, column))
    }

    /// The same as it is written.
    const fn sql(self) -> &'static str {
        match self {
            Self::Date => "\"job\".\"date\"",
            Self::Member => "\"job\".\"member\"",
            Self::Section => "\"job\".\"section\"",
            Self::Chunk => "\"job\".\"chunk\"",
            Self::Status => "\"job\".\"status\"",
            Self::Wrapper => "\"wrapper_job\".\"wrapper_id\"",
        }
    }

    /// The name of its column in a result.
    const fn alias(self) -> &'static str {
        match self {
            Self::Date => "by_date",
            Self::Member => "by_member",
            Self::Section => "by_section",
            Self::Chunk => "by_chunk",
            Self::Status => "by_status",
            Self::Wrapper => "by_wrapper",
        }
    }

    fn read(self, row: &QueryResult) -> Result<FolderValue, DbErr> {
        Ok(match self {
            Self::Member | Self::Section => text(row.try_get("", self.alias())?),
            Self::Date | Self::Chunk | Self::Wrapper => number(row.try_get("", self.alias())?),
            Self::Status => number(Some(row.try_get::<i16>("", self.alias())?.into())),
        })
    }

    fn of_row(self, wrapper: i64, row: &Model) -> FolderValue {
        match self {
            Self::Date => number(row.date),
            Self::Member => text(row.member.clone()),
            Self::Section => text(row.section.clone()),
            Self::Chunk => number(row.chunk),
            Self::Status => number(Some(row.status.into())),
            Self::Wrapper => number(Some(wrapper).filter(|id| *id != NO_WRAPPER)),
        }
    }

    /// The columns of which [`Self::of_row`] is made.
    fn columns(self) -> Columns<Model> {
        Columns::of(match self {
            Self::Date => &[Column::Date],
            Self::Member => &[Column::Member],
            Self::Section => &[Column::Section],
            Self::Chunk => &[Column::Chunk],
            Self::Status => &[Column::Status],
            Self::Wrapper => &[],
        })
    }
}

/// No row has this id.
const NO_WRAPPER: i64 = 0;

fn number(value: Option<i64>) -> FolderValue {
    value.map_or(FolderValue::None, FolderValue::Number)
}

fn text(value: Option<String>) -> FolderValue {
    value.map_or(FolderValue::None, FolderValue::Text)
}

/// Is a job in the folder of this step?
fn is_in((by, value): &Step) -> SimpleExpr {
    if *by == JobGrouping::Wrapper {
        return in_wrapper(value);
    }
    match value {
        FolderValue::None => by.column().is_null(),
        FolderValue::Number(number) => by.column().eq(*number),
        FolderValue::Text(text) => by.column().eq(text.as_str()),
    }
}

fn in_wrapper(value: &FolderValue) -> SimpleExpr {
    use wrapper_job::Column::{JobId, WrapperId};
    let mut links = Query::select();
    links
        .expr(Expr::val(1))
        .from_as(wrapper_job::Entity, "link")
        .and_where(Expr::col(("link", JobId)).equals((Entity, Column::Id)));
    let FolderValue::Text(name) = value else {
        return Expr::exists(links).not();
    };
    links
        .join(
            JoinType::InnerJoin,
            wrapper::Entity,
            Expr::col((wrapper::Entity, wrapper::Column::Id)).equals(("link", WrapperId)),
        )
        .and_where(Expr::col((wrapper::Entity, wrapper::Column::Name)).eq(name.as_str()));
    Expr::exists(links)
}

impl FolderLevel {
    fn condition(&self, database: &Database, experiments: &[i64]) -> Condition {
        let of_experiments = is_one_of(database, (Entity, Column::ExperimentId), experiments);
        let folder = Condition::all().add(of_experiments);
        let folder = self.under.iter().map(is_in).fold(folder, Condition::add);
        folder.add(self.filter.condition())
    }

    /// With the wrappers of the jobs, if these tell them apart: a job in two wrappers is in two folders.
    fn join<'q>(&self, query: &'q mut SelectStatement) -> &'q mut SelectStatement {
        if self.by.contains(&JobGrouping::Wrapper) {
            let job = (wrapper_job::Entity, wrapper_job::Column::JobId);
            let same = Expr::col(job).equals((Entity, Column::Id));
            query.join(JoinType::LeftJoin, wrapper_job::Entity, same);
        }
        query
    }

    /// The names of wrappers by their ids, if they are needed.
    async fn wrapper_names(
        &self,
        database: &Database,
        experiments: &[i64],
    ) -> Result<HashMap<i64, String>, Failure> {
        if !self.by.contains(&JobGrouping::Wrapper) {
            return Ok(HashMap::new());
        }
        let wrappers = super::wrappers::of_experiments(database, experiments).await?;
        let wrappers = wrappers.into_values().flatten();
        Ok(wrappers.map(|wrapper| (wrapper.id, wrapper.name)).collect())
    }

    /// Wrappers by name: an id is nothing that a key could hold, as it may be another one tomorrow.
    fn named(
        &self,
        mut values: Vec<FolderValue>,
        names: &HashMap<i64, String>,
    ) -> Vec<FolderValue> {
        for (by, value) in self.by.iter().zip(&mut values) {
            if let (JobGrouping::Wrapper, FolderValue::Number(id)) = (by, &*value) {
                *value = text(names.get(id).cloned());
            }
        }
        values
    }
}

/// The folders on this level of the tree of each of these experiments, in their order.
pub async fn of_experiments(
    database: &Database,
    experiments: &[i64],
    level: &FolderLevel,
) -> Result<HashMap<i64, ByParent>, Failure> {
    let mut query = Query::select();
    let experiment = (Entity, Column::ExperimentId);
    let status = (Entity, Column::Status);
    query
        .expr_as(Expr::col(experiment), "experiment_id")
        .expr_as(Expr::col(status), "status")
        .expr_as(Expr::cust("COUNT(*)"), "jobs")
        .expr_as(Expr::cust("MIN(\"job\".\"priority\")"), "priority")
        .from(Entity)
        .cond_where(level.condition(database, experiments))
        .group_by_col(experiment)
        .group_by_col(status);
    level.join(&mut query);
    for by in &level.by {
        query.expr_as(by.column(), by.alias());
        query.add_group_by([by.column()]);
    }
    let rows = database.read().query_all(&query).await?;
    let names = level.wrapper_names(database, experiments).await?;
    let mut found: HashMap<(i64, Vec<FolderValue>), Folder> = HashMap::new();
    for row in &rows {
        let values = level.by.iter().map(|by| by.read(row));
        let values = level.named(values.collect::<Result<_, _>>()?, &names);
        let experiment = row.try_get("", "experiment_id")?;
        let key = (experiment, values);
        let empty = || Folder {
            values: key.1.clone(),
            counts: BTreeMap::new(),
            first_priority: None,
        };
        let folder = match found.get_mut(&key) {
            Some(folder) => folder,
            None => found.entry(key.clone()).or_insert_with(empty),
        };
        let code: i16 = row.try_get("", "status")?;
        let status = JobStatus::from_code(code.into()).unwrap_or(JobStatus::Unknown);
        *folder.counts.entry(status).or_default() += row.try_get::<i64>("", "jobs")?;
        let priority: Option<i64> = row.try_get("", "priority")?;
        folder.first_priority = lowest(folder.first_priority, priority);
    }
    Ok(sorted(found, level.by.last().copied()))
}

fn lowest(left: Option<i64>, right: Option<i64>) -> Option<i64> {
    left.into_iter().chain(right).min()
}

fn sorted(
    found: HashMap<(i64, Vec<FolderValue>), Folder>,
    by: Option<JobGrouping>,
) -> HashMap<i64, ByParent> {
    let mut trees: HashMap<i64, ByParent> = HashMap::new();
    for ((experiment, values), folder) in found {
        let parent = values.split_last().map_or(&[][..], |(_, parent)| parent);
        let tree = trees.entry(experiment).or_default();
        let siblings = tree.entry(parent.to_vec()).or_default();
        siblings.push(Arc::new(folder));
    }
    if let Some(by) = by {
        for siblings in trees.values_mut().flat_map(HashMap::values_mut) {
            siblings.sort_by(|left, right| left.compare(right, by));
        }
    }
    trees
}

/// The same page of the jobs of each folder on this level of the tree of each of these experiments, by the folders'
/// values; these columns of them, and those that always come with them.
pub async fn jobs_of(
    database: &Database,
    experiments: &[i64],
    level: &FolderLevel,
    order: JobOrder,
    page: &Page,
    columns: Columns<Model>,
) -> Result<HashMap<(i64, Vec<FolderValue>), Slice<Arc<Model>>>, Failure> {
    let columns = columns.and(jobs::always()).and(order.columns());
    let columns = level
        .by
        .iter()
        .fold(columns, |columns, by| columns.and(by.columns()));
    let ordering = order.ordering();
    let condition = level.condition(database, experiments);
    if let ([experiment], []) = (experiments, level.by.as_slice()) {
        let slice = paging::fetch::<Entity>(database, condition, columns, &ordering, page).await?;
        return Ok(HashMap::from([((*experiment, Vec::new()), slice)]));
    }
    let wrapped = level.by.contains(&JobGrouping::Wrapper);
    let wrapper = if wrapped {
        Expr::cust("COALESCE(\"wrapper_job\".\"wrapper_id\", 0)")
    } else {
        Expr::cust("\"job\".\"id\"")
    };
    let mut query = Query::select();
    query
        .expr_as(wrapper, "group_id")
        .columns(columns.iter().map(|column| (Entity, column)))
        .from(Entity)
        .cond_where(condition);
    level.join(&mut query);
    let partition: Vec<&str> = std::iter::once("\"job\".\"experiment_id\"")
        .chain(level.by.iter().map(|by| by.sql()))
        .collect();
    let partition = partition.join(", ");
    let found = paging::fetch_by_group(
        database,
        query,
        columns,
        &partition,
        |wrapper, row: &Model| {
            let values: Vec<_> = level.by.iter().map(|by| by.of_row(wrapper, row)).collect();
            (row.experiment_id, values)
        },
        &ordering,
        page,
    );
    let found = found.await?;
    let names = level.wrapper_names(database, experiments).await?;
    let named = |((experiment, values), slice)| ((experiment, level.named(values, &names)), slice);
    Ok(found.into_iter().map(named).collect())
}
