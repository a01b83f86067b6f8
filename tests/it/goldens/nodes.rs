//! What the old tree, its graph and the calls that its interface polled tell of each job, and the summary of all of them.
//!
//! Left out: `title`, `running_text`, `status_color` of the tree, `wrapper_tag` and the like, which are HTML or follow from
//! the status; `custom_directives`, which is always null; `internal_id` and `label`, which are the name; counts of parents
//! and children, which are the lengths of the lists. Names of parents and children that are no jobs of the list are none.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Comparison, count, digits_of, file_name, list, positive, text, time};

const NODES: &str = "query($expid: String!, $after: String) { experiment(expid: $expid) {
    jobs(first: 1000, after: $after) { pageInfo { hasNextPage endCursor } nodes {
        name status section date member chunk split splits priority platform queue processors wallclock remoteId
        workflowCommit submittedAt startedAt finishedAt ownQueueSeconds runSeconds chunkStart chunkEnd
        outLog { name } errLog { name } parents { name } children { name }
    } }
    wrappers { name jobs(first: 1000) { nodes { name } } }
    jobCounts { status count }
    jobSummary {
        submittedCount queuingCount runningCount suspendedCount failedCount meanQueueSeconds meanRunSeconds
        simulation { count queuedCount runCount meanQueueSeconds meanRunSeconds }
    }
} }";

/// Statuses whose jobs are on their way: their times go on to now.
const ON_THE_WAY: [&str; 3] = ["SUBMITTED", "QUEUING", "RUNNING"];
/// Statuses whose jobs have waited, wholly or so far.
const QUEUED: &[&str] = &["FAILED", "SUBMITTED", "QUEUING", "RUNNING", "COMPLETED"];
/// Statuses whose jobs have run, wholly or so far.
const RAN: &[&str] = &["FAILED", "RUNNING", "COMPLETED"];
/// The seconds that may lie between two calls of one recording, or between the parts of one of our answers.
const MOMENT: i64 = 60;

/// What is known of jobs from one comparison for others.
#[derive(Default)]
pub struct Nodes {
    /// Jobs of wrappers inside of which the structure names no dependency: the seconds that they waited if they ran one
    /// after the other.
    pub in_a_row: BTreeMap<String, i64>,
    /// The mean of queue and run of the completed jobs of the section POST, in seconds.
    pub mean_post: f64,
}

pub async fn compare(comparison: &mut Comparison, expid: &str) -> Nodes {
    let (ours, experiment) = ours(comparison, expid).await;
    let tree = comparison.golden(expid, "v3_tree");
    let polled = comparison.golden(expid, "v3_pklinfo");
    let nodes = Nodes {
        in_a_row: in_a_row(&tree, &polled["packages"]),
        mean_post: mean_post(&tree),
    };
    let context = Context {
        names: ours.keys().cloned().collect(),
        wrappers: wrappers(&experiment["wrappers"]),
        recorded: recorded(&comparison.golden(expid, "v3_rundetail")),
        asked_at: comparison.asked_at(expid),
    };
    for (call, jobs) in [
        ("v3_tree", "jobs"),
        ("v3_graph_standard_none", "nodes"),
        ("v3_pklinfo", "pkl_content"),
        ("v3_pkltreeinfo", "pkl_content"),
    ] {
        let golden = comparison.golden(expid, call);
        // On some the old API fails: see the comparison of graphs.
        for theirs in list(&golden[jobs]) {
            let name = match &theirs["name"] {
                Value::Null => &theirs["id"],
                name => name,
            };
            let name = name.as_str().expect("a name").to_owned();
            let ours = ours.get(&name).cloned().unwrap_or_default();
            one(comparison, expid, &name, &theirs, &ours, &context, &nodes);
        }
    }
    summary(comparison, expid, &ours, &experiment, &nodes);
    nodes
}

async fn ours(comparison: &Comparison, expid: &str) -> (BTreeMap<String, Value>, Value) {
    let mut found = BTreeMap::new();
    let mut after = Value::Null;
    loop {
        let variables = json!({ "expid": expid, "after": after });
        let mut data = comparison.data(NODES, variables).await;
        let page = data["experiment"]["jobs"].take();
        for job in list(&page["nodes"]) {
            found.insert(job["name"].as_str().expect("a name").to_owned(), job);
        }
        if page["pageInfo"]["hasNextPage"] != true {
            return (found, data["experiment"].take());
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
}

struct Context {
    names: BTreeSet<String>,
    wrappers: BTreeMap<String, Value>,
    recorded: BTreeMap<String, Value>,
    asked_at: i64,
}

fn one(
    comparison: &mut Comparison,
    expid: &str,
    name: &str,
    theirs: &Value,
    ours: &Value,
    context: &Context,
    nodes: &Nodes,
) {
    let has = |field: &str| theirs.get(field).is_some();
    for (their_field, our_field) in [
        ("status", "status"),
        ("platform_name", "platform"),
        ("member", "member"),
        ("section", "section"),
        ("chunk", "chunk"),
        ("split", "split"),
        ("splits", "splits"),
        ("queue", "queue"),
        ("processors", "processors"),
        ("wallclock", "wallclock"),
        ("workflow_commit", "workflowCommit"),
        ("priority", "priority"),
    ] {
        if has(their_field) {
            let what = format!("node.{our_field}");
            let theirs = text(&theirs[their_field]);
            comparison.equal(expid, &what, name, &theirs, &ours[our_field]);
        }
    }
    let recorded = context.recorded.get(name).cloned().unwrap_or_default();
    comparison.equal_or(
        expid,
        "node.remoteId",
        name,
        (&positive(&theirs["rm_id"]), &recorded),
        &ours["remoteId"],
    );
    let status = ours["status"].as_str().unwrap_or_default();
    for (their_field, our_field, shown) in [
        (
            "submit",
            "submittedAt",
            &["FAILED", "SUBMITTED", "QUEUING", "RUNNING", "COMPLETED"][..],
        ),
        (
            "start",
            "startedAt",
            &["FAILED", "RUNNING", "COMPLETED"][..],
        ),
        ("finish", "finishedAt", &["FAILED", "COMPLETED"][..]),
    ] {
        let (theirs, ours) = (time(&theirs[their_field]), time(&ours[our_field]));
        if shown.contains(&status) {
            let what = format!("node.{our_field}");
            comparison.equal(expid, &what, name, &theirs, &ours);
        } else {
            comparison.equal(expid, "node.hidden", name, &theirs, &ours);
        }
    }
    times(comparison, expid, name, theirs, ours, context, nodes);
    for (their_field, our_field) in [("out", "outLog"), ("err", "errLog")] {
        let theirs = file_name(&theirs[their_field]);
        let ours = &ours[our_field]["name"];
        let what = match status {
            "COMPLETED" | "FAILED" => "node.log",
            _ => "node.log of a job that has not ended",
        };
        comparison.equal(expid, what, name, &theirs, ours);
    }
    for (their_field, our_field) in [("parent_list", "parents"), ("children_list", "children")] {
        if has(their_field) {
            let names = |jobs: &Value, name: fn(&Value) -> &Value| -> BTreeSet<String> {
                let jobs = list(jobs);
                let names = jobs.iter().filter_map(|job| name(job).as_str());
                let known = names.filter(|name| context.names.contains(*name));
                known.map(str::to_owned).collect()
            };
            let theirs = names(&theirs[their_field], |name| name);
            let ours = names(&ours[our_field], |job| &job["name"]);
            let what = format!("node.{our_field}");
            comparison.equal(expid, &what, name, &json!(theirs), &json!(ours));
        }
    }
    if has("wrapper") {
        let ours = context.wrappers.get(name).cloned().unwrap_or_default();
        comparison.equal(expid, "node.wrapper", name, &theirs["wrapper"], &ours);
    }
    for (their_field, our_field) in [("date", "chunkStart"), ("date_plus", "chunkEnd")] {
        if has(their_field) {
            // Of a job without a chunk both are the start date.
            let ours = match &ours[our_field] {
                Value::Null => &ours["date"],
                moment => moment,
            };
            let ours = ours.as_str().and_then(|moment| moment.get(..10));
            let ours = json!(ours.map(|day| day.replace('-', " ")));
            let what = format!("node.{our_field}");
            comparison.equal(expid, &what, name, &theirs[their_field], &ours);
        }
    }
}

/// Queue and run. What is not known is 0 there.
fn times(
    comparison: &mut Comparison,
    expid: &str,
    name: &str,
    theirs: &Value,
    ours: &Value,
    context: &Context,
    nodes: &Nodes,
) {
    let status = ours["status"].as_str().unwrap_or_default();
    let since = |moment: &Value| {
        let moment = time(&ours[moment.as_str().unwrap_or_default()]);
        context.asked_at - moment.as_i64().unwrap_or_default() / 1000
    };
    let (queue, run) = (&theirs["minutes_queue"], &theirs["minutes"]);
    let near = |theirs: &Value, seconds: i64| {
        theirs
            .as_i64()
            .is_some_and(|theirs| (theirs - seconds).abs() <= MOMENT)
    };
    if matches!(status, "SUBMITTED" | "QUEUING") {
        // To the moment of the call; 0 where it looked at the history alone.
        let same = *queue == 0 || near(queue, since(&json!("submittedAt")));
        comparison.equal(expid, "node.waits", name, &json!(true), &json!(same));
    } else {
        let ours = ours["ownQueueSeconds"].as_i64().unwrap_or_default();
        let better = json!(nodes.in_a_row.get(name));
        let what = "node.ownQueueSeconds";
        comparison.equal_or(expid, what, name, (queue, &better), &json!(ours));
    }
    if status == "RUNNING" {
        let same = near(run, since(&json!("startedAt")));
        comparison.equal(expid, "node.runs", name, &json!(true), &json!(same));
    } else {
        let ours = json!(ours["runSeconds"].as_i64().unwrap_or_default());
        comparison.equal(expid, "node.runSeconds", name, run, &ours);
    }
}

/// The wrapper of each job; of several the last.
fn wrappers(wrappers: &Value) -> BTreeMap<String, Value> {
    let mut of_jobs = BTreeMap::new();
    for wrapper in list(wrappers) {
        for job in list(&wrapper["jobs"]["nodes"]) {
            let name = job["name"].as_str().expect("a name").to_owned();
            of_jobs.insert(name, wrapper["name"].clone());
        }
    }
    of_jobs
}

/// The scheduler's ids of the newest attempts of the newest run.
fn recorded(run: &Value) -> BTreeMap<String, Value> {
    let mut newest: BTreeMap<String, (usize, Value)> = BTreeMap::new();
    for job in list(&run["jobs"]) {
        let id = job["id"].as_str().expect("a name");
        let name = id.trim_end_matches('+');
        // The more of them, the newer.
        let number = id.len() - name.len();
        let known = newest.entry(name.to_owned()).or_default();
        if number >= known.0 {
            *known = (number, positive(&job["rm_id"]));
        }
    }
    newest.into_iter().map(|(name, it)| (name, it.1)).collect()
}

/// The jobs of wrappers without dependencies inside, and how long each waited if they ran one after the other.
fn in_a_row(tree: &Value, packages: &Value) -> BTreeMap<String, i64> {
    let jobs = list(&tree["jobs"]);
    let mut waited = BTreeMap::new();
    for names in packages.as_object().into_iter().flat_map(|it| it.values()) {
        let names = list(names);
        let mut inside: Vec<_> = jobs.iter().filter(|it| names.contains(&it["id"])).collect();
        let joined = inside
            .iter()
            .flat_map(|job| list(&job["children_list"]))
            .any(|child| names.contains(&child));
        if joined {
            continue;
        }
        let seconds = |job: &Value, field: &str| job[field].as_i64().unwrap_or_default();
        let total = |job: &Value| seconds(job, "minutes_queue") + seconds(job, "minutes");
        inside.sort_by_key(|job| total(job));
        let mut before = 0;
        for job in inside {
            let queue = (seconds(job, "minutes_queue") - before).max(0);
            before = total(job);
            waited.insert(job["id"].as_str().expect("a name").to_owned(), queue);
        }
    }
    waited
}

fn mean_post(tree: &Value) -> f64 {
    let jobs = list(&tree["jobs"]);
    let post = |job: &&Value| job["section"] == "POST" && job["status"] == "COMPLETED";
    let seconds = |job: &Value, field: &str| job[field].as_f64().unwrap_or_default();
    let totals: Vec<f64> = (jobs.iter().filter(post))
        .map(|job| seconds(job, "minutes_queue") + seconds(job, "minutes"))
        .collect();
    #[expect(clippy::cast_precision_loss, reason = "there are few")]
    let count = totals.len().max(1) as f64;
    totals.iter().sum::<f64>() / count
}

/// Counts and means over all jobs. The old API counts a job no longer by its status when its own file says another one;
/// its means then leave it out, and they are to the moment of the call.
fn summary(
    comparison: &mut Comparison,
    expid: &str,
    jobs: &BTreeMap<String, Value>,
    experiment: &Value,
    nodes: &Nodes,
) {
    let golden = comparison.golden(expid, "v3_summary");
    let ours = &experiment["jobSummary"];
    let simulation = &ours["simulation"];
    // What the compared jobs come to.
    let of = |statuses: &[&str], simulating: bool| -> Vec<&Value> {
        let wanted = |job: &&Value| {
            let status = job["status"].as_str().unwrap_or_default();
            (statuses.is_empty() || statuses.contains(&status))
                && (!simulating || job["section"] == "SIM")
        };
        jobs.values().filter(wanted).collect()
    };
    let counted = |status: &str| count(&experiment["jobCounts"], status);
    for (their_field, ours, better) in [
        ("n_running", &ours["runningCount"], counted("RUNNING")),
        ("n_suspended", &ours["suspendedCount"], counted("SUSPENDED")),
        ("n_queuing", &ours["queuingCount"], counted("QUEUING")),
        ("n_failed", &ours["failedCount"], counted("FAILED")),
        ("n_submitted", &ours["submittedCount"], counted("SUBMITTED")),
        ("n_sim", &simulation["count"], json!(of(&[], true).len())),
        (
            "sim_queue_considered",
            &simulation["queuedCount"],
            json!(of(QUEUED, true).len()),
        ),
        (
            "sim_run_considered",
            &simulation["runCount"],
            json!(of(RAN, true).len()),
        ),
    ] {
        let theirs = (&golden[their_field], &better);
        comparison.equal_or(expid, "summary.count", their_field, theirs, ours);
    }
    let failed: BTreeSet<_> = of(&["FAILED"], false)
        .iter()
        .map(|job| job["name"].to_string())
        .collect();
    let theirs: BTreeSet<_> = list(&golden["failed_jobs"])
        .iter()
        .map(Value::to_string)
        .collect();
    let what = "summary.failedJobs";
    comparison.equal(expid, what, "all", &json!(theirs), &json!(failed));

    let moving = jobs
        .values()
        .any(|job| ON_THE_WAY.iter().any(|status| job["status"] == *status));
    for (their_field, field, (statuses, simulating), ours) in [
        (
            "avg_queue_time",
            "ownQueueSeconds",
            (QUEUED, false),
            &ours["meanQueueSeconds"],
        ),
        (
            "avg_run_time",
            "runSeconds",
            (RAN, false),
            &ours["meanRunSeconds"],
        ),
        (
            "avg_sim_queue_time",
            "ownQueueSeconds",
            (QUEUED, true),
            &simulation["meanQueueSeconds"],
        ),
        (
            "avg_sim_run_time",
            "runSeconds",
            (RAN, true),
            &simulation["meanRunSeconds"],
        ),
    ] {
        // They divide whole seconds by whole numbers, and say 0 of nothing.
        let counted = of(statuses, simulating);
        let seconds = counted.iter().filter_map(|job| job[field].as_i64());
        let number = i64::try_from(counted.len()).expect("few jobs");
        let mean = seconds.sum::<i64>().checked_div(number);
        let ours = ours.as_f64().map(f64::floor);
        #[expect(clippy::cast_precision_loss, reason = "seconds of some years")]
        let near = match (mean, ours) {
            (Some(mean), Some(ours)) => (mean as f64 - ours).abs() <= MOMENT as f64,
            (None, None) => true,
            _ => false,
        };
        let what = "summary.mean of the jobs";
        comparison.equal(expid, what, their_field, &json!(true), &json!(near));
        let theirs = super::runs::seconds(&golden[their_field]);
        let theirs = digits_of(&theirs, 0);
        let ours = json!(ours.map(|ours| format!("{ours:.0}")));
        let what = match field {
            _ if moving => "summary.mean to now",
            "ownQueueSeconds" if !nodes.in_a_row.is_empty() => "summary.mean in a row",
            _ => "summary.mean",
        };
        comparison.equal(expid, what, their_field, &theirs, &ours);
    }
}
