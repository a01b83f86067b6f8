//! The operations on datasets that clients rely on, as they send them.

use std::fs;

use async_graphql::parser::parse_query;
use labql::demo::dtool::{BASE_URI, write_base};
use serde_json::{Value, json};

use super::{ADMIN, Register, uuid};
use crate::support::{Lab, Socket, shared_data};

const OPERATIONS: &str = include_str!("../../contract/datasets.graphql");

/// Fields of what labql does not have yet: the operations are run without them.
const LATER: [&str; 1] = ["producedBy { run { id state } flow { id } }"];

on_both_databases!(every_operation_is_answered);

impl Register {
    /// Runs one of the operations.
    async fn run(&self, who: &str, operation: &str, variables: Value) -> Value {
        let body =
            json!({ "query": OPERATIONS, "operationName": operation, "variables": variables });
        let (status, mut answer) = self.send(who, body).await;
        assert_eq!(status, 200, "{answer}");
        assert!(answer.get("errors").is_none(), "{operation}: {answer}");
        answer["data"].take()
    }
}

/// With the times at which the test ran by their names.
fn redacted(mut value: Value) -> Value {
    match &mut value {
        Value::Object(fields) => {
            for (name, field) in fields.iter_mut() {
                *field = match name.as_str() {
                    "registeredAt" if !field.is_null() => "[registeredAt]".into(),
                    _ => redacted(field.take()),
                };
            }
        }
        Value::Array(elements) => {
            for element in elements {
                *element = redacted(element.take());
            }
        }
        _ => {}
    }
    value
}

async fn every_operation_is_answered(mut lab: Lab) {
    let path = lab.path("datasets");
    let now = "2026-09-21T12:00:00Z".parse().expect("a time");
    let written = write_base(&path, now).expect("a base URI").datasets;
    let folders = format!(r#"[{{uri="{BASE_URI}",path="{}"}}]"#, path.display());
    lab.set("LABQL_DATASETS__FOLDERS", folders);
    let register = Register::open(lab, &["ada"]).await;
    register.base_uri(BASE_URI, &[]).await;

    let grant =
        json!({ "username": "ada", "baseUri": BASE_URI, "canSearch": true, "canRegister": true });
    let granted = register
        .run(ADMIN, "GrantBaseUri", json!({ "input": grant }))
        .await;
    assert_eq!(
        granted["grantBaseUri"],
        json!({ "grant": grant, "errors": [] })
    );
    let mut socket = Socket::signed_in(&register.server, register.token("ada")).await;
    let payload = json!({
        "query": OPERATIONS, "operationName": "DatasetUpdates",
        "variables": { "filter": { "tags": ["raw"] }, "after": "beginning" },
    });
    socket
        .say(json!({ "type": "subscribe", "id": "1", "payload": payload }))
        .await;

    let input = json!({ "input": { "uri": BASE_URI } });
    let indexed = register.run("ada", "IndexBaseUri", input).await;
    let frozen: Vec<_> = written.iter().filter(|it| it.is_frozen).collect();
    assert_eq!(
        indexed["indexBaseUri"],
        json!({
            "registered": frozen.len(), "updated": 0, "unchanged": 0, "removed": 0,
            "problems": [], "errors": [],
        })
    );
    let update = socket.hear().await;
    let update = &update["payload"]["data"]["datasetUpdates"];
    assert_eq!(update["kind"], "REGISTERED", "{update}");
    assert!(update["cursor"].is_string() && update["recordedAt"].is_string());
    let name = update["dataset"]["name"].as_str().expect("a name");
    assert!(name.ends_with("-raw"), "{name}");

    let everything = json!({
        "filter": {
            "text": "forecast buoy", "baseUris": [BASE_URI], "creatorUsernames": ["nokafor", "mrossi", "ileroy"],
            "tags": ["processed"], "mongo": { "readme.owners.email": { "$regex": "@lab.example$" } },
        },
        "orderBy": [{ "field": "FROZEN_AT", "direction": "DESC" }],
        "first": 2,
    });
    let page = register.run("ada", "Datasets", everything.clone()).await;
    insta::assert_json_snapshot!("datasets_page", page);
    let mut rest = everything;
    rest["first"] = json!(50);
    rest["after"] = page["datasets"]["pageInfo"]["endCursor"].clone();
    let rest = register.run("ada", "Datasets", rest).await;
    let more = rest["datasets"]["nodes"].as_array().expect("nodes");
    assert_eq!(rest["datasets"]["totalCount"], more.len() + 2);
    let all = register.run("ada", "Datasets", json!({})).await;
    assert_eq!(all["datasets"]["totalCount"], frozen.len());
    let uuids = json!({ "filter": { "uuids": [frozen[0].uuid, uuid(1)] } });
    let one = register.run("ada", "Datasets", uuids).await;
    assert_eq!(one["datasets"]["totalCount"], 1);

    for name in ["forecast-skill-2025", "buoy-handbook"] {
        let variables = json!({ "uri": format!("{BASE_URI}/{name}") });
        let detail = register.run("ada", "DatasetDetail", variables).await;
        insta::assert_json_snapshot!(format!("dataset_detail_{name}"), redacted(detail));
    }
    // What was written is what is told.
    for written in &frozen {
        let variables = json!({ "uri": format!("{BASE_URI}/{}", written.name) });
        let detail = register.run("ada", "DatasetDetail", variables).await;
        let dataset = &detail["dataset"];
        assert_eq!(dataset["uuid"], written.uuid);
        assert_eq!(dataset["itemCount"], written.items);
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let size = written.size_bytes as f64;
        assert_eq!(dataset["sizeBytes"], json!(size));
        assert_eq!(dataset["manifest"]["items"]["totalCount"], written.items);
        let mut parents = written.derived_from.clone();
        parents.sort();
        assert_eq!(super::texts(&dataset["derivedFrom"], "uuid"), parents);
    }
    let missing = json!({ "uri": format!("{BASE_URI}/buoy-north-2026-raw") });
    for operation in ["DatasetDetail", "Lineage"] {
        let missing = register.run("ada", operation, missing.clone()).await;
        assert_eq!(missing, json!({ "dataset": null }));
    }

    let uri = format!("{BASE_URI}/buoys-2025-daily");
    let ancestors = json!({ "uri": uri, "direction": "ANCESTORS", "depth": null });
    let lineage = register.run("ada", "Lineage", ancestors).await;
    insta::assert_json_snapshot!("dataset_lineage", lineage);
    let both = json!({ "uri": uri, "direction": "BOTH", "depth": 1 });
    let lineage = register.run("ada", "Lineage", both).await;
    let nodes = &lineage["dataset"]["lineage"]["nodes"];
    assert_eq!(nodes.as_array().map(Vec::len), Some(4), "{nodes}");

    let summary = register.run("ada", "DatasetSummary", json!({})).await;
    insta::assert_json_snapshot!("dataset_summary", summary);
    let by =
        json!({ "by": ["readme.project", "tags"], "filter": { "creatorUsernames": ["mrossi"] } });
    let groups = register.run("ada", "DatasetGroups", by).await;
    insta::assert_json_snapshot!("dataset_groups", groups);

    let info = super::info(BASE_URI, "by-hand", 7);
    let sent = json!({ "input": { "info": info } });
    for created in [true, false] {
        let made = register.run("ada", "RegisterDataset", sent.clone()).await;
        assert_eq!(
            made["registerDataset"],
            json!({ "dataset": { "uri": info["uri"], "uuid": uuid(7) }, "created": created, "errors": [] })
        );
    }
    let input = json!({ "input": { "uri": info["uri"] } });
    let deleted = register.run("ada", "DeleteDataset", input).await;
    assert_eq!(
        deleted["deleteDataset"],
        json!({ "uri": info["uri"], "errors": [] })
    );

    for (who, count) in [("ada", json!(frozen.len())), (ADMIN, Value::Null)] {
        let found = register.run(who, "BaseUris", json!({})).await;
        let grants = [json!({ "username": "ada", "canSearch": true, "canRegister": true })];
        let node = json!({ "uri": BASE_URI, "datasetCount": count, "grants": grants });
        assert_eq!(
            found["baseUris"],
            json!({ "totalCount": 1, "nodes": [node] })
        );
    }
}

#[test]
fn the_operations_are_those_that_clients_were_promised() {
    parse_query(OPERATIONS).expect("a document");
    let Some(shared) = shared_data() else { return };
    let Ok(promised) = fs::read_to_string(shared.join("../contract/datasets.graphql")) else {
        println!("skipped: there are no promised operations");
        return;
    };
    parse_query(&promised).expect("a document");
    let is_later = |line: &&str| LATER.contains(&line.trim());
    let now: Vec<&str> = promised.lines().filter(|line| !is_later(line)).collect();
    assert_eq!(now, OPERATIONS.lines().collect::<Vec<_>>());
    assert_eq!(promised.lines().filter(is_later).count(), LATER.len());
}
