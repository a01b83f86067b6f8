//! `/graph/uuids/<uuid>`: `lineage` in both directions, and `derivedFrom` of each dataset in it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Replay, Request};

/// The parents of each dataset, by UUID.
type Parents = BTreeMap<String, BTreeSet<String>>;

/// dserver answers one row for a UUID, with its parents as often as they are named: sets are compared.
pub async fn compare(replay: &mut Replay, request: &Request) {
    let query = "query($filter: DatasetFilter, $keys: [String!]) {
        datasets(filter: $filter, first: 1) { nodes {
            lineage(direction: BOTH, keys: $keys) {
                nodes { uuid dataset { uuid derivedFrom { uuid keys } } } edges { from to }
            }
        } }
    }";
    let keys = &request.body["dependency_keys"];
    let uuid = request.argument().trim_start_matches("uuids/");
    let variables = json!({ "filter": { "uuids": [uuid] }, "keys": keys });
    let refusal = match request.answer.status {
        401 => "UNAUTHENTICATED",
        422 => "BAD_INPUT",
        _ => "",
    };
    if !refusal.is_empty() {
        replay.refused(request, query, variables, refusal).await;
        return;
    }
    let data = replay.data(request, query, variables).await;
    let mut ours = Parents::new();
    let lineage = &data["datasets"]["nodes"][0]["lineage"];
    let nodes = lineage["nodes"].as_array();
    // Parents that are not registered are nodes here, and no rows there.
    let datasets = nodes.into_iter().flatten().map(|node| &node["dataset"]);
    for dataset in datasets.filter(|dataset| !dataset.is_null()) {
        let parents = dataset["derivedFrom"].as_array().into_iter().flatten();
        let named = parents.filter(|parent| keys.is_null() || share(keys, &parent["keys"]));
        let named = named.map(|parent| text(&parent["uuid"]));
        ours.entry(text(&dataset["uuid"]))
            .or_default()
            .extend(named);
    }
    let mut theirs = Parents::new();
    for row in request.answer.rows() {
        let parents = row["derived_from"].as_array().into_iter().flatten();
        theirs.insert(text(&row["uuid"]), parents.map(text).collect());
    }
    replay.equal(request, "graph", &json!(theirs), &json!(ours));
    let mut edges = Parents::new();
    for edge in lineage["edges"].as_array().into_iter().flatten() {
        let parents = edges.entry(text(&edge["to"])).or_default();
        parents.insert(text(&edge["from"]));
    }
    theirs.retain(|_, parents| !parents.is_empty());
    replay.equal(request, "edges", &json!(theirs), &json!(edges));
}

/// Whether two lists have something in common.
fn share(left: &Value, right: &Value) -> bool {
    let right = right.as_array().cloned().unwrap_or_default();
    let mut left = left.as_array().into_iter().flatten();
    left.any(|it| right.contains(it))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
