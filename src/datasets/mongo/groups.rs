//! How often each value occurs at a path: what MongoDB does with `$unwind` and `$group`.

use sea_orm::sea_query::{
    Alias, CaseStatement, Condition, Expr, ExprTrait, Func, IntoCondition, JoinType, NullOrdering,
    Order, Query as Sql, SelectStatement, SimpleExpr,
};
use sea_orm::{DbErr, QueryResult};
use serde_json::{Number, Value};

use super::path::{self, Path};
use super::query::Kind;

/// The most paths to group by.
pub const MOST_PATHS: usize = 4;

/// A row of [`grouped`].
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// The value at each path: null where there is none.
    pub key: Vec<Value>,
    /// How many datasets have these values.
    pub count: i64,
    /// How many bytes they have together.
    pub size_bytes: i64,
}

impl Group {
    /// From a row of [`grouped`] over so many paths.
    pub fn read(paths: usize, row: &QueryResult) -> Result<Self, DbErr> {
        let mut key = Vec::with_capacity(paths);
        for place in 0..paths {
            let first = place * 3;
            let kind = row.try_get_by_index::<Option<i64>>(first)?;
            let number = row
                .try_get_by_index::<Option<f64>>(first + 1)?
                .unwrap_or_default();
            key.push(match kind {
                Some(kind) if kind == Kind::Number as i64 => plain(number),
                Some(kind) if kind == Kind::Bool as i64 => Value::Bool(number != 0.0),
                Some(kind) if kind == Kind::Text as i64 => Value::String(
                    row.try_get_by_index::<Option<String>>(first + 2)?
                        .unwrap_or_default(),
                ),
                _ => Value::Null,
            });
        }
        Ok(Self {
            key,
            count: row
                .try_get_by_index::<Option<i64>>(paths * 3)?
                .unwrap_or_default(),
            size_bytes: whole(row.try_get_by_index(paths * 3 + 1)?),
        })
    }
}

/// Groups the datasets of which `condition` holds by what they have at these paths, the largest group first. A dataset is in a
/// group for each value of an array, once; in that of null if it has no value. Documents, arrays and texts of more than
/// [`HEAD`](super::values::HEAD) characters are no values here; documents and arrays are looked through.
///
/// For each path there are three columns (kind, number, text), then the count and the sum of the sizes.
pub fn grouped(by: &[Path], condition: impl IntoCondition, most: u64) -> SelectStatement {
    let mut select = Sql::select();
    select.from("dataset").cond_where(condition);
    for (place, path) in by.iter().enumerate() {
        let (kind, number, text) = match own(path) {
            Some(column) => column,
            None => joined(&mut select, path, format!("g{place}")),
        };
        for (name, part) in [("k", kind), ("n", number), ("t", text)] {
            let name = Alias::new(format!("{name}{place}"));
            select.expr_as(part, name.clone());
            select.add_group_by([Expr::col(name)]);
        }
    }
    // A sum of whole numbers could leave their range.
    let bytes = Expr::col(("dataset", "size_bytes")).cast_as("DOUBLE PRECISION");
    let bytes = Func::coalesce([bytes.sum(), Expr::cust("0.0")]);
    select
        .expr_as(Expr::col(("dataset", "id")).count(), "datasets")
        .expr_as(Expr::from(bytes).cast_as("DOUBLE PRECISION"), "bytes")
        .order_by("datasets", Order::Desc);
    for place in 0..by.len() {
        for name in ["k", "n", "t"] {
            let name = Alias::new(format!("{name}{place}"));
            select.order_by_with_nulls(name, Order::Asc, NullOrdering::First);
        }
    }
    select.limit(most);
    select
}

/// How many rows [`grouped`] makes groups of, in double precision; none: no more than there are values. A dataset that has
/// several values at each of several paths is in a group for each combination of them.
pub fn combinations(by: &[Path], condition: impl IntoCondition) -> Option<SelectStatement> {
    let paths: Vec<_> = by.iter().filter(|path| !is_column(path)).collect();
    if paths.len() < 2 {
        return None;
    }
    let mut select = Sql::select();
    select.from("dataset").cond_where(condition);
    let mut product = Expr::cust("1.0");
    for (place, path) in paths.into_iter().enumerate() {
        let alias = format!("g{place}");
        let mut counted = Sql::select();
        counted
            .column("dataset_id")
            .expr_as(Expr::cust("COUNT(*)"), "n")
            .from_subquery(values(path), Alias::new("v"))
            .group_by_col("dataset_id");
        let count = Expr::col((alias.clone(), "n")).cast_as("DOUBLE PRECISION");
        product = product.mul(Func::coalesce([count, Expr::cust("1.0")]));
        let on = Expr::col((alias.clone(), "dataset_id")).equals(("dataset", "id"));
        select.join_subquery(JoinType::LeftJoin, counted, Alias::new(alias), on);
    }
    let sum = Func::coalesce([product.sum(), Expr::cust("0.0")]);
    select.expr(Expr::from(sum).cast_as("DOUBLE PRECISION"));
    Some(select)
}

/// Is this path one of a column, of which each dataset has one value at most?
pub fn is_column(path: &Path) -> bool {
    own(path).is_some()
}

/// Kind, number and text of a column of the dataset.
fn own(path: &Path) -> Option<(SimpleExpr, SimpleExpr, SimpleExpr)> {
    let text = |column| {
        let value = Expr::col(("dataset", column));
        (kind_of(&value, Kind::Text), none("DOUBLE PRECISION"), value)
    };
    let number = |column| {
        let value = Expr::col(("dataset", column));
        let kind = kind_of(&value, Kind::Number);
        (kind, value.cast_as("DOUBLE PRECISION"), none("TEXT"))
    };
    let moment = |column| {
        let value = Expr::col(("dataset", column)).cast_as("DOUBLE PRECISION");
        let seconds = value.clone().div(Expr::cust("1000000.0"));
        (kind_of(&value, Kind::Number), seconds, none("TEXT"))
    };
    Some(match path.steps().as_slice() {
        ["uri"] => text("uri"),
        ["base_uri"] => text("base_uri"),
        ["uuid"] => text("uuid"),
        ["name"] => text("name"),
        ["creator_username"] => text("creator_username"),
        ["dtoolcore_version"] => text("dtoolcore_version"),
        ["manifest", "dtoolcore_version"] => text("manifest_version"),
        ["manifest", "hash_function"] => text("hash_function"),
        ["number_of_items"] => number("item_count"),
        ["size_in_bytes"] => number("size_bytes"),
        ["created_at"] => moment("created_at"),
        ["frozen_at"] => moment("frozen_at"),
        _ => return None,
    })
}

/// Kind, number and text of the values at a path.
fn joined(
    select: &mut SelectStatement,
    path: &Path,
    alias: String,
) -> (SimpleExpr, SimpleExpr, SimpleExpr) {
    let of = |column: &'static str| Expr::col((alias.clone(), column));
    let parts = (of("kind").cast_as("BIGINT"), of("number"), of("head"));
    let on = of("dataset_id").equals(("dataset", "id"));
    select.join_subquery(JoinType::LeftJoin, values(path), Alias::new(alias), on);
    parts
}

/// The values of each dataset at a path, each once. Longer texts could fill the memory, and no two are alike.
fn values(path: &Path) -> SelectStatement {
    let scalars = [Kind::Number, Kind::Text, Kind::Bool].map(|kind| kind as i16);
    let reached = path.ends("").into_iter().map(|reach| {
        let reached = Expr::col("path").eq(path::hash(&reach.path));
        match reach.places {
            Some(places) => reached.and(Expr::col("places").like(places)),
            None => reached,
        }
    });
    Sql::select()
        .distinct()
        .columns(["dataset_id", "kind", "number", "head"])
        .from("dataset_value")
        .cond_where(reached.fold(Condition::any(), Condition::add))
        .and_where(Expr::col("kind").is_in(scalars))
        .and_where(Expr::col("rest").eq(""))
        .take()
}

fn kind_of(value: &SimpleExpr, kind: Kind) -> SimpleExpr {
    let there = value.clone().is_not_null();
    CaseStatement::new()
        .case(there, Expr::val(kind as i64))
        .into()
}

fn none(of: &'static str) -> SimpleExpr {
    Expr::cust("NULL").cast_as(of)
}

/// A sum of bytes: exact up to 8 PiB.
#[expect(clippy::cast_possible_truncation, reason = "conversion saturates")]
pub fn whole(sum: f64) -> i64 {
    sum as i64
}

/// A number as JSON, whole if it is.
#[expect(
    clippy::cast_possible_truncation,
    reason = "whole numbers of this size are exact"
)]
fn plain(number: f64) -> Value {
    if number.fract() == 0.0 && number.abs() < 9e15 {
        return Value::Number(Number::from(number as i64));
    }
    Number::from_f64(number).map_or(Value::Null, Value::Number)
}
