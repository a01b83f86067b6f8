//! What is said of an experiment in one place: the old detail, the search, the quick view and the state; and of experiments
//! and jobs that are not there.
//!
//! Left out of `v3_expinfo`: `path`, `owner`, `owner_id`, `time_last_access` and `time_last_mod`, which are the server's
//! folder; `db_historic_version`, which is always NA. `updateTime` is `CONFIG.SAFETYSLEEPTIME` of the configuration.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{ALL, Comparison, count, file_name, list, text, time};

const INFO: &str = "query($expid: String!) { experiment(expid: $expid) {
    autosubmitId expid description owner autosubmitVersion status modifiedAt
    jobCounts { status count }
    lastRun { totalJobs jobCounts { status count } }
    configuration { filesystem }
    jobs(first: 25000) { totalCount nodes { name status outLogName errLogName } }
} }";

const SEARCH: &str = "query($filter: ExperimentFilter) { experiments(filter: $filter, first: 500) {
    totalCount nodes { expid status }
} }";

pub async fn compare(comparison: &mut Comparison, expid: &str) {
    let data = comparison.data(INFO, json!({ "expid": expid })).await;
    let ours = &data["experiment"];
    let detail = comparison.golden(expid, "v4_detail");
    for (their_field, our_field) in [
        ("id", "autosubmitId"),
        ("name", "expid"),
        ("description", "description"),
        ("autosubmit_version", "autosubmitVersion"),
    ] {
        let what = format!("info.{our_field}");
        let theirs = text(&detail[their_field]);
        comparison.equal(expid, &what, "v4_detail", &theirs, &ours[our_field]);
    }
    for found in list(&comparison.golden(expid, "v3_search")["experiment"]) {
        found_by_search(comparison, expid, &found, ours);
    }
    let state = comparison.golden(expid, "v3_ifrun");
    let running = json!(ours["status"] == "RUNNING");
    comparison.equal(
        expid,
        "info.running",
        "v3_ifrun",
        &state["running"],
        &running,
    );

    let info = comparison.golden(expid, "v3_expinfo");
    let modified = time(&ours["modifiedAt"]).as_i64().map(|time| time / 1000);
    let (theirs, what) = (&info["pkl_timestamp"], "info.modifiedAt");
    comparison.equal(expid, what, "v3_expinfo", theirs, &json!(modified));
    let ours_of = |new: [&str; 2], old: [&str; 3]| configured(ours, new, old);
    let sleep = ours_of(
        ["CONFIG", "SAFETYSLEEPTIME"],
        ["conf", "config", "SAFETYSLEEPTIME"],
    );
    // By default ten seconds.
    let sleep = sleep.as_str().and_then(|text| text.parse::<i64>().ok());
    let sleep = json!(sleep.unwrap_or(10));
    let theirs = &info["updateTime"];
    comparison.equal(expid, "info.safetySleepTime", "v3_expinfo", theirs, &sleep);
    let platform = main_platform(ours);
    comparison.equal(
        expid,
        "info.platform",
        "v3_expinfo",
        &info["hpc"],
        &platform,
    );
    quick(comparison, expid, ours);
}

/// A hit of the old search, which reads the configuration where the list reads the central database.
fn found_by_search(comparison: &mut Comparison, expid: &str, theirs: &Value, ours: &Value) {
    let version = configured(
        ours,
        ["CONFIG", "AUTOSUBMIT_VERSION"],
        ["conf", "config", "AUTOSUBMIT_VERSION"],
    );
    let kind = configured(ours, ["", ""], ["conf", "wrapper", "TYPE"]);
    let run = &ours["lastRun"];
    for (field, ours) in [
        ("id", ours["autosubmitId"].clone()),
        ("name", ours["expid"].clone()),
        ("user", ours["owner"].clone()),
        ("description", ours["description"].clone()),
        ("hpc", main_platform(ours)),
        ("version", version),
        ("wrapper", kind),
        ("total", run["totalJobs"].clone()),
        ("completed", count(&run["jobCounts"], "COMPLETED")),
        ("submitted", count(&run["jobCounts"], "SUBMITTED")),
        ("queuing", count(&run["jobCounts"], "QUEUING")),
        ("running", count(&run["jobCounts"], "RUNNING")),
        ("failed", count(&run["jobCounts"], "FAILED")),
        ("suspended", count(&run["jobCounts"], "SUSPENDED")),
    ] {
        let what = format!("search.{field}");
        comparison.equal(expid, &what, "v3_search", &text(&theirs[field]), &ours);
    }
    let (modified, ours_modified) = (time(&theirs["modified"]), time(&ours["modifiedAt"]));
    let what = "search.modifiedAt";
    comparison.equal(expid, what, "v3_search", &modified, &ours_modified);
    let running = json!(ours["status"] == "RUNNING");
    let theirs = json!(theirs["status"] == "RUNNING");
    comparison.equal(expid, "info.running", "v3_search", &theirs, &running);
}

/// A value of the configuration: of Autosubmit 4, or of the INI files of Autosubmit 3. Numbers as text.
fn configured(ours: &Value, new: [&str; 2], old: [&str; 3]) -> Value {
    let configuration = &ours["configuration"]["filesystem"];
    let [section, key] = new;
    let [file, old_section, old_key] = old;
    let value = match &configuration[section][key] {
        Value::Null => &configuration[file][old_section][old_key],
        value => value,
    };
    match value {
        Value::Number(number) => json!(number.to_string()),
        other => other.clone(),
    }
}

fn main_platform(ours: &Value) -> Value {
    configured(
        ours,
        ["DEFAULT", "HPCARCH"],
        ["exp", "experiment", "HPCARCH"],
    )
}

/// The names of all jobs, their logs and how many there are in some statuses.
fn quick(comparison: &mut Comparison, expid: &str, ours: &Value) {
    let golden = comparison.golden(expid, "v3_quick");
    let jobs = list(&ours["jobs"]["nodes"]);
    let theirs: BTreeSet<_> = list(&golden["view_data"])
        .iter()
        .map(|job| {
            let logs = [file_name(&job["out"]), file_name(&job["err"])];
            json!([job["name"], logs]).to_string()
        })
        .collect();
    let found: BTreeSet<_> = jobs
        .iter()
        .map(|job| json!([job["name"], [job["outLogName"], job["errLogName"]]]).to_string())
        .collect();
    comparison.equal(
        expid,
        "quick.jobs",
        "v3_quick",
        &json!(theirs),
        &json!(found),
    );
    let status = |name: &Value, status: &Value| json!([name, status]).to_string();
    let theirs: BTreeSet<_> = list(&golden["tree_view"])
        .iter()
        .map(|job| status(&job["refKey"], &job["status"]))
        .collect();
    let found: BTreeSet<_> = jobs
        .iter()
        .map(|job| status(&job["name"], &job["status"]))
        .collect();
    let what = "quick.statuses";
    comparison.equal(expid, what, "v3_quick", &json!(theirs), &json!(found));
    let (theirs, total) = (&golden["total"], &ours["jobs"]["totalCount"]);
    comparison.equal(expid, "quick.total", "v3_quick", theirs, total);
    for status in ["COMPLETED", "FAILED", "RUNNING", "QUEUING"] {
        let theirs = &golden[status.to_ascii_lowercase()];
        let ours = count(&ours["jobCounts"], status);
        comparison.equal(expid, "quick.count", status, theirs, &ours);
    }
}

/// The searches over all experiments, and what is asked of experiments and jobs that are not there.
pub async fn compare_all(comparison: &mut Comparison) {
    for (name, filter) in [
        ("v3_searchowner_root", json!({ "owner": "root" })),
        ("v3_running", json!({ "status": "RUNNING" })),
        (
            "v3_search_a_experiment_active",
            json!({ "text": "a", "kind": "EXPERIMENT", "status": "RUNNING" }),
        ),
        ("v3_missing_search", json!({ "text": "zzzz" })),
    ] {
        let data = comparison.data(SEARCH, json!({ "filter": filter })).await;
        let names = |experiments: &Value, field: &str| -> BTreeSet<String> {
            let experiments = list(experiments);
            let names = experiments.iter().filter_map(|it| it[field].as_str());
            names.map(str::to_owned).collect()
        };
        let theirs = names(&comparison.golden(ALL, name)["experiment"], "name");
        let ours = names(&data["experiments"]["nodes"], "expid");
        comparison.equal(ALL, "experiments", name, &json!(theirs), &json!(ours));
    }
    let data = comparison.data(
        "{ experiment(expid: \"zzzz\") { expid } of_none: job(expid: \"zzzz\", name: \"x\") { name } }",
        json!({}),
    );
    let data = data.await;
    for call in [
        "v3_missing_cconfig",
        "v3_missing_expcount",
        "v3_missing_expinfo",
        "v3_missing_exprun",
        "v3_missing_ifrun",
        "v3_missing_logrun",
        "v3_missing_performance",
        "v3_missing_quick",
        "v3_missing_runs",
        "v3_missing_summary",
        "v3_missing_tree",
        "v4_missing_config",
        "v4_missing_detail",
        "v4_missing_eta",
        "v4_missing_jobs",
        "v4_missing_runs",
        "v4_missing_wrappers",
    ] {
        // An error there, or nothing but zeros; null here.
        let _ = comparison.golden(ALL, call);
        let what = "missing.experiment";
        comparison.equal(ALL, what, call, &Value::Null, &data["experiment"]);
        comparison.equal(ALL, what, call, &Value::Null, &data["of_none"]);
    }
    let name = comparison.argument(ALL, "v4_missing_job", "jobs");
    let expid = comparison.argument(ALL, "v4_missing_job", "experiments");
    let _ = comparison.golden(ALL, "v4_missing_job");
    let query =
        "query($expid: String!, $name: String!) { job(expid: $expid, name: $name) { name } }";
    let data = comparison.data(query, json!({ "expid": expid, "name": name }));
    let data = data.await;
    comparison.equal(ALL, "missing.job", &name, &Value::Null, &data["job"]);
    for (call, query) in [
        (
            "v4_experiments_bad_type",
            "{ experiments(filter: { kind: NOPE }) { totalCount } }",
        ),
        (
            "v4_bad_status",
            "{ experiment(expid: \"zzzz\") { jobs(filter: { statuses: [NOPE] }) { totalCount } } }",
        ),
        ("v4_bad_page", "{ experiments(first: -1) { totalCount } }"),
    ] {
        let theirs = comparison.golden(ALL, call)["error"].take();
        let code = comparison.refusal(query, json!({})).await;
        let refused = json!(!code.is_empty() && code != "INTERNAL");
        comparison.equal(ALL, "refused", call, &theirs, &refused);
    }
}
