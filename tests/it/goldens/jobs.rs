//! The jobs of an experiment, one job and its neighbours.
//!
//! Left out: `out_path_remote` and `err_path_remote`, which are the same names on the platform.

use serde_json::{Value, json};

use super::{Comparison, file_name, list, text, time};

const PAGE: &str = "query($expid: String!, $filter: JobFilter, $first: Int, $after: String) {
    experiment(expid: $expid) { jobs(filter: $filter, first: $first, after: $after) {
        totalCount
        pageInfo { hasNextPage endCursor }
        nodes { name status section date member chunk split splits priority outLogName errLogName }
    } }
}";

const JOB: &str = "query($expid: String!, $name: String!) { job(expid: $expid, name: $name) {
    name status section date member chunk split splits platform queue processors wallclock
    remoteId workflowCommit submittedAt startedAt finishedAt
    outLog { name } errLog { name }
    parents { name status } children { name status }
    experiment { chunkSize chunkUnit wrappers { name jobs(first: 1000) { nodes { name } } } }
} }";

pub async fn compare(comparison: &mut Comparison, expid: &str) {
    let all = pages(comparison, expid, json!({}), 100).await;
    same(comparison, expid, "v4_jobs", &all);
    let names: Vec<_> = all.iter().map(quick).collect();
    let golden = comparison.golden(expid, "v4_jobs_quick");
    comparison.equal(
        expid,
        "jobs.quick",
        "v4_jobs_quick",
        &golden["jobs"],
        &json!(names),
    );

    let completed = pages(comparison, expid, json!({ "statuses": ["COMPLETED"] }), 500).await;
    let completed: Vec<_> = completed.iter().map(quick).collect();
    let golden = comparison.golden(expid, "v4_jobs_status_COMPLETED");
    comparison.equal(
        expid,
        "jobs.completed",
        "statuses",
        &golden["jobs"],
        &json!(completed),
    );

    let variables = json!({ "expid": expid, "filter": { "name": "*SIM*" }, "first": 10 });
    let simulations = comparison.data(PAGE, variables).await;
    let simulations = &simulations["experiment"]["jobs"];
    same(
        comparison,
        expid,
        "v4_jobs_name_SIM",
        &list(&simulations["nodes"]),
    );
    let golden = comparison.golden(expid, "v4_jobs_name_SIM");
    let total = &golden["pagination"]["total_items"];
    comparison.equal(
        expid,
        "jobs.totalCount",
        "*SIM*",
        total,
        &simulations["totalCount"],
    );

    let first = json!({ "expid": expid, "first": 5 });
    let first = comparison.data(PAGE, first).await;
    let after = &first["experiment"]["jobs"]["pageInfo"]["endCursor"];
    let second = json!({ "expid": expid, "first": 5, "after": after });
    let second = comparison.data(PAGE, second).await;
    same(
        comparison,
        expid,
        "v4_jobs_page2_size5",
        &list(&second["experiment"]["jobs"]["nodes"]),
    );

    one(comparison, expid).await;
    neighbours(comparison, expid).await;
}

fn quick(job: &Value) -> Value {
    json!({ "name": job["name"], "status": job["status"] })
}

/// All jobs, page by page.
async fn pages(comparison: &Comparison, expid: &str, filter: Value, size: usize) -> Vec<Value> {
    let mut jobs = Vec::new();
    let mut after = Value::Null;
    loop {
        let variables = json!({ "expid": expid, "filter": filter, "first": size, "after": after });
        let data = comparison.data(PAGE, variables).await;
        let page = &data["experiment"]["jobs"];
        jobs.extend(list(&page["nodes"]));
        if page["pageInfo"]["hasNextPage"] != true {
            assert_eq!(page["totalCount"], jobs.len(), "{expid}");
            return jobs;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
}

/// Compares jobs with recorded ones, in their order.
fn same(comparison: &mut Comparison, expid: &str, name: &str, ours: &[Value]) {
    let theirs = list(&comparison.golden(expid, name)["jobs"]);
    let names = |jobs: &[Value]| Value::Array(jobs.iter().map(|job| job["name"].clone()).collect());
    comparison.equal(expid, "jobs.order", name, &names(&theirs), &names(ours));
    for (theirs, ours) in theirs.iter().zip(ours) {
        let name = ours["name"].as_str().expect("a name");
        for field in [
            "status", "section", "member", "chunk", "split", "splits", "priority",
        ] {
            comparison.equal(
                expid,
                &format!("job.{field}"),
                name,
                &text(&theirs[field]),
                &ours[field],
            );
        }
        for (their_field, our_field) in [
            ("out_path_local", "outLogName"),
            ("err_path_local", "errLogName"),
        ] {
            let what = format!("job.{our_field}");
            let theirs = file_name(&theirs[their_field]);
            comparison.equal(expid, &what, name, &theirs, &ours[our_field]);
        }
        comparison.equal(
            expid,
            "job.date",
            name,
            &theirs["date"],
            &day(&ours["date"], "-"),
        );
    }
}

/// The day of a time, with this between year, month and day.
fn day(time: &Value, between: &str) -> Value {
    match time.as_str().and_then(|time| time.get(..10)) {
        Some(day) => day.replace('-', between).into(),
        None => Value::Null,
    }
}

async fn one(comparison: &mut Comparison, expid: &str) {
    let theirs = comparison.golden(expid, "v4_job_detail");
    let name = theirs["name"].as_str().expect("a name").to_owned();
    let data = comparison
        .data(JOB, json!({ "expid": expid, "name": name }))
        .await;
    let ours = &data["job"];
    for (their_field, our_field) in [
        ("status", "status"),
        ("section", "section"),
        ("member", "member"),
        ("chunk", "chunk"),
        ("split", "split"),
        ("splits", "splits"),
        ("platform", "platform"),
        ("qos", "queue"),
        ("processors", "processors"),
        ("wallclock", "wallclock"),
        ("remote_id", "remoteId"),
        ("workflow_commit", "workflowCommit"),
    ] {
        let what = format!("detail.{our_field}");
        comparison.equal(
            expid,
            &what,
            &name,
            &text(&theirs[their_field]),
            &ours[our_field],
        );
    }
    comparison.equal(
        expid,
        "detail.date",
        &name,
        &theirs["date"],
        &day(&ours["date"], ""),
    );
    for (their_field, our_field) in [
        ("submit", "submittedAt"),
        ("start", "startedAt"),
        ("finish", "finishedAt"),
    ] {
        let what = format!("detail.{our_field}");
        comparison.equal(
            expid,
            &what,
            &name,
            &time(&theirs[their_field]),
            &time(&ours[our_field]),
        );
    }
    for (their_field, our_field) in [("out_path_local", "outLog"), ("err_path_local", "errLog")] {
        let theirs = text(&theirs[their_field]);
        let file = theirs.as_str().and_then(|path| path.rsplit('/').next());
        let what = format!("detail.{our_field}");
        comparison.equal(expid, &what, &name, &json!(file), &ours[our_field]["name"]);
    }
    for (their_field, our_field) in [("chunk_size", "chunkSize"), ("chunk_unit", "chunkUnit")] {
        let what = format!("detail.{our_field}");
        comparison.equal(
            expid,
            &what,
            &name,
            &theirs[their_field],
            &ours["experiment"][our_field],
        );
    }
    let wrapper = list(&ours["experiment"]["wrappers"])
        .into_iter()
        .rfind(|wrapper| {
            list(&wrapper["jobs"]["nodes"])
                .iter()
                .any(|job| job["name"] == name)
        });
    let wrapper = wrapper.map(|wrapper| wrapper["name"].clone());
    comparison.equal(
        expid,
        "detail.wrapper",
        &name,
        &theirs["last_wrapper"],
        &json!(wrapper),
    );
}

async fn neighbours(comparison: &mut Comparison, expid: &str) {
    for (golden, field) in [
        ("v4_job_parents", "parents"),
        ("v4_job_children", "children"),
    ] {
        let name = comparison.argument(expid, golden, "jobs");
        let data = comparison
            .data(JOB, json!({ "expid": expid, "name": name }))
            .await;
        let mut theirs = comparison.golden(expid, golden)[field].take();
        if let Some(jobs) = theirs.as_array_mut() {
            jobs.sort_by_key(|job| job["job_name"].to_string());
        }
        let ours: Vec<_> = list(&data["job"][field])
            .iter()
            .map(|job| json!({ "job_name": job["name"], "status": job["status"] }))
            .collect();
        comparison.equal(expid, field, &name, &theirs, &json!(ours));
    }
}
