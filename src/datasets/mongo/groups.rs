//! How often each value occurs at a path: what MongoDB does with `$unwind` and `$group`.

use sea_orm::sea_query::{
    Alias, BinOper, CaseStatement, Expr, ExprTrait, Func, IntoCondition, JoinType, NullOrdering,
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
            size_bytes: row
                .try_get_by_index::<Option<i64>>(paths * 3 + 1)?
                .unwrap_or_default(),
        })
    }
}

/// Groups the datasets of which `condition` holds by what they have at these paths, the largest group first. A dataset is in a
/// group for each value of an array, once; in that of null if it has no value. Documents and arrays are no values here: they
/// are looked through.
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
    let bytes = Func::coalesce([Expr::col(("dataset", "size_bytes")).sum(), Expr::val(0_i64)]);
    select
        .expr_as(Expr::col(("dataset", "id")).count(), "datasets")
        .expr_as(Expr::from(bytes).cast_as("BIGINT"), "bytes")
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
    let scalars = [Kind::Number, Kind::Text, Kind::Bool].map(|kind| kind as i16);
    let mut values = Sql::select();
    values
        .distinct()
        .columns(["dataset_id", "kind", "number", "head", "rest"])
        .from("dataset_value")
        .and_where(Expr::col("path").eq(path::hash(&path.steps().join("."))))
        .and_where(Expr::col("kind").is_in(scalars));
    let of = |column: &'static str| Expr::col((alias.clone(), column));
    let parts = (
        of("kind").cast_as("BIGINT"),
        of("number"),
        of("head").binary(BinOper::Custom("||"), of("rest")),
    );
    let on = of("dataset_id").equals(("dataset", "id"));
    select.join_subquery(JoinType::LeftJoin, values, Alias::new(alias), on);
    parts
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
