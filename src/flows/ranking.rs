//! In which order runs are ranked by their results. The database orders them; this says how.

use std::cmp::Ordering;

use super::results::ResultValue;
use super::template::schema::{ResultSchema, SortColumn};

/// A column by which runs are ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SortKey {
    /// Its place in the schema, counted from 0.
    pub column: usize,
    /// Its name.
    pub name: String,
    /// Whether the largest comes first.
    pub is_descending: bool,
}

/// There is no such column in the schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no column {0:?}")]
pub struct UnknownColumn(pub String);

/// A run with a result.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranked<'r> {
    /// The run.
    pub run: &'r str,
    /// Its group.
    pub group: &'r str,
    /// When it ended, in microseconds since 1970-01-01 UTC.
    pub ended_at: i64,
    /// Its values, in the order of the columns.
    pub values: &'r [Option<ResultValue>],
}

/// By which columns runs are ordered: those that are asked for, or those of the schema, or its first one with the largest
/// value first. Runs without a value come last in either direction. Where all values are the same, the run comes first that
/// ended first, then the one with the smaller id.
///
/// # Errors
/// If there is no such column.
pub fn order(
    schema: &ResultSchema,
    asked: Option<&[SortColumn]>,
) -> Result<Vec<SortKey>, UnknownColumn> {
    let first = schema.columns.iter().take(1).map(|column| SortColumn {
        name: column.name.clone(),
        sort_desc: true,
    });
    let columns: Vec<SortColumn> = match asked {
        Some(asked) if !asked.is_empty() => asked.to_vec(),
        _ if !schema.order_by.is_empty() => schema.order_by.clone(),
        _ => first.collect(),
    };
    let key = |column: SortColumn| {
        let place = schema.columns.iter().position(|it| it.name == column.name);
        match place {
            Some(place) => Ok(SortKey {
                column: place,
                name: column.name,
                is_descending: column.sort_desc,
            }),
            None => Err(UnknownColumn(column.name)),
        }
    };
    columns.into_iter().map(key).collect()
}

/// Which of two runs comes first.
pub fn compare(order: &[SortKey], one: &Ranked<'_>, other: &Ranked<'_>) -> Ordering {
    for key in order {
        let value = |run: &Ranked<'_>| run.values.get(key.column).cloned().flatten();
        let ordering = match (value(one), value(other)) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(one), Some(other)) if key.is_descending => compare_values(&other, &one),
            (Some(one), Some(other)) => compare_values(&one, &other),
        };
        if ordering != Ordering::Equal {
            return ordering;
        }
    }
    one.ended_at
        .cmp(&other.ended_at)
        .then_with(|| one.run.cmp(other.run))
}

fn compare_values(one: &ResultValue, other: &ResultValue) -> Ordering {
    match (one, other) {
        (ResultValue::Int(one), ResultValue::Int(other)) => one.cmp(other),
        (ResultValue::Float(one), ResultValue::Float(other)) => {
            // Both zeros are the same number.
            one.partial_cmp(other).unwrap_or(Ordering::Equal)
        }
        (ResultValue::Text(one), ResultValue::Text(other)) => one.cmp(other),
        // A column has values of one kind.
        _ => Ordering::Equal,
    }
}

/// Runs in their order; of each group all, or only the best.
pub fn rank<'r>(
    order: &[SortKey],
    mut runs: Vec<Ranked<'r>>,
    includes_all: bool,
) -> Vec<Ranked<'r>> {
    runs.sort_by(|one, other| compare(order, one, other));
    if !includes_all {
        let mut groups = std::collections::BTreeSet::new();
        runs.retain(|run| groups.insert(run.group));
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flows::template::path::RelativePath;
    use crate::flows::template::schema::{Column, ColumnType};

    fn schema() -> ResultSchema {
        let column = |name: &str| Column {
            name: name.into(),
            label: name.into(),
            dtype: ColumnType::Float,
            path: None,
            required: false,
        };
        ResultSchema {
            file: RelativePath::file("r.json").unwrap(),
            columns: vec![column("a"), column("b")],
            order_by: Vec::new(),
        }
    }

    #[test]
    fn nothing_comes_last_and_ties_by_time() {
        let schema = schema();
        let float = |number| Some(ResultValue::Float(number));
        let (one, two, none) = ([float(1.0)], [float(2.0)], [None]);
        let run = |run, group, ended_at, values| Ranked {
            run,
            group,
            ended_at,
            values,
        };
        let runs = vec![
            run("n", "g", 0, &none[..]),
            run("late", "g", 2, &one[..]),
            run("early", "h", 1, &one[..]),
            run("best", "h", 3, &two[..]),
        ];
        let names = |order: &[SortKey], all| {
            let ranked = rank(order, runs.clone(), all);
            ranked.iter().map(|run| run.run).collect::<Vec<_>>()
        };
        let default = order(&schema, None).unwrap();
        assert_eq!(names(&default, true), ["best", "early", "late", "n"]);
        assert_eq!(names(&default, false), ["best", "late"]);
        let asked = [SortColumn {
            name: "a".into(),
            sort_desc: false,
        }];
        let ascending = order(&schema, Some(&asked)).unwrap();
        assert_eq!(names(&ascending, true), ["early", "late", "best", "n"]);
        let unknown = [SortColumn {
            name: "x".into(),
            sort_desc: false,
        }];
        assert!(order(&schema, Some(&unknown)).is_err());
    }
}
