//! An installation that keeps its tables in PostgreSQL is mirrored as one that keeps them in SQLite files.

use std::{
    path::Path,
    time::{Duration, SystemTime},
};

use labql::demo::autosubmit::JobListForm;
use serde_json::{Value, json};

use super::{experiment, expids, problems, rows, small};
use crate::support::{
    Lab, Server, Socket, TestDatabase, TestServer, client::get, root, shared_data, variant,
};

on_both_databases!(
    a_laboratory_is_told_alike,
    real_experiments_are_told_alike,
    only_what_changed_is_read,
    another_root_is_not_the_one_that_is_configured,
    what_is_wrong_is_told_with_its_table,
    a_server_goes_away_and_comes_back,
);

pub(super) const URL: &str = "LABQL_AUTOSUBMIT__DATABASE_URL";

/// All that is told of an experiment. Moments of asking are left out, and the names of sources.
const ALL: &str = "query($e: String!) { experiment(expid: $e) {
    id expid description owner hpc autosubmitVersion kind status createdAt modifiedAt archivedAt chunkSize chunkUnit
    model branch workflowCommit
    jobCounts { status count }
    sourceProblems { message }
    jobs(first: 1000) { totalCount nodes {
        id name status priority section date member chunk split splits remoteId platform processors queue wallclock
        submittedAt startedAt finishedAt queueSeconds runSeconds workflowCommit sypd asypd
        outLog { name sizeBytes } errLog { name sizeBytes }
    } }
    runs(first: 100) { totalCount nodes {
        id number createdAt modifiedAt startedAt finishedAt chunkSize chunkUnit totalJobs jobCounts { status count }
        performance { sypd asypd psypd chsy parallelization } configuration
        jobs(first: 100) { totalCount nodes { jobName number status } }
    } }
    lastRun { number }
    wrappers { name jobs(first: 100) { totalCount nodes { name } } }
    configuration { filesystem currentRun isEqual warnings differences { path } }
    performance { sypd asypd psypd rsypd chsy jpsy sy parallelization totalEnergyJoules warnings
        considered { job { name } yearsPerChunk sypd asypd } rejected { job { name } reason } }
    jobSummary { completedCount failedCount meanQueueSeconds meanRunSeconds queuingCount runningCount }
    statistics { summary { cpuSeconds runSeconds queueSeconds completedCount submittedCount }
        jobs { job { name } runSeconds queueSeconds submittedCount } }
    eta { seconds chunksTotal chunksRemaining averageSecondsPerChunk }
    userMetrics { run jobName name value modifiedAt }
} }";

/// The attempts at some jobs, with their neighbours.
const JOBS: &str = "query($e: String!) { experiment(expid: $e) { jobs(first: 60) { nodes {
    name children { name } parents { name } attempts {
        number status createdAt submittedAt startedAt finishedAt queueSeconds runSeconds processors nodeCount wallclock
        queue energyJoules date section member chunk platform remoteId runNumber outLogName errLogName workflowCommit
        split splits
    }
} } } }";

/// The workflow.
const GRAPH: &str =
    "query($e: String!) { experiment(expid: $e) { graph(first: 2000, layout: LEVELS) {
    totalCount edgeCount levelCount edges { from to } nodes { job { name } level wrapper }
} } }";

/// What a server tells of an experiment. Lists whose order says nothing are sorted.
async fn told(server: &Server, expid: &str) -> Vec<Value> {
    let mut answers = Vec::new();
    for query in [ALL, JOBS, GRAPH] {
        let (_, mut answer) = server.ask(query, json!({ "e": expid })).await;
        sort(
            &mut answer,
            "",
            &["children", "parents", "edges", "considered", "rejected"],
        );
        answers.push(answer);
    }
    answers
}

fn sort(value: &mut Value, name: &str, unordered: &[&str]) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                sort(field, name, unordered);
            }
        }
        Value::Array(elements) => {
            for element in elements.iter_mut() {
                sort(element, "", unordered);
            }
            if unordered.contains(&name) {
                elements.sort_by_key(Value::to_string);
            }
        }
        _ => {}
    }
}

/// Where two answers differ, at most ten times: they are long.
fn compare_values(expected: &Value, found: &Value, path: String, differences: &mut Vec<String>) {
    match (expected, found) {
        _ if differences.len() >= 10 => {}
        (Value::Object(expected), Value::Object(found)) if expected.len() == found.len() => {
            for (name, value) in expected {
                let other = found.get(name).unwrap_or(&Value::Null);
                compare_values(value, other, format!("{path}.{name}"), differences);
            }
        }
        (Value::Array(expected), Value::Array(found)) if expected.len() == found.len() => {
            for (index, (value, other)) in expected.iter().zip(found).enumerate() {
                compare_values(value, other, format!("{path}[{index}]"), differences);
            }
        }
        _ if expected == found => {}
        // How long something has run by now is asked at two moments.
        (Value::Number(expected), Value::Number(found)) if path.ends_with("Seconds") => {
            let (expected, found) = (expected.as_f64(), found.as_f64());
            let (expected, found) = expected.zip(found).expect("numbers");
            if (expected - found).abs() > (expected / 1000.0).max(60.0) {
                differences.push(format!("{path}: expected {expected}, found {found}"));
            }
        }
        _ => differences.push(format!("{path}: expected {expected}, found {found}")),
    }
}

/// The times of files in whole seconds, as the server keeps them.
fn round_times(folder: &Path) {
    for (path, (_, time)) in root::listing(folder) {
        let age = time.duration_since(SystemTime::UNIX_EPOCH).expect("a time");
        let whole = Duration::from_secs(age.as_secs());
        if path.is_file() {
            root::set_modified(&path, SystemTime::UNIX_EPOCH + whole);
        }
    }
}

/// Mirrors the root of a laboratory from files, and again from tables, and compares what is told.
async fn compare(lab: Lab) {
    let Some(tables) = TestDatabase::create().await else {
        return;
    };
    round_times(&lab.root());
    let mut other = lab.another().await;
    root::copy(&lab.root(), &other.root());
    variant::move_to(&other.root(), &tables.url()).await;
    other.set(URL, tables.url());

    let (from_files, from_tables) = (lab.import(), other.import());
    assert_eq!(from_tables["experiments"], from_files["experiments"]);
    assert_eq!(from_tables["read"], from_files["read"]);
    assert_eq!(rows(&from_tables), rows(&from_files));
    assert_eq!(from_tables["problems"], from_files["problems"]);
    let again = other.import();
    assert_eq!((&again["read"], rows(&again)), (&json!(0), (0, 0, 0)));

    let (files, tables) = (lab.serve_signed_in().await, other.serve_signed_in().await);
    let all = expids(&files, json!({})).await;
    assert_eq!(expids(&tables, json!({})).await, all);
    assert!(!all.is_empty());
    for expid in all {
        let (expected, found) = (told(&files, &expid).await, told(&tables, &expid).await);
        for (expected, found) in expected.into_iter().zip(found) {
            assert!(expected["data"]["experiment"].is_object(), "{expected}");
            let mut differences = Vec::new();
            compare_values(&expected, &found, expid.clone(), &mut differences);
            assert!(differences.is_empty(), "{}", differences.join("\n"));
        }
    }
}

async fn a_laboratory_is_told_alike(lab: Lab) {
    root::demo(&lab.root());
    compare(lab).await;
}

async fn real_experiments_are_told_alike(lab: Lab) {
    let Some(shared) = shared_data() else { return };
    root::copy(&shared.join("autosubmit"), &lab.root());
    compare(lab).await;
}

/// A laboratory with two experiments, a pickled and a tabled one, in the variant.
pub(super) async fn two(lab: &mut Lab) -> Option<TestDatabase> {
    let tables = TestDatabase::create().await?;
    let specs = [
        small("a000", JobListForm::Dict),
        small("a001", JobListForm::Sqlite),
    ];
    root::with(&lab.root(), &specs);
    variant::move_to(&lab.root(), &tables.url()).await;
    lab.set(URL, tables.url());
    Some(tables)
}

async fn only_what_changed_is_read(mut lab: Lab) {
    let Some(tables) = two(&mut lab).await else {
        return;
    };
    let url = tables.url();
    let first = lab.import();
    assert_eq!((&first["read"], &first["problems"]), (&json!(2), &json!(0)));
    let unchanged = async |lab: &Lab| {
        let before = variant::scans(&url).await;
        let report = lab.import();
        assert_eq!((&report["read"], rows(&report)), (&json!(0), (0, 0, 0)));
        assert_eq!(variant::scans(&url).await, before, "tables were read");
    };
    unchanged(&lab).await;
    let server = lab.serve_signed_in().await;
    let cursor = server.data("{ eventCursor }", json!({})).await["eventCursor"].take();

    // Two jobs of the tabled list: these and the counts of their experiment are written, and told of.
    variant::sql(
        &url,
        "UPDATE a001.jobs SET status = 'SUSPENDED' WHERE name IN
            (SELECT name FROM a001.jobs WHERE status = 'WAITING' ORDER BY name LIMIT 2)",
    )
    .await;
    let changed = lab.import();
    assert_eq!((&changed["read"], rows(&changed)), (&json!(1), (0, 3, 0)));
    unchanged(&lab).await;
    let events = "query($after: String) { events(after: $after, topics: [JOB, EXPERIMENT]) { edges { node { topic subject } } } }";
    let told = server.data(events, json!({ "after": cursor })).await;
    let told = told["events"]["edges"].as_array().expect("events");
    assert_eq!(told.len(), 3, "{told:?}");

    // A run.
    variant::sql(
        &url,
        "UPDATE a000.experiment_run SET suspended = suspended + 1",
    )
    .await;
    let changed = lab.import();
    assert_eq!((&changed["read"], rows(&changed).0), (&json!(1), 0));
    assert!(rows(&changed).1 > 0, "{changed}");

    // The pickle anew, without any change: read, and nothing written but when the list was saved.
    variant::sql(
        &url,
        "UPDATE job_pkl SET modified = '2026-10-01 10:00:00' WHERE expid = 'a000'",
    )
    .await;
    let changed = lab.import();
    assert_eq!((&changed["read"], rows(&changed)), (&json!(1), (0, 1, 0)));

    // What is emptied and what is dropped.
    variant::sql(&url, "TRUNCATE a001.experiment_run").await;
    assert_eq!(lab.import()["read"], 1);
    variant::sql(&url, "DROP TABLE a001.job_data").await;
    let changed = lab.import();
    assert_eq!(
        (&changed["read"], &changed["problems"]),
        (&json!(1), &json!(1))
    );
    unchanged(&lab).await;

    // The central tables.
    variant::sql(
        &url,
        "UPDATE experiment SET description = 'anew' WHERE name = 'a000'",
    )
    .await;
    let changed = lab.import();
    assert_eq!(rows(&changed), (0, 1, 0));
    variant::sql(&url, "DELETE FROM experiment WHERE name = 'a001'").await;
    assert_eq!(lab.import()["archived"], 1);
    assert_eq!(expids(&server, json!({})).await, ["a000"]);
    unchanged(&lab).await;
}

async fn another_root_is_not_the_one_that_is_configured(mut lab: Lab) {
    root::with(&lab.root(), &[small("a000", JobListForm::Dict)]);
    let central = lab.root().join("lab.db");
    std::fs::rename(lab.root().join("autosubmit.db"), &central).expect("a file");
    lab.set("LABQL_AUTOSUBMIT__CENTRAL_DATABASE", "lab.db");
    assert_eq!(lab.import()["experiments"], 1);
    // Both settings are about the root that is named, where one is.
    let other = lab.path("other");
    std::fs::create_dir(&other).expect("a folder");
    root::with(&other, &[small("b000", JobListForm::Dict)]);
    lab.set("LABQL_AUTOSUBMIT__ROOT", lab.root().display().to_string());
    lab.set(URL, "postgres://labql:hunter2@127.0.0.1:1/none");
    assert_eq!(lab.import_from(&other)["experiments"], 1);
    let refused = lab.run(&["import", "autosubmit", lab.root().to_str().expect("UTF-8")]);
    assert!(
        !refused.success && !refused.stderr.contains("hunter2"),
        "{}",
        refused.stderr
    );
    lab.set("LABQL_AUTOSUBMIT__CENTRAL_DATABASE", "../lab.db");
    let refused = lab.run(&["import", "autosubmit", lab.root().to_str().expect("UTF-8")]);
    assert!(
        refused.stderr.contains("is not the name of a file"),
        "{}",
        refused.stderr
    );
    lab.set(URL, "mysql://labql:hunter2@127.0.0.1/none");
    let refused = lab.run(&["serve"]);
    assert!(
        refused
            .stderr
            .contains("not the URL of a PostgreSQL database"),
        "{}",
        refused.stderr
    );
    assert!(!refused.stderr.contains("hunter2"), "{}", refused.stderr);
}

async fn what_is_wrong_is_told_with_its_table(mut lab: Lab) {
    let Some(tables) = TestDatabase::create().await else {
        return;
    };
    let names = ["a000", "a001", "a002", "a003", "a004", "a005", "a006"];
    let forms = |expid: &str| match expid {
        "a000" | "a005" => JobListForm::Dict,
        _ => JobListForm::Sqlite,
    };
    let specs = names.map(|expid| small(expid, forms(expid)));
    root::with(&lab.root(), &specs);
    let url = tables.url();
    variant::move_to(&lab.root(), &url).await;
    lab.set(URL, &url);
    let long = "repeat('x', 200000000)";
    variant::sql(
        &url,
        &format!(
            "INSERT INTO experiment (id, name, description) VALUES (90, 'a\"; DROP TABLE experiment; --', 'x');
             CREATE SCHEMA \"a\"\"; DROP TABLE experiment; --\";
             UPDATE a000.experiment_run SET metadata = {long};
             ALTER TABLE a001.job_data ALTER submit TYPE bytea USING ''::bytea;
             ALTER TABLE a002.experiment_run RENAME TO kept;
             CREATE FUNCTION a002.spy() RETURNS bigint LANGUAGE sql AS 'SELECT pg_sleep(1000)::text::bigint';
             CREATE VIEW a002.experiment_run AS SELECT a002.spy() AS run_id FROM a002.kept;
             ALTER TABLE a003.jobs RENAME TO others;
             DROP SCHEMA a004 CASCADE;
             UPDATE job_pkl SET pkl = '\\x80056261' WHERE expid = 'a005';
             UPDATE a006.jobs SET section = {long} WHERE name IN (SELECT name FROM a006.jobs LIMIT 1)"
        ),
    )
    .await;
    let report = lab.import();
    assert_eq!(report["experiments"], 7);
    let server = lab.serve_signed_in().await;
    let told = problems(&server).await;
    let of = |wanted: Option<&str>| -> Vec<(&str, &str)> {
        told.iter()
            .filter(|(expid, ..)| expid.as_deref() == wanted)
            .map(|(_, source, message)| (source.as_str(), message.as_str()))
            .collect()
    };
    let [(source, message)] = of(None)[..] else {
        panic!("{told:?}")
    };
    assert_eq!(source, "experiment");
    assert!(
        message.contains("is not an experiment identifier"),
        "{message}"
    );
    let whole = "the configurations of 1 runs are too large to be kept";
    assert_eq!(of(Some("a000")), [("a000", whole)]);
    assert_eq!(
        of(Some("a001")),
        [("a001.job_data", "column submit is of an unexpected type")]
    );
    assert_eq!(
        of(Some("a002")),
        [("a002.experiment_run", "it is not an ordinary table")]
    );
    assert_eq!(of(Some("a003")), [("a003.jobs", "there is no such table")]);
    assert_eq!(of(Some("a004")), [("a004.jobs", "there is no such table")]);
    let [(source, message)] = of(Some("a005"))[..] else {
        panic!("{told:?}")
    };
    assert_eq!(source, "job_pkl");
    assert!(message.contains("damaged"), "{message}");
    // Everything else goes on.
    assert!(experiment(&server, "a001").await["jobs"]["totalCount"].as_i64() > Some(0));
    assert!(experiment(&server, "a006").await["jobs"]["totalCount"].as_i64() > Some(0));

    // Put right, it is told of no more.
    variant::sql(
        &url,
        "DROP VIEW a002.experiment_run; ALTER TABLE a002.kept RENAME TO experiment_run;
         ALTER TABLE a003.others RENAME TO jobs",
    )
    .await;
    lab.import();
    let told = problems(&server).await;
    assert!(
        !told
            .iter()
            .any(|(expid, ..)| expid.as_deref() == Some("a002"))
    );
    assert!(
        !told
            .iter()
            .any(|(expid, ..)| expid.as_deref() == Some("a003"))
    );
}

async fn a_server_goes_away_and_comes_back(mut lab: Lab) {
    if TestDatabase::create().await.is_none() {
        return;
    }
    let Some(tables) = TestServer::start().await else {
        return;
    };
    root::with(&lab.root(), &[small("a000", JobListForm::Sqlite)]);
    variant::move_to(&lab.root(), &tables.url).await;
    lab.set(URL, &tables.url);
    lab.set("LABQL_AUTOSUBMIT__INTERVAL_SECONDS", "1");
    let shown = lab.done(&["config"]);
    let (_, password) = tables
        .url
        .rsplit_once('@')
        .map_or("", |(user, _)| user)
        .rsplit_once(':')
        .expect("a password");
    assert!(shown.contains("********@127.0.0.1"), "{shown}");
    lab.user("ada", &["--admin"]);
    let token = lab.token("ada");
    let server = lab.serve_mirroring().await.signed_in(&token);
    let mut socket = Socket::signed_in(&server, &token).await;
    socket
        .subscribe(
            "1",
            "subscription { workerUpdates { worker { kind lastRun { outcome error } } } }",
        )
        .await;
    let mut until = async |outcome: &str| loop {
        let heard = socket.hear().await;
        let worker = &heard["payload"]["data"]["workerUpdates"]["worker"];
        if worker["kind"] == "AUTOSUBMIT_MIRROR" && worker["lastRun"]["outcome"] == outcome {
            return worker["lastRun"]["error"].clone();
        }
    };
    let whole = async || experiment(&server, "a000").await;
    until("SUCCEEDED").await;
    tables.halt().await;
    let error = until("FAILED").await;
    assert_eq!(
        error,
        "the database of the source cannot be reached just now"
    );
    let before = whole().await;
    assert_eq!(before["sourceProblems"], json!([]));
    tables.resume().await;
    until("SUCCEEDED").await;
    variant::sql(&tables.url, "UPDATE a000.jobs SET status = 'SUSPENDED'").await;
    let suspended = |told: &Value| {
        let counts = told["jobCounts"].as_array().expect("counts");
        counts.len() == 1 && counts[0]["status"] == "SUSPENDED"
    };
    while !suspended(&whole().await) {
        until("SUCCEEDED").await;
    }
    let log = server.log();
    assert!(!log.contains(password), "{log}");
    let metrics = get(&server, "/metrics", &[])
        .await
        .text()
        .await
        .expect("text");
    assert!(!metrics.contains(password));
}
