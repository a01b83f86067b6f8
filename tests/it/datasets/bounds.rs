//! What datasets are and what is asked of them has bounds: whoever goes beyond is told so, and the others notice nothing.

use serde_json::{Value, json};

use super::fixture::Fixture;
use super::{ADMIN, Register, info, texts, uuid};
use crate::support::Lab;

on_both_databases!(
    queries_with_powers_of_readings_are_refused,
    odd_queries_are_answered,
    groups_are_not_multiplied,
    sizes_can_be_summed_up,
    nesting_is_bounded,
    long_texts_are_not_loaded_together,
    the_nearest_stay_of_a_large_lineage,
    base_uris_have_one_form,
    a_large_base_uri_is_deleted_some_by_some,
);

const FIND: &str = "query($mongo: JSON) { datasets(filter: { mongo: $mongo }) { nodes { name } } }";
const GROUPS: &str = "query($by: [String!]!) { datasetGroups(by: $by) { key count sizeBytes } }";

async fn ada(lab: Lab) -> Register {
    let register = Register::open(lab, &["ada"]).await;
    register.base_uri("s3://a", &[("ada", true, true)]).await;
    register
}

/// The message of a refusal.
async fn refusal(register: &Register, query: &str, variables: Value) -> (Value, String) {
    let answer = register.ask("ada", query, variables).await;
    let error = &answer["errors"][0];
    let message = error["message"].as_str();
    let message = message.unwrap_or_else(|| panic!("{answer}"));
    (error["extensions"]["code"].clone(), message.to_owned())
}

async fn queries_with_powers_of_readings_are_refused(lab: Lab) {
    let register = ada(lab).await;
    register.registered("ada", &info("s3://a", "x", 1)).await;
    let mut nested = json!({ "a.1.1.1": 1 });
    for _ in 0..9 {
        nested = json!({ "a.1.1.1": { "$elemMatch": nested } });
    }
    let long = format!("readme.{}1.1.1", "a.".repeat(16));
    let nulls: Vec<Value> = (0..90).map(|_| json!({ &long: null })).collect();
    let values: Vec<String> = (0..600).map(|n| format!("{n:0>101}")).collect();
    for (query, place) in [
        (nested, "a.1.1.1"),
        (json!({ "$or": nulls }), "$or["),
        (
            json!({ "readme.a.1.b.1.c.1.d": { "$in": values } }),
            "readme.a.1.b.1.c.1.d",
        ),
    ] {
        let (code, message) = refusal(&register, FIND, json!({ "mongo": query })).await;
        assert_eq!(code, "BAD_INPUT", "{message}");
        assert!(message.starts_with(&format!("mongo: {place}")), "{message}");
        assert!(
            message.ends_with("this can be read in too many ways"),
            "{message}"
        );
    }
    let (_, message) = refusal(
        &register,
        FIND,
        json!({ "mongo": { "a".repeat(2_000): 1 } }),
    )
    .await;
    assert!(
        message.contains("a path has 1,000 bytes at most"),
        "{message}"
    );
}

/// Queries as large as they may be, and one that PostgreSQL knows no value for.
async fn odd_queries_are_answered(lab: Lab) {
    let register = ada(lab).await;
    let mut sent = info("s3://a", "x", 1);
    sent["readme"] = json!("a: [[1, 2], {b: null}]");
    register.registered("ada", &sent).await;
    let names = async |query: Value| {
        let data = register.data("ada", FIND, json!({ "mongo": query })).await;
        texts(&data["datasets"]["nodes"], "name")
    };
    let values: Vec<String> = (0..600).map(|n| format!("{n:0>101}")).collect();
    let none: [&str; 0] = [];
    assert_eq!(names(json!({ "readme.a": { "$in": values } })).await, none);
    assert_eq!(
        names(json!({ "readme.a": { "$nin": values } })).await,
        ["x"]
    );
    let many: Vec<Value> = (0..60).map(|_| json!({ "readme.a.1.1.1": 7 })).collect();
    assert_eq!(names(json!({ "$or": many })).await, none);
    let null = json!({ "readme.z.b.c.d.e.f.1.1.1": null });
    assert_eq!(names(null).await, ["x"]);
    assert_eq!(
        names(json!({ "readme.a": { "$regex": "^\\x00" } })).await,
        none
    );
    assert_eq!(
        names(json!({ "readme.a": { "$regex": "^a\\x00b" } })).await,
        none
    );
    assert_eq!(names(json!({ "name": { "$regex": "^x" } })).await, ["x"]);
}

async fn groups_are_not_multiplied(lab: Lab) {
    let register = ada(lab).await;
    let list = |from: usize| (from..from + 60).collect::<Vec<_>>();
    let mut sent = info("s3://a", "x", 1);
    sent["annotations"] = json!({ "a": list(0), "b": list(100), "c": list(200), "d": list(300) });
    let long = "long ".repeat(100);
    sent["readme"] = json!(format!(
        "text: {long}\nkeys: {{2024: new}}\nlist: [first, second]"
    ));
    register.registered("ada", &sent).await;
    let all = [
        "annotations.a",
        "annotations.b",
        "annotations.c",
        "annotations.d",
    ];
    let (code, message) = refusal(&register, GROUPS, json!({ "by": all })).await;
    assert_eq!(code, "BAD_INPUT");
    assert!(
        message.starts_with("by: there are too many combinations"),
        "{message}"
    );

    let groups = async |by: &[&str]| {
        let mut data = register.data("ada", GROUPS, json!({ "by": by })).await;
        data["datasetGroups"].take()
    };
    let two = groups(&["annotations.a", "annotations.b"]).await;
    assert_eq!(two.as_array().expect("a list").len(), 3_600);
    // A number is a key or a place.
    for (path, key) in [
        ("readme.list.1", json!("second")),
        ("readme.keys.2024", json!("new")),
        // Longer texts are no values.
        ("readme.text", Value::Null),
    ] {
        let expected = json!([{ "key": [key], "count": 1, "sizeBytes": 3.0 }]);
        assert_eq!(groups(&[path]).await, expected, "{path}");
    }
}

async fn sizes_can_be_summed_up(lab: Lab) {
    let register = ada(lab).await;
    let largest = 1_u64 << 53;
    for (number, field) in [(1, "size_in_bytes"), (2, "number_of_items")] {
        let mut sent = info("s3://a", "x", number);
        sent[field] = json!(largest + 1);
        let answer = register.register("ada", &sent).await;
        assert_eq!(answer["errors"][0]["field"], field, "{answer}");
    }
    for number in 0..4 {
        let mut sent = info("s3://a", &format!("n{number}"), number);
        sent["size_in_bytes"] = json!(largest);
        register.registered("ada", &sent).await;
    }
    let query =
        "{ datasetSummary { sizeBytes } datasetGroups(by: [\"creatorUsername\"]) { sizeBytes } }";
    let data = register.data("ada", query, json!({})).await;
    let sum = json!(36_028_797_018_963_968.0);
    assert_eq!(data["datasetSummary"]["sizeBytes"], sum);
    assert_eq!(data["datasetGroups"][0]["sizeBytes"], sum);
}

async fn nesting_is_bounded(lab: Lab) {
    let deep = |levels: usize| (0..levels).fold(json!(1), |value, _| json!([value]));
    let register = ada(lab).await;
    let mut sent = info("s3://a", "x", 1);
    sent["annotations"] = json!({ "a": deep(101) });
    let answer = register.register("ada", &sent).await;
    assert_eq!(answer["errors"][0]["field"], "annotations", "{answer}");
    sent["annotations"] = json!({ "a": deep(100) });
    sent["readme"] = json!(format!("{}1{}", "[".repeat(110), "]".repeat(110)));
    register.registered("ada", &sent).await;

    let query = "mutation($input: UpdateDatasetAnnotationsInput!) {
        updateDatasetAnnotations(input: $input) {
            dataset { annotations readme { content problem } } errors { field message }
        }
    }";
    let set = async |value: Value| {
        let input = json!({ "uri": "s3://a/x", "set": { "b": value } });
        let mut data = register.data("ada", query, json!({ "input": input })).await;
        data["updateDatasetAnnotations"].take()
    };
    let answer = set(deep(101)).await;
    assert_eq!(answer["errors"][0]["field"], "set", "{answer}");
    let answer = set(deep(100)).await;
    let dataset = &answer["dataset"];
    assert_eq!(
        dataset["annotations"],
        json!({ "a": deep(100), "b": deep(100) })
    );
    assert_eq!(dataset["readme"]["content"], Value::Null);
    let problem = &dataset["readme"]["problem"];
    assert_eq!(*problem, "it is nested more than 100 levels deep");

    let fixture = Fixture::new();
    fixture
        .dataset("one")
        .write("one/.dtool/annotations/deep.json", deep(120).to_string());
    let reading = fixture.read("one").await.expect("a dataset");
    assert!(reading.document.annotations.is_empty());
    let problem = reading.problems[0].to_string();
    assert!(
        problem.ends_with("it is nested more than 100 levels deep"),
        "{problem}"
    );
}

async fn long_texts_are_not_loaded_together(mut lab: Lab) {
    lab.set("LABQL_HTTP__BODY_LIMIT", "9000000");
    let register = ada(lab).await;
    for number in 0..11 {
        let mut sent = info("s3://a", &format!("n{number}"), 7);
        sent["readme"] = json!("# ".to_owned() + &"x ".repeat(7 << 19));
        register.registered("ada", &sent).await;
    }
    for query in [
        "{ datasets { nodes { readme { text } } } }",
        "{ dataset(uri: \"s3://a/n1\") { copies { readme { text } } } }",
    ] {
        let (code, message) = refusal(&register, query, json!({})).await;
        assert_eq!(code, "TOO_COMPLEX", "{message}");
        assert!(
            message.starts_with("the READMEs and annotations"),
            "{message}"
        );
    }
    let query = "{ datasets(first: 2) { nodes { uri readme { text } } } }";
    let few = register.data("ada", query, json!({})).await;
    assert_eq!(
        texts(&few["datasets"]["nodes"], "uri"),
        ["s3://a/n0", "s3://a/n1"]
    );
}

async fn the_nearest_stay_of_a_large_lineage(lab: Lab) {
    let register = ada(lab).await;
    let derived = |name: &str, number: u64, from: &[u64]| {
        let mut sent = info("s3://a", name, number);
        let parents: Vec<String> = from.iter().map(|it| uuid(*it)).collect();
        sent["annotations"] = json!({ "source_dataset_uuid": parents });
        sent
    };
    // The far ones have the smallest UUIDs.
    let near: Vec<u64> = (10_000..10_600).collect();
    let far: Vec<u64> = (1..601).collect();
    register
        .registered("ada", &derived("root", 99_999, &near))
        .await;
    register
        .registered("ada", &derived("near", near[0], &far))
        .await;
    let query = "{ dataset(uri: \"s3://a/root\") { lineage { nodes { uuid } truncated } } }";
    let data = register.data("ada", query, json!({})).await;
    let lineage = &data["dataset"]["lineage"];
    assert_eq!(lineage["truncated"], true);
    let nodes = texts(&lineage["nodes"], "uuid");
    assert_eq!(nodes.len(), 1_000);
    let expected: Vec<String> = [99_999].iter().chain(&near).map(|it| uuid(*it)).collect();
    assert_eq!(nodes[..601], expected);
}

async fn base_uris_have_one_form(lab: Lab) {
    let register = ada(lab).await;
    let query = "mutation($uri: String!) {
        registerBaseUri(input: { uri: $uri }) { created errors { field message } }
    }";
    for uri in [
        "file:///srv//x",
        "file:///a/../b",
        "file://srv",
        "s3://bucket/folder",
        "S3://bucket",
        "FILE:///srv",
    ] {
        let data = register.data(ADMIN, query, json!({ "uri": uri })).await;
        let answer = &data["registerBaseUri"];
        assert_eq!(answer["errors"][0]["field"], "uri", "{uri}: {answer}");
        assert_eq!(answer["created"], Value::Null);
    }
    for uri in [
        "file:///srv/x",
        "s3://bucket",
        "https://example.org/a",
        "irods:///zone/x",
    ] {
        let data = register.data(ADMIN, query, json!({ "uri": uri })).await;
        assert_eq!(data["registerBaseUri"]["created"], true, "{uri}: {data}");
    }
}

async fn a_large_base_uri_is_deleted_some_by_some(lab: Lab) {
    let register = ada(lab).await;
    for number in 0..120 {
        let sent = info("s3://a", &format!("n{number}"), number);
        register.registered("ada", &sent).await;
    }
    let query = "mutation { deleteBaseUri(input: { uri: \"s3://a\", withDatasets: true }) {
        uri finished errors { message }
    } }";
    let data = register.data(ADMIN, query, json!({})).await;
    let expected = json!({ "uri": "s3://a", "finished": true, "errors": [] });
    assert_eq!(data["deleteBaseUri"], expected);
    // Nothing comes back with it.
    register.base_uri("s3://a", &[("ada", true, true)]).await;
    assert!(register.uris("ada", json!({})).await.is_empty());
}
