//! How many SQL statements an operation costs, whatever the size of its answer.

use labql::demo::autosubmit::{ExperimentSpec, JobListForm, Wrappers};
use serde_json::{Value, json};

use crate::support::{Lab, Server, root};

const EXPERIMENTS: &str = include_str!("../contract/experiments.graphql");

on_both_databases!(
    pages_of_experiments,
    a_thousand_jobs,
    a_far_page_costs_what_the_first_costs
);

/// The statements of an operation, and its data. Beside the requests the server looks for new events now and then: that
/// is taken off, and the median of some tries leaves out those in which a look fell between two readings.
pub async fn cost(server: &Server, body: &Value) -> (i64, Value) {
    let mut tries = Vec::new();
    for _ in 0..5 {
        let before = server.statements().await;
        let (status, mut answer) = server.send(body.clone()).await;
        assert!(status == 200 && answer.get("errors").is_none(), "{answer}");
        tries.push((server.statements().await - before, answer["data"].take()));
    }
    tries.sort_by_key(|(count, _)| *count);
    tries.swap_remove(2)
}

/// The cost of an operation of the contract.
async fn contract(server: &Server, operation: &str, variables: Value) -> (i64, Value) {
    let body = json!({ "query": EXPERIMENTS, "operationName": operation, "variables": variables });
    cost(server, &body).await
}

async fn pages_of_experiments(mut lab: Lab) {
    lab.set("LABQL_WORKERS__ENABLED", "false");
    let specs: Vec<_> = (0..30)
        .map(|number| {
            let mut spec = ExperimentSpec::new(&format!("a{number:03}"), JobListForm::Dict);
            spec.members.truncate(1);
            spec.logged_jobs = 0;
            spec.chunks = 4;
            spec.wrappers = Wrappers::Real {
                section: "SIM".to_owned(),
            };
            spec
        })
        .collect();
    root::with(&lab.root(), &specs);
    lab.import();
    let server = lab.serve_signed_in().await;

    for first in [1, 10, 500] {
        let (count, data) = contract(&server, "ExperimentPage", json!({ "first": first })).await;
        let nodes = data["experiments"]["nodes"].as_array().expect("nodes");
        assert_eq!(nodes.len(), first.min(30));
        assert!(count <= 5, "{count} statements for {first} experiments");
    }
    // Everything that hangs on an experiment costs the same for one and for all.
    let deep = "query Deep($first: Int) { experiments(first: $first) { totalCount nodes {
        expid sourceProblems { source }
        lastRun { number jobCounts { status count } }
        runs(first: 3) { totalCount nodes { number } }
        wrappers { name jobs(first: 5) { totalCount nodes { name parents { name } } } }
        jobs(first: 3, filter: { sections: [\"SIM\"] }) { totalCount nodes {
            name parents { name } children { name parents { name } }
        } }
    } } }";
    let mut costs = Vec::new();
    for first in [2, 10, 300] {
        let body = json!({ "query": deep, "variables": { "first": first } });
        let (count, data) = cost(&server, &body).await;
        costs.push(count);
        let node = &data["experiments"]["nodes"][0];
        assert_eq!(node["jobs"]["totalCount"], 4, "{node}");
        assert_ne!(node["wrappers"], json!([]));
    }
    assert!(costs.iter().all(|cost| *cost == costs[0]), "{costs:?}");
    assert!(costs[0] <= 17, "{costs:?}");

    // So does performance, with all that it is made of.
    let measured = "query Measured($first: Int) { experiments(first: $first) { nodes {
        performance { sypd psypd considered { job { name platform } sypd } rejected { job { name } reason } warnings }
        jobSummary { meanQueueSeconds simulation { count } }
        eta { seconds chunksTotal }
        lastRun { performance { sypd } }
        runs(first: 2) { nodes { performance { sypd asypd } } }
        jobs(first: 5) { nodes { sypd asypd } }
    } } }";
    let mut costs = Vec::new();
    for first in [2, 10, 300] {
        let body = json!({ "query": measured, "variables": { "first": first } });
        let (count, data) = cost(&server, &body).await;
        costs.push(count);
        let node = &data["experiments"]["nodes"][0];
        assert_eq!(node["eta"]["chunksTotal"], 4, "{node}");
    }
    assert!(costs.iter().all(|cost| *cost == costs[0]), "{costs:?}");
    assert!(costs[0] <= 30, "{costs:?}");

    // What is not asked for costs nothing.
    let bare = "{ experiments(first: 500) { nodes { expid jobCounts { count } } } }";
    let (count, _) = cost(&server, &json!({ "query": bare })).await;
    // Nor does the guard ask again who shows the token.
    assert_eq!(count, 1);
}

async fn a_thousand_jobs(mut lab: Lab) {
    lab.set("LABQL_WORKERS__ENABLED", "false");
    // 10 × 20 × 5 + 11 jobs.
    let mut spec = ExperimentSpec::sized("a000", JobListForm::Dict, 10, 20);
    spec.logged_jobs = 1;
    root::with(&lab.root(), &[spec]);
    lab.import();
    let server = lab.serve_signed_in().await;
    for first in [1, 50, 1000] {
        let variables = json!({ "expid": "a000", "first": first });
        let (count, data) = contract(&server, "Jobs", variables).await;
        let jobs = &data["experiment"]["jobs"];
        assert_eq!(jobs["totalCount"], 1011);
        let nodes = jobs["nodes"].as_array().expect("nodes");
        assert_eq!(nodes.len(), first);
        // Two more when neighbours stand on other pages.
        assert!(count <= 8, "{count} statements for {first} jobs");
    }
    let filter = json!({ "name": "*SIM*", "statuses": ["COMPLETED", "WAITING"], "chunks": [1, 2] });
    let variables = json!({ "expid": "a000", "first": 1000, "filter": filter });
    let (count, data) = contract(&server, "Jobs", variables).await;
    assert_eq!(data["experiment"]["jobs"]["totalCount"], 20);
    assert!(count <= 6, "{count} statements");

    let variables = json!({ "expid": "a000", "name": "a000_20000101_fc00_1_SIM" });
    let (count, data) = contract(&server, "JobDetail", variables).await;
    assert_eq!(data["job"]["status"], "COMPLETED", "{data}");
    assert!(count <= 9, "{count} statements");
}

/// Statements and rows of each page of a list, from the first to the last but one.
async fn a_far_page_costs_what_the_first_costs(mut lab: Lab) {
    // The experiment, and the jobs of the page with the one that tells of the next.
    const ROWS: i64 = 1 + 21;
    lab.set("LABQL_WORKERS__ENABLED", "false");
    // 10 × 4 × 5 + 11 jobs.
    let mut spec = ExperimentSpec::sized("a000", JobListForm::Dict, 10, 4);
    spec.logged_jobs = 0;
    root::with(&lab.root(), &[spec]);
    lab.import();
    let server = lab.serve_signed_in().await;
    let query = "query($after: String) { experiment(expid: \"a000\") {
        jobs(first: 20, after: $after, orderBy: { field: PRIORITY }) {
            nodes { name } pageInfo { endCursor hasNextPage }
        }
    } }";
    let rows = async || server.counters(["labql_sql_rows_total"]).await[0];
    let mut after = Value::Null;
    let mut costs = Vec::new();
    loop {
        let body = json!({ "query": query, "variables": { "after": after } });
        let (statements, data) = cost(&server, &body).await;
        // The feed reads rows of the log of events, too, now and then: more often than not on a machine that is busy.
        let mut read = i64::MAX;
        for _ in 0..50 {
            let before = rows().await;
            server.send(body.clone()).await;
            read = read.min(rows().await - before);
            if read <= ROWS {
                break;
            }
        }
        let page = &data["experiment"]["jobs"];
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
        costs.push((statements, read));
    }
    assert_eq!(costs.len(), 10);
    let as_the_first = (costs[0].0, ROWS);
    assert!(costs.iter().all(|cost| *cost == as_the_first), "{costs:?}");
}
