//! The twelve experiments of a real Autosubmit root, against what Autosubmit API 4.2.0 answers on it.
//!
//! A difference is a failure unless [`differences`] names it with its reason; an entry there that no difference needs is
//! a failure too.

mod configurations;
mod differences;
mod experiments;
mod graphs;
mod jobs;
mod logs;
mod performance;
mod run_jobs;
mod runs;
mod tree;

use std::{
    collections::BTreeSet,
    fs,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use self::differences::DIFFERENCES;
use crate::support::{Lab, Server, root, shared_data};

on_both_databases!(the_answers_are_those_of_the_old_api);

pub const EXPIDS: [&str; 12] = [
    "a000", "a001", "a002", "a003", "a1ve", "a1vj", "a3tb", "a6zj", "aa6f", "c000", "d000", "o000",
];

/// A server over the root, the answers to compare with, and the differences that were found.
pub struct Comparison {
    server: Server,
    goldens: PathBuf,
    /// Endpoint and path of each request, by the name of its answer.
    index: String,
    used: BTreeSet<usize>,
    unexplained: Vec<String>,
}

impl Comparison {
    /// The recorded answer.
    pub fn golden(&self, expid: &str, name: &str) -> Value {
        let path = self.goldens.join(format!("{expid}__{name}.json"));
        let text = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        serde_json::from_slice(&text).expect("JSON")
    }

    /// The part of the request's path that follows `word/`.
    pub fn argument(&self, expid: &str, name: &str, word: &str) -> String {
        let key = format!("{expid}__{name}\t");
        let line = self.index.lines().find(|line| line.starts_with(&key));
        let mut parts = line.expect("an index line").split(['/', '\t', '?']);
        parts.find(|part| *part == word).expect("the word");
        parts.next().expect("an argument").to_owned()
    }

    pub async fn data(&self, query: &str, variables: Value) -> Value {
        self.server.data(query, variables).await
    }

    /// Notes a difference. `what` names the field, `subject` the object that has it.
    pub fn equal(&mut self, expid: &str, what: &str, subject: &str, theirs: &Value, ours: &Value) {
        if theirs == ours {
            return;
        }
        let known = DIFFERENCES.iter().position(|known| {
            (known.expid == "*" || known.expid == expid)
                && known.what == what
                && (known.when)(theirs, ours)
        });
        match known {
            Some(number) => {
                self.used.insert(number);
            }
            None => self.unexplained.push(format!(
                "{expid} {what} of {subject}: theirs {theirs}, ours {ours}"
            )),
        }
    }
}

async fn the_answers_are_those_of_the_old_api(lab: Lab) {
    let Some(shared) = shared_data() else { return };
    copy(&shared.join("autosubmit"), &lab.root());
    let report = lab.import();
    assert_eq!(report["experiments"], 12);
    assert_eq!(report["problems"], 0);
    let goldens = shared.join("autosubmit-golden");
    let mut comparison = Comparison {
        server: lab.serve_signed_in().await,
        index: fs::read_to_string(goldens.join("_index.tsv")).expect("an index"),
        goldens,
        used: BTreeSet::new(),
        unexplained: Vec::new(),
    };
    experiments::compare(&mut comparison).await;
    for expid in EXPIDS {
        jobs::compare(&mut comparison, expid).await;
        runs::compare(&mut comparison, expid).await;
        graphs::compare(&mut comparison, expid).await;
        configurations::compare(&mut comparison, expid).await;
        tree::compare(&mut comparison, expid).await;
        run_jobs::compare(&mut comparison, expid).await;
        performance::compare(&mut comparison, expid).await;
        logs::compare(&mut comparison, expid).await;
    }
    assert!(
        comparison.unexplained.is_empty(),
        "{} differences:\n{}",
        comparison.unexplained.len(),
        comparison.unexplained.join("\n")
    );
    for (number, known) in DIFFERENCES.iter().enumerate() {
        assert!(
            comparison.used.contains(&number),
            "no longer a difference: {} {}",
            known.expid,
            known.what
        );
    }
}

/// A copy of the root whose files have the times that they had when the answers were recorded.
fn copy(from: &std::path::Path, to: &std::path::Path) {
    root::copy(from, to);
    let times = fs::read_to_string(from.join("mtimes.tsv")).expect("times");
    for line in times.lines() {
        let (seconds, name) = line.split_once('\t').expect("a time and a name");
        let seconds: f64 = seconds.parse().expect("seconds");
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs_f64(seconds);
        root::set_modified(&to.join(name), time);
    }
}

/// An empty text is none: the old API has both.
pub fn text(value: &Value) -> Value {
    match value.as_str() {
        Some("") => Value::Null,
        _ => value.clone(),
    }
}

/// Both spellings of a time: with an offset, and without one, which is UTC.
pub fn time(value: &Value) -> Value {
    let Some(text) = value.as_str().filter(|text| !text.is_empty()) else {
        return Value::Null;
    };
    let parsed = text.parse::<DateTime<Utc>>().or_else(|_| {
        let text = text.replacen(' ', "T", 1);
        format!("{text}Z").parse::<DateTime<Utc>>()
    });
    match parsed {
        Ok(time) => json!(time.timestamp_millis()),
        Err(_) => value.clone(),
    }
}

/// The elements of a list.
pub fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

/// The number of jobs in a status; statuses without jobs are left out.
pub fn count(counts: &Value, status: &str) -> Value {
    list(counts)
        .iter()
        .find(|count| count["status"] == status)
        .map_or(json!(0), |count| count["count"].clone())
}
