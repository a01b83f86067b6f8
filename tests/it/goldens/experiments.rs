//! The list of experiments, its filters and orders, and what is said of each.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Comparison, count, list, text, time};

const LIST: &str =
    "query($filter: ExperimentFilter, $orderBy: [ExperimentOrder!], $first: Int, $after: String) {
    experiments(filter: $filter, orderBy: $orderBy, first: $first, after: $after) {
        totalCount
        pageInfo { endCursor }
        nodes {
            expid description owner hpc autosubmitVersion status createdAt modifiedAt kind
            chunkSize chunkUnit model branch workflowCommit
            jobCounts { status count }
            lastRun { totalJobs jobCounts { status count } }
        }
    }
}";

pub async fn compare(comparison: &mut Comparison, expids: &BTreeSet<String>) {
    for (name, variables, ordered) in [
        ("all", json!({}), false),
        (
            "default",
            json!({ "filter": { "status": "RUNNING" } }),
            false,
        ),
        ("owner", json!({ "filter": { "owner": "lt*" } }), false),
        (
            "owner_not",
            json!({ "filter": { "owner": "!root" } }),
            false,
        ),
        ("hpc", json!({ "filter": { "hpc": "*local*" } }), false),
        ("query", json!({ "filter": { "text": "wrapper" } }), false),
        (
            "version",
            json!({ "filter": { "autosubmitVersion": "4.1.*" } }),
            false,
        ),
        ("type_test", json!({ "filter": { "kind": "TEST" } }), false),
        (
            "type_operational",
            json!({ "filter": { "kind": "OPERATIONAL" } }),
            false,
        ),
        (
            "type_experiment",
            json!({ "filter": { "kind": "EXPERIMENT" } }),
            false,
        ),
        (
            "desc",
            json!({ "orderBy": [{ "field": "CREATED_AT", "direction": "DESC" }, { "field": "EXPID" }] }),
            true,
        ),
    ] {
        let ours = comparison.data(LIST, variables).await;
        same(comparison, name, &ours["experiments"], ordered);
    }
    let order = json!([{ "field": "EXPID" }]);
    let first = comparison
        .data(LIST, json!({ "orderBy": order, "first": 3 }))
        .await;
    let after = &first["experiments"]["pageInfo"]["endCursor"];
    let page = json!({ "orderBy": order, "first": 3, "after": after });
    let second = comparison.data(LIST, page).await;
    same(comparison, "page", &second["experiments"], true);

    let all = comparison.data(LIST, json!({})).await;
    for expid in expids {
        let ours = list(&all["experiments"]["nodes"])
            .into_iter()
            .find(|experiment| experiment["expid"] == *expid)
            .expect("an experiment");
        details(comparison, expid, &ours);
    }
}

/// Compares a list with the recorded one, in its order if it has one.
fn same(comparison: &mut Comparison, name: &str, ours: &Value, ordered: bool) {
    let golden = comparison.golden("_all", &format!("v4_experiments_{name}"));
    let total = &golden["pagination"]["total_items"];
    comparison.equal(
        "*",
        "experiments.totalCount",
        name,
        total,
        &ours["totalCount"],
    );
    let theirs = list(&golden["experiments"]);
    let names = |experiments: &[Value], field: &str| {
        let mut names: Vec<_> = experiments.iter().map(|one| one[field].clone()).collect();
        if !ordered {
            names.sort_by_key(Value::to_string);
        }
        Value::Array(names)
    };
    let our_list = list(&ours["nodes"]);
    comparison.equal(
        "*",
        "experiments",
        name,
        &names(&theirs, "name"),
        &names(&our_list, "expid"),
    );
    for theirs in theirs {
        let expid = theirs["name"].as_str().expect("an expid");
        let Some(ours) = our_list.iter().find(|ours| ours["expid"] == expid) else {
            continue;
        };
        for (their_field, our_field) in [
            ("description", "description"),
            ("user", "owner"),
            ("hpc", "hpc"),
            ("version", "autosubmitVersion"),
        ] {
            let what = format!("experiment.{our_field}");
            comparison.equal(
                expid,
                &what,
                name,
                &text(&theirs[their_field]),
                &ours[our_field],
            );
        }
        let status = json!(
            ours["status"]
                .as_str()
                .unwrap_or_default()
                .replace('_', " ")
        );
        comparison.equal(expid, "experiment.status", name, &theirs["status"], &status);
        for (their_field, our_field) in [("created", "createdAt"), ("modified", "modifiedAt")] {
            let what = format!("experiment.{our_field}");
            let (theirs, ours) = (time(&theirs[their_field]), time(&ours[our_field]));
            comparison.equal(expid, &what, name, &theirs, &ours);
        }
        let run = &ours["lastRun"];
        comparison.equal(
            expid,
            "lastRun.totalJobs",
            name,
            &theirs["total"],
            &run["totalJobs"],
        );
        for status in [
            "COMPLETED",
            "SUBMITTED",
            "QUEUING",
            "RUNNING",
            "FAILED",
            "SUSPENDED",
        ] {
            let theirs = &theirs[status.to_ascii_lowercase()];
            comparison.equal(
                expid,
                "lastRun.jobCounts",
                status,
                theirs,
                &count(&run["jobCounts"], status),
            );
        }
    }
}

fn details(comparison: &mut Comparison, expid: &str, ours: &Value) {
    let counts = comparison.golden(expid, "v3_expcount");
    let mut sum = 0;
    for (status, theirs) in counts["counters"].as_object().expect("counters") {
        let ours = count(&ours["jobCounts"], status);
        sum += ours.as_i64().unwrap_or_default();
        comparison.equal(expid, "jobCounts", status, theirs, &ours);
    }
    comparison.equal(expid, "jobCounts", "all", &counts["total"], &json!(sum));

    let info = comparison.golden(expid, "v3_expinfo");
    // What Autosubmit does not know it calls NA.
    let known = |value: &Value| {
        if value == "NA" {
            Value::Null
        } else {
            text(value)
        }
    };
    for (their_field, our_field) in [
        ("description", "description"),
        ("version", "autosubmitVersion"),
        ("model", "model"),
        ("branch", "branch"),
        ("chunk_size", "chunkSize"),
        ("chunk_unit", "chunkUnit"),
        ("workflow_commit", "workflowCommit"),
    ] {
        let what = format!("detail.{our_field}");
        let (theirs, ours) = (known(&info[their_field]), known(&ours[our_field]));
        comparison.equal(expid, &what, "v3_expinfo", &theirs, &ours);
    }
    let running = json!(ours["status"] == "RUNNING");
    comparison.equal(
        expid,
        "detail.status",
        "v3_expinfo",
        &info["running"],
        &running,
    );
    let run = &ours["lastRun"];
    for (their_field, ours) in [
        ("total_jobs", run["totalJobs"].clone()),
        ("completed_jobs", count(&run["jobCounts"], "COMPLETED")),
    ] {
        comparison.equal(
            expid,
            "detail.lastRun",
            their_field,
            &info[their_field],
            &ours,
        );
    }
}
