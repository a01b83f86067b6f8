//! Free text: words, phrases, exclusions and ranks are the same on both databases.

use labql::datasets::document::Document;
use labql::datasets::text::{self, TextError, TextQuery};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use sea_orm::ConnectionTrait;
use sea_orm::sea_query::{Order, Query};
use serde_json::json;

use super::mongo::{document, seed};
use super::stores::Store;

fn with_text(name: &str, readme: &str, annotations: serde_json::Value, tags: &[&str]) -> Document {
    let mut document = document(name, json!(null), annotations, tags);
    readme.clone_into(&mut document.readme.text);
    document
}

async fn found(store: &Store, search: &str) -> Vec<i64> {
    let query = TextQuery::parse(search).unwrap();
    store.ids(text::condition(&query, store.backend())).await
}

/// The datasets from the best one on, with their scores.
async fn ranked(store: &Store, search: &str) -> Vec<(i64, i64)> {
    let query = TextQuery::parse(search).unwrap();
    let mut select = Query::select();
    select
        .columns(["dataset_id", "score"])
        .from_subquery(text::scores(&query, store.backend()), "scores")
        .order_by("score", Order::Desc)
        .order_by("dataset_id", Order::Asc);
    let rows = store.connection.query_all(&select).await;
    let rows = rows.unwrap_or_else(|error| panic!("{search}: {error}"));
    let read = |row: &sea_orm::QueryResult| {
        (
            row.try_get_by_index(0).unwrap(),
            row.try_get_by_index(1).unwrap(),
        )
    };
    rows.iter().map(read).collect()
}

#[tokio::test]
async fn words_phrases_and_exclusions() {
    let documents = [
        with_text(
            "tensile-raw",
            "Tensile tests of Ni3Al at 300 K; see figures.",
            json!({}),
            &["raw"],
        ),
        with_text(
            "other",
            "The test was tensile. Figure of the crème brûlée",
            json!({ "doi": "10.1/XYZ", "n": [{ "m": "nested note" }] }),
            &["tensile"],
        ),
        with_text(
            "snake_case",
            "Young's modulus of Straße, \u{fb01}t; İstanbul",
            json!({}),
            &[],
        ),
    ];
    for store in Store::both().await {
        store.fill(&documents).await;
        for (search, expected) in [
            ("tensile", vec![1, 2]),
            ("TENSILES", vec![1, 2]),
            ("figures", vec![1, 2]),
            ("creme", vec![2]),
            ("BRÛLÉE", vec![2]),
            ("raw modulus", vec![1, 3]),
            ("\"tensile tests\"", vec![1]),
            ("\"tensile test\" modulus", vec![1]),
            ("\"test was\"", vec![2]),
            ("\"raw tensile\"", vec![]),
            ("tensile -raw", vec![2]),
            ("tensile -\"test was tensile\"", vec![1]),
            ("tensile-raw", vec![1, 2]),
            ("figure -tensile-raw", vec![2]),
            ("case", vec![]),
            ("snake_case", vec![3]),
            ("tensil", vec![1, 2]),
            ("tens", vec![]),
            ("the", vec![]),
            ("\"the\"", vec![2]),
            ("", vec![]),
            ("-raw", vec![]),
            ("... -- \"\" _", vec![]),
            ("xyz", vec![2]),
            ("nested", vec![2]),
            ("young", vec![3]),
            ("s", vec![]),
            ("straße", vec![3]),
            ("fit", vec![3]),
            ("istanbul", vec![3]),
            ("ni3al \"unclosed", vec![]),
            ("e5f705f525 44259593", vec![1, 2, 3]),
            ("AND OR NOT NEAR", vec![]),
            ("'; DROP TABLE dataset' * : ^ \\ & | ! <->", vec![]),
        ] {
            assert_eq!(
                found(&store, search).await,
                expected,
                "{:?}: {search}",
                store.backend()
            );
        }
        // A tag weighs more than a README.
        assert_eq!(ranked(&store, "tensile figure").await, [(1, 6), (2, 6)]);
        assert_eq!(ranked(&store, "raw tests").await, [(1, 6), (2, 2)]);
        assert_eq!(ranked(&store, "-raw").await, []);
        store.run("DELETE FROM dataset WHERE id = 2").await;
        assert_eq!(ranked(&store, "tensile").await, [(1, 4)]);
        store.close().await;
    }
}

#[test]
fn searches_are_bounded() {
    assert_eq!(
        TextQuery::parse(&"a".repeat(1 << 20)),
        Err(TextError::TooLong)
    );
    assert_eq!(
        TextQuery::parse(&"ab ".repeat(100)),
        Err(TextError::TooManyWords)
    );
    assert!(TextQuery::parse(&"word ".repeat(50)).is_ok());
}

#[test]
fn what_is_indexed_is_bounded() {
    let mut long = with_text(
        "long",
        &(0..7_u8)
            .cycle()
            .take(5_000_000)
            .map(|n| char::from(b'a' + n))
            .collect::<String>(),
        json!({}),
        &[],
    );
    assert!(!text::index(&long).cut, "one long word is one word");
    long.readme.text = (0..1_000_000).map(|n| format!("word{n} ")).collect();
    let indexed = text::index(&long);
    assert!(indexed.cut);
    let count = indexed.names.len() + indexed.about.len() + indexed.rest.len();
    assert!((8_000..16_001).contains(&count), "{count}");
}

/// The same sets and ranks on both, for random texts and searches.
#[tokio::test]
async fn both_databases_find_and_rank_alike() {
    let word = || {
        prop_oneof![
            Just("crack"),
            Just("cracks"),
            Just("cracking"),
            Just("the"),
            Just("of"),
            Just("ni3al"),
            Just("a_b"),
            Just("é"),
            Just("Ω-phase"),
            Just("日本"),
            Just("x.y/z"),
            Just("it's"),
            Just("\u{0}"),
            Just("\\"),
            Just("'"),
        ]
    };
    let words = prop::collection::vec(word(), 0..12).prop_map(|words| words.join(" "));
    let search = prop::collection::vec(
        (
            prop_oneof![4 => Just(""), 1 => Just("-"), 2 => Just("\""), 1 => Just("-\"")],
            word(),
            word(),
        ),
        1..5,
    )
    .prop_map(|parts| {
        let parts = parts.iter().map(|(before, a, b)| match *before {
            "\"" | "-\"" => format!("{before}{a} {b}\""),
            _ => format!("{before}{a}"),
        });
        parts.collect::<Vec<_>>().join(" ")
    });
    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        TestRng::from_seed(RngAlgorithm::default(), &[seed(); 32]),
    );
    let stores = Store::both().await;
    let mut hits = 0;
    for _ in 0..4 {
        let documents: Vec<_> = (0..20)
            .map(|number| {
                let mut new = || words.new_tree(&mut runner).unwrap().current();
                let (readme, note, tag) = (new(), new(), new());
                with_text(
                    &format!("d{number}"),
                    &readme,
                    json!({ "n": note }),
                    &[&tag.replace('\0', "")],
                )
            })
            .collect();
        for store in &stores {
            store.fill(&documents).await;
        }
        for _ in 0..100 {
            let search = search.new_tree(&mut runner).unwrap().current();
            let mut answers = Vec::new();
            for store in &stores {
                let ranked = ranked(store, &search).await;
                let mut ids: Vec<_> = ranked.iter().map(|(id, _)| *id).collect();
                ids.sort_unstable();
                assert_eq!(ids, found(store, &search).await, "{search}");
                answers.push(ranked);
            }
            hits += usize::from(!answers[0].is_empty());
            assert!(
                answers.windows(2).all(|pair| pair[0] == pair[1]),
                "{search:?}: {answers:?}"
            );
        }
    }
    assert!(hits > 100, "{hits}");
    for store in stores {
        store.close().await;
    }
}
