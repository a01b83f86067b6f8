//! What steps printed.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::ColumnTrait;
use sea_orm::sea_query::{Condition, Expr, ExprTrait, Order, Query, SelectStatement, SimpleExpr};

use super::{by_id, count_by_parent, one_of};
use crate::database::Database;
use crate::engine::Stream;
use crate::entity::flow_log::{Column, Entity, Model};
use crate::entity::flow_step;
use crate::failure::Failure;
use crate::narrow::{self, Columns};
use crate::paging::{self, KeyValue, Ordering, Page, Slice};

/// The name of a stream that is stored and shown.
pub const fn stream_name(stream: Stream) -> &'static str {
    match stream {
        Stream::Output => "STDOUT",
        Stream::Errors => "STDERR",
    }
}

/// The stream of a name.
pub fn stream(name: &str) -> Option<Stream> {
    let all = [Stream::Output, Stream::Errors];
    all.into_iter().find(|it| stream_name(*it) == name)
}

/// Which pieces of runs are asked for: those for which all of this is true.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct LogFilter {
    /// Of the step of this name.
    pub step: Option<String>,
    /// Of this stream.
    pub stream: Option<Stream>,
}

impl LogFilter {
    /// None: there cannot be such pieces.
    fn condition(&self, runs: &[i64]) -> Option<Condition> {
        // PostgreSQL refuses to look for what it cannot store; no step is called so.
        let step = self.step.as_deref();
        if step.is_some_and(|name| name.contains('\0')) {
            return None;
        }
        let place = step.map(|name| {
            let place = place_of(name, runs);
            Expr::col((Entity, Column::Position)).eq(place)
        });
        let stream = self.stream.map(stream_name);
        let stream = stream.map(|stream| Column::Stream.eq(stream));
        Some(Condition::all().add_option(place).add_option(stream))
    }
}

/// The place of the step of a name: of the one run that is asked for, which is then found in an index, or of that of the piece.
fn place_of(name: &str, runs: &[i64]) -> SimpleExpr {
    use flow_step::Column::{Name, Position, RunId};
    let run = Expr::col((flow_step::Entity, RunId));
    let place: SelectStatement = Query::select()
        .column((flow_step::Entity, Position))
        .from(flow_step::Entity)
        .and_where(match runs {
            [only] => run.eq(*only),
            _ => run.equals((Entity, Column::RunId)),
        })
        .and_where(Expr::col((flow_step::Entity, Name)).eq(name))
        .limit(1)
        .take();
    SimpleExpr::SubQuery(None, Box::new(place.into()))
}

/// Pieces in the order in which they came.
pub fn oldest_first() -> Ordering {
    by_id("flowLog", false)
}

/// The key of a piece.
pub fn key(row: &Model) -> Vec<KeyValue> {
    vec![KeyValue::Int(row.id)]
}

/// These columns of the same page of the pieces of each of these runs.
///
/// # Errors
/// Those of the database.
pub async fn of_runs(
    database: &Database,
    runs: &[i64],
    filter: &LogFilter,
    columns: Columns<Model>,
    page: &Page,
) -> Result<HashMap<i64, Slice<Arc<Model>>>, Failure> {
    let Some(condition) = filter.condition(runs) else {
        return Ok(HashMap::new());
    };
    let ids = Columns::of(&[Column::Id, Column::RunId]);
    let (columns, ordering) = (columns.and(ids), oldest_first());
    if let [run] = runs {
        let condition = condition.add(Column::RunId.eq(*run));
        let slice = paging::fetch::<Entity>(database, condition, columns, &ordering, page).await?;
        return Ok(HashMap::from([(*run, slice)]));
    }
    // Not all databases read pages of many lists without going through these as a whole: that is done without their texts.
    let (parent, of_run) = (Column::RunId, |piece: &Model| piece.run_id);
    let mut found = paging::fetch_by_parent::<Entity>(
        database, condition, ids, parent, runs, of_run, &ordering, page,
    )
    .await?;
    let pieces = found.values().flat_map(|slice| &slice.rows);
    let pieces: Vec<i64> = pieces.map(|piece| piece.id).collect();
    if pieces.is_empty() || ids.contain(columns) {
        return Ok(found);
    }
    let rows = one_of(database, Column::Id, &pieces);
    let rows = narrow::find::<Entity>(database, rows, columns).await?;
    let rows: HashMap<i64, Arc<Model>> = rows.into_iter().map(|row| (row.id, row)).collect();
    for slice in found.values_mut() {
        // What was deleted meanwhile is gone.
        let whole = |piece: &Arc<Model>| rows.get(&piece.id).cloned();
        slice.rows = slice.rows.iter().filter_map(whole).collect();
    }
    Ok(found)
}

/// How many pieces there are of each of these runs.
///
/// # Errors
/// Those of the database.
pub async fn count_of_runs(
    database: &Database,
    runs: &[i64],
    filter: &LogFilter,
) -> Result<HashMap<i64, i64>, Failure> {
    match filter.condition(runs) {
        Some(condition) => {
            count_by_parent::<Entity>(database, condition, Column::RunId, runs).await
        }
        None => Ok(HashMap::new()),
    }
}

/// The first so many pieces of a run that came after the one with this row id.
///
/// # Errors
/// Those of the database.
pub async fn after(
    database: &Database,
    run: i64,
    after: i64,
    limit: u64,
) -> Result<Vec<Arc<Model>>, Failure> {
    let columns = Columns::all();
    let condition = Condition::all()
        .add(Column::RunId.eq(run))
        .add(Column::Id.gt(after));
    let mut query = narrow::select::<Entity>(condition, columns);
    query
        .order_by((Entity, Column::Id), Order::Asc)
        .limit(limit);
    Ok(narrow::all(database, &query, columns).await?)
}
