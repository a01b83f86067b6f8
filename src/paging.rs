//! Keyset pages: a page begins behind a key, not after a number of rows, so that page 10,000 costs what page 1 costs
//! and nothing is lost or repeated when rows come and go.
//!
//! A cursor is base64url of JSON `[version, order, keys…]`. It belongs to one order: under another it is refused.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sea_orm::sea_query::{
    Asterisk, Condition, Expr, ExprTrait, Func, JoinType, Order, Query, SelectStatement,
    SimpleExpr, UnionType,
};
use sea_orm::{DatabaseBackend, DbErr, EntityTrait, IdenStatic};

use crate::database::{self, Database};
use crate::failure::Failure;
use crate::narrow::{self, Columns, Narrow};

const CURSOR_VERSION: u64 = 1;

/// A part of the key of a row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyValue {
    /// A number, time or flag.
    Int(i64),
    /// A text.
    Text(String),
}

impl From<KeyValue> for SimpleExpr {
    fn from(value: KeyValue) -> Self {
        match value {
            KeyValue::Int(number) => Expr::value(number),
            KeyValue::Text(text) => Expr::value(text),
        }
    }
}

/// The type of a part of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// A number, time or flag.
    Int,
    /// A text.
    Text,
}

/// One expression to order by; it must never be NULL, since the databases differ on where NULL sorts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OrderPart {
    /// The expression, written as in the index that serves it.
    pub sql: &'static str,
    /// Its type.
    pub kind: KeyKind,
    /// From high to low.
    pub descending: bool,
}

impl OrderPart {
    /// Is it more than the name of a column?
    fn is_reckoned(&self) -> bool {
        self.sql.contains('(')
    }
}

/// A total order of the rows of a table.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ordering {
    /// Names the order in cursors.
    pub tag: String,
    /// The expressions, the last of them unique (together with the parent, in a child list).
    pub parts: Vec<OrderPart>,
}

/// Which page is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Page {
    /// How many rows at most.
    pub limit: u64,
    /// The rows before the key, counted from the end.
    pub backward: bool,
    /// The key of the row at which the page begins (exclusive).
    pub from: Option<Vec<KeyValue>>,
    /// Whether it matters if there are more.
    pub probe: bool,
}

impl Page {
    /// The first so many rows, and nothing about what comes behind them.
    pub const fn only(limit: u64) -> Self {
        Self {
            limit,
            backward: false,
            from: None,
            probe: false,
        }
    }

    /// How many rows are read: one more than wanted tells whether there are more.
    fn rows(&self) -> u64 {
        self.limit + u64::from(self.probe)
    }
}

/// The four arguments of a Relay connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PageArguments {
    /// The first so many rows …
    pub first: Option<i64>,
    /// … after this cursor.
    pub after: Option<String>,
    /// The last so many rows …
    pub last: Option<i64>,
    /// … before this cursor.
    pub before: Option<String>,
}

/// The sizes of a list's pages.
#[derive(Clone, Copy, Debug)]
pub struct PageSize {
    /// When nothing is said.
    pub default: u64,
    /// At most.
    pub maximum: u64,
}

/// The pages of most lists.
pub const PAGE: PageSize = PageSize {
    default: 50,
    maximum: 500,
};

impl PageSize {
    /// How many elements a page has if the argument `field` asks for `count`.
    pub fn limit(self, field: &'static str, count: Option<i64>) -> Result<u64, Failure> {
        match count.map(u64::try_from) {
            None => Ok(self.default),
            Some(Ok(count)) if count <= self.maximum => Ok(count),
            Some(_) => Err(Failure::bad_input(
                field,
                format!("from 0 to {}", self.maximum),
            )),
        }
    }
}

impl PageArguments {
    /// Checks the arguments against the sizes and the order.
    pub fn resolve(&self, size: PageSize, ordering: &Ordering) -> Result<Page, Failure> {
        let backward = match (self.first, self.last) {
            (Some(_), Some(_)) => {
                return Err(Failure::bad_input(
                    "last",
                    "give `first` or `last`, not both",
                ));
            }
            (None, Some(_)) => true,
            (Some(_), None) => false,
            (None, None) => self.before.is_some() && self.after.is_none(),
        };
        let (field, cursor) = match (backward, &self.after, &self.before) {
            (true, Some(_), _) => {
                return Err(Failure::bad_input("after", "`after` goes with `first`"));
            }
            (false, _, Some(_)) => {
                return Err(Failure::bad_input("before", "`before` goes with `last`"));
            }
            (true, None, before) => ("before", before),
            (false, after, None) => ("after", after),
        };
        let (count_field, count) = if backward {
            ("last", self.last)
        } else {
            ("first", self.first)
        };
        let limit = size.limit(count_field, count)?;
        let from = cursor
            .as_deref()
            .map(|cursor| decode_cursor(field, cursor, ordering))
            .transpose()?;
        Ok(Page {
            limit,
            backward,
            from,
            probe: true,
        })
    }
}

/// The rows of a page.
#[derive(Clone, Debug)]
pub struct Slice<M> {
    /// The rows, in order.
    pub rows: Vec<M>,
    /// Are there rows before the first one?
    pub has_previous: bool,
    /// Are there rows after the last one?
    pub has_next: bool,
}

impl<M> Default for Slice<M> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            has_previous: false,
            has_next: false,
        }
    }
}

impl<M> Slice<M> {
    fn from_rows(mut rows: Vec<M>, page: &Page) -> Self {
        let more = rows.len() as u64 > page.limit;
        rows.truncate(usize::try_from(page.limit).unwrap_or(usize::MAX));
        let (mut has_previous, mut has_next) = (page.from.is_some(), more);
        if page.backward {
            rows.reverse();
            std::mem::swap(&mut has_previous, &mut has_next);
        }
        Self {
            rows,
            has_previous,
            has_next,
        }
    }

    /// The same slice of other rows.
    pub fn map<N>(self, convert: impl FnMut(M) -> N) -> Slice<N> {
        Slice {
            rows: self.rows.into_iter().map(convert).collect(),
            has_previous: self.has_previous,
            has_next: self.has_next,
        }
    }
}

/// Cuts a page from rows that are in memory already, with their keys, in ascending order.
pub fn cut<M>(mut rows: Vec<(Vec<KeyValue>, M)>, page: &Page) -> Slice<M> {
    rows.sort_by(|(left, _), (right, _)| left.cmp(right));
    if page.backward {
        rows.reverse();
    }
    let behind = rows.into_iter().skip_while(|(key, _)| match &page.from {
        Some(from) if page.backward => key >= from,
        Some(from) => key <= from,
        None => false,
    });
    let limit = usize::try_from(page.limit)
        .unwrap_or(usize::MAX)
        .saturating_add(1);
    Slice::from_rows(behind.map(|(_, row)| row).take(limit).collect(), page)
}

/// The cursor of a row with these key values.
pub fn encode_cursor(ordering: &Ordering, key: &[KeyValue]) -> String {
    let mut parts = vec![CURSOR_VERSION.into(), ordering.tag.clone().into()];
    parts.extend(key.iter().map(|value| match value {
        KeyValue::Int(number) => serde_json::Value::from(*number),
        KeyValue::Text(text) => serde_json::Value::from(text.as_str()),
    }));
    BASE64_URL_SAFE_NO_PAD.encode(serde_json::Value::Array(parts).to_string())
}

fn decode_cursor(
    field: &'static str,
    cursor: &str,
    ordering: &Ordering,
) -> Result<Vec<KeyValue>, Failure> {
    let bad = || Failure::bad_input(field, "not a cursor of this list in this order");
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).map_err(|_| bad())?;
    let parts: Vec<serde_json::Value> = serde_json::from_slice(&bytes).map_err(|_| bad())?;
    let [version, tag, keys @ ..] = parts.as_slice() else {
        return Err(bad());
    };
    if version.as_u64() != Some(CURSOR_VERSION)
        || tag.as_str() != Some(ordering.tag.as_str())
        || keys.len() != ordering.parts.len()
    {
        return Err(bad());
    }
    keys.iter()
        .zip(&ordering.parts)
        .map(|(key, part)| match (part.kind, key) {
            (KeyKind::Text, serde_json::Value::String(text)) if !text.contains('\0') => {
                Ok(KeyValue::Text(text.clone()))
            }
            (KeyKind::Int, serde_json::Value::Number(number)) => {
                number.as_i64().map(KeyValue::Int).ok_or_else(bad)
            }
            _ => Err(bad()),
        })
        .collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn by_name() -> Ordering {
        Ordering {
            tag: "name".into(),
            parts: vec![OrderPart {
                sql: "name",
                kind: KeyKind::Text,
                descending: false,
            }],
        }
    }

    #[test]
    fn a_cursor_comes_back_as_its_key() {
        let key = vec![KeyValue::Text("a\"ü".into())];
        let arguments = PageArguments {
            after: Some(encode_cursor(&by_name(), &key)),
            ..PageArguments::default()
        };
        assert_eq!(arguments.resolve(PAGE, &by_name()).unwrap().from, Some(key));
    }

    #[test]
    fn a_cursor_of_another_type_is_refused() {
        let arguments = PageArguments {
            after: Some(encode_cursor(&by_name(), &[KeyValue::Int(5)])),
            ..PageArguments::default()
        };
        assert!(arguments.resolve(PAGE, &by_name()).is_err());
    }

    #[test]
    fn a_cursor_of_another_order_is_refused() {
        let other = Ordering {
            tag: "date".into(),
            ..by_name()
        };
        let key = vec![KeyValue::Text("x".into())];
        for cursor in [encode_cursor(&other, &key), "!".into(), String::new()] {
            let arguments = PageArguments {
                after: Some(cursor),
                ..PageArguments::default()
            };
            assert!(arguments.resolve(PAGE, &by_name()).is_err());
        }
    }

    #[test]
    fn contradictory_or_excessive_arguments_are_refused() {
        let refused = |first, last, after: Option<&str>, before: Option<&str>| {
            PageArguments {
                first,
                last,
                after: after.map(str::to_owned),
                before: before.map(str::to_owned),
            }
            .resolve(PAGE, &by_name())
            .is_err()
        };
        assert!(refused(Some(1), Some(1), None, None));
        assert!(refused(Some(-1), None, None, None));
        assert!(refused(Some(501), None, None, None));
        assert!(refused(Some(i64::MAX), None, None, None));
        assert!(!refused(Some(500), None, None, None));
        assert!(!refused(None, Some(0), None, None));
    }
}
