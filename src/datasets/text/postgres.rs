//! Words in PostgreSQL: a vector with positions, `words`, in the row of the dataset and under a GIN index. It is written out
//! here: PostgreSQL's own parser and dictionaries have no part in it.
//!
//! (In a table of their own they would have to be joined with the rows of all that is found before a page can be cut: four
//! blocks for each instead of one.)

use std::collections::BTreeMap;
use std::fmt::Write;

use super::index::Indexed;
use super::query::{Language, TextQuery};
use sea_orm::sea_query::{
    BinOper, CaseStatement, Expr, ExprTrait, Query, SelectStatement, SimpleExpr,
};

/// Where the words of a dataset are.
pub const COLUMN: &str = "words";

/// The language of `tsquery`.
const TSQUERY: Language = Language {
    and: " & ",
    or: " | ",
    and_not: " & !",
    phrase,
};

/// The condition on rows of `dataset` that the search finds them.
pub fn condition(query: &TextQuery) -> SimpleExpr {
    matching(query.expression(&TSQUERY))
}

/// The datasets that the search finds with their scores.
pub fn scores(query: &TextQuery) -> SelectStatement {
    let weighed = |expression: String, weight: i64| -> SimpleExpr {
        CaseStatement::new()
            .case(matching(expression), Expr::val(weight))
            .finally(Expr::val(0_i64))
            .into()
    };
    let score = query.words.iter().fold(Expr::val(0_i64), |score, word| {
        let word = lexeme(word);
        score
            .add(weighed(word.clone(), 1))
            .add(weighed(format!("{word}:AB"), 1))
            .add(weighed(format!("{word}:A"), 2))
    });
    let mut select = Query::select();
    select
        .expr_as(Expr::col(("dataset", "id")), "dataset_id")
        .expr_as(score, "score")
        .from("dataset")
        .and_where(condition(query));
    select
}

/// The words of a dataset, as its row keeps them.
pub fn value(indexed: &Indexed) -> SimpleExpr {
    Expr::value(vector(indexed)).cast_as("tsvector")
}

/// The words with their places and weights, as PostgreSQL writes a vector.
fn vector(indexed: &Indexed) -> String {
    let mut places: BTreeMap<&str, String> = BTreeMap::new();
    let mut place = 0_usize;
    for (section, weight) in [
        (&indexed.names, "A"),
        (&indexed.about, "B"),
        (&indexed.rest, "D"),
    ] {
        for word in section {
            place += 1;
            let Some(word) = word else { continue };
            let places = places.entry(word).or_default();
            if !places.is_empty() {
                places.push(',');
            }
            // Writing to a string does not fail.
            let _ = write!(places, "{place}{weight}");
        }
    }
    let words = places
        .iter()
        .map(|(word, places)| format!("{}:{places}", lexeme(word)));
    words.collect::<Vec<_>>().join(" ")
}

fn phrase(words: &[String]) -> String {
    let words: Vec<_> = words.iter().map(|word| lexeme(word)).collect();
    format!("({})", words.join(" <-> "))
}

/// Words hold no quotes and no backslashes.
fn lexeme(word: &str) -> String {
    format!("'{word}'")
}

fn matching(expression: String) -> SimpleExpr {
    Expr::col(("dataset", COLUMN)).binary(
        BinOper::Custom("@@"),
        Expr::value(expression).cast_as("tsquery"),
    )
}
