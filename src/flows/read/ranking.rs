//! The ranking of the runs of a workflow, by their results: ordered and numbered by the database.
//!
//! The columns are those of the newest version of the workflow. A run that has no value in a column, or one of another type
//! because it is a run of an older version, comes behind all others in it. Where all values are the same, the run that ended
//! first comes first, then the one with the smaller id; see [`crate::flows::ranking`].

use sea_orm::sea_query::{
    Condition, Expr, ExprTrait, JoinType, Order, Query, SelectStatement, SimpleExpr,
};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, QueryResult};

use super::runs::RunKind;
use crate::database::Database;
use crate::entity::{flow_group, flow_result, flow_run};
use crate::failure::Failure;
use crate::flows::ranking::SortKey;
use crate::flows::results::ResultValue;
use crate::flows::state::RunState;
use crate::flows::template::schema::{ColumnType, ResultSchema};

/// By how many columns runs are ordered at most: SQLite joins no more than 64 tables.
pub const MOST_KEYS: usize = 20;

/// The runs with what they are ordered by, and the same with the place of each in its group.
const FOUND: &str = "found";
const PLACED: &str = "placed";

/// A run with its rank.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranked {
    /// Its rank, counted from 1.
    pub rank: i64,
    /// The row id of the run.
    pub run: i64,
    /// The row id of its group.
    pub group: i64,
    /// The name of the group.
    pub group_name: String,
    /// Its values by the names of the columns, in the order of the schema.
    pub values: Vec<(String, Option<ResultValue>)>,
}

/// The best run of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Best {
    /// The row id of the run.
    pub run: i64,
    /// The row id of its group.
    pub group: i64,
    /// The name of the group.
    pub group_name: String,
}

/// The first so many runs behind a rank (0: from the best on) in the ranking of a workflow: of each group only the best one,
/// unless all are asked for.
///
/// # Errors
/// Those of the database.
pub async fn page(
    database: &Database,
    workflow: i64,
    schema: &ResultSchema,
    order: &[SortKey],
    include_all: bool,
    first: u64,
    after: i64,
) -> Result<Vec<Ranked>, Failure> {
    use flow_result::Column::{FloatValue, IntValue, Name, RunId, TextValue};
    let page = Query::select()
        .columns(["rank", "run", "group_id"])
        .from_subquery(ranked(workflow, schema, order, include_all), "ranked")
        .and_where(Expr::col("rank").gt(after))
        .order_by("rank", Order::Asc)
        .limit(first)
        .take();
    // A row for each value of each run.
    let query = Query::select()
        .column(("page", "rank"))
        .column(("page", "run"))
        .column(("page", "group_id"))
        .column((flow_group::Entity, flow_group::Column::Name))
        .expr_as(Expr::col((flow_result::Entity, Name)), "value_name")
        .column((flow_result::Entity, IntValue))
        .column((flow_result::Entity, FloatValue))
        .column((flow_result::Entity, TextValue))
        .from_subquery(page, "page")
        .join(
            JoinType::InnerJoin,
            flow_group::Entity,
            Expr::col((flow_group::Entity, flow_group::Column::Id)).equals(("page", "group_id")),
        )
        .join(
            JoinType::LeftJoin,
            flow_result::Entity,
            Expr::col((flow_result::Entity, RunId)).equals(("page", "run")),
        )
        .order_by(("page", "rank"), Order::Asc)
        .take();
    let mut runs: Vec<Ranked> = Vec::new();
    for row in database.read().query_all(&query).await? {
        let rank: i64 = row.try_get_by_index(0)?;
        if runs.last().is_none_or(|run| run.rank != rank) {
            let columns = schema.columns.iter();
            runs.push(Ranked {
                rank,
                run: row.try_get_by_index(1)?,
                group: row.try_get_by_index(2)?,
                group_name: row.try_get_by_index(3)?,
                values: columns.map(|column| (column.name.clone(), None)).collect(),
            });
        }
        let name: Option<String> = row.try_get_by_index(4)?;
        let place = schema
            .columns
            .iter()
            .position(|column| Some(&column.name) == name.as_ref());
        if let Some(place) = place
            && let Some(column) = schema.columns.get(place)
            && let Some(run) = runs.last_mut()
            && let Some((_, to)) = run.values.get_mut(place)
        {
            *to = value(&row, column.dtype)?;
        }
    }
    Ok(runs)
}

/// The value of a row in the column of its type.
fn value(row: &QueryResult, dtype: ColumnType) -> Result<Option<ResultValue>, DbErr> {
    Ok(match dtype {
        ColumnType::Int => row
            .try_get_by_index::<Option<i64>>(5)?
            .map(ResultValue::Int),
        ColumnType::Float => row
            .try_get_by_index::<Option<f64>>(6)?
            .map(ResultValue::Float),
        ColumnType::String => row
            .try_get_by_index::<Option<String>>(7)?
            .map(ResultValue::Text),
    })
}

/// How many runs the ranking has.
///
/// # Errors
/// Those of the database.
pub async fn count(database: &Database, workflow: i64, include_all: bool) -> Result<i64, Failure> {
    let counted = if include_all {
        "COUNT(*)"
    } else {
        "COUNT(DISTINCT \"flow_run\".\"group_id\")"
    };
    let query = Query::select()
        .expr(Expr::cust(counted))
        .from(flow_run::Entity)
        .cond_where(of_ranking(workflow))
        .take();
    let row = database.read().query_one(&query).await?;
    let count = row.map(|row| row.try_get_by_index(0)).transpose()?;
    Ok(count.unwrap_or(0))
}

/// The best run of each group, in the order of their ranks.
///
/// # Errors
/// Those of the database.
pub async fn best(
    connection: &impl ConnectionTrait,
    workflow: i64,
    schema: &ResultSchema,
    order: &[SortKey],
) -> Result<Vec<Best>, Failure> {
    let query = Query::select()
        .column(("ranked", "run"))
        .column(("ranked", "group_id"))
        .column((flow_group::Entity, flow_group::Column::Name))
        .from_subquery(ranked(workflow, schema, order, false), "ranked")
        .join(
            JoinType::InnerJoin,
            flow_group::Entity,
            Expr::col((flow_group::Entity, flow_group::Column::Id)).equals(("ranked", "group_id")),
        )
        .order_by(("ranked", "rank"), Order::Asc)
        .take();
    let rows = connection.query_all(&query).await?;
    let best = rows.iter().map(|row| {
        Ok(Best {
            run: row.try_get_by_index(0)?,
            group: row.try_get_by_index(1)?,
            group_name: row.try_get_by_index(2)?,
        })
    });
    Ok(best.collect::<Result<_, DbErr>>()?)
}

/// The condition that a run is ranked in a workflow.
fn of_ranking(workflow: i64) -> Condition {
    use flow_run::Column::{GroupId, IsRanked, Kind, State, WorkflowId};
    Condition::all()
        .add(WorkflowId.eq(workflow))
        // As the index has it.
        .add(Expr::col((flow_run::Entity, IsRanked)))
        .add(GroupId.is_not_null())
        .add(Kind.eq(RunKind::Run.as_str()))
        .add(State.eq(RunState::Success.as_str()))
}

/// `rank`, `run` and `group_id` of all that is ranked.
fn ranked(
    workflow: i64,
    schema: &ResultSchema,
    order: &[SortKey],
    include_all: bool,
) -> SelectStatement {
    let order = order.get(..MOST_KEYS).unwrap_or(order);
    let mut keys = String::new();
    for (number, key) in order.iter().enumerate() {
        let direction = if key.is_descending { "DESC" } else { "ASC" };
        // The databases differ on where NULL comes; false comes first in both.
        let key = format!("\"key{number}\" IS NULL, \"key{number}\" {direction}, ");
        keys.push_str(&key);
    }
    keys.push_str("\"ended_at\", \"run\"");
    let mut kept = Query::select();
    kept.columns(["run", "group_id"])
        .from_subquery(found(workflow, schema, order, &keys, include_all), PLACED);
    let number = format!("ROW_NUMBER() OVER (ORDER BY {keys})");
    kept.expr_as(Expr::cust(number), "rank");
    if !include_all {
        kept.and_where(Expr::col("place").eq(1));
    }
    kept
}

/// The runs with their keys, and the place of each in its group if that is needed.
fn found(
    workflow: i64,
    schema: &ResultSchema,
    order: &[SortKey],
    keys: &str,
    include_all: bool,
) -> SelectStatement {
    let of_run = |column| Expr::col((flow_run::Entity, column));
    let mut found = Query::select();
    found
        .expr_as(of_run(flow_run::Column::Id), "run")
        .expr_as(of_run(flow_run::Column::GroupId), "group_id")
        .expr_as(of_run(flow_run::Column::EndedAt), "ended_at")
        .from(flow_run::Entity)
        .cond_where(of_ranking(workflow));
    for (number, key) in order.iter().enumerate() {
        let alias = format!("value{number}");
        let dtype = schema.columns.get(key.column).map(|column| column.dtype);
        let column = match dtype {
            Some(ColumnType::Int) => flow_result::Column::IntValue,
            Some(ColumnType::Float) => flow_result::Column::FloatValue,
            Some(ColumnType::String) | None => flow_result::Column::TextValue,
        };
        let of_value = |column| Expr::col((alias.clone(), column));
        let on = Condition::all()
            .add(
                of_value(flow_result::Column::RunId)
                    .equals((flow_run::Entity, flow_run::Column::Id)),
            )
            .add(of_value(flow_result::Column::Name).eq(key.name.as_str()));
        found
            .expr_as(of_value(column), format!("key{number}"))
            .join_as(JoinType::LeftJoin, flow_result::Entity, alias.clone(), on);
    }
    if include_all {
        return found;
    }
    // The keys are named in the query around it.
    let place = format!("ROW_NUMBER() OVER (PARTITION BY \"group_id\" ORDER BY {keys})");
    let columns = Expr::cust(format!("\"{FOUND}\".*"));
    let place: SimpleExpr = Expr::cust(place);
    Query::select()
        .expr(columns)
        .expr_as(place, "place")
        .from_subquery(found, FOUND)
        .take()
}
