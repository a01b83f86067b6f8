//! Lists of runs: which, in which order, page by page; and single ones by their ids.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::caller::id;
use super::draft::Draft;
use super::lab::{Site, texts};
use crate::support::Lab;

on_both_databases!(lists_are_filtered_and_ordered, a_node_is_found_by_its_id);

async fn lists_are_filtered_and_ordered(lab: Lab) {
    let site = Site::open(lab, &["ann", "ben"]).await;
    let good = site.workflow(&Draft::of("Good", "true")).await;
    let bad = site.workflow(&Draft::of("Bad", "exit 1")).await;
    let (ann, ben) = (site.who("ann"), site.who("ben"));
    let mut runs = Vec::new();
    for workflow in [&good, &bad, &good, &bad, &good] {
        runs.push(id(&ann.make(workflow, json!({})).await));
    }
    let theirs = id(&ben.make(&bad, json!({})).await);
    let query = "query($filter: RunFilter, $orderBy: [RunOrder!], $first: Int, $after: String) {
        runs(filter: $filter, orderBy: $orderBy, first: $first, after: $after) {
            totalCount nodes { id } pageInfo { hasNextPage endCursor }
        }
    }";
    let ids = async |filter: Value| {
        let data = ann.data(query, json!({ "filter": filter })).await;
        let ids = texts(&data["runs"]["nodes"], "id");
        assert_eq!(data["runs"]["totalCount"], ids.len(), "{filter}");
        ids.into_iter().collect::<BTreeSet<_>>()
    };
    let these = |places: &[usize]| {
        places
            .iter()
            .map(|place| runs[*place].clone())
            .collect::<BTreeSet<_>>()
    };
    for (filter, expected) in [
        (json!({}), &[0, 1, 2, 3, 4][..]),
        (json!({ "states": ["SUCCESS"] }), &[0, 2, 4]),
        (json!({ "states": ["ERROR", "CANCELED"] }), &[1, 3]),
        (json!({ "states": ["PENDING", "RUNNING"] }), &[]),
        (json!({ "reasons": ["STEP_FAILED"] }), &[1, 3]),
        (json!({ "workflows": [good] }), &[0, 2, 4]),
        (
            json!({ "workflows": [good, bad], "states": ["ERROR"] }),
            &[1, 3],
        ),
        (json!({ "kinds": ["POST_PROCESSING"] }), &[]),
        (json!({ "startedBy": "ann" }), &[0, 1, 2, 3, 4]),
        (json!({ "startedBy": "ben" }), &[]),
        (json!({ "executors": ["SLURM"] }), &[]),
        (
            json!({ "createdAt": { "before": "2000-01-01T00:00:00Z" } }),
            &[],
        ),
        (
            json!({ "createdAt": { "from": "2000-01-01T00:00:00Z" } }),
            &[0, 1, 2, 3, 4],
        ),
    ] {
        assert_eq!(ids(filter.clone()).await, these(expected), "{filter}");
    }
    assert!(!ids(json!({})).await.contains(&theirs));
    let data = site
        .admin()
        .data(query, json!({ "filter": { "startedBy": "ben" } }))
        .await;
    assert_eq!(data["runs"]["nodes"], json!([{ "id": theirs }]));
    // Pages in each order, from either side.
    for field in ["CREATED_AT", "STARTED_AT", "ENDED_AT"] {
        for direction in ["ASC", "DESC"] {
            let (mut found, mut after) = (Vec::new(), Value::Null);
            loop {
                let order = json!([{ "field": field, "direction": direction }]);
                let variables = json!({ "orderBy": order, "first": 2, "after": after });
                let data = ann.data(query, variables).await;
                found.extend(texts(&data["runs"]["nodes"], "id"));
                if data["runs"]["pageInfo"]["hasNextPage"] == false {
                    break;
                }
                after = data["runs"]["pageInfo"]["endCursor"].clone();
            }
            if direction == "DESC" {
                found.reverse();
            }
            assert_eq!(found, runs, "{field} {direction}");
        }
    }
}

async fn a_node_is_found_by_its_id(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let draft = Draft::of("Node", "echo x > out.txt").output("out.txt");
    let workflow = site.workflow(&draft).await;
    let ann = site.who("ann");
    let group = ann.group(&workflow, "team", &[]).await;
    let upload = ann.upload(&group, "f.txt", "f").await;
    let run = ann
        .start_with(&workflow, json!({}), json!({ "group": group }))
        .await;
    ann.done(&run).await;
    let upload = id(&upload);
    let query = "query($id: ID!) { node(id: $id) { id __typename } }";
    for (id, kind) in [
        (&workflow, "Workflow"),
        (&group, "RunGroup"),
        (&upload, "Upload"),
        (&run, "Run"),
    ] {
        let data = ann.data(query, json!({ "id": id })).await;
        assert_eq!(data["node"], json!({ "id": id, "__typename": kind }));
    }
}
