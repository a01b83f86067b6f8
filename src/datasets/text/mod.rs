//! Free text over whole datasets, with one behaviour on SQLite (FTS5) and PostgreSQL (tsvector).
//!
//! | room | what it does |
//! | --- | --- |
//! | [`words`] | a text as words: folded, split and stemmed |
//! | [`index`] | the words of a dataset |
//! | [`query`] | understands a search, and writes it for a database |
//! | [`sqlite`], [`postgres`] | how each database stores words and finds them |
//!
//! Words are made here and nowhere else: both databases are given words that they have only to store and to compare, so that
//! they find the same datasets and rank them alike.
//!
//! A search is MongoDB's `$text`: one of the words has to be there; a `"quoted phrase"` has to be there, and then the words
//! only rank; `-word` and `-"quoted phrase"` must not be there. Words are found in any form (`figures` finds `figure`),
//! whatever their case and accents; common words like `the` are looked for in phrases only. What asks for nothing, or only
//! says what must not be there, finds nothing.
//!
//! Datasets are ranked by a sum over the words that were asked for: 4 for a word in the name, the tags or the creator, 2 for
//! one in the README or in annotations, 1 for one anywhere else.

pub mod index;
pub mod postgres;
pub mod query;
pub mod sqlite;
pub mod words;

use sea_orm::sea_query::{Expr, ExprTrait, Query, SelectStatement, SimpleExpr};
use sea_orm::{DatabaseBackend, Statement};

pub use self::index::{Indexed, index};
pub use self::query::{TextError, TextQuery};

/// The condition that a dataset is one that the search finds.
pub fn condition(query: &TextQuery, backend: DatabaseBackend) -> SimpleExpr {
    if query.finds_nothing() {
        return Expr::cust("1 = 0");
    }
    match backend {
        DatabaseBackend::Postgres => postgres::condition(query),
        _ => Expr::col(("dataset", "id")).in_subquery(sqlite::found(query)),
    }
}

/// The datasets that the search finds, as `dataset_id`, and how well each fits, as `score`.
pub fn scores(query: &TextQuery, backend: DatabaseBackend) -> SelectStatement {
    if query.finds_nothing() {
        let mut none = Query::select();
        none.expr_as(Expr::cust("0").cast_as("BIGINT"), "dataset_id")
            .expr_as(Expr::cust("0").cast_as("BIGINT"), "score")
            .and_where(Expr::cust("1 = 0"));
        return none;
    }
    match backend {
        DatabaseBackend::Postgres => postgres::scores(query),
        _ => sqlite::scores(query),
    }
}

/// What the row of a dataset itself keeps of its words, if the database has it there: a column and its value.
pub fn in_row(indexed: &Indexed, backend: DatabaseBackend) -> Option<(&'static str, SimpleExpr)> {
    let is_postgres = backend == DatabaseBackend::Postgres;
    is_postgres.then(|| (postgres::COLUMN, postgres::value(indexed)))
}

/// The statements that put the words of a dataset in the place of those that were there, if the database has them beside its
/// row.
pub fn beside_row(dataset_id: i64, indexed: &Indexed, backend: DatabaseBackend) -> Vec<Statement> {
    match backend {
        DatabaseBackend::Postgres => Vec::new(),
        _ => sqlite::replace(dataset_id, indexed).into(),
    }
}
