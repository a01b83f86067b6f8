//! What is below a list costs as many statements for many as for one.

use serde_json::{Value, json};

use super::draft::Draft;
use super::lab::Site;
use crate::support::Lab;

on_both_databases!(many_cost_no_more_statements_than_one);

const NUMBER: usize = 4;

const WORKFLOWS: &str = "query($n: Int!, $of: [ID!]) { workflows(first: $n) { totalCount nodes {
    name createdBy { username } steps { name } parameters { name } versions(first: 2) { totalCount nodes { id } }
    postProcessing { id }
    groups(first: 3) { totalCount nodes {
        name workflow { name } parameters { name } viewerRole members { user { username } role }
        uploads { totalCount nodes { id name createdBy { username } group { name } } }
        runs(first: 2, filter: { workflows: $of, versions: $of, states: [PENDING, SUCCESS] }) { totalCount nodes { id } }
    } }
    runs(first: 3, filter: { workflows: $of, versions: $of }) { totalCount nodes {
        id state startedBy { username } group { name } workflow { name } mover { host }
        arguments { name value } steps { name attempts { number } } files { name } processedRuns { rank }
        log(first: 2) { nodes { text } }
    } }
} } }";

const NODES: &str = "query($of: [ID!]!) { nodes(ids: $of) { id ... on Workflow { name runs(first: 2) { nodes { id } } } } }";

async fn many_cost_no_more_statements_than_one(lab: Lab) {
    let mut site = Site::idle(lab, &["ann", "ben"]).await;
    let ann = site.who("ann");
    let mut workflows = Vec::new();
    for number in 0..NUMBER {
        let draft = Draft::of(&format!("W{number}"), "true");
        let workflow = site.workflow(&draft).await;
        let group = ann.group(&workflow, "team", &[("ben", "MEMBER")]).await;
        for name in ["a.txt", "b.txt"] {
            ann.upload(&group, name, name).await;
        }
        for _ in 0..2 {
            ann.start_with(&workflow, json!({}), json!({ "group": group }))
                .await;
        }
        workflows.push(workflow);
    }
    let token = site.token("ann").to_owned();
    site.server = site.server.signed_in(&token);
    let server = &site.server;
    let cost = async |query: &str, number: usize| {
        let variables = json!({ "n": number, "of": workflows[..number] });
        // What is remembered of people and permissions is the same for both.
        server.data(query, variables.clone()).await;
        let before = server.statements().await;
        let data: Value = server.data(query, variables).await;
        (server.statements().await - before, data)
    };
    for (query, list) in [(WORKFLOWS, "/workflows/nodes"), (NODES, "/nodes")] {
        let (one, _) = cost(query, 1).await;
        let (many, data) = cost(query, NUMBER).await;
        let found = data
            .pointer(list)
            .and_then(Value::as_array)
            .expect("a list");
        assert_eq!(found.len(), NUMBER);
        for workflow in found {
            let runs = workflow["runs"]["nodes"].as_array().expect("runs");
            assert_eq!(runs.len(), 2, "{workflow}");
        }
        assert_eq!(many, one, "{query}");
    }
}
