//! Logs: those of runs, of the recovery of logs, and of jobs.
//!
//! The old API's `logrun` tells how many seconds ago the log was written to, which the clock decides. `ifrun` repeats what
//! the central database says, which nobody takes back when a run is killed; whether an experiment runs is compared with
//! `logrun`, which looks at the log. Where the folder of logs is missing the old API tells an error, and here there are none.

use chrono::{Local, NaiveDateTime, TimeZone};
use serde_json::{Value, json};

use super::{Comparison, list, text, time};

const LOGS: &str = "query($expid: String!) { experiment(expid: $expid) { status
    log { name modifiedAt tail(lines: 150) }
    recoveryLogs { name platform startedAt modifiedAt tail(lines: 150) } } }";

const OF_JOB: &str = "query($expid: String!, $name: String!) { job(expid: $expid, name: $name) {
    logs { name modifiedAt tail(lines: 150) } } }";

pub async fn compare(comparison: &mut Comparison, expid: &str) {
    let mut data = comparison.data(LOGS, json!({ "expid": expid })).await;
    let ours = data["experiment"].take();
    let theirs = comparison.golden(expid, "v3_exprun");
    assert_eq!(
        theirs["found"].as_bool(),
        Some(!ours["log"].is_null()),
        "{expid}"
    );
    one(comparison, expid, "log", &theirs, &ours["log"]);

    let theirs = comparison.golden(expid, "v3_logrun");
    let path = file_name(&theirs["log_path"]);
    comparison.equal(expid, "logrun", expid, &path, &ours["log"]["name"]);
    let running = json!(ours["status"] == "RUNNING");
    comparison.equal(
        expid,
        "logrun.running",
        expid,
        &theirs["is_running"],
        &running,
    );

    let theirs = comparison.golden(expid, "v3_exp-recovery-logs");
    let platforms = |logs: &Value, name: &str| -> Vec<Value> {
        list(logs)
            .iter()
            .map(|log| json!([log["platform"], log[name]]))
            .collect()
    };
    let theirs = &theirs["platform_recovery_logs"];
    comparison.equal(
        expid,
        "recoveryLogs",
        expid,
        &json!(platforms(theirs, "filename")),
        &json!(platforms(&ours["recoveryLogs"], "name")),
    );
    for (theirs, ours) in list(theirs).iter().zip(list(&ours["recoveryLogs"])) {
        let began = theirs["datetime"].as_str().expect("a time");
        let began: NaiveDateTime = began.parse().expect("a time");
        let began = Local
            .from_local_datetime(&began)
            .earliest()
            .expect("a time");
        let began = json!(began.timestamp_millis());
        comparison.equal(
            expid,
            "recoveryLogs.startedAt",
            expid,
            &began,
            &time(&ours["startedAt"]),
        );
        let theirs = json!({
            "logfile": theirs["filename"], "lastModified": theirs["modified_date"], "logcontent": theirs["content"],
        });
        one(comparison, expid, "recoveryLogs", &theirs, &ours);
    }

    of_job(comparison, expid).await;
}

async fn of_job(comparison: &mut Comparison, expid: &str) {
    let theirs = comparison.golden(expid, "v3_joblog");
    let name = comparison.argument(expid, "v3_joblog", "joblog");
    let job = name.split('.').next().expect("a job");
    let data = comparison
        .data(OF_JOB, json!({ "expid": expid, "name": job }))
        .await;
    let logs = list(&data["job"]["logs"]);
    let ours = logs
        .into_iter()
        .find(|log| log["name"] == name)
        .unwrap_or_default();
    assert_eq!(theirs["found"].as_bool(), Some(!ours.is_null()), "{name}");
    if !ours.is_null() {
        one(comparison, expid, "logs", &theirs, &ours);
    }
}

/// Name, time and last lines. The old API cuts white space off the ends of lines.
fn one(comparison: &mut Comparison, expid: &str, what: &str, theirs: &Value, ours: &Value) {
    let what = |field: &str| format!("{what}.{field}");
    let name = file_name(&theirs["logfile"]);
    comparison.equal(expid, &what("name"), expid, &name, &ours["name"]);
    let modified = time(&theirs["lastModified"]);
    comparison.equal(
        expid,
        &what("modifiedAt"),
        expid,
        &modified,
        &time(&ours["modifiedAt"]),
    );
    let trimmed = |line: &Value| line.as_str().expect("a line").trim_end().to_owned();
    let content = list(&theirs["logcontent"]);
    let content: Vec<_> = content
        .iter()
        .map(|line| trimmed(&line["content"]))
        .collect();
    let tail: Vec<_> = list(&ours["tail"]).iter().map(trimmed).collect();
    comparison.equal(expid, &what("tail"), expid, &json!(content), &json!(tail));
}

/// The last part of a path; null for none.
fn file_name(path: &Value) -> Value {
    let path = text(path);
    path.as_str()
        .map_or(Value::Null, |path| json!(path.rsplit('/').next()))
}
