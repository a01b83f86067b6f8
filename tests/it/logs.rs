//! The logs of Autosubmit itself, and those of earlier attempts at jobs.

use std::fs::{self, File};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use labql::demo::autosubmit::{ExperimentSpec, JobListForm, Progress};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::client::{PATIENCE, code, get};
use crate::support::{Lab, Server, root};

on_both_databases!(
    the_newest_log_of_a_run_and_all_others,
    logs_of_old_versions_are_found,
    earlier_attempts_keep_their_logs,
    ends_of_logs_are_bounded_together,
);

const RUN_LOG: &str =
    "{ experiment(expid: \"a000\") { status log { name command isErrors platform startedAt modifiedAt
    sizeBytes url tail(lines: 2) } } }";

fn xz(content: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
    encoder.write_all(content).expect("packed");
    encoder.finish().expect("packed")
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).expect("packed");
    encoder.finish().expect("packed")
}

/// A file whose time is so many seconds ago.
fn write(path: &Path, content: impl AsRef<[u8]>, age: u64) {
    fs::write(path, content).expect("a log");
    root::set_modified(path, SystemTime::now() - Duration::from_secs(age));
}

fn furnish(lab: &Lab, spec: ExperimentSpec) -> PathBuf {
    root::with(&lab.root(), &[spec]);
    lab.root().join("a000/tmp")
}

async fn download(server: &Server, path: &str) -> (u16, Vec<u8>) {
    let token = format!("Bearer {}", server.token());
    let response = get(server, path, &[("authorization", &token)]).await;
    let status = response.status().as_u16();
    let body = timeout(PATIENCE, response.bytes()).await.expect("in time");
    (status, body.expect("a whole body").to_vec())
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

fn names(logs: &Value) -> Vec<&str> {
    list(logs)
        .iter()
        .map(|log| log["name"].as_str().expect("a name"))
        .collect()
}

async fn the_newest_log_of_a_run_and_all_others(lab: Lab) {
    let tmp = furnish(&lab, ExperimentSpec::new("a000", JobListForm::Dict));
    let own = tmp.join("ASLOGS");
    fs::remove_dir_all(&own).expect("gone");
    fs::create_dir(&own).expect("a folder");
    for (name, age) in [
        // The name is newer, but the other one was written to last.
        ("20261122_054545_run.log", 3000),
        ("20261122_054545_run_err.log", 10),
        ("20261121_120000_run.log", 2000),
        ("20261120_120000_create.log", 500_000),
        ("jobs_active_status.log", 5),
        ("notes.txt", 1),
    ] {
        write(&own.join(name), format!("{name}\r\nmore\nlast\n"), age);
    }
    for (name, packed) in [
        ("20261122_054553_local_log_recovery.log", b"old\n".to_vec()),
        ("20261122_054653_local_log_recovery.log.xz", xz(b"new\n")),
        (
            "20261122_054653_local_log_recovery_err.log",
            b"bad\n".to_vec(),
        ),
        ("20261101_000000_mn5_gp_log_recovery.log.gz", gzip(b"far\n")),
    ] {
        write(&own.join(name), packed, 100);
    }
    lab.import();
    let server = lab.serve_signed_in().await;
    let data = server.data(RUN_LOG, json!({})).await;
    let log = &data["experiment"]["log"];
    assert_eq!(log["name"], "20261121_120000_run.log");
    assert_eq!(log["command"], "run");
    assert_eq!(
        (&log["isErrors"], &log["platform"]),
        (&json!(false), &Value::Null)
    );
    assert_eq!(log["tail"], json!(["more", "last"]));
    assert_eq!(log["sizeBytes"], 35.0);
    let url = log["url"].as_str().expect("a path");
    let (status, body) = download(&server, url).await;
    assert_eq!(
        (status, &body[..]),
        (200, &b"20261121_120000_run.log\r\nmore\nlast\n"[..])
    );

    let recovery = "{ experiment(expid: \"a000\") { recoveryLogs {
        name platform command startedAt modifiedAt url tail } } }";
    let data = server.data(recovery, json!({})).await;
    let logs = list(&data["experiment"]["recoveryLogs"]);
    let told: Vec<_> = logs
        .iter()
        .map(|log| json!([log["platform"], log["name"], log["tail"], log["command"]]))
        .collect();
    assert_eq!(
        told,
        [
            json!([
                "local",
                "20261122_054653_local_log_recovery.log.xz",
                ["new"],
                "log_recovery"
            ]),
            json!([
                "mn5_gp",
                "20261101_000000_mn5_gp_log_recovery.log.gz",
                ["far"],
                "log_recovery"
            ]),
        ]
    );
    let unpacked = format!("{}?decompress", logs[0]["url"].as_str().expect("a path"));
    assert_eq!(download(&server, &unpacked).await, (200, b"new\n".to_vec()));

    // All of them, in pages.
    let page = "query($after: String, $command: String) { experiment(expid: \"a000\") {
        autosubmitLogs(first: 3, after: $after, command: $command) {
            totalCount nodes { name command isErrors } pageInfo { hasNextPage hasPreviousPage endCursor } } } }";
    let mut found: Vec<String> = Vec::new();
    let mut after = Value::Null;
    loop {
        let data = server.data(page, json!({ "after": after })).await;
        let logs = &data["experiment"]["autosubmitLogs"];
        assert_eq!(logs["totalCount"], 9);
        assert_eq!(logs["pageInfo"]["hasPreviousPage"], !found.is_empty());
        found.extend(names(&logs["nodes"]).into_iter().map(str::to_owned));
        if logs["pageInfo"]["hasNextPage"] == false {
            break;
        }
        after = logs["pageInfo"]["endCursor"].clone();
    }
    assert_eq!(
        found,
        [
            "20261122_054653_local_log_recovery_err.log",
            "20261122_054653_local_log_recovery.log.xz",
            "20261122_054553_local_log_recovery.log",
            "20261122_054545_run_err.log",
            "20261122_054545_run.log",
            "20261121_120000_run.log",
            "20261120_120000_create.log",
            "20261101_000000_mn5_gp_log_recovery.log.gz",
            "jobs_active_status.log",
        ]
    );
    let data = server.data(page, json!({ "command": "create" })).await;
    let logs = &data["experiment"]["autosubmitLogs"];
    assert_eq!(names(&logs["nodes"]), ["20261120_120000_create.log"]);
    let none = server.data(page, json!({ "command": "../run" })).await;
    assert_eq!(none["experiment"]["autosubmitLogs"]["totalCount"], 0);
    let forged = server.refusal(page, json!({ "after": "x" })).await;
    assert_eq!(forged, "BAD_INPUT");
}

async fn logs_of_old_versions_are_found(lab: Lab) {
    let mut spec = ExperimentSpec::new("a000", JobListForm::Text);
    spec.progress = Progress::running(50);
    let tmp = furnish(&lab, spec);
    fs::remove_dir_all(tmp.join("ASLOGS")).expect("gone");
    write(&tmp.join("20190203_040506_run.log"), "old\n", 5000);
    write(&tmp.join("20200203_040506_run.log"), "first\nlast\n", 3);
    write(&tmp.join("20200101_000000_stats.log"), "stats\n", 1);
    write(&tmp.join("secret.log"), "secret", 0);
    write(&tmp.join("a000_SIM.cmd"), "secret", 0);
    symlink(
        "20190203_040506_run.log",
        tmp.join("20180304_000000_create.log"),
    )
    .expect("a link");
    symlink("/etc/passwd", tmp.join("20180305_000000_create.log")).expect("a link");
    lab.import();
    let server = lab.serve_signed_in().await;
    let data = server.data(RUN_LOG, json!({})).await;
    let log = &data["experiment"]["log"];
    assert_eq!(log["name"], "20200203_040506_run.log", "{data}");
    assert_eq!(log["tail"], json!(["first", "last"]));
    // A line was written to it just now.
    assert_eq!(data["experiment"]["status"], "RUNNING");
    let own = |name: &str| format!("/files/experiments/a000/aslogs/{name}");
    assert_eq!(log["url"], own("20200203_040506_run.log"));
    let (status, body) = download(&server, &own("20200203_040506_run.log")).await;
    assert_eq!((status, &body[..]), (200, &b"first\nlast\n"[..]));
    let (status, body) = download(&server, &own("20180304_000000_create.log")).await;
    assert_eq!((status, &body[..]), (200, &b"old\n"[..]));
    symlink("a000_SIM.cmd", tmp.join("20200304_000000_run.log")).expect("a link");
    for name in [
        "secret.log",
        "a000_SIM.cmd",
        "20200304_000000_run.log",
        "20180305_000000_create.log",
        "20200203_040507_run.log",
        "ASLOGS",
        "LOG_a000",
    ] {
        assert_eq!(download(&server, &own(name)).await.0, 404, "{name}");
    }
    let all = "{ experiment(expid: \"a000\") { autosubmitLogs { nodes { name } } } }";
    let data = server.data(all, json!({})).await;
    assert_eq!(
        names(&data["experiment"]["autosubmitLogs"]["nodes"]),
        [
            "20200203_040506_run.log",
            "20200101_000000_stats.log",
            "20190203_040506_run.log",
            "20180304_000000_create.log",
        ]
    );
}

const JOB: &str = "query($name: String!) { job(expid: \"a000\", name: $name) {
    outLog { name stream tail(lines: 1) } logs { name stream sizeBytes url tail(lines: 1) }
    attempts { number outLogName errLogName outLog { name stream tail(lines: 1) } errLog { name tail } } } }";

async fn earlier_attempts_keep_their_logs(lab: Lab) {
    let mut spec = ExperimentSpec::new("a000", JobListForm::Dict);
    spec.progress.retried = 2;
    let tmp = furnish(&lab, spec);
    let logs = tmp.join("LOG_a000");
    let aside = fs::read_dir(&logs)
        .expect("a folder")
        .filter_map(|entry| entry.expect("an entry").file_name().into_string().ok())
        .find(|name| name.ends_with(".out_attempt_1"))
        .expect("a log of an earlier attempt");
    let job = aside.split('.').next().expect("a job").to_owned();
    lab.import();
    let server = lab.serve_signed_in().await;
    let before = server.data(JOB, json!({ "name": job })).await["job"].take();
    let attempts = list(&before["attempts"]);
    assert!(attempts.len() > 1, "{before}");
    let found = attempts
        .iter()
        .filter(|attempt| attempt["outLog"] != Value::Null);
    for attempt in found.clone() {
        let recorded = attempt["outLogName"].as_str().expect("a name");
        let name = attempt["outLog"]["name"].as_str().expect("a name");
        // A history does not hear of what is packed later.
        assert!(
            [
                recorded.to_owned(),
                format!("{recorded}.gz"),
                format!("{recorded}.xz")
            ]
            .contains(&name.to_owned()),
            "{attempt}"
        );
        assert_eq!(attempt["outLog"]["stream"], "OUT");
        assert_eq!(list(&attempt["outLog"]["tail"]).len(), 1);
    }
    assert!(found.count() >= 1, "{before}");
    let all = names(&before["logs"]);
    assert!(all.contains(&aside.as_str()), "{all:?}");
    assert_ne!(before["outLog"]["name"], aside);

    // One that goes on, one that was packed, one of another job, and what is no log.
    for name in [
        format!("{job}.cmd.out.0"),
        format!("{job}.29991231235959.out.gz"),
        format!("{job}_2.29991231235959.out"),
        format!("{job}.cmd"),
        format!("{job}_STAT_0"),
        format!("{job}.29991231235959.out.bak"),
    ] {
        let content = if name.rsplit('.').next() == Some("gz") {
            gzip(b"packed\n")
        } else {
            b"text\n".to_vec()
        };
        fs::write(logs.join(name), content).expect("a log");
    }
    let after = server.data(JOB, json!({ "name": job })).await["job"].take();
    let now = names(&after["logs"]);
    assert_eq!(
        now[..2],
        [
            format!("{job}.cmd.out.0"),
            format!("{job}.29991231235959.out.gz")
        ]
    );
    assert_eq!(now[2..], all);
    assert_eq!(after["outLog"]["tail"], json!(["packed"]));
    let url = after["logs"][0]["url"].as_str().expect("a path");
    assert_eq!(download(&server, url).await, (200, b"text\n".to_vec()));
}

/// What the history names is a name in the log folder, or nothing.
#[tokio::test]
async fn a_history_leads_nowhere_else() {
    let lab = Lab::sqlite();
    let tmp = furnish(&lab, ExperimentSpec::new("a000", JobListForm::Dict));
    fs::write(tmp.join("secret"), "secret").expect("a file");
    let history = lab.root().join("metadata/data/job_data_a000.db");
    root::sql(
        &history,
        "UPDATE job_data SET out = '../secret', err = '/etc/passwd'",
    );
    lab.import();
    let server = lab.serve_signed_in().await;
    let data = server
        .data(
            "{ experiment(expid: \"a000\") { jobs { nodes { attempts { outLogName outLog { name } errLog { name } } } } } }",
            json!({}),
        )
        .await;
    let mut seen = 0;
    for job in list(&data["experiment"]["jobs"]["nodes"]) {
        for attempt in list(&job["attempts"]) {
            // The mirror keeps the last part alone.
            assert_eq!(attempt["outLogName"], "secret");
            assert_eq!(
                (&attempt["outLog"], &attempt["errLog"]),
                (&Value::Null, &Value::Null)
            );
            seen += 1;
        }
    }
    assert!(seen > 5, "{seen}");
}

#[tokio::test]
async fn five_gigabytes_cost_their_end() {
    const SIZE: u64 = 5 << 30;
    let mut lab = Lab::sqlite();
    lab.set("LABQL_WORKERS__ENABLED", "false");
    let tmp = furnish(&lab, ExperimentSpec::new("a000", JobListForm::Dict));
    let newest = "29991231235959.out";
    let any = fs::read_dir(tmp.join("LOG_a000")).expect("a folder").next();
    let any = any.expect("a log").expect("a log").file_name();
    let any = any.to_str().expect("UTF-8");
    let job = any.split('.').next().expect("a job");
    for path in [
        tmp.join(format!("LOG_a000/{job}.{newest}")),
        tmp.join("ASLOGS/29991231_235959_run.log"),
    ] {
        let mut file = File::create(path).expect("a log");
        file.set_len(SIZE - 12).expect("a sparse file");
        file.seek(SeekFrom::End(0)).expect("the end");
        file.write_all(b"\nlast\nlines\n").expect("written");
    }
    lab.import();
    let server = lab.serve_signed_in().await;
    let query = "query($name: String!, $lines: Int!) {
        job(expid: \"a000\", name: $name) { outLog { sizeBytes tail(lines: $lines) } }
        experiment(expid: \"a000\") { log { sizeBytes tail(lines: $lines) } } }";
    for (lines, most) in [
        (2, 64 << 10),
        (10_000, (64 << 10) + (256 << 10) + (1 << 20)),
    ] {
        let read = async || server.counters(["labql_source_bytes_total"]).await[0];
        let before = read().await;
        let data = server
            .data(query, json!({ "name": job, "lines": lines }))
            .await;
        let read = read().await - before;
        for log in [&data["job"]["outLog"], &data["experiment"]["log"]] {
            #[allow(clippy::cast_precision_loss, reason = "exact")]
            let size = SIZE as f64;
            assert_eq!(log["sizeBytes"], size);
            let tail = list(&log["tail"]);
            assert_eq!(tail[tail.len() - 2..], ["last", "lines"]);
        }
        // The first six bytes tell of compression.
        assert!(read <= 2 * (most + 6), "{read} bytes for {lines} lines");
    }
    // The end of it as a file.
    let path = "/files/experiments/a000/aslogs/29991231_235959_run.log";
    let token = format!("Bearer {}", server.token());
    let headers = [("authorization", token.as_str()), ("range", "bytes=-6")];
    let response = get(&server, path, &headers).await;
    assert_eq!(response.status(), 206);
    let body = timeout(PATIENCE, response.bytes()).await.expect("in time");
    assert_eq!(&body.expect("a body")[..], b"lines\n");
}

type Damage = fn(&mut Vec<u8>);

#[tokio::test]
async fn damage_is_told_with_the_name_of_the_file() {
    let lab = Lab::sqlite();
    let tmp = furnish(&lab, ExperimentSpec::new("a000", JobListForm::Dict));
    let own = tmp.join("ASLOGS");
    let text: String = (0..400_000).map(|line| format!("line {line}\n")).collect();
    let damages: [(&str, Damage); 3] = [
        ("cut", |packed| packed.truncate(packed.len() / 2)),
        ("bad", |packed| {
            let middle = packed.len() / 2;
            packed[middle..middle + 64].fill(0x55);
        }),
        ("head", |packed| packed[8..].fill(0xff)),
    ];
    let mut broken = Vec::new();
    for (end, whole) in [("xz", xz(text.as_bytes())), ("gz", gzip(text.as_bytes()))] {
        for (kind, damage) in &damages {
            let mut packed = whole.clone();
            damage(&mut packed);
            let name = format!("20260101_000000_{kind}{end}_log_recovery.log.{end}");
            fs::write(own.join(&name), packed).expect("a log");
            broken.push(name);
        }
    }
    fs::write(own.join("29990101_000000_run.log.xz"), &xz(b"x\n")[..20]).expect("a log");
    root::set_modified(
        &own.join("29990101_000000_run.log.xz"),
        SystemTime::now() + Duration::from_mins(1),
    );
    lab.import();
    let server = lab.serve_signed_in().await;
    let query = "{ experiment(expid: \"a000\") { expid recoveryLogs { name tail } } }";
    let (_, answer) = server.ask(query, json!({})).await;
    let errors = list(&answer["errors"]);
    assert_eq!(code(&answer), "SOURCE_BROKEN", "{answer}");
    let messages: Vec<_> = errors
        .iter()
        .map(|error| error["message"].to_string())
        .collect();
    // A list of values that must be there ends with the first of them that fails, or tells of all.
    assert!(
        messages
            .iter()
            .all(|message| broken.iter().any(|name| message.contains(name.as_str()))),
        "{messages:?}"
    );
    assert_eq!(answer["data"]["experiment"], Value::Null);
    // Without tails all can be seen.
    let query = "{ experiment(expid: \"a000\") { recoveryLogs { name } } }";
    let data = server.data(query, json!({})).await;
    assert!(names(&data["experiment"]["recoveryLogs"]).len() >= broken.len());
    let (_, answer) = server.ask(RUN_LOG, json!({})).await;
    let message = answer["errors"][0]["message"].as_str().expect("a message");
    assert!(
        message.contains("a000/tmp/ASLOGS/29990101_000000_run.log.xz"),
        "{message}"
    );
    assert_eq!(code(&answer), "SOURCE_BROKEN");
    let (_, answer) = server
        .ask(
            "{ experiment(expid: \"a000\") { log { tail(lines: -1) } } }",
            json!({}),
        )
        .await;
    assert_eq!(code(&answer), "BAD_INPUT");
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

/// A folder of logs that is a link to another one of the root shows nothing of that, by any way.
#[tokio::test]
async fn a_log_folder_is_no_door_to_others() {
    let lab = Lab::sqlite();
    let tmp = furnish(&lab, ExperimentSpec::new("a000", JobListForm::Dict));
    fs::write(
        lab.root().join("a000/conf/x_SIM.20260101000000.out"),
        "secret",
    )
    .expect("a file");
    for (name, target) in [("LOG_a000", "../conf"), ("ASLOGS", "../../metadata/data")] {
        fs::remove_dir_all(tmp.join(name)).expect("gone");
        symlink(target, tmp.join(name)).expect("a link");
    }
    lab.import();
    let server = lab.serve_signed_in().await;
    for path in [
        "logs/x_SIM.20260101000000.out",
        "logs/minimal.yml",
        "aslogs/job_data_a000.db",
    ] {
        let path = format!("/files/experiments/a000/{path}");
        assert_eq!(download(&server, &path).await.0, 404, "{path}");
    }
    for field in [
        "log { name }",
        "recoveryLogs { name }",
        "autosubmitLogs { totalCount }",
        "jobs { nodes { outLog { name } } }",
    ] {
        let query = format!("{{ experiment(expid: \"a000\") {{ {field} }} }}");
        let (_, answer) = server.ask(&query, json!({})).await;
        assert_eq!(code(&answer), "SOURCE_BROKEN", "{field}: {answer}");
        assert!(
            answer.to_string().contains("leads out of the log folder"),
            "{answer}"
        );
    }
}

async fn ends_of_logs_are_bounded_together(lab: Lab) {
    let tmp = furnish(&lab, ExperimentSpec::new("a000", JobListForm::Dict));
    let log = tmp.join("ASLOGS/20991122_054545_run.log");
    fs::write(log, "x".repeat(1 << 20)).expect("a log");
    lab.import();
    let server = lab.serve_signed_in().await;
    let query = |count: usize| {
        let tails = (0..count).map(|number| format!("t{number}: tail(lines: 1)"));
        let tails: Vec<_> = tails.collect();
        format!(
            "{{ experiment(expid: \"a000\") {{ log {{ {} }} }} }}",
            tails.join(" ")
        )
    };
    let few = server.data(&query(5), json!({})).await;
    assert_eq!(
        few["experiment"]["log"]["t4"][0].as_str().map(str::len),
        Some(1 << 20)
    );
    let (_, many) = server.ask(&query(60), json!({})).await;
    assert_eq!(code(&many), "TOO_COMPLEX");
    assert!(
        many.to_string().contains("the ends of logs"),
        "{:?}",
        many["errors"]
    );
}
