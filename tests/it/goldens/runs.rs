//! Runs, wrappers and the attempts at a job.

use serde_json::{Value, json};

use super::{Comparison, count, list, text, time};

const RUNS: &str = "query($expid: String!) { experiment(expid: $expid) {
    runs(first: 500, orderBy: { field: NUMBER, direction: ASC }) { totalCount nodes {
        number startedAt finishedAt chunkUnit chunkSize totalJobs jobCounts { status count }
    } }
    wrappers { name jobs(first: 1000) { totalCount nodes { name } } }
} }";

const ATTEMPTS: &str = "query($expid: String!, $name: String!) { job(expid: $expid, name: $name) { attempts {
    number status submittedAt startedAt finishedAt queueSeconds runSeconds processors wallclock queue platform
    remoteId nodeCount energyJoules sypd asypd runNumber outLogName errLogName
} } }";

pub async fn compare(comparison: &mut Comparison, expid: &str) {
    let data = comparison.data(RUNS, json!({ "expid": expid })).await;
    let experiment = &data["experiment"];
    let ours = list(&experiment["runs"]["nodes"]);
    let theirs = list(&comparison.golden(expid, "v4_runs")["runs"]);
    comparison.equal(
        expid,
        "runs.totalCount",
        "v4_runs",
        &json!(theirs.len()),
        &experiment["runs"]["totalCount"],
    );
    for (theirs, ours) in theirs.iter().zip(&ours) {
        let subject = ours["number"].to_string();
        comparison.equal(
            expid,
            "run.number",
            &subject,
            &theirs["run_id"],
            &ours["number"],
        );
        comparison.equal(
            expid,
            "run.startedAt",
            &subject,
            &time(&theirs["start"]),
            &time(&ours["startedAt"]),
        );
        comparison.equal(
            expid,
            "run.finishedAt",
            &subject,
            &time(&theirs["finish"]),
            &time(&ours["finishedAt"]),
        );
    }
    for theirs in list(&comparison.golden(expid, "v3_runs")["runs"]) {
        let subject = theirs["run_id"].to_string();
        let ours = ours.iter().find(|ours| ours["number"] == theirs["run_id"]);
        let ours = ours.cloned().unwrap_or_default();
        for (their_field, our_field) in [
            ("chunk_unit", "chunkUnit"),
            ("chunk_size", "chunkSize"),
            ("total", "totalJobs"),
        ] {
            let what = format!("run.{our_field}");
            comparison.equal(
                expid,
                &what,
                &subject,
                &text(&theirs[their_field]),
                &ours[our_field],
            );
        }
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
                "run.jobCounts",
                &subject,
                theirs,
                &count(&ours["jobCounts"], status),
            );
        }
    }
    wrappers(comparison, expid, &experiment["wrappers"]);
    attempts(comparison, expid).await;
}

fn wrappers(comparison: &mut Comparison, expid: &str, ours: &Value) {
    let mut theirs = comparison.golden(expid, "v4_wrappers")["wrappers"].take();
    if let Some(wrappers) = theirs.as_array_mut() {
        wrappers.sort_by_key(|wrapper| wrapper["wrapper_name"].to_string());
        for wrapper in wrappers {
            if let Some(names) = wrapper["job_names"].as_array_mut() {
                names.sort_by_key(Value::to_string);
            }
        }
    }
    let mut ours: Vec<_> = list(ours)
        .iter()
        .map(|wrapper| {
            let jobs = list(&wrapper["jobs"]["nodes"]);
            let names: Vec<_> = jobs.iter().map(|job| job["name"].clone()).collect();
            json!({ "wrapper_name": wrapper["name"], "job_names": names })
        })
        .collect();
    ours.sort_by_key(|wrapper| wrapper["wrapper_name"].to_string());
    comparison.equal(expid, "wrappers", "v4_wrappers", &theirs, &json!(ours));
}

async fn attempts(comparison: &mut Comparison, expid: &str) {
    let name = comparison.argument(expid, "v3_history", expid);
    let data = comparison
        .data(ATTEMPTS, json!({ "expid": expid, "name": name }))
        .await;
    let ours = list(&data["job"]["attempts"]);
    let theirs = list(&comparison.golden(expid, "v3_history")["history"]);
    comparison.equal(
        expid,
        "attempts",
        &name,
        &json!(theirs.len()),
        &json!(ours.len()),
    );
    for (theirs, ours) in theirs.iter().zip(&ours) {
        let subject = format!("{name} {}", ours["number"]);
        for (their_field, our_field) in [
            ("counter", "number"),
            ("status", "status"),
            ("ncpus", "processors"),
            ("wallclock", "wallclock"),
            ("qos", "queue"),
            ("platform", "platform"),
            ("job_id", "remoteId"),
            ("nodes", "nodeCount"),
            ("run_id", "runNumber"),
            ("out", "outLogName"),
            ("err", "errLogName"),
        ] {
            let what = format!("attempt.{our_field}");
            comparison.equal(
                expid,
                &what,
                &subject,
                &text(&theirs[their_field]),
                &ours[our_field],
            );
        }
        for (their_field, our_field) in [
            ("submit", "submittedAt"),
            ("start", "startedAt"),
            ("finish", "finishedAt"),
        ] {
            let what = format!("attempt.{our_field}");
            comparison.equal(
                expid,
                &what,
                &subject,
                &time(&theirs[their_field]),
                &time(&ours[our_field]),
            );
        }
        for (their_field, our_field) in [("queue_time", "queueSeconds"), ("run_time", "runSeconds")]
        {
            let what = format!("attempt.{our_field}");
            comparison.equal(
                expid,
                &what,
                &subject,
                &seconds(&theirs[their_field]),
                &ours[our_field],
            );
        }
        for (their_field, our_field) in [
            ("SYPD", "sypd"),
            ("ASYPD", "asypd"),
            ("energy", "energyJoules"),
        ] {
            let what = format!("attempt.{our_field}");
            comparison.equal(
                expid,
                &what,
                &subject,
                &rounded(&theirs[their_field]),
                &rounded(&ours[our_field]),
            );
        }
    }
}

/// The seconds of `1 day, 2:03:04`.
pub fn seconds(text: &Value) -> Value {
    let Some(text) = text.as_str() else {
        return Value::Null;
    };
    let (days, clock) = match text.split_once(", ") {
        Some((days, clock)) => (days.split(' ').next().unwrap_or_default(), clock),
        None => ("0", text),
    };
    let days: i64 = days.parse().expect("days");
    let clock = clock.split(':').fold(0, |sum, part| {
        sum * 60 + part.parse::<i64>().expect("a number")
    });
    json!(days * 86_400 + clock)
}

/// A number to six digits.
fn rounded(number: &Value) -> Value {
    match number.as_f64() {
        Some(number) => json!(format!("{number:.6}")),
        None => Value::Null,
    }
}
