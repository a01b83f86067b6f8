//! Words in SQLite: a table of FTS5, `dataset_text(names, about, rest)`, whose row ids are those of the datasets. Its
//! tokenizer only splits at spaces, which is where the words were joined.

use sea_orm::sea_query::{Alias, BinOper, Expr, ExprTrait, Query, SelectStatement, UnionType};
use sea_orm::{DatabaseBackend, Statement};

use super::index::{Indexed, Section};
use super::query::{Language, TextQuery};

/// Stands between texts; no word is without a letter or a digit.
const GAP: &str = "_";

/// The language of FTS5.
const FTS5: Language = Language {
    and: " AND ",
    or: " OR ",
    and_not: " NOT ",
    phrase,
};

/// The row ids of the datasets that the search finds.
pub fn found(query: &TextQuery) -> SelectStatement {
    let mut select = Query::select();
    select
        .column("rowid")
        .from("dataset_text")
        .and_where(matching(query.expression(&FTS5)));
    select
}

/// The datasets that the search finds with their scores.
pub fn scores(query: &TextQuery) -> SelectStatement {
    let all = std::iter::once(weighed(&query.expression(&FTS5), 0));
    let words = query.words.iter().flat_map(|word| {
        let word = phrase(std::slice::from_ref(word));
        [
            weighed(&word, 1),
            weighed(&format!("{{names about}} : {word}"), 1),
            weighed(&format!("names : {word}"), 2),
        ]
    });
    let hits = all.chain(words).reduce(|mut hits, more| {
        hits.union(UnionType::All, more);
        hits
    });
    let mut select = Query::select();
    select
        .column("dataset_id")
        .expr_as(Expr::col("weight").sum(), "score")
        .from_subquery(hits.unwrap_or_default(), "hits")
        .add_group_by([Expr::col("dataset_id")])
        // The row of the search itself weighs nothing: whoever lacks it is not found.
        .and_having(Expr::col("weight").min().eq(0));
    select
}

/// The statements that replace the words of a dataset.
pub fn replace(dataset_id: i64, indexed: &Indexed) -> [Statement; 2] {
    let delete = "DELETE FROM dataset_text WHERE rowid = ?";
    let insert = "INSERT INTO dataset_text (rowid, names, about, rest) VALUES (?, ?, ?, ?)";
    let sections = [&indexed.names, &indexed.about, &indexed.rest].map(joined);
    let [names, about, rest] = sections.map(sea_orm::Value::from);
    [
        Statement::from_sql_and_values(DatabaseBackend::Sqlite, delete, [dataset_id.into()]),
        Statement::from_sql_and_values(
            DatabaseBackend::Sqlite,
            insert,
            [dataset_id.into(), names, about, rest],
        ),
    ]
}

fn joined(section: &Section) -> String {
    let words = section.iter().map(|word| word.as_deref().unwrap_or(GAP));
    words.collect::<Vec<_>>().join(" ")
}

/// Words hold no quotes.
fn phrase(words: &[String]) -> String {
    format!("\"{}\"", words.join(" "))
}

fn weighed(expression: &str, weight: i64) -> SelectStatement {
    let mut select = Query::select();
    select
        .expr_as(Expr::col("rowid"), "dataset_id")
        .expr_as(Expr::value(weight), Alias::new("weight"))
        .from("dataset_text")
        .and_where(matching(expression.to_owned()));
    select
}

fn matching(expression: String) -> sea_orm::sea_query::SimpleExpr {
    Expr::col("dataset_text").binary(BinOper::Custom("MATCH"), Expr::value(expression))
}
