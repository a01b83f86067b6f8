//! A regular expression means the same to PostgreSQL as to the crate `regex`.

use labql::datasets::mongo::regex::Pattern;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use sea_orm::{ConnectionTrait, DatabaseBackend, Statement};

use super::stores::Store;

fn pattern() -> impl Strategy<Value = String> {
    let atom = prop_oneof![
        6 => prop_oneof![Just("a"), Just("b"), Just("B"), Just("k"), Just("ä"), Just("ß"), Just("-"), Just("1"), Just(" ")],
        3 => prop_oneof![Just("."), Just("[ab]"), Just("[^ab]"), Just("[a-k]"), Just("[^\\n]"), Just("[\\]\\[^-]"), Just("\\\\")],
        3 => prop_oneof![Just("\\d"), Just("\\w"), Just("\\s"), Just("\\D"), Just("\\W"), Just("\\S"), Just("[\\d-]"), Just("[^\\w]")],
        2 => prop_oneof![Just("^"), Just("$"), Just("\\b"), Just("\\A"), Just("\\z")],
        2 => prop_oneof![Just("\\."), Just("\\n"), Just("\\t"), Just("\\x41"), Just("\\p{L}"), Just("\\p{Greek}"), Just("[[:alpha:]]"), Just("(?i)K"), Just("\u{1F600}")],
    ]
    .prop_map(str::to_owned);
    atom.prop_recursive(4, 20, 4, |inner| {
        prop_oneof![
            4 => prop::collection::vec(inner.clone(), 1..5).prop_map(|parts| parts.concat()),
            2 => prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| format!("({})", parts.join("|"))),
            3 => (inner, prop_oneof![Just("*"), Just("+"), Just("?"), Just("{2}"), Just("{1,3}"), Just("{0,2}"), Just("{2,}"), Just("*?"), Just("{0}")])
                .prop_map(|(inner, times)| format!("(?:{inner}){times}")),
        ]
    })
}

fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => prop_oneof![Just("a"), Just("b"), Just("A"), Just("B"), Just("k"), Just("K"), Just("1")],
        2 => prop_oneof![Just("ä"), Just("Ä"), Just("ß"), Just("\u{212a}"), Just("λ"), Just("\u{1F600}"), Just("٣")],
        2 => prop_oneof![Just("\n"), Just(" "), Just("-"), Just("_"), Just("."), Just("]"), Just("\\"), Just("\t")],
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

#[tokio::test]
async fn both_databases_agree_on_patterns() {
    let rounds = std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(300);
    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        TestRng::from_seed(RngAlgorithm::default(), &[super::mongo::seed(); 32]),
    );
    let options =
        prop_oneof![3 => Just(""), 1 => Just("i"), 1 => Just("m"), 1 => Just("s"), 1 => Just("im")];
    let stores = Store::both().await;
    let mut matched = 0;
    for _ in 0..rounds {
        let pattern = pattern().new_tree(&mut runner).unwrap().current();
        let options = options.new_tree(&mut runner).unwrap().current();
        let Ok(parsed) = Pattern::parse(&pattern, options) else {
            continue;
        };
        let rust = regex::Regex::new(&parsed.rust).unwrap();
        let texts: Vec<_> = (0..30)
            .map(|_| text().new_tree(&mut runner).unwrap().current())
            .collect();
        let expected: Vec<_> = texts.iter().map(|text| rust.is_match(text)).collect();
        matched += expected.iter().filter(|matches| **matches).count();
        for text in texts.iter().filter(|text| rust.is_match(text)) {
            assert!(
                text.starts_with(&parsed.prefix),
                "{pattern:?} begins with {:?}",
                parsed.prefix
            );
        }
        for store in &stores {
            let (test, pattern_here) = match store.backend() {
                DatabaseBackend::Postgres => {
                    ("CAST($1 AS TEXT) COLLATE \"C\" ~ $2", &parsed.postgres)
                }
                _ => ("$1 REGEXP $2", &parsed.rust),
            };
            for (text, expected) in texts.iter().zip(&expected) {
                let values = [text.as_str().into(), pattern_here.as_str().into()];
                let select = Statement::from_sql_and_values(
                    store.backend(),
                    format!("SELECT {test}"),
                    values,
                );
                let row = store.connection.query_one_raw(select).await;
                let row =
                    row.unwrap_or_else(|error| panic!("{pattern:?}, {pattern_here:?}: {error}"));
                let found: bool = row.unwrap().try_get_by_index(0).unwrap();
                assert_eq!(
                    found,
                    *expected,
                    "{:?}: {pattern:?} {options:?} as {pattern_here:?} in {text:?}",
                    store.backend()
                );
            }
        }
    }
    println!("{matched} texts matched");
    assert!(matched > rounds, "only {matched} texts matched");
    for store in stores {
        store.close().await;
    }
}

/// Patterns on which backtracking takes for ever.
#[tokio::test]
async fn no_pattern_is_catastrophic() {
    let text = "a".repeat(20_000) + "!";
    for store in Store::both().await {
        for pattern in [
            "(a+)+$",
            "^(a|a)*$",
            "(a|aa)+$",
            "^(.*a){12}b",
            "(.*.*.*)*b",
            "(?:a?){100}a{100}b",
        ] {
            let parsed = Pattern::parse(pattern, "").unwrap();
            let (test, pattern) = match store.backend() {
                DatabaseBackend::Postgres => {
                    ("CAST($1 AS TEXT) COLLATE \"C\" ~ $2", parsed.postgres)
                }
                _ => ("$1 REGEXP $2", parsed.rust),
            };
            let values = [text.as_str().into(), pattern.into()];
            let select =
                Statement::from_sql_and_values(store.backend(), format!("SELECT {test}"), values);
            let row = store
                .connection
                .query_one_raw(select)
                .await
                .unwrap()
                .unwrap();
            assert!(!row.try_get_by_index::<bool>(0).unwrap());
        }
        store.close().await;
    }
}
