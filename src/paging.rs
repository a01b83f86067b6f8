//! Keyset pages: a page begins behind a key, not after a number of rows, so that page 10,000 costs what page 1 costs
//! and nothing is lost or repeated when rows come and go.

mod cursor;
mod query;

use self::cursor::decode_cursor;
pub use self::cursor::encode_cursor;
pub use self::query::{cut_query, fetch, fetch_by_group, fetch_by_parent, fetch_numbered, query};
use crate::failure::Failure;

/// A part of the key of a row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyValue {
    /// A number, time or flag.
    Int(i64),
    /// A text.
    Text(String),
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

#[cfg(test)]
mod tests {
    use super::*;

    /// An order of one text.
    pub fn by_name() -> Ordering {
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
