//! Words in PostgreSQL: a vector with positions, `dataset_text(dataset_id, words)`, under a GIN index. It is written out
//! here: PostgreSQL's own parser and dictionaries have no part in it.

use std::collections::BTreeMap;
use std::fmt::Write;

use sea_orm::sea_query::{
    BinOper, CaseStatement, Expr, ExprTrait, Query, SelectStatement, SimpleExpr,
};
use sea_orm::{DatabaseBackend, Statement};

use super::index::Indexed;
use super::query::TextQuery;

/// The ids of the datasets that the search finds.
pub fn found(query: &TextQuery) -> SelectStatement {
    let mut select = Query::select();
    select
        .column("dataset_id")
        .from("dataset_text")
        .and_where(matching(expression(query)));
    select
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
    let mut select = found(query);
    select.expr_as(score, "score");
    select
}

/// The statements that replace the words of a dataset.
pub fn replace(dataset_id: i64, indexed: &Indexed) -> [Statement; 2] {
    let delete = "DELETE FROM dataset_text WHERE dataset_id = $1";
    let insert = "INSERT INTO dataset_text (dataset_id, words) VALUES ($1, CAST($2 AS tsvector))";
    [
        Statement::from_sql_and_values(DatabaseBackend::Postgres, delete, [dataset_id.into()]),
        Statement::from_sql_and_values(
            DatabaseBackend::Postgres,
            insert,
            [dataset_id.into(), vector(indexed).into()],
        ),
    ]
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

/// The search in the language of `tsquery`.
fn expression(query: &TextQuery) -> String {
    let wanted = if query.phrases.is_empty() {
        either(query.words.iter().map(std::slice::from_ref))
    } else {
        let phrases = query.phrases.iter().map(|words| phrase(words));
        phrases.collect::<Vec<_>>().join(" & ")
    };
    if query.without.is_empty() {
        return wanted;
    }
    let without = either(query.without.iter().map(Vec::as_slice));
    format!("({wanted}) & !({without})")
}

fn either<'a>(phrases: impl Iterator<Item = &'a [String]>) -> String {
    phrases.map(phrase).collect::<Vec<_>>().join(" | ")
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
    Expr::col("words").binary(
        BinOper::Custom("@@"),
        Expr::value(expression).cast_as("tsquery"),
    )
}
