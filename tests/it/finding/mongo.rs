//! Queries in MongoDB's language: the databases answer as a plain reading of MongoDB's rules does.

use std::collections::{BTreeMap, BTreeSet};

use labql::datasets::document::{Document, Readme};
use labql::datasets::mongo;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use super::reference;
use super::stores::Store;

pub fn document(name: &str, readme: Value, annotations: Value, tags: &[&str]) -> Document {
    Document {
        uri: format!("file://host/base/{name}"),
        base_uri: "file://host/base".to_owned(),
        uuid: "44259593-4c16-4be3-9921-a5b8e705f525".to_owned(),
        name: name.to_owned(),
        creator_username: "someone".to_owned(),
        created_at: Some(1_700_000_000_000_000),
        frozen_at: Some(1_700_000_000_500_000),
        dtoolcore_version: None,
        readme: Readme {
            text: readme.to_string(),
            content: Ok(readme),
        },
        annotations: annotations.as_object().unwrap().clone(),
        tags: tags
            .iter()
            .map(|&tag| tag.to_owned())
            .collect::<BTreeSet<_>>(),
        manifest: None,
        item_count: Some(3),
        size_bytes: None,
        overlays: BTreeMap::new(),
    }
}

/// The document as MongoDB would have it.
pub fn whole(document: &Document) -> Value {
    let mut whole = json!({
        "uri": document.uri, "base_uri": document.base_uri, "uuid": document.uuid, "name": document.name, "type": "dataset",
        "creator_username": document.creator_username, "tags": document.tags, "annotations": document.annotations,
        "readme": document.readme.content.clone().unwrap_or_else(|_| json!({})),
    });
    for (name, value) in [
        ("number_of_items", document.item_count),
        ("size_in_bytes", document.size_bytes),
    ] {
        if let Some(value) = value {
            whole[name] = json!(value);
        }
    }
    if let Some(version) = &document.dtoolcore_version {
        whole["dtoolcore_version"] = json!(version);
    }
    whole
}

async fn found(store: &Store, query: &Value) -> Vec<i64> {
    let query = mongo::parse(query).unwrap_or_else(|error| panic!("{query}: {error}"));
    store.ids(mongo::condition(&query, store.backend())).await
}

/// Few keys and values, so that they meet.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        prop_oneof![Just(0), Just(1), Just(2), Just(-1)].prop_map(Value::from),
        Just(json!(1.5)),
        prop_oneof![
            Just("a"),
            Just("b"),
            Just("ab"),
            Just("B"),
            Just(""),
            Just("ä\n"),
            Just("1")
        ]
        .prop_map(Value::from),
        (99_usize..102, "[ab]").prop_map(|(length, end)| Value::from("a".repeat(length) + &end)),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key(), inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => Just("a"), 4 => Just("b"), 2 => Just("0"), 1 => Just("1"), 1 => Just("a.b"), 1 => Just("b.0"),
    ]
    .prop_map(str::to_owned)
}

fn path() -> impl Strategy<Value = String> {
    let step = || prop_oneof![4 => Just("a"), 4 => Just("b"), 2 => Just("0"), 1 => Just("1")];
    let steps = prop::collection::vec(step(), 0..4);
    (
        prop_oneof![6 => Just("readme"), 2 => Just("annotations"), 1 => Just("tags")],
        steps,
    )
        .prop_map(|(root, steps)| [vec![root], steps].concat().join("."))
}

fn inner_path() -> impl Strategy<Value = String> {
    let step = prop_oneof![4 => Just("a"), 4 => Just("b"), 1 => Just("0")];
    prop::collection::vec(step, 1..3).prop_map(|steps| steps.join("."))
}

fn scalar() -> impl Strategy<Value = Value> {
    value().prop_filter("a scalar", |value| !value.is_array() && !value.is_object())
}

fn operators(depth: u32) -> BoxedStrategy<Value> {
    let values = || prop::collection::vec(value(), 0..3);
    let leaf = prop_oneof![
        value().prop_map(|v| json!({ "$eq": v })),
        value().prop_map(|v| json!({ "$ne": v })),
        scalar().prop_map(|v| json!({ "$gt": v })),
        scalar().prop_map(|v| json!({ "$gte": v })),
        scalar().prop_map(|v| json!({ "$lt": v })),
        scalar().prop_map(|v| json!({ "$lte": v })),
        values().prop_map(|v| json!({ "$in": v })),
        values().prop_map(|v| json!({ "$nin": v })),
        values().prop_map(|v| json!({ "$all": v })),
        any::<bool>().prop_map(|v| json!({ "$exists": v })),
        (0..4).prop_map(|v| json!({ "$size": v })),
        prop_oneof![
            Just("null"),
            Just("bool"),
            Just("number"),
            Just("string"),
            Just("array"),
            Just("object")
        ]
        .prop_map(|v| json!({ "$type": v })),
        (
            prop_oneof![
                Just("^a"),
                Just("b$"),
                Just("a+b"),
                Just("[^b]"),
                Just("^a{3,}"),
                Just("^$")
            ],
            prop_oneof![Just(""), Just("i"), Just("m")]
        )
            .prop_map(|(v, o)| json!({ "$regex": v, "$options": o })),
    ];
    if depth == 0 {
        return leaf.boxed();
    }
    prop_oneof![
        8 => leaf,
        1 => operators(depth - 1).prop_map(|v| json!({ "$not": v })),
        1 => operators(depth - 1).prop_map(|v| json!({ "$elemMatch": v })),
        1 => condition(depth - 1, inner_path().boxed()).prop_map(|v| json!({ "$elemMatch": v })),
        1 => condition(depth - 1, inner_path().boxed()).prop_map(|v| json!({ "$all": [{ "$elemMatch": v }] })),
    ]
    .boxed()
}

fn condition(depth: u32, path: BoxedStrategy<String>) -> BoxedStrategy<Value> {
    let field = prop_oneof![
        1 => (path.clone(), value()).prop_map(|(path, value)| json!({ path: value })),
        3 => (path.clone(), operators(depth)).prop_map(|(path, value)| json!({ path: value })),
    ];
    if depth == 0 {
        return field.boxed();
    }
    let list = prop::collection::vec(condition(depth - 1, path), 1..3);
    prop_oneof![
        6 => field,
        1 => list.clone().prop_map(|v| json!({ "$and": v })),
        1 => list.clone().prop_map(|v| json!({ "$or": v })),
        1 => list.prop_map(|v| json!({ "$nor": v })),
    ]
    .boxed()
}

/// Another one than usual with `LABQL_TEST_SEED`.
pub fn seed() -> u8 {
    std::env::var("LABQL_TEST_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(7)
}

/// Random documents and random queries.
#[tokio::test]
async fn the_databases_answer_as_the_rules_say() {
    let rounds = std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(12);
    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        TestRng::from_seed(RngAlgorithm::default(), &[seed(); 32]),
    );
    let stores = Store::both().await;
    let mut hits = 0;
    for _ in 0..rounds {
        let documents: Vec<_> = (0..25)
            .map(|number| {
                let mut new = || value().new_tree(&mut runner).unwrap().current();
                let annotations = json!({ "a": new(), "b": new() });
                document(
                    &format!("d{number}"),
                    new(),
                    annotations,
                    if number % 3 == 0 { &["a", "b"] } else { &[] },
                )
            })
            .collect();
        for store in &stores {
            store.fill(&documents).await;
        }
        let wholes: Vec<_> = documents.iter().map(whole).collect();
        for _ in 0..150 {
            let query = condition(2, path().boxed())
                .new_tree(&mut runner)
                .unwrap()
                .current();
            let expected: Vec<i64> = (1..)
                .zip(&wholes)
                .filter(|(_, whole)| reference::matches(&query, whole))
                .map(|(id, _)| id)
                .collect();
            hits += usize::from(!expected.is_empty() && expected.len() < documents.len());
            for store in &stores {
                let found = found(store, &query).await;
                if found != expected {
                    let odd = (1..)
                        .zip(&wholes)
                        .find(|(id, _)| found.contains(id) != expected.contains(id));
                    panic!(
                        "{:?}: {query}: found {found:?}, expected {expected:?}: {:#?}",
                        store.backend(),
                        odd
                    );
                }
            }
        }
    }
    println!("{hits} queries told documents apart");
    assert!(
        hits > rounds * 10,
        "only {hits} queries told documents apart"
    );
    for store in stores {
        store.close().await;
    }
}

/// Rules of MongoDB that people rely on, told one by one.
#[tokio::test]
async fn arrays_nulls_and_kinds_are_mongodbs() {
    let documents = [
        document(
            "0",
            json!({ "a": [1, 2, [3, 4]], "n": null }),
            json!({ "dotted.name": "x", "t": "5" }),
            &["raw"],
        ),
        document(
            "1",
            json!({ "a": [{ "b": 1, "c": 2 }, { "b": 3, "c": 4 }] }),
            json!({ "t": 5 }),
            &["raw", "steel"],
        ),
        document(
            "2",
            json!({ "a": { "b": [1, 3] } }),
            json!({ "t": 5.0, "$dollar": 2 }),
            &[],
        ),
        document("3", json!("plain text"), json!({ "t": true }), &[]),
    ];
    let cases = [
        (json!({}), vec![0, 1, 2, 3]),
        (json!({ "readme.a": 2 }), vec![0]),
        (json!({ "readme.a": [3, 4] }), vec![0]),
        (json!({ "readme.a": 3 }), vec![]),
        (json!({ "readme.a.2.0": 3 }), vec![0]),
        (json!({ "readme.a.b": 3 }), vec![1, 2]),
        (json!({ "readme.a.0.b": 1 }), vec![1]),
        (json!({ "readme.a.b.1": 3 }), vec![2]),
        (
            json!({ "readme.a": { "$elemMatch": { "b": 1, "c": 4 } } }),
            vec![],
        ),
        (json!({ "readme.a.b": 1, "readme.a.c": 4 }), vec![1]),
        (
            json!({ "readme.a": { "$elemMatch": { "b": 3, "c": { "$gt": 3 } } } }),
            vec![1],
        ),
        (json!({ "readme.a": { "c": 2, "b": 1 } }), vec![1]),
        (json!({ "readme.n": null }), vec![0, 1, 2, 3]),
        (json!({ "readme.n": { "$exists": true } }), vec![0]),
        (json!({ "readme.n": { "$type": "null" } }), vec![0]),
        (json!({ "readme.a.b": null }), vec![3]),
        (json!({ "readme.a.b": { "$exists": false } }), vec![0, 3]),
        (json!({ "annotations.t": 5 }), vec![1, 2]),
        (json!({ "annotations.t": { "$gte": "5" } }), vec![0]),
        (json!({ "annotations.t": { "$lt": 100 } }), vec![1, 2]),
        (json!({ "annotations.dotted.name": "x" }), vec![0]),
        (json!({ "annotations.dotted.name": null }), vec![1, 2, 3]),
        (
            json!({ "annotations.$dollar": { "$exists": true } }),
            vec![2],
        ),
        (json!({ "tags": { "$size": 2 } }), vec![1]),
        (json!({ "tags": [] }), vec![2, 3]),
        (json!({ "tags": ["raw", "steel"] }), vec![1]),
        (json!({ "tags": { "$all": ["raw", "steel"] } }), vec![1]),
        (json!({ "tags": { "$all": [] } }), vec![]),
        (
            json!({ "tags": { "$not": { "$regex": "^s" } } }),
            vec![0, 2, 3],
        ),
        (json!({ "tags.0": "raw" }), vec![0, 1]),
        (
            json!({ "readme": { "$regex": "PLAIN", "$options": "i" } }),
            vec![3],
        ),
        (json!({ "name": { "$in": ["1", "3", null] } }), vec![1, 3]),
        (json!({ "dtoolcore_version": null }), vec![0, 1, 2, 3]),
        (json!({ "size_in_bytes": { "$ne": 5 } }), vec![0, 1, 2, 3]),
        (json!({ "size_in_bytes": { "$exists": true } }), vec![]),
        (
            json!({ "number_of_items": { "$gt": 2.5 } }),
            vec![0, 1, 2, 3],
        ),
        (json!({ "number_of_items": "3" }), vec![]),
        (json!({ "type": "dataset" }), vec![0, 1, 2, 3]),
        (json!({ "created_at": 1_700_000_000 }), vec![0, 1, 2, 3]),
        (
            json!({ "frozen_at": { "$gt": 1_700_000_000, "$lt": "2023-11-15" } }),
            vec![0, 1, 2, 3],
        ),
        (
            json!({ "frozen_at": { "$gte": { "$date": "2024-01-01T00:00:00Z" } } }),
            vec![],
        ),
        (
            json!({ "frozen_at": { "$type": "date", "$eq": { "$date": 1_700_000_000_500_i64 } } }),
            vec![0, 1, 2, 3],
        ),
        (
            json!({ "readme.a": { "$not": { "$gt": 1 } } }),
            vec![1, 2, 3],
        ),
        (json!({ "nothing.of.this": { "$ne": 1 } }), vec![0, 1, 2, 3]),
        (
            json!({ "$nor": [{ "name": "1" }, { "tags": "raw" }] }),
            vec![2, 3],
        ),
    ];
    for store in Store::both().await {
        store.fill(&documents).await;
        for (query, expected) in &cases {
            let expected: Vec<i64> = expected.iter().map(|place| place + 1).collect();
            assert_eq!(
                found(&store, query).await,
                expected,
                "{:?}: {query}",
                store.backend()
            );
        }
        store.close().await;
    }
}

/// What would run code or without bounds is refused, with the place and by its name.
#[test]
fn hostile_queries_are_refused() {
    let mut deep = json!({ "a": 1 });
    for _ in 0..50 {
        deep = json!({ "$and": [deep] });
    }
    let mut nested = json!({ "$elemMatch": { "$gt": 1 } });
    for _ in 0..50 {
        nested = json!({ "$elemMatch": nested });
    }
    let wide: Vec<_> = (0..50_000).map(|n| json!({ "readme.a": n })).collect();
    let values: Vec<_> = (0..50_000).collect();
    for (query, path, message) in [
        (
            json!({ "$where": "1" }),
            "$where",
            "$where is not supported: queries run no code",
        ),
        (
            json!({ "a": { "$function": {} } }),
            "a.$function",
            "$function is not supported: queries run no code",
        ),
        (
            json!({ "$expr": {} }),
            "$expr",
            "$expr is not supported: queries run no code",
        ),
        (
            json!({ "$or": [{ "a": 1 }, { "$text": { "$search": "x" } }] }),
            "$or[1].$text",
            "$text is not supported: use the filter for texts",
        ),
        (json!({ "$bad": 1 }), "$bad", "$bad is not supported here"),
        (
            json!({ "a": { "$near": 1 } }),
            "a.$near",
            "$near is not supported for a field",
        ),
        (
            json!({ "a": { "$in": [{ "$regex": "a" }] } }),
            "a.$in[0]",
            "$regex is not supported in a list of values",
        ),
        (
            json!({ "a": { "$gt": 1, "b": 1 } }),
            "a",
            "operators and fields cannot stand side by side",
        ),
        (
            json!({ "a": { "$gt": [1] } }),
            "a.$gt",
            "only numbers, texts, times, true and false are more or less than others",
        ),
        (
            json!({ "a": { "$options": "i" } }),
            "a.$options",
            "$options belongs to $regex",
        ),
        (
            json!({ "a": { "$not": "a" } }),
            "a.$not",
            "this must be an object of operators",
        ),
        (
            json!({ "$or": [] }),
            "$or",
            "this must be a list of conditions, not empty",
        ),
        (json!("x"), "", "this must be an object"),
        (json!({ "a..b": 1 }), "a..b", "a path has no empty steps"),
        (
            json!({ "a.1.1.1.1": 1 }),
            "a.1.1.1.1",
            "a path has 3 numbers at most",
        ),
        (
            json!({ "manifest.items": { "x": 1 } }),
            "manifest.items",
            "of the manifest ask for manifest.items.<identifier>.<field>",
        ),
        (
            json!({ "created_at": "soon" }),
            "created_at",
            "this is no ISO 8601 time",
        ),
        (
            json!({ "a": { "$type": "int" } }),
            "a.$type",
            "numbers are of one type here: \"number\"",
        ),
        (
            json!({ "a": { "$size": -1 } }),
            "a.$size",
            "this must be a number of elements",
        ),
        (
            json!({ "a": "x".repeat(1 << 20) }),
            "a",
            "the texts of a query have at most 65536 bytes together",
        ),
        (
            json!({ "a": { "$in": values } }),
            "a.$in[1000]",
            "a query has at most 1000 values",
        ),
        (
            json!({ "a": { "$regex": "(a+)+$(?=b)" } }),
            "a.$regex",
            "look-around (?=, ?!, ?<=, ?<!) is not supported",
        ),
        (
            json!({ "a": { "$regex": "(a)\\1" } }),
            "a.$regex",
            "back-references are not supported",
        ),
        (
            json!({ "a": { "$regex": "((a{1,200}){1,200}){1,200}" } }),
            "a.$regex",
            "the regular expression repeats too much",
        ),
        (
            json!({ "a": { "$regex": "a".repeat(2_000) } }),
            "a.$regex",
            "a regular expression has 1000 bytes at most",
        ),
        (
            json!({ "a": { "$regex": "(".repeat(200) + &")".repeat(200) } }),
            "a.$regex",
            "",
        ),
        (
            json!({ "a": { "$regex": "[" } }),
            "a.$regex",
            "unclosed character class",
        ),
        (
            json!({ "a": { "$regex": "a{1,300}" } }),
            "a.$regex",
            "a repetition is at most 255 times",
        ),
        (
            json!({ "a": { "$regex": "a", "$options": "g" } }),
            "a.$regex",
            "the option 'g' is none of i, m, s and x",
        ),
    ] {
        let error = mongo::parse(&query).expect_err(&query.to_string());
        assert_eq!(error.path, path, "{error}");
        assert!(error.message == message || message.is_empty(), "{error}");
    }
    for (query, message) in [
        (deep, "conditions are nested at most 20 deep"),
        (
            json!({ "a": nested }),
            "conditions are nested at most 20 deep",
        ),
        (json!({ "$or": wide }), "a query has at most 100 conditions"),
    ] {
        assert_eq!(mongo::parse(&query).unwrap_err().message, message);
    }
}
