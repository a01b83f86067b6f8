//! Pages as SQL: what lies behind a key, in the order of an index, for one list or for many at once.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use sea_orm::sea_query::{
    Asterisk, Condition, Expr, ExprTrait, Func, JoinType, Order, Query, SelectStatement,
    SimpleExpr, UnionType,
};
use sea_orm::{DatabaseBackend, DbErr, EntityTrait, IdenStatic};

use super::{KeyValue, OrderPart, Ordering, Page, Slice};
use crate::database::{self, Database};
use crate::narrow::{self, Columns, Narrow};

impl From<KeyValue> for SimpleExpr {
    fn from(value: KeyValue) -> Self {
        match value {
            KeyValue::Int(number) => Expr::value(number),
            KeyValue::Text(text) => Expr::value(text),
        }
    }
}

impl OrderPart {
    /// Is it more than the name of a column?
    fn is_reckoned(&self) -> bool {
        self.sql.contains('(')
    }
}

/// Reads these columns of one page of the rows of a table for which the condition holds. The key of the order must be
/// among them.
pub async fn fetch<E>(
    database: &Database,
    condition: Condition,
    columns: Columns<E::Model>,
    ordering: &Ordering,
    page: &Page,
) -> Result<Slice<Arc<E::Model>>, DbErr>
where
    E: EntityTrait,
    E::Model: Narrow<Column = E::Column>,
{
    let query = query::<E>(database, condition, columns, ordering, page);
    let rows = narrow::all(database, &query, columns).await?;
    Ok(Slice::from_rows(rows, page))
}

/// Reads one page of the rows of a query that begins with a number and then has these columns; the key of the order must be
/// among them.
pub async fn fetch_numbered<M: Narrow>(
    database: &Database,
    rows: SelectStatement,
    columns: Columns<M>,
    ordering: &Ordering,
    page: &Page,
) -> Result<Slice<(i64, Arc<M>)>, DbErr> {
    let query = cut_query(database, rows, ordering, page);
    let rows = narrow::pairs(database, &query, columns).await?;
    Ok(Slice::from_rows(rows, page))
}

/// One page of the rows of a query.
pub fn cut_query(
    database: &Database,
    mut query: SelectStatement,
    ordering: &Ordering,
    page: &Page,
) -> SelectStatement {
    if let Some(key) = &page.from
        && database.backend() != DatabaseBackend::Postgres
        && ordering.parts.iter().any(OrderPart::is_reckoned)
        && let Some(query) = stretches(&query, ordering, page, key)
    {
        return query;
    }
    seek(&mut query, ordering, page);
    order(&mut query, &ordering.parts, page);
    query.limit(page.rows());
    query
}

/// The query for one page of the rows of a table for which the condition holds.
pub fn query<E>(
    database: &Database,
    condition: Condition,
    columns: Columns<E::Model>,
    ordering: &Ordering,
    page: &Page,
) -> SelectStatement
where
    E: EntityTrait,
    E::Model: Narrow<Column = E::Column>,
{
    let rows = narrow::select::<E>(condition, columns);
    cut_query(database, rows, ordering, page)
}

/// Reads the same page of the child lists of many parents in one statement. `parent` is the column that names the parent;
/// `parent_of` reads it from a row. Of these columns the key of the order and the parent must be.
#[expect(clippy::too_many_arguments, reason = "each is a part of the question")]
pub async fn fetch_by_parent<E>(
    database: &Database,
    condition: Condition,
    columns: Columns<E::Model>,
    parent: E::Column,
    parents: &[i64],
    parent_of: impl Fn(&E::Model) -> i64,
    ordering: &Ordering,
    page: &Page,
) -> Result<HashMap<i64, Slice<Arc<E::Model>>>, DbErr>
where
    E: EntityTrait,
    E::Model: Narrow<Column = E::Column>,
{
    let mut query = narrow::select::<E>(condition, columns);
    seek(&mut query, ordering, page);
    let mut outer = if database.backend() == DatabaseBackend::Postgres {
        query.and_where(Expr::col(parent).eq(Expr::cust("parents.parents")));
        lateral(query, parents, ordering, page)
    } else {
        query.and_where(database::is_one_of(database, parent, parents));
        let parent = format!("\"{}\"", parent.as_str());
        ranked(query, &parent, ordering, page)
    };
    order(&mut outer, &ordering.parts, page);
    let mut grouped: HashMap<i64, Vec<Arc<E::Model>>> = HashMap::new();
    for model in narrow::all(database, &outer, columns).await? {
        grouped.entry(parent_of(&model)).or_default().push(model);
    }
    Ok(grouped
        .into_iter()
        .map(|(parent, rows)| (parent, Slice::from_rows(rows, page)))
        .collect())
}

/// Reads the same page of many groups of rows in one statement, for groups that no single column tells apart. The query
/// begins with an id and then has these columns, the key of the order among them; `partition` is what tells the groups
/// apart, `group_of` reads the same from the id and the row.
pub async fn fetch_by_group<M: Narrow, K: Hash + Eq>(
    database: &Database,
    mut rows: SelectStatement,
    columns: Columns<M>,
    partition: &str,
    group_of: impl Fn(i64, &M) -> K,
    ordering: &Ordering,
    page: &Page,
) -> Result<HashMap<K, Slice<Arc<M>>>, DbErr> {
    seek(&mut rows, ordering, page);
    let mut outer = ranked(rows, partition, ordering, page);
    order(&mut outer, &ordering.parts, page);
    let mut grouped: HashMap<K, Vec<Arc<M>>> = HashMap::new();
    for (id, model) in narrow::pairs(database, &outer, columns).await? {
        grouped.entry(group_of(id, &model)).or_default().push(model);
    }
    Ok(grouped
        .into_iter()
        .map(|(group, rows)| (group, Slice::from_rows(rows, page)))
        .collect())
}

/// For each parent the page is read from the index; rows behind it are not touched.
fn lateral(
    mut page_of_parent: SelectStatement,
    parents: &[i64],
    ordering: &Ordering,
    page: &Page,
) -> SelectStatement {
    order(&mut page_of_parent, &ordering.parts, page);
    page_of_parent.limit(page.rows());
    let parents = Func::cust("unnest").arg(database::id_array(parents));
    Query::select()
        .expr(Expr::cust("page.*"))
        .from_function(parents, "parents")
        .join_lateral(
            JoinType::InnerJoin,
            page_of_parent,
            "page",
            Condition::all(),
        )
        .to_owned()
}

/// All children of all parents are numbered, and those of the page stay: for databases without lateral joins.
fn ranked(
    mut children: SelectStatement,
    partition: &str,
    ordering: &Ordering,
    page: &Page,
) -> SelectStatement {
    let key = ordering.parts.iter().map(|part| {
        let direction = match direction(*part, page.backward) {
            Order::Desc => "DESC",
            _ => "ASC",
        };
        format!("{} {direction}", part.sql)
    });
    let key = key.collect::<Vec<_>>().join(", ");
    let rank = format!("ROW_NUMBER() OVER (PARTITION BY {partition} ORDER BY {key})");
    children.expr_as(Expr::cust(rank), "rank_in_parent");
    Query::select()
        .column(Asterisk)
        .from_subquery(children, "page")
        .and_where(Expr::col("rank_in_parent").lte(page.rows()))
        .to_owned()
}

fn order(query: &mut SelectStatement, parts: &[OrderPart], page: &Page) {
    for part in parts {
        query.order_by_expr(Expr::cust(part.sql), direction(*part, page.backward));
    }
}

fn direction(part: OrderPart, backward: bool) -> Order {
    if part.descending == backward {
        Order::Asc
    } else {
        Order::Desc
    }
}

/// Does the page lead from low to high in this part?
fn is_rising(part: OrderPart, page: &Page) -> bool {
    direction(part, page.backward) == Order::Asc
}

/// The rows that have another value in this part, and come behind the key by that.
fn beyond(part: OrderPart, value: &KeyValue, page: &Page) -> SimpleExpr {
    let (part_of_row, value) = (Expr::cust(part.sql), SimpleExpr::from(value.clone()));
    if is_rising(part, page) {
        part_of_row.gt(value)
    } else {
        part_of_row.lt(value)
    }
}

/// The rows that have the same value in this part.
fn beside(part: OrderPart, value: &KeyValue) -> SimpleExpr {
    Expr::cust(part.sql).eq(SimpleExpr::from(value.clone()))
}

/// Adds "behind the key" to the query.
fn seek(query: &mut SelectStatement, ordering: &Ordering, page: &Page) {
    let (Some(key), Some(first)) = (&page.from, ordering.parts.first()) else {
        return;
    };
    let parts = &ordering.parts;
    let rising = is_rising(*first, page);
    if parts.iter().all(|part| is_rising(*part, page) == rising) {
        // One row comparison: both databases answer it from an index over columns, and PostgreSQL from any.
        let left = Expr::tuple(parts.iter().map(|part| Expr::cust(part.sql)));
        let right = Expr::tuple(key.iter().cloned().map(SimpleExpr::from));
        query.and_where(if rising {
            left.gt(right)
        } else {
            left.lt(right)
        });
        return;
    }
    let mut any = Condition::any();
    for (index, (part, value)) in parts.iter().zip(key).enumerate() {
        let before = parts.iter().zip(key).take(index);
        let all = before.fold(Condition::all(), |all, (part, value)| {
            all.add(beside(*part, value))
        });
        any = any.add(all.add(beyond(*part, value, page)));
    }
    query.cond_where(any);
    // It follows from the rest, and is what an index finds.
    if let Some(value) = key.first() {
        let (part_of_row, value) = (Expr::cust(first.sql), SimpleExpr::from(value.clone()));
        query.and_where(if rising {
            part_of_row.gte(value)
        } else {
            part_of_row.lte(value)
        });
    }
}

/// The page for SQLite, which finds the place of a row comparison only in an index over columns, and reads one over
/// expressions from its start.
///
/// It is cut from stretches of the index whose beginnings SQLite finds: the rows that equal the key in all parts but the
/// last, those that equal it in all but the last two, and so on. No more than a page is read of each.
fn stretches(
    query: &SelectStatement,
    ordering: &Ordering,
    page: &Page,
    key: &[KeyValue],
) -> Option<SelectStatement> {
    let parts = &ordering.parts;
    let stretch = |(index, (part, value)): (usize, (&OrderPart, &KeyValue))| {
        let mut rows = query.clone();
        for (part, value) in parts.iter().zip(key).take(index) {
            rows.and_where(beside(*part, value));
        }
        rows.and_where(beyond(*part, value, page));
        // In the parts before they are equal. SQLite would not see that, and sort them.
        order(&mut rows, parts.get(index..).unwrap_or_default(), page);
        rows.limit(page.rows());
        Query::select()
            .column(Asterisk)
            .from_subquery(rows, "stretch")
            .take()
    };
    let stretches = parts.iter().zip(key).enumerate().map(stretch);
    let all = stretches.reduce(|mut all, stretch| {
        all.union(UnionType::All, stretch);
        all
    })?;
    let mut cut = Query::select();
    cut.column(Asterisk).from_subquery(all, "page");
    order(&mut cut, parts, page);
    cut.limit(page.rows());
    Some(cut)
}
