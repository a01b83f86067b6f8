//! What an operation reads: statements and rows of the database, and files, folders and bytes of the root.

use std::fs;
use std::ops::Sub;

use labql::demo::autosubmit::{ExperimentSpec, JobListForm};
use serde_json::{Value, json};

use crate::support::{Lab, Server, root};

const EXPERIMENTS: &str = include_str!("../contract/experiments.graphql");

on_both_databases!(one_of_six_thousand_jobs_reads_one);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reads {
    statements: i64,
    rows: i64,
    files: i64,
    folders: i64,
    bytes: i64,
    layouts: i64,
}

impl Reads {
    async fn so_far(server: &Server) -> Self {
        let names = [
            "labql_sql_statements_total",
            "labql_event_log_look_statements_total",
            "labql_sql_rows_total",
            "labql_source_files_opened_total",
            "labql_source_folders_listed_total",
            "labql_source_bytes_total",
            "labql_graph_layouts_total",
        ];
        let [all, looks, rows, files, folders, bytes, layouts] = server.counters(names).await;
        Self {
            // Beside the requests the server looks for new events now and then.
            statements: all - looks,
            rows,
            files,
            folders,
            bytes,
            layouts,
        }
    }

    /// Files, folders and bytes of the root.
    fn of_root(self) -> (i64, i64, i64) {
        (self.files, self.folders, self.bytes)
    }
}

impl Sub for Reads {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            statements: self.statements - earlier.statements,
            rows: self.rows - earlier.rows,
            files: self.files - earlier.files,
            folders: self.folders - earlier.folders,
            bytes: self.bytes - earlier.bytes,
            layouts: self.layouts - earlier.layouts,
        }
    }
}

/// What an operation reads, and its data. The least of some tries: other work may fall between two readings.
async fn reads(server: &Server, body: Value) -> (Reads, Value) {
    let mut tries = Vec::new();
    for _ in 0..4 {
        let before = Reads::so_far(server).await;
        let (status, mut answer) = server.send(body.clone()).await;
        assert!(status == 200 && answer.get("errors").is_none(), "{answer}");
        tries.push((Reads::so_far(server).await - before, answer["data"].take()));
        // The first may have to draw, or to parse.
    }
    let of_root = tries.iter().map(|(reads, _)| reads.of_root());
    let distinct: std::collections::HashSet<_> = of_root.collect();
    assert_eq!(distinct.len(), 1, "{distinct:?}");
    let least = |count: fn(&Reads) -> i64| tries.iter().map(|(reads, _)| count(reads)).min();
    let statements = least(|reads| reads.statements).expect("a try");
    let rows = least(|reads| reads.rows).expect("a try");
    let (reads, data) = tries.swap_remove(0);
    let reads = Reads {
        statements,
        rows,
        ..reads
    };
    (reads, data)
}

async fn one_of_six_thousand_jobs_reads_one(mut lab: Lab) {
    lab.set("LABQL_WORKERS__ENABLED", "false");
    // 20 × 60 × 5 + 21 jobs.
    let mut spec = ExperimentSpec::sized("a000", JobListForm::Dict, 20, 60);
    spec.logged_jobs = 40;
    root::with(&lab.root(), &[spec]);
    lab.import();
    let server = lab.serve_signed_in().await;
    let tmp = lab.root().join("a000/tmp");
    let entries = |folder: &str| -> Vec<String> {
        let entries = fs::read_dir(tmp.join(folder)).expect("a folder");
        entries
            .filter_map(|entry| entry.expect("an entry").file_name().into_string().ok())
            .collect()
    };
    let logs = entries("LOG_a000");
    assert!(logs.len() > 60, "{}", logs.len());
    let plain = logs.iter().find(|name| {
        let whole = name.rsplit('.').next() == Some("out");
        whole && logs.contains(&name.replace(".out", ".err"))
    });
    let plain = plain.expect("a log");
    let job = plain.split('.').next().expect("a job");
    let size = |path: String| -> i64 {
        let metadata = fs::metadata(tmp.join(path)).expect("a file");
        metadata.len().try_into().expect("a size")
    };

    // Of one job both logs: the folder is gone through once, each file opened once, its first bytes read twice.
    let variables = json!({ "expid": "a000", "name": job });
    let body =
        json!({ "query": EXPERIMENTS, "operationName": "JobDetail", "variables": variables });
    let (cost, data) = reads(&server, body).await;
    assert_eq!(data["job"]["outLog"]["name"], *plain, "{data}");
    let bytes = size(format!("LOG_a000/{plain}"))
        + size(format!("LOG_a000/{}", plain.replace(".out", ".err")));
    assert_eq!(cost.of_root(), (2, 1, bytes + 12), "{cost:?}");
    assert!(cost.statements <= 9, "{cost:?}");
    assert!(cost.rows <= 1, "{cost:?}");

    let query = |query: &str| json!({ "query": query });
    let one =
        format!("{{ job(expid: \"a000\", name: \"{job}\") {{ name status parents {{ name }} }} }}");
    let (cost, _) = reads(&server, query(&one)).await;
    assert_eq!(cost.of_root(), (0, 0, 0), "{cost:?}");
    assert!(cost.statements <= 4 && cost.rows <= 5, "{cost:?}");

    // Names of logs need no file to be opened, for however many jobs.
    for first in [1, 10, 500] {
        let jobs = format!(
            "{{ experiment(expid: \"a000\") {{ jobs(first: {first}) {{ nodes {{
                outLog {{ name sizeBytes }} errLog {{ name }} logs {{ name }} }} }} }} }}"
        );
        let (cost, _) = reads(&server, query(&jobs)).await;
        assert_eq!(cost.of_root(), (0, 1, 0), "{first}: {cost:?}");
        assert!(cost.statements <= 4, "{first}: {cost:?}");
    }
    // Two levels of jobs, two looks; what the attempts tell themselves needs none.
    let deep = "{ experiment(expid: \"a000\") { jobs(first: 50) { nodes {
        outLog { name } parents { errLog { name } } attempts { outLog { name } errLog { name } } } } } }";
    let (cost, _) = reads(&server, query(deep)).await;
    assert_eq!(cost.of_root(), (0, 2, 0), "{cost:?}");
    assert!(cost.statements <= 8, "{cost:?}");

    // The log of the run: its folder once, its end once.
    let run = "{ experiment(expid: \"a000\") { log { name modifiedAt tail(lines: 150) } } }";
    let (cost, data) = reads(&server, query(run)).await;
    assert!(data["experiment"]["log"]["name"].is_string(), "{data}");
    assert_eq!((cost.files, cost.folders), (1, 1), "{cost:?}");
    assert!(
        cost.bytes <= (64 << 10) + 6 && cost.statements <= 2,
        "{cost:?}"
    );
    let recovery =
        "{ experiment(expid: \"a000\") { recoveryLogs { name platform tail(lines: 150) } } }";
    let (cost, data) = reads(&server, query(recovery)).await;
    assert_eq!(
        data["experiment"]["recoveryLogs"].as_array().map(Vec::len),
        Some(1)
    );
    assert_eq!((cost.files, cost.folders), (1, 1), "{cost:?}");
    assert!(cost.statements <= 2, "{cost:?}");
    let all = "{ experiment(expid: \"a000\") { autosubmitLogs { totalCount nodes { name modifiedAt } } } }";
    let (cost, _) = reads(&server, query(all)).await;
    assert_eq!(cost.of_root(), (0, 1, 0), "{cost:?}");

    // The files of the configuration, each once.
    let configuration = "{ experiment(expid: \"a000\") { configuration {
        filesystem currentRun differences { path } isEqual warnings } } }";
    let (cost, _) = reads(&server, query(configuration)).await;
    assert!(cost.files <= 8 && cost.folders <= 3, "{cost:?}");
    assert!(cost.statements <= 3, "{cost:?}");

    // The files beside the jobs that have any; the folder once.
    let statistics =
        "{ experiment(expid: \"a000\") { statistics { jobs { job { name } runSeconds } } } }";
    let (cost, data) = reads(&server, query(statistics)).await;
    let beside = entries("")
        .iter()
        .filter(|name| name.ends_with("_TOTAL_STATS"))
        .count();
    assert_eq!(
        data["experiment"]["statistics"]["jobs"]
            .as_array()
            .map(Vec::len),
        Some(beside)
    );
    assert_eq!(
        (cost.files, cost.folders),
        (i64::try_from(beside).expect("a number"), 1),
        "{cost:?}"
    );
    assert!(cost.statements <= 4, "{cost:?}");

    // A folder of the tree reads what is in it, and counts are made by the database.
    let tree = "{ experiment(expid: \"a000\") { jobTree { key label total children { key label total } } } }";
    let (cost, data) = reads(&server, query(tree)).await;
    assert_eq!(cost.of_root(), (0, 0, 0), "{cost:?}");
    assert!(cost.statements <= 3 && cost.rows <= 100, "{cost:?}");
    let key = &data["experiment"]["jobTree"][0]["children"][0]["key"];
    let open = "query($key: String!) { experiment(expid: \"a000\") {
        jobFolder(key: $key) { total jobs(first: 50) { nodes { name status } } } } }";
    let (cost, _) = reads(
        &server,
        json!({ "query": open, "variables": { "key": key } }),
    )
    .await;
    assert_eq!(cost.of_root(), (0, 0, 0), "{cost:?}");
    assert!(cost.statements <= 4 && cost.rows <= 60, "{cost:?}");

    // A drawing is made once. (Other tests draw with other layouts; this one is quick.)
    let graph = "{ experiment(expid: \"a000\") { graph(layout: LEVELS, first: 10) { totalCount nodes { x y job { name } } } } }";
    let before = Reads::so_far(&server).await;
    let first = server.data(graph, json!({})).await;
    assert_eq!((Reads::so_far(&server).await - before).layouts, 1);
    assert_eq!(first["experiment"]["graph"]["totalCount"], 6021);
    let before = Reads::so_far(&server).await;
    let (cost, again) = reads(&server, query(graph)).await;
    assert_eq!(again, first);
    assert_eq!((Reads::so_far(&server).await - before).layouts, 0);
    assert_eq!(cost.of_root(), (0, 0, 0), "{cost:?}");
}
