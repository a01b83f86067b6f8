//! What people and programs report of runs.

use futures_util::future::join_all;
use labql::demo::autosubmit::{ExperimentSpec, JobListForm};
use sea_orm::{ConnectionTrait, DatabaseBackend};
use serde_json::{Value, json};
use tokio::task::yield_now;

use crate::support::{Lab, Server, Socket, client::code, root};

on_both_databases!(
    a_report_is_in_the_log_and_told_to_followers,
    what_is_wrong_is_refused,
    only_who_may_write_reports,
    reports_that_meet_share_a_transaction,
);

const REPORT: &str = "mutation($input: ReportRunInput!) { reportRun(input: $input) {
    report { expid runNumber status message reportedBy reportedAt cursor }
    errors { code field message }
} }";

const FOLLOW: &str = "subscription($expid: String, $after: String) {
    runReports(expid: $expid, after: $after) {
        cursor expid runNumber status message reportedBy reportedAt
    }
}";

/// A laboratory with the experiments `a000` and `a001`, which have a run 1 each.
fn with_runs(lab: &mut Lab) {
    lab.set("LABQL_WORKERS__ENABLED", "false");
    let specs = ["a000", "a001"].map(|expid| {
        let mut spec = ExperimentSpec::new(expid, JobListForm::Dict);
        spec.logged_jobs = 1;
        spec
    });
    root::with(&lab.root(), &specs);
    lab.import();
}

async fn report(server: &Server, input: Value) -> Value {
    let mut data = server.data(REPORT, json!({ "input": input })).await;
    data["reportRun"].take()
}

async fn follow(server: &Server, token: &str, variables: Value) -> Socket {
    let mut socket = Socket::signed_in(server, token).await;
    let payload = json!({ "query": FOLLOW, "variables": variables });
    socket
        .say(json!({ "type": "subscribe", "id": "1", "payload": payload }))
        .await;
    socket
}

async fn hear(socket: &mut Socket) -> Value {
    let mut heard = socket.hear().await;
    let told = heard["payload"]["data"]["runReports"].take();
    assert!(told["cursor"].is_string(), "{heard}");
    told
}

async fn a_report_is_in_the_log_and_told_to_followers(mut lab: Lab) {
    with_runs(&mut lab);
    lab.user("root", &["--admin"]);
    let server = lab.serve_signed_in().await;
    let start = server.data("{ eventCursor }", json!({})).await["eventCursor"].take();
    let mut ada = follow(&server, server.token(), json!({ "after": start })).await;
    let of_other = json!({ "after": start, "expid": "a001" });
    let mut other = follow(&server, server.token(), of_other).await;

    let message = "node 12 failed: \"restarted\" by hand \\ größer als ε";
    let input = json!({
        "expid": "a000", "number": 1, "status": "RESTARTED", "message": message,
    });
    let mut told = report(&server, input).await;
    assert_eq!(told["errors"], json!([]));
    let reported_at = told["report"]["reportedAt"].take();
    let expected = json!({
        "expid": "a000", "runNumber": 1, "status": "RESTARTED", "message": message,
        "reportedBy": "ada", "reportedAt": null, "cursor": null,
    });
    assert_eq!(told["report"], expected);
    let short = json!({ "expid": "a001", "number": 1, "status": "ε".repeat(64) });
    assert_eq!(report(&server, short).await["errors"], json!([]));

    let first = hear(&mut ada).await;
    assert_eq!(first["message"], message);
    assert_eq!(first["reportedAt"], reported_at);
    // Who did something is for administrators, as everywhere in the log.
    assert_eq!(first["reportedBy"], Value::Null);
    let second = hear(&mut ada).await;
    assert_eq!(second["status"], "ε".repeat(64));
    assert_eq!(second["message"], Value::Null);
    assert_eq!(hear(&mut other).await, second);

    // Coming back with a cursor goes on behind it.
    let mut late = follow(
        &server,
        &lab.token("root"),
        json!({ "after": first["cursor"] }),
    )
    .await;
    let again = hear(&mut late).await;
    assert_eq!(again["cursor"], second["cursor"]);
    assert_eq!(again["reportedBy"], "ada");

    let log = "query($after: String) { events(after: $after, topics: RUN) {
        edges { cursor node { topic kind subject } }
    } }";
    let data = server.data(log, json!({ "after": start })).await;
    let edges = data["events"]["edges"].as_array().expect("edges");
    let node = json!({ "topic": "RUN", "kind": "reported", "subject": "a000" });
    assert_eq!(edges[0]["node"], node);
    let cursors: Vec<&Value> = edges.iter().map(|edge| &edge["cursor"]).collect();
    assert_eq!(cursors, [&first["cursor"], &second["cursor"]]);
}

async fn what_is_wrong_is_refused(mut lab: Lab) {
    with_runs(&mut lab);
    let server = lab.serve_signed_in().await;
    let good = json!({ "expid": "a000", "number": 1, "status": "DONE" });
    for (field, value, code, at) in [
        ("expid", json!("a00"), "NOT_FOUND", Value::Null),
        ("expid", json!("A000"), "NOT_FOUND", Value::Null),
        ("expid", json!("a000\0"), "NOT_FOUND", Value::Null),
        ("number", json!(2), "NOT_FOUND", Value::Null),
        ("number", json!(-1), "NOT_FOUND", Value::Null),
        ("status", json!(""), "BAD_INPUT", json!("status")),
        (
            "status",
            json!("x".repeat(65)),
            "BAD_INPUT",
            json!("status"),
        ),
        ("status", json!("a\0"), "BAD_INPUT", json!("status")),
        ("message", json!("\0"), "BAD_INPUT", json!("message")),
        (
            "message",
            json!("ε".repeat(2049)),
            "BAD_INPUT",
            json!("message"),
        ),
    ] {
        let mut input = good.clone();
        input[field] = value;
        let told = report(&server, input).await;
        assert_eq!(told["report"], Value::Null, "{told}");
        assert_eq!(told["errors"][0]["code"], code, "{told}");
        assert_eq!(told["errors"][0]["field"], at, "{told}");
    }
    let mut long = good.clone();
    long["message"] = json!("ε".repeat(2048));
    assert_eq!(report(&server, long).await["errors"], json!([]));
    let log = "{ events(topics: RUN) { edges { node { kind } } } }";
    let data = server.data(log, json!({})).await;
    assert_eq!(data["events"]["edges"].as_array().map(Vec::len), Some(1));
}

async fn only_who_may_write_reports(mut lab: Lab) {
    with_runs(&mut lab);
    lab.set("LABQL_AUTH__PROTECTION_LEVEL", "WRITEONLY");
    lab.user("ada", &[]);
    let server = lab.serve().await;
    let input = json!({ "expid": "a000", "number": 1, "status": "DONE" });
    let (_, answer) = server.ask(REPORT, json!({ "input": input })).await;
    assert_eq!(code(&answer), "UNAUTHENTICATED", "{answer}");
    // Reading is open.
    let log = "{ events(topics: RUN) { edges { cursor } } }";
    let data = server.data(log, json!({})).await;
    assert_eq!(data["events"]["edges"], json!([]));
    let server = server.signed_in(&lab.token("ada"));
    assert_eq!(report(&server, input.clone()).await["errors"], json!([]));
    assert!(server.stop().await);

    // Nobody in particular may, where nothing is protected.
    lab.set("LABQL_AUTH__PROTECTION_LEVEL", "NONE");
    let server = lab.serve().await;
    let told = report(&server, input).await;
    assert_eq!(told["report"]["reportedBy"], Value::Null, "{told}");
    assert_eq!(told["errors"], json!([]));
}

async fn reports_that_meet_share_a_transaction(mut lab: Lab) {
    const AT_ONCE: i64 = 64;
    with_runs(&mut lab);
    let server = lab.serve_signed_in().await;
    let [commands, commits] = ["group_commit_commands", "group_commits"]
        .map(|name| format!("labql_{name}_total{{of=\"run_reports\"}}"));
    let names = [commands.as_str(), commits.as_str()];
    let before = server.statements().await;

    // The first transaction has to wait for this one, and all others for the first.
    let database = lab.database().await;
    let holding = database.begin().await.expect("a transaction");
    if database.backend() == DatabaseBackend::Postgres {
        let lock = holding.execute_unprepared("LOCK TABLE event IN SHARE MODE");
        lock.await.expect("a lock");
    }
    let reports = join_all((0..AT_ONCE).map(|index| {
        // One of them is about a run that is not there.
        let number = 1 + i64::from(index == 40);
        let input = json!({
            "expid": "a000", "number": number, "status": "COUNTED", "message": index.to_string(),
        });
        report(&server, input)
    }));
    let release = async {
        while server.counters([&commands]).await != [AT_ONCE] {
            yield_now().await;
        }
        holding.rollback().await.expect("a rollback");
    };
    let (told, ()) = tokio::join!(reports, release);
    for (index, told) in told.iter().enumerate() {
        let refused = told["errors"][0]["code"] == "NOT_FOUND";
        assert_eq!(refused, index == 40, "{told}");
        assert_eq!(told["report"].is_null(), refused, "{told}");
    }
    assert_eq!(server.counters(names).await, [AT_ONCE, 2]);
    // A statement each for who asks at most, and few for all together.
    let cost = server.statements().await - before;
    assert!(cost <= AT_ONCE + 30, "{cost} statements");

    // All are in the log, each once.
    let mut socket = follow(&server, server.token(), json!({ "after": "beginning" })).await;
    let mut heard = Vec::new();
    for _ in 1..AT_ONCE {
        let told = hear(&mut socket).await;
        let index = told["message"].as_str().expect("a message").parse::<i64>();
        heard.push(index.expect("a number"));
    }
    heard.sort_unstable();
    let expected: Vec<i64> = (0..AT_ONCE).filter(|index| *index != 40).collect();
    assert_eq!(heard, expected);
}
