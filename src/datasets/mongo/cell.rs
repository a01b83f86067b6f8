//! Tests of one value, in SQL.

use sea_orm::sea_query::{Condition as All, Expr, ExprTrait, SimpleExpr};

use super::query::{Kind, Literal, Relation};
use super::values;

/// A value that a test is about.
#[derive(Clone)]
pub(super) enum Cell {
    /// A row of `dataset_value` under this name, which lies at this path.
    Value(String, String),
    /// A text that may be null.
    Text(SimpleExpr),
    /// A number that may be null.
    Number(SimpleExpr),
    /// A moment in microseconds.
    Moment(SimpleExpr),
}

/// The values of a list, those of a kind together.
pub(super) fn by_kind(literals: &[Literal]) -> Vec<Vec<Literal>> {
    let mut groups: Vec<Vec<Literal>> = Vec::new();
    for literal in literals {
        let same =
            |group: &&mut Vec<Literal>| group.first().map(Literal::kind) == Some(literal.kind());
        match groups.iter_mut().find(same) {
            Some(group) => group.push(literal.clone()),
            None => groups.push(vec![literal.clone()]),
        }
    }
    groups
}

/// The value is one of these, which are of one kind.
pub(super) fn is_one_of(cell: &Cell, literals: &[Literal]) -> SimpleExpr {
    let Some(kind) = literals.first().map(Literal::kind) else {
        return constant(false);
    };
    let numbers = literals.iter().filter_map(|literal| match literal {
        Literal::Number(number) => Some(*number),
        Literal::Bool(is) => Some(f64::from(u8::from(*is))),
        _ => None,
    });
    let texts = literals.iter().filter_map(|literal| match literal {
        Literal::Text(text) | Literal::Composite(_, text) => Some(text.as_str()),
        _ => None,
    });
    let moments = literals.iter().filter_map(|literal| match literal {
        Literal::Moment(moment) => Some(*moment),
        _ => None,
    });
    match (cell, kind) {
        (Cell::Value(row, _), Kind::Null) => is_of(row, kind),
        (Cell::Value(row, _), Kind::Number | Kind::Bool) => {
            is_of(row, kind).and(col(row, "number").is_in(numbers))
        }
        (Cell::Value(row, _), Kind::Array | Kind::Document) => {
            is_of(row, kind).and(col(row, "head").is_in(texts))
        }
        (Cell::Value(row, _), Kind::Text) => {
            let is_text = is_of(row, kind).and(col(row, "number").eq(fixed(0)));
            let (short, long): (Vec<_>, Vec<_>) = texts
                .map(values::split)
                .partition(|(_, rest)| rest.is_empty());
            let mut found = Vec::new();
            if !short.is_empty() {
                let short = short.into_iter().map(|(head, _)| head);
                found.push(
                    is_text
                        .clone()
                        .and(col(row, "head").is_in(short))
                        .and(col(row, "rest").eq("")),
                );
            }
            for (head, rest) in long {
                found.push(
                    is_text
                        .clone()
                        .and(col(row, "head").eq(head))
                        .and(col(row, "rest").eq(rest)),
                );
            }
            any(found)
        }
        (Cell::Text(value), Kind::Text) => there(value).and(value.clone().is_in(texts)),
        (Cell::Number(value), Kind::Number) => there(value).and(value.clone().is_in(numbers)),
        (Cell::Moment(value), Kind::Moment) => value.clone().is_in(moments),
        // A column without a value is a missing field.
        (Cell::Text(value) | Cell::Number(value) | Cell::Moment(value), Kind::Null) => {
            value.clone().is_null()
        }
        _ => constant(false),
    }
}

/// The value stands in this relation to a literal of its kind.
pub(super) fn compare(cell: &Cell, relation: Relation, literal: &Literal) -> SimpleExpr {
    match (cell, literal) {
        (Cell::Value(row, _), Literal::Number(number)) => {
            is_of(row, Kind::Number).and(relate(col(row, "number"), relation, *number))
        }
        (Cell::Value(row, _), Literal::Bool(is)) => {
            let number = f64::from(u8::from(*is));
            is_of(row, Kind::Bool).and(relate(col(row, "number"), relation, number))
        }
        (Cell::Value(row, _), Literal::Text(text)) => {
            let (head, rest) = values::split(text);
            let (near, beyond) = match relation {
                Relation::Greater | Relation::GreaterOrEqual => {
                    (Relation::GreaterOrEqual, Relation::Greater)
                }
                Relation::Less | Relation::LessOrEqual => (Relation::LessOrEqual, Relation::Less),
            };
            is_of(row, Kind::Text)
                .and(col(row, "number").eq(fixed(0)))
                // Redundant, but the index knows only this one.
                .and(relate(col(row, "head"), near, head))
                .and(relate(col(row, "head"), beyond, head).or(relate(col(row, "rest"), relation, rest)))
        }
        (Cell::Text(value), Literal::Text(text)) => {
            there(value).and(relate(value.clone(), relation, text.as_str()))
        }
        (Cell::Number(value), Literal::Number(number)) => {
            there(value).and(relate(value.clone(), relation, *number))
        }
        (Cell::Moment(value), Literal::Moment(moment)) => relate(value.clone(), relation, *moment),
        _ => constant(false),
    }
}

pub(super) fn relate(
    left: SimpleExpr,
    relation: Relation,
    right: impl Into<SimpleExpr>,
) -> SimpleExpr {
    match relation {
        Relation::Greater => left.gt(right),
        Relation::GreaterOrEqual => left.gte(right),
        Relation::Less => left.lt(right),
        Relation::LessOrEqual => left.lte(right),
    }
}

pub(super) fn there(value: &SimpleExpr) -> SimpleExpr {
    value.clone().is_not_null()
}

pub(super) fn is_of(row: &str, kind: Kind) -> SimpleExpr {
    col(row, "kind").eq(fixed(kind as i64))
}

pub(super) fn col(table: &str, column: &'static str) -> SimpleExpr {
    Expr::col((table.to_owned(), column))
}

/// A number of ours, such as that of a path, stands in the statement itself: PostgreSQL plans a prepared statement once, and
/// by these it knows how many rows there are.
pub(super) fn fixed(number: i64) -> SimpleExpr {
    Expr::cust(number.to_string())
}

pub(super) fn constant(value: bool) -> SimpleExpr {
    Expr::cust(if value { "1 = 1" } else { "1 = 0" })
}

pub(super) fn all(parts: Vec<SimpleExpr>) -> SimpleExpr {
    if parts.is_empty() {
        return constant(true);
    }
    balanced(parts, All::all)
}

pub(super) fn any(parts: Vec<SimpleExpr>) -> SimpleExpr {
    if parts.is_empty() {
        return constant(false);
    }
    balanced(parts, All::any)
}

/// SQLite takes a chain for as deep as it is long, and refuses what is deeper than 1,000.
fn balanced(mut parts: Vec<SimpleExpr>, chain: fn() -> All) -> SimpleExpr {
    const LONGEST: usize = 32;
    let parts = if parts.len() <= LONGEST {
        parts
    } else {
        let rest = parts.split_off(parts.len() / 2);
        vec![balanced(parts, chain), balanced(rest, chain)]
    };
    parts.into_iter().fold(chain(), All::add).into()
}
