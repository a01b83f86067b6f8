//! The runs of a workflow in the order of their results.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Result};
use macros::row;

use super::run::Run;
use super::run_parts::RunById;
use super::workflow::Workflow;
use crate::database::Database;
use crate::entity::workflow_version::Column;
use crate::failure::Failure;
use crate::flows::ranking::{self as by_results, SortKey};
use crate::flows::read::ranking::{self, Ranked};
use crate::flows::results::ResultValue;
use crate::flows::rights::Asker;
use crate::flows::template::schema::SortColumn;
use crate::graphql::connection::connection;
use crate::graphql::context::{ContextExt, failed};
use crate::graphql::experiments::OrderDirection;
use crate::graphql::id::GlobalId;
use crate::graphql::json_text::JsonText;
use crate::graphql::level::Level;
use crate::graphql::number::count;
use crate::graphql::rows::{Rows, columns};
use crate::narrow::Columns;
use crate::paging::{
    self, KeyKind, KeyValue, OrderPart, Ordering, PAGE, Page, PageArguments, Slice,
};

/// By how many columns can be ordered.
const MOST_COLUMNS: usize = 20;

/// A column by which runs are ranked.
#[derive(Clone, Debug, InputObject)]
pub struct RankingOrder {
    /// The name of the column; see `Workflow.results`.
    column: String,
    /// In which direction; runs without a value come last in either.
    #[graphql(default_with = "OrderDirection::Desc")]
    direction: OrderDirection,
}

/// A run with its rank.
#[derive(Clone)]
pub struct RankedRun {
    ranked: Arc<Ranked>,
    /// By the row ids of the runs of the page.
    level: Arc<Level>,
}

connection!(
    RankedRunConnection,
    RankedRunEdge,
    RankedRun,
    "A page of a ranking.",
    "A run in a page of a ranking."
);

/// A run with its rank.
#[row]
impl RankedRun {
    /// Its rank, counted from 1.
    fn rank(&self) -> i32 {
        count(self.ranked.rank)
    }

    /// The run; null: it is not for you.
    async fn run(
        runs: &[RankedRun],
        ctx: &Context<'_>,
    ) -> Result<impl Fn(&RankedRun) -> Option<Run>> {
        let list = RunById {
            asker: Asker::of(ctx.viewer()?),
            columns: columns::<Run, _>([ctx.field()]),
        };
        let levels = runs.iter().map(|run| &run.level);
        let found = Level::children_of_rows(levels, ctx.database()?, &list).await?;
        Ok(move |run: &RankedRun| found.of(run.ranked.run).cloned().flatten())
    }

    /// Its group.
    fn group(&self) -> RankedGroup {
        RankedGroup(Arc::clone(&self.ranked))
    }

    /// Its values, in the order of the columns.
    fn results(&self) -> Rows<RunResult> {
        let values = self.ranked.values.iter().cloned();
        let value = |(name, value)| RunResult { name, value };
        values.map(value).collect()
    }
}

/// A group in a ranking: what everybody may know of it who sees the ranking.
pub struct RankedGroup(Arc<Ranked>);

/// A group in a ranking: what everybody may know of it who sees the ranking.
#[row]
impl RankedGroup {
    /// The global id; `group` and `node` find it for those who are in the group.
    fn id(&self) -> ID {
        GlobalId::RunGroup(self.0.group).encode()
    }

    /// Its name.
    fn name(&self) -> &str {
        &self.0.group_name
    }
}

/// A value of the result of a run.
pub struct RunResult {
    name: String,
    value: Option<ResultValue>,
}

/// A value of the result of a run.
#[row]
impl RunResult {
    /// The name of the column.
    fn name(&self) -> &str {
        &self.name
    }

    /// The value: a number or a text; null: the result has none. Whole numbers may have 64 bits.
    fn value(&self) -> Option<JsonText> {
        let value = self.value.as_ref()?;
        Some((&value.json()).into())
    }
}

/// `Workflow.ranking`.
pub(super) async fn of_workflow(
    ctx: &Context<'_>,
    workflow: &Workflow,
    includes_all: bool,
    order_by: Option<Vec<RankingOrder>>,
    page: &PageArguments,
) -> Result<RankedRunConnection> {
    let database = ctx.database()?;
    let newest = newest(database, workflow).await.map_err(failed)?;
    let schema = newest.template().await?.results.as_ref();
    let keys = match schema {
        Some(schema) => by_results::order(schema, asked(order_by)?.as_deref())
            .map_err(|error| failed(Failure::bad_input("orderBy", error.to_string())))?,
        None => Vec::new(),
    };
    let ordering = ordering(includes_all, &keys);
    let page = page.resolve(PAGE, &ordering).map_err(failed)?;
    let asker = Asker::of(ctx.viewer()?);
    let takes_part = asker.takes_part(database.read(), workflow.row.id).await;
    let Some(schema) = schema.filter(|_| takes_part.as_ref().is_ok_and(|it| *it)) else {
        takes_part.map_err(failed)?;
        return Ok(connection(Slice::default(), None, ordering));
    };
    let (id, after, more) = (workflow.row.id, last_seen(&page), page.limit + 1);
    let ranked = ranking::page(database, id, schema, &keys, includes_all, more, after).await;
    let mut ranked = ranked.map_err(failed)?;
    let has_next = ranked.len() as u64 > page.limit;
    ranked.truncate(usize::try_from(page.limit).unwrap_or(usize::MAX));
    ctx.charge(ranked.len().saturating_mul(schema.columns.len()))?;
    let total = if ctx.wants_total() {
        let total = ranking::count(database, id, includes_all).await;
        Some(total.map_err(failed)?)
    } else {
        None
    };
    let level = Level::of_rows(ranked.iter().map(|one| one.run));
    let run = |ranked| RankedRun {
        ranked: Arc::new(ranked),
        level: Arc::clone(&level),
    };
    let slice = Slice {
        rows: ranked.into_iter().map(run).collect(),
        has_previous: page.from.is_some(),
        has_next,
    };
    Ok(connection(slice, total, ordering))
}

/// The newest version, whose columns count.
async fn newest(database: &Database, workflow: &Workflow) -> Result<Workflow, Failure> {
    if workflow.version.number == workflow.row.latest {
        return Ok(workflow.clone());
    }
    let columns = Columns::of(&[Column::Template]);
    let rows = vec![Arc::clone(&workflow.row)];
    let mut newest = Workflow::newest(database, rows, columns).await?;
    newest
        .pop()
        .ok_or_else(|| Failure::internal("a workflow without its newest version"))
}

fn asked(order_by: Option<Vec<RankingOrder>>) -> Result<Option<Vec<SortColumn>>> {
    let Some(orders) = order_by else {
        return Ok(None);
    };
    if orders.len() > MOST_COLUMNS {
        let message = format!("at most {MOST_COLUMNS} columns");
        return Err(failed(Failure::bad_input("orderBy", message)));
    }
    let column = |order: RankingOrder| SortColumn {
        name: order.column,
        sort_desc: order.direction == OrderDirection::Desc,
    };
    Ok(Some(orders.into_iter().map(column).collect()))
}

/// The order of a ranking, by which cursors of one are told from those of another.
fn ordering(includes_all: bool, keys: &[SortKey]) -> Ordering {
    let key = |key: &SortKey| format!("{:?}{}", key.name, key.is_descending);
    let keys: Vec<String> = keys.iter().map(key).collect();
    Ordering {
        tag: format!("ranking{includes_all}{}", keys.join(",")),
        parts: vec![OrderPart {
            sql: "rank",
            kind: KeyKind::Int,
            descending: false,
        }],
    }
}

/// The rank after which a page begins.
fn last_seen(page: &Page) -> i64 {
    match page.from.as_deref() {
        Some([KeyValue::Int(rank)]) => (*rank).max(0),
        _ => 0,
    }
}

fn connection(
    slice: Slice<RankedRun>,
    total: Option<i64>,
    ordering: Ordering,
) -> RankedRunConnection {
    RankedRunConnection::new(slice, total, move |run| {
        paging::encode_cursor(&ordering, &[KeyValue::Int(run.ranked.rank)])
    })
}
