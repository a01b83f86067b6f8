//! The jobs of a run as they were.
//!
//! The old API tells every attempt of the run, with a `+` more in its name for each that it has told before, and the
//! section in the place of the member and the other way round. Its `date` is that of the chunk, reckoned from the
//! configuration of now, and its children, parents and titles are empty or HTML: these have no counterpart.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Comparison, list, text, time};

const JOBS: &str = "query($expid: String!) { experiment(expid: $expid) { lastRun { number
    jobs(first: 1000) { totalCount nodes {
        jobName status section date member chunk submittedAt startedAt finishedAt queueSeconds runSeconds
        queue processors wallclock remoteId platform outLogName errLogName sypd asypd
    } }
} } }";

pub async fn compare(comparison: &mut Comparison, expid: &str) {
    let golden = comparison.golden(expid, "v3_rundetail");
    let data = comparison.data(JOBS, json!({ "expid": expid })).await;
    let run = &data["experiment"]["lastRun"];
    let number = comparison.argument(expid, "v3_rundetail", expid);
    assert_eq!(
        run["number"].to_string(),
        number,
        "the newest run was recorded"
    );
    let ours = list(&run["jobs"]["nodes"]);
    assert_eq!(run["jobs"]["totalCount"], ours.len());
    let mut theirs: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for job in list(&golden["jobs"]) {
        let name = job["id"].as_str().expect("a name").trim_end_matches('+');
        theirs.entry(name.to_owned()).or_default().push(job);
    }
    let names: Vec<_> = ours.iter().map(|job| job["jobName"].clone()).collect();
    let mut their_names: Vec<_> = theirs.keys().cloned().collect();
    their_names.sort_by_key(|name| (name.to_ascii_lowercase(), name.clone()));
    comparison.equal(
        expid,
        "runJobs",
        &number,
        &json!(their_names),
        &json!(names),
    );
    for ours in &ours {
        let name = ours["jobName"].as_str().expect("a name");
        let attempts = theirs.get(name).map_or(&[][..], Vec::as_slice);
        // The newest of them.
        let newest = attempts.iter().max_by_key(|job| job["submit"].to_string());
        if let Some(newest) = newest {
            one(comparison, expid, name, newest, ours);
        }
    }
}

fn one(comparison: &mut Comparison, expid: &str, name: &str, theirs: &Value, ours: &Value) {
    for (their_field, our_field) in [
        ("status", "status"),
        // Exchanged.
        ("member", "section"),
        ("section", "member"),
        ("queue", "queue"),
        ("processors", "processors"),
        ("wallclock", "wallclock"),
        ("rm_id", "remoteId"),
        ("platform_name", "platform"),
        ("minutes_queue", "queueSeconds"),
        ("minutes", "runSeconds"),
    ] {
        let what = format!("runJob.{our_field}");
        comparison.equal(
            expid,
            &what,
            name,
            &text(&theirs[their_field]),
            &ours[our_field],
        );
    }
    let chunk = match &theirs["chunk"] {
        chunk if *chunk == 0 => Value::Null,
        chunk => chunk.clone(),
    };
    comparison.equal(expid, "runJob.chunk", name, &chunk, &ours["chunk"]);
    for (their_field, our_field) in [
        ("submit", "submittedAt"),
        ("start", "startedAt"),
        ("finish", "finishedAt"),
    ] {
        let what = format!("runJob.{our_field}");
        let theirs = moment(&theirs[their_field]);
        comparison.equal(expid, &what, name, &theirs, &time(&ours[our_field]));
    }
    for (their_field, our_field) in [("out", "outLogName"), ("err", "errLogName")] {
        let path = text(&theirs[their_field]);
        let file = path.as_str().and_then(|path| path.rsplit('/').next());
        let file = file.filter(|name| !name.is_empty());
        let what = format!("runJob.{our_field}");
        comparison.equal(expid, &what, name, &json!(file), &ours[our_field]);
    }
    // The folder in which it stands tells the start date: `<expid>_<date>_<section>`.
    let folder = theirs["tree_parents"][0].as_str().unwrap_or_default();
    let date = folder
        .strip_prefix(&format!("{expid}_"))
        .and_then(|rest| rest.get(..8))
        .filter(|date| date.bytes().all(|byte| byte.is_ascii_digit()));
    let our_date = ours["date"].as_str().and_then(|date| date.get(..10));
    let our_date = our_date.map(|date| date.replace('-', ""));
    comparison.equal(expid, "runJob.date", name, &json!(date), &json!(our_date));
}

/// `YYYY-MM-DD-HH:MM:SS`
fn moment(value: &Value) -> Value {
    match value.as_str().filter(|text| text.len() == 19) {
        Some(text) => time(&json!(format!("{}T{}", &text[..10], &text[11..]))),
        None => time(value),
    }
}
