//! Rankings: in the order that the rules say, whatever is missing or equal.

use std::collections::BTreeMap;

use labql::flows::ranking::{self, Ranked};
use labql::flows::results::ResultValue;
use labql::flows::template::path::RelativePath;
use labql::flows::template::schema::{Column, ColumnType, ResultSchema, SortColumn};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

use super::caller::{Caller, id};
use super::draft::Draft;
use super::lab::Site;
use crate::support::Lab;

on_both_databases!(
    it_is_the_order_of_the_rules,
    what_is_no_result_is_told,
    pages_and_columns,
    without_results_there_is_none,
);

pub const RANKING: &str =
    "query($id: ID!, $all: Boolean, $order: [RankingOrder!], $first: Int, $after: String) {
    workflow(id: $id) { ranking(includeAll: $all, orderBy: $order, first: $first, after: $after) {
        totalCount nodes { rank run { id endedAt } group { id name } results { name value } }
        pageInfo { hasNextPage endCursor }
    } }
}";

/// A workflow whose result is the document that it is given.
fn given() -> Draft {
    Draft::of("Given", "printf '%s' \"${document}\" > results.json")
        .variable("document", json!({ "dtype": "string" }))
        .output("results.json")
        .template(
            "results",
            json!({ "file": "results.json", "schema": [
            { "name": "share", "label": "Share", "dtype": "float", "required": false },
            { "name": "count", "label": "Count", "dtype": "int", "required": false },
            { "name": "name", "label": "Name", "dtype": "string", "required": false },
            { "name": "kept", "label": "Kept", "dtype": "int", "path": "deep/er" },
        ] }),
        )
}

fn schema() -> ResultSchema {
    let column = |name: &str, dtype| Column {
        name: name.to_owned(),
        label: name.to_owned(),
        dtype,
        path: None,
        required: false,
    };
    ResultSchema {
        file: RelativePath::file("results.json").expect("a path"),
        columns: vec![
            column("share", ColumnType::Float),
            column("count", ColumnType::Int),
            column("name", ColumnType::String),
            column("kept", ColumnType::Int),
        ],
        order_by: Vec::new(),
    }
}

/// A run with the values that its document has.
struct Made {
    run: String,
    group: String,
    number: i64,
    ended_at: i64,
    values: Vec<Option<ResultValue>>,
}

/// Few values, so that many are equal, and some that are missing.
fn document(random: &mut StdRng) -> (Value, Vec<Option<ResultValue>>) {
    let share = [
        None,
        Some(-1.5),
        Some(0.0),
        Some(-0.0),
        Some(1e-300),
        Some(1e300),
    ][random.random_range(0..6)];
    let count = [
        None,
        Some(i64::MIN),
        Some(0),
        Some(9_007_199_254_740_993),
        Some(i64::MAX),
    ][random.random_range(0..5)];
    let names = [
        None,
        Some("a"),
        Some("B"),
        Some("é"),
        Some(""),
        Some("a b"),
        Some("Z"),
        Some("𝄞"),
        Some("\u{ffee}"),
    ];
    let name = names[random.random_range(0..names.len())];
    let kept = i64::from(random.random_range(0..2_i32));
    let mut document = json!({ "deep": { "er": kept } });
    // Null is as good as nothing.
    if share.is_some() || random.random_bool(0.5) {
        document["share"] = json!(share);
    }
    if count.is_some() || random.random_bool(0.5) {
        document["count"] = json!(count);
    }
    if name.is_some() || random.random_bool(0.5) {
        document["name"] = json!(name);
    }
    let values = vec![
        share.map(ResultValue::Float),
        count.map(ResultValue::Int),
        name.map(|name| ResultValue::Text(name.to_owned())),
        Some(ResultValue::Int(kept)),
    ];
    (document, values)
}

async fn it_is_the_order_of_the_rules(mut lab: Lab) {
    lab.set("LABQL_FLOWS__LOCAL__AT_ONCE", "8");
    let site = Site::open(lab, &["ann"]).await;
    let workflow = site.workflow(&given()).await;
    let ann = site.who("ann");
    let mut groups = Vec::new();
    for name in ["one", "two", "three"] {
        groups.push(ann.group(&workflow, name, &[]).await);
    }
    let seed = super::kill::seed();
    println!("LABQL_TEST_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut started = Vec::new();
    for _ in 0..40 {
        let (document, values) = document(&mut random);
        let group = groups[random.random_range(0..groups.len())].clone();
        let arguments = json!({ "document": document.to_string() });
        let run = ann
            .start_with(&workflow, arguments, json!({ "group": group }))
            .await;
        started.push((run, group, values));
    }
    let mut made = Vec::new();
    for (run, group, values) in started {
        let told = ann.done(&run).await;
        assert!(told["resultProblem"].is_null(), "{told}");
        let ended: chrono::DateTime<chrono::Utc> = told["endedAt"]
            .as_str()
            .expect("a time")
            .parse()
            .expect("a time");
        made.push(Made {
            number: told["number"].as_i64().expect("a number"),
            ended_at: ended.timestamp_millis(),
            run,
            group,
            values,
        });
    }
    let orders = [
        vec![],
        vec![("share", false)],
        vec![("count", true)],
        vec![("name", true), ("share", false)],
        vec![("name", false), ("count", false), ("kept", true)],
        vec![("kept", true)],
    ];
    for order in &orders {
        for includes_all in [true, false] {
            check_order(&ann, &workflow, &made, order, includes_all).await;
        }
    }
}

/// The ranking has the runs in the order of the rules, in one page and in many.
async fn check_order(
    ann: &Caller,
    workflow: &str,
    made: &[Made],
    order: &[(&str, bool)],
    includes_all: bool,
) {
    let asked: Vec<SortColumn> = order
        .iter()
        .map(|(name, sort_desc)| SortColumn {
            name: (*name).to_owned(),
            sort_desc: *sort_desc,
        })
        .collect();
    let keys = ranking::order(&schema(), Some(&asked)).expect("columns");
    // The rules compare names of runs; here they are numbers.
    let names: BTreeMap<&str, String> = made
        .iter()
        .map(|it| (it.run.as_str(), format!("{:020}", it.number)))
        .collect();
    let runs = made.iter().map(|it| Ranked {
        run: &names[it.run.as_str()],
        group: &it.group,
        ended_at: it.ended_at,
        values: &it.values,
    });
    let expected = ranking::rank(&keys, runs.collect(), includes_all);
    let by_name: BTreeMap<&str, &Made> = made
        .iter()
        .map(|it| (names[it.run.as_str()].as_str(), it))
        .collect();
    let expected: Vec<&str> = expected
        .iter()
        .map(|it| by_name[it.run].run.as_str())
        .collect();
    let order: Vec<Value> = order
        .iter()
        .map(|(column, desc)| json!({ "column": column, "direction": if *desc { "DESC" } else { "ASC" } }))
        .collect();
    for first in [100, 7] {
        let (mut found, mut after) = (Vec::new(), Value::Null);
        loop {
            let variables = json!({ "id": workflow, "all": includes_all, "order": order, "first": first, "after": after });
            let data = ann.data(RANKING, variables).await;
            let page = &data["workflow"]["ranking"];
            assert_eq!(page["totalCount"], expected.len());
            for node in page["nodes"].as_array().expect("nodes") {
                found.push(node["run"]["id"].as_str().expect("an id").to_owned());
                assert_eq!(node["rank"], found.len(), "{page}");
            }
            if page["pageInfo"]["hasNextPage"] == false {
                break;
            }
            after = page["pageInfo"]["endCursor"].clone();
        }
        assert_eq!(found, expected, "{order:?} {includes_all} {first}");
    }
}

async fn what_is_no_result_is_told(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let workflow = site.workflow(&given()).await;
    let ann = site.who("ann");
    for (document, culprit) in [
        ("", "results.json"),
        ("{", "results.json"),
        ("NaN", "results.json"),
        (r#"{"deep": {"er": 1}, "share": NaN}"#, "results.json"),
        (r#"{"deep": {"er": 1}, "share": "nan"}"#, "share"),
        (r#"{"deep": {"er": 1}, "share": "inf"}"#, "share"),
        (r#"{"deep": {"er": 1}, "share": 1e999}"#, ""),
        (r#"{"deep": {"er": 1.5}}"#, "kept"),
        (r#"{"deep": {"er": 99999999999999999999}}"#, "kept"),
        (r#"{"deep": {"er": null}}"#, "kept"),
        (r#"{"deep": []}"#, "kept"),
        (r#"{"deep": {"er": 1}, "name": []}"#, "name"),
        ("[]", "kept"),
        ("7", "kept"),
    ] {
        let run = ann.make(&workflow, json!({ "document": document })).await;
        assert_eq!(run["state"], "SUCCESS", "{document}: {run}");
        let problem = run["resultProblem"].as_str();
        let problem = problem.unwrap_or_else(|| panic!("{document}: {run}"));
        assert!(problem.contains(culprit), "{document}: {problem}");
    }
    let good = ann
        .make(&workflow, json!({ "document": r#"{"deep": {"er": 1}}"# }))
        .await;
    let data = ann
        .data(RANKING, json!({ "id": workflow, "all": true }))
        .await;
    let nodes = data["workflow"]["ranking"]["nodes"]
        .as_array()
        .expect("nodes");
    assert_eq!(nodes.len(), 1, "{nodes:?}");
    assert_eq!(nodes[0]["run"]["id"], good["id"]);
    // All columns are told, those without a value too.
    let results = json!([
        { "name": "share", "value": null }, { "name": "count", "value": null },
        { "name": "name", "value": null }, { "name": "kept", "value": 1 },
    ]);
    assert_eq!(nodes[0]["results"], results);
    // One that failed, and one that was canceled, are none.
    let failed = site.workflow(&given().step("fails", &["exit 1"])).await;
    ann.make(&failed, json!({ "document": r#"{"deep": {"er": 5}}"# }))
        .await;
    let data = ann
        .data(RANKING, json!({ "id": failed, "all": true }))
        .await;
    assert_eq!(data["workflow"]["ranking"]["totalCount"], 1);
}

async fn pages_and_columns(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let workflow = site.workflow(&given()).await;
    let ann = site.who("ann");
    for order in [
        json!([{ "column": "nothing" }]),
        json!([{ "column": "share\"; DROP TABLE flow_result; --" }]),
        json!(vec![json!({ "column": "share" }); 21]),
    ] {
        let answer = ann
            .ask(RANKING, json!({ "id": workflow, "order": order }))
            .await;
        assert_eq!(
            answer["errors"][0]["extensions"]["code"], "BAD_INPUT",
            "{order}: {answer}"
        );
    }
    let document = |share: f64| json!({ "document": json!({ "deep": { "er": 1 }, "share": share }).to_string() });
    ann.make(&workflow, document(1.0)).await;
    ann.make(&workflow, document(2.0)).await;
    // A cursor of one order is none of another.
    let first = json!({ "id": workflow, "all": true, "first": 1, "order": [{ "column": "share", "direction": "ASC" }] });
    let data = ann.data(RANKING, first).await;
    let page = &data["workflow"]["ranking"];
    assert_eq!(
        (
            &page["nodes"][0]["results"][0]["value"],
            &page["totalCount"]
        ),
        (&json!(1.0), &json!(2))
    );
    let mixed = json!({ "id": workflow, "all": true, "order": [{ "column": "name" }], "after": page["pageInfo"]["endCursor"] });
    let answer = ann.ask(RANKING, mixed).await;
    assert_eq!(
        answer["errors"][0]["extensions"]["code"], "BAD_INPUT",
        "{answer}"
    );
    // A run that is deleted leaves its place.
    let best = ann.data(RANKING, json!({ "id": workflow })).await;
    let best = id(&best["workflow"]["ranking"]["nodes"][0]["run"]);
    ann.told("deleteRun", json!({ "id": best })).await;
    let data = ann.data(RANKING, json!({ "id": workflow })).await;
    let nodes = &data["workflow"]["ranking"]["nodes"];
    assert_eq!(
        (&nodes[0]["rank"], &nodes[0]["results"][0]["value"]),
        (&json!(1), &json!(1.0))
    );
}

async fn without_results_there_is_none(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let workflow = site.workflow(&Draft::of("Plain", "true")).await;
    let ann = site.who("ann");
    let run = ann.make(&workflow, json!({})).await;
    assert!(run["resultProblem"].is_null(), "{run}");
    let data = ann
        .data(RANKING, json!({ "id": workflow, "all": true }))
        .await;
    assert_eq!(data["workflow"]["ranking"]["nodes"], json!([]));
    assert_eq!(data["workflow"]["ranking"]["totalCount"], 0);
}
