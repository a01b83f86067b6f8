//! The experiments of a real Autosubmit root, against what Autosubmit API 4.2.0 answers on it.
//!
//! A difference is a failure unless [`differences`] names it with its reason and says what the other value has to be; an
//! entry there that no difference needs is a failure too. So is an answer that nothing looks at, unless
//! [`LEFT_OUT`] names it. No rule is about one experiment: each is about how something is recorded.
//!
//! What was compared is summed up in the output (`cargo nextest run --no-capture`).

mod configurations;
mod differences;
mod experiments;
mod graphs;
mod info;
mod jobs;
mod logs;
mod nodes;
mod performance;
mod run_jobs;
mod runs;
mod tree;

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use self::differences::{DIFFERENCES, LEFT_OUT};
use crate::support::{Lab, Server, root, shared_data};

on_both_databases!(the_answers_are_those_of_the_old_api);

/// The name of answers about no one experiment.
const ALL: &str = "_all";

/// A server over the root, the answers to compare with, and the differences that were found.
pub struct Comparison {
    server: Server,
    goldens: PathBuf,
    /// Endpoint and path of each request, by the name of its answer.
    index: String,
    /// The answers that were looked at.
    looked_at: RefCell<BTreeSet<String>>,
    /// How many values were compared.
    values: usize,
    /// How often each known difference was met.
    met: BTreeMap<usize, usize>,
    unexplained: Vec<String>,
}

impl Comparison {
    fn new(server: Server, goldens: PathBuf) -> Self {
        Self {
            server,
            index: fs::read_to_string(goldens.join("_index.tsv")).expect("an index"),
            goldens,
            looked_at: RefCell::default(),
            values: 0,
            met: BTreeMap::new(),
            unexplained: Vec::new(),
        }
    }

    /// The names of all answers: `<expid>__<call>`.
    fn names(&self) -> BTreeSet<String> {
        let lines = self.index.lines();
        let name = |line: &str| Some(line.split('\t').next()?.to_owned());
        let names = lines.filter_map(name);
        names.filter(|name| name.contains("__")).collect()
    }

    /// The experiments that there are answers about.
    fn expids(&self) -> BTreeSet<String> {
        let names = self.names();
        let expid = |name: &String| Some(name.split_once("__")?.0.to_owned());
        let expids = names.iter().filter_map(expid);
        expids.filter(|expid| expid != ALL).collect()
    }

    /// Whether the old API was asked that.
    pub fn has(&self, expid: &str, name: &str) -> bool {
        let line = format!("{expid}__{name}\t");
        self.index.lines().any(|known| known.starts_with(&line))
    }

    /// The recorded answer.
    pub fn golden(&self, expid: &str, name: &str) -> Value {
        let name = format!("{expid}__{name}");
        let path = self.goldens.join(format!("{name}.json"));
        let text = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        self.looked_at.borrow_mut().insert(name);
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

    /// When the old API was asked, in seconds since 1970: its clock at one of the calls. The others were within a minute.
    pub fn asked_at(&self, expid: &str) -> i64 {
        let tree = self.golden(expid, "v3_tree");
        tree["pkl_timestamp"].as_i64().expect("a time")
    }

    pub async fn data(&self, query: &str, variables: Value) -> Value {
        self.server.data(query, variables).await
    }

    pub async fn refusal(&self, query: &str, variables: Value) -> String {
        self.server.refusal(query, variables).await
    }

    /// Notes a difference. `what` names the field, `subject` the object that has it.
    pub fn equal(&mut self, expid: &str, what: &str, subject: &str, theirs: &Value, ours: &Value) {
        self.values += 1;
        if theirs == ours {
            return;
        }
        let known = DIFFERENCES
            .iter()
            .position(|known| known.what == what && (known.when)(theirs, ours));
        match known {
            Some(number) => *self.met.entry(number).or_default() += 1,
            None => self.unexplained.push(format!(
                "{expid} {what} of {subject}: theirs {theirs}, ours {ours}"
            )),
        }
    }

    /// As [`equal`](Self::equal), where something else that the old API says tells what the better value is: if the two
    /// differ, ours must be that.
    pub fn equal_or(
        &mut self,
        expid: &str,
        what: &str,
        subject: &str,
        (theirs, better): (&Value, &Value),
        ours: &Value,
    ) {
        if theirs == ours || better.is_null() {
            self.equal(expid, what, subject, theirs, ours);
        } else {
            let both = json!({ "theirs": theirs, "better": better });
            self.equal(expid, what, subject, &both, ours);
        }
    }

    /// Fails if there is anything unexplained, an explanation too many, or an answer that nobody looked at.
    fn finish(&self) {
        let names = self.names();
        let looked_at = self.looked_at.borrow();
        let mut unseen: BTreeMap<&str, usize> = BTreeMap::new();
        let mut unnamed = Vec::new();
        for name in names.difference(&looked_at) {
            let call = name.split_once("__").map_or("", |(_, call)| call);
            let mut known = LEFT_OUT.iter();
            match known.find(|(left, _)| *left == name || *left == call) {
                Some((left, _)) => *unseen.entry(left).or_default() += 1,
                None => unnamed.push(name),
            }
        }
        let differing: usize = self.met.values().sum();
        println!(
            "{} recorded answers: {} compared, {} left out; {} values compared: {} equal, {differing} differing as is known",
            names.len(),
            looked_at.len(),
            names.len() - looked_at.len(),
            self.values,
            self.values - differing - self.unexplained.len(),
        );
        for (left, count) in &unseen {
            let why = LEFT_OUT.iter().find(|(name, _)| name == left);
            println!("left out {left} ({count}): {}", why.map_or("", |it| it.1));
        }
        for (number, count) in &self.met {
            let known = &DIFFERENCES[*number];
            println!("differs {} ({count}): {}", known.what, known.because);
        }
        assert!(
            self.unexplained.is_empty(),
            "{} differences:\n{}",
            self.unexplained.len(),
            self.unexplained.join("\n")
        );
        assert!(unnamed.is_empty(), "nobody looked at {unnamed:?}");
        for (left, _) in LEFT_OUT {
            assert!(unseen.contains_key(left), "no longer left out: {left}");
        }
        for (number, known) in DIFFERENCES.iter().enumerate() {
            let met = self.met.contains_key(&number);
            assert!(met, "no longer a difference: {} {number}", known.what);
        }
    }
}

async fn the_answers_are_those_of_the_old_api(lab: Lab) {
    let Some(shared) = shared_data() else { return };
    copy(&shared.join("autosubmit"), &lab.root());
    let report = lab.import();
    assert_eq!(report["problems"], 0);
    let server = lab.serve_signed_in().await;
    let mut comparison = Comparison::new(server, shared.join("autosubmit-golden"));
    let expids = comparison.expids();
    assert_eq!(report["experiments"], expids.len());
    experiments::compare(&mut comparison, &expids).await;
    info::compare_all(&mut comparison).await;
    for expid in &expids {
        info::compare(&mut comparison, expid).await;
        jobs::compare(&mut comparison, expid).await;
        runs::compare(&mut comparison, expid).await;
        graphs::compare(&mut comparison, expid).await;
        configurations::compare(&mut comparison, expid).await;
        tree::compare(&mut comparison, expid).await;
        run_jobs::compare(&mut comparison, expid).await;
        let nodes = nodes::compare(&mut comparison, expid).await;
        performance::compare(&mut comparison, expid, &nodes, &lab.root()).await;
        logs::compare(&mut comparison, expid).await;
    }
    comparison.finish();
}

/// A copy of the root whose files have the times that they had when the answers were recorded.
fn copy(from: &Path, to: &Path) {
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

/// A number that says nothing is none.
pub fn positive(value: &Value) -> Value {
    match value.as_i64() {
        Some(0) => Value::Null,
        _ => value.clone(),
    }
}

/// The name of the file at the end of a path.
pub fn file_name(path: &Value) -> Value {
    let name = path.as_str().and_then(|path| path.rsplit('/').next());
    json!(name.filter(|name| !name.is_empty()))
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

/// A number to so many digits behind the point.
pub fn digits_of(number: &Value, digits: usize) -> Value {
    match number.as_f64() {
        Some(number) => json!(format!("{number:.digits$}")),
        None => Value::Null,
    }
}
