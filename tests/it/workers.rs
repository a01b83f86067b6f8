//! Background work: who does it, what is told of it, and what becomes of it when a process goes.

use std::{fs, path::Path, process::Stdio};

use labql::demo::autosubmit::{ExperimentSpec, JobListForm};
use sea_orm::{
    ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, TransactionTrait,
};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::support::{Lab, Server, Socket, client::PATIENCE, root};

const CONTRACT: &str = include_str!("../contract/live.graphql");

on_both_databases!(
    administrators_command_and_all_can_see,
    a_root_that_is_not_there_fails_until_it_is,
    a_process_of_its_own_does_the_work,
    who_ends_hands_over_at_once,
);

const UPDATES: &str = "subscription($after: String) { workerUpdates(after: $after) {
    cursor recordedAt changes
    worker { name status failures nextDueAt pausedAt requestedAt runningSince
        lastRun { outcome error finishedAt problems { source } } }
} }";

/// A server that does no work itself, its administrator, and what it tells of the workers of others.
struct Observer {
    server: Server,
    socket: Socket,
}

impl Observer {
    async fn of(lab: &mut Lab) -> Self {
        lab.user("ada", &["--admin"]);
        lab.user("bob", &[]);
        let token = lab.token("ada");
        let server = lab.serve().await.signed_in(&token);
        let cursor = &server.data("{ eventCursor }", json!({})).await["eventCursor"];
        let socket = Self::listen(&server, cursor).await;
        Self { server, socket }
    }

    async fn listen(server: &Server, after: &Value) -> Socket {
        let mut socket = Socket::signed_in(server, server.token()).await;
        let payload = json!({ "query": UPDATES, "variables": { "after": after } });
        socket
            .say(json!({ "type": "subscribe", "id": "1", "payload": payload }))
            .await;
        socket
    }

    /// The next update.
    async fn hear(&mut self) -> Value {
        hear(&mut self.socket).await
    }

    /// The next update that shows this status, and all before it.
    async fn until(&mut self, status: &str) -> Vec<Value> {
        let mut heard = Vec::new();
        loop {
            let update = self.hear().await;
            let found = update["worker"]["status"] == status;
            heard.push(update);
            if found {
                return heard;
            }
        }
    }

    async fn workers(&self) -> Vec<Value> {
        let body = json!({ "query": CONTRACT, "operationName": "Workers" });
        let (status, answer) = self.server.send(body).await;
        assert!(status == 200 && answer.get("errors").is_none(), "{answer}");
        let workers = answer["data"]["workers"].as_array().expect("workers");
        let mirrors = workers
            .iter()
            .filter(|worker| worker["kind"] == "AUTOSUBMIT_MIRROR");
        mirrors.cloned().collect()
    }

    /// Runs a mutation that takes a name; the worker and the first error.
    async fn command(&self, mutation: &str, name: &str) -> (Value, Value) {
        let mut data = self
            .server
            .data(&command(mutation), json!({ "name": name }))
            .await;
        let mut payload = data[mutation].take();
        let error = payload["errors"].get(0).cloned();
        (payload["worker"].take(), error.unwrap_or_default())
    }
}

async fn hear(socket: &mut Socket) -> Value {
    let mut update = socket.hear().await;
    let told = update["payload"]["data"]["workerUpdates"].take();
    assert!(told["cursor"].is_string(), "{update}");
    told
}

fn command(mutation: &str) -> String {
    format!(
        "mutation($name: String!) {{ {mutation}(input: {{ name: $name }}) {{
            worker {{ id name status pausedAt requestedAt }} errors {{ code field message }}
        }} }}"
    )
}

fn small(expid: &str) -> ExperimentSpec {
    let mut spec = ExperimentSpec::new(expid, JobListForm::Sqlite);
    spec.logged_jobs = 1;
    spec
}

/// Changes an experiment in one statement.
fn change(root: &Path, expid: &str) {
    let statement = "UPDATE jobs SET priority = priority + 1";
    root::sql(&root.join(expid).join("db/job_list.db"), statement);
}

/// Passes of the mirror in a server.
async fn passes(server: &Server) -> i64 {
    let [passes] = server.counters(["labql_mirror_passes_total"]).await;
    passes
}

fn name_of(update: &Value) -> &str {
    update["worker"]["name"].as_str().expect("a name")
}

fn statuses(updates: &[Value]) -> Vec<&str> {
    let mut found = Vec::new();
    for update in updates {
        found.push(update["worker"]["status"].as_str().expect("a status"));
    }
    found
}

async fn administrators_command_and_all_can_see(mut lab: Lab) {
    root::with(&lab.root(), &[small("a000"), small("a001")]);
    // It runs when it is asked to, and once at the beginning.
    lab.set("LABQL_AUTOSUBMIT__INTERVAL_SECONDS", "3600");
    let mut observer = Observer::of(&mut lab).await;
    assert_eq!(observer.workers().await, Vec::<Value>::new());
    let server = lab.serve_mirroring().await;

    let first = observer.until("IDLE").await.pop().expect("an update");
    let name = name_of(&first).to_owned();
    assert!(name.starts_with("autosubmit-mirror-"), "{name}");
    assert!(first["changes"].as_i64() > Some(0), "{first}");
    assert_eq!(first["worker"]["lastRun"]["outcome"], "SUCCEEDED");
    let workers = observer.workers().await;
    let [worker] = workers.as_slice() else {
        panic!("one worker: {workers:?}");
    };
    assert_eq!(worker["name"], name);
    assert_eq!(worker["kind"], "AUTOSUBMIT_MIRROR");
    assert_eq!(worker["status"], "IDLE");
    for field in ["host", "heartbeatAt", "nextDueAt"] {
        assert!(worker[field].is_string(), "{field} of {worker}");
    }
    assert_eq!(worker["lastRun"]["changes"], first["changes"]);
    assert_eq!(worker["lastRun"]["problems"], json!([]));

    // Who is no administrator may look, and no more; what does not exist is not found.
    let token = lab.token("bob");
    let bearer = format!("Bearer {token}");
    let as_bob = [("authorization", bearer.as_str())];
    for mutation in ["pauseWorker", "resumeWorker", "runWorker"] {
        let (document, variables) = (command(mutation), json!({ "name": name }));
        let (_, answer) = server.ask_as(&as_bob, &document, variables).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN");
        for unknown in ["nobody", "", "\0"] {
            let (worker, error) = observer.command(mutation, unknown).await;
            assert_eq!(worker, Value::Null);
            assert_eq!(error["code"], "NOT_FOUND", "{error}");
            assert_eq!(error["field"], "name");
        }
    }
    let (_, answer) = server
        .ask_as(&as_bob, "{ workers { name } }", json!({}))
        .await;
    assert_eq!(answer["data"]["workers"][0]["name"], name);

    // Paused it does not run, and says so; to do a thing twice is no news.
    for _ in 0..2 {
        let (paused, error) = observer.command("pauseWorker", &name).await;
        assert_eq!((&paused["status"], error), (&json!("PAUSED"), Value::Null));
    }
    let (refused, error) = observer.command("runWorker", &name).await;
    assert_eq!(refused, Value::Null);
    assert_eq!(error["code"], "CONFLICT");
    assert_eq!(error["message"], "it is paused: resume it first");
    for _ in 0..2 {
        let (resumed, _) = observer.command("resumeWorker", &name).await;
        assert_eq!(resumed["status"], "IDLE");
        assert_eq!(resumed["pausedAt"], Value::Null);
    }

    // A run that is asked for is told from the request to the end, whatever it finds.
    let before = passes(&server).await;
    let (requested, _) = observer.command("runWorker", &name).await;
    assert!(requested["requestedAt"].is_string(), "{requested}");
    let mut told = Vec::new();
    for _ in 0..5 {
        told.push(observer.hear().await);
    }
    assert_eq!(
        statuses(&told),
        ["PAUSED", "IDLE", "IDLE", "RUNNING", "IDLE"]
    );
    assert!(told[0]["worker"]["pausedAt"].is_string());
    assert_eq!(told[0]["worker"]["nextDueAt"], Value::Null);
    assert!(told[2]["worker"]["requestedAt"].is_string());
    assert!(told[3]["worker"]["runningSince"].is_string());
    assert_eq!(told[3]["worker"]["requestedAt"], Value::Null);
    assert_eq!(told[4]["changes"], 0);
    assert_eq!(passes(&server).await, before + 1);

    // What it could not read is a problem, and no failure.
    fs::write(lab.root().join("a001/db/job_list.db"), "no database").expect("a file");
    change(&lab.root(), "a000");
    observer.command("runWorker", &name).await;
    let last = loop {
        let update = observer.hear().await;
        let ended = update["changes"].as_i64() > Some(0);
        told.push(update.clone());
        if ended {
            break update;
        }
    };
    assert_eq!(last["worker"]["status"], "IDLE");
    let problems = last["worker"]["lastRun"]["problems"].as_array();
    assert_eq!(problems.map(Vec::len), Some(1), "{last}");
    let shown = &observer.workers().await[0]["lastRun"]["problems"][0];
    let source = shown["source"].as_str().expect("a file");
    assert!(source.contains("a001"), "{shown}");
    assert!(shown["message"].is_string());

    // Who comes back gets the same again, as it was then.
    let mut again = Observer::listen(&observer.server, &first["cursor"]).await;
    for update in &told {
        assert_eq!(&hear(&mut again).await, update);
    }

    // A worker is an object like others.
    let query =
        "query($id: ID!) { node(id: $id) { id __typename ... on Worker { name schedule } } }";
    let id = &requested["id"];
    let node = observer.server.data(query, json!({ "id": id })).await;
    assert_eq!(
        node["node"],
        json!({ "id": id, "__typename": "Worker", "name": name, "schedule": "every 1h" })
    );
    assert!(server.stop().await);
}

async fn a_root_that_is_not_there_fails_until_it_is(mut lab: Lab) {
    lab.set("LABQL_AUTOSUBMIT__INTERVAL_SECONDS", "1");
    let mut observer = Observer::of(&mut lab).await;
    fs::remove_dir(lab.root()).expect("a folder");
    let server = lab.serve_mirroring().await;

    // It fails, is shown as failing with the reason, and is tried again later and later.
    let mut waits = Vec::new();
    let mut update = Value::Null;
    for failures in 1..=3 {
        update = observer.hear().await;
        assert_eq!(update["worker"]["status"], "FAILING", "{update}");
        assert_eq!(update["worker"]["failures"], failures);
        let run = &update["worker"]["lastRun"];
        assert_eq!(run["outcome"], "FAILED");
        let error = run["error"].as_str().expect("a reason");
        assert!(error.contains("autosubmit: "), "{error}");
        let time = |value: &Value| -> chrono::DateTime<chrono::Utc> {
            value.as_str().expect("a time").parse().expect("a time")
        };
        let wait = time(&update["worker"]["nextDueAt"]) - time(&run["finishedAt"]);
        waits.push(wait.num_milliseconds());
    }
    for (wait, expected) in waits.iter().zip([2000, 4000, 8000]) {
        let most = expected + expected / 10;
        assert!((expected..=most).contains(wait), "{waits:?}");
    }
    let name = name_of(&update).to_owned();
    assert_eq!(observer.workers().await[0]["status"], "FAILING");

    root::with(&lab.root(), &[small("a000")]);
    observer.command("runWorker", &name).await;
    let update = observer.until("IDLE").await.pop().expect("an update");
    assert_eq!(update["worker"]["failures"], 0);
    assert_eq!(update["worker"]["lastRun"]["outcome"], "SUCCEEDED");
    assert_eq!(update["worker"]["lastRun"]["error"], Value::Null);
    assert!(update["changes"].as_i64() > Some(0), "{update}");
    assert_eq!(name_of(&update), name);
    assert!(server.stop().await);
}

async fn a_process_of_its_own_does_the_work(mut lab: Lab) {
    root::with(&lab.root(), &[small("a000")]);
    let mut observer = Observer::of(&mut lab).await;

    // The same configuration for both: the server leaves the work to the other.
    let path = lab.root();
    lab.set("LABQL_AUTOSUBMIT__ROOT", path.to_str().expect("UTF-8"));
    lab.set("LABQL_WORKERS__ENABLED", "false");
    let server = lab.serve().await;
    let mut child = tokio::process::Command::from(lab.command(["worker"]))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(fs::File::create(lab.path("worker.log")).expect("a log"))
        .kill_on_drop(true)
        .spawn()
        .expect("the binary");
    let stdout = child.stdout.take().expect("standard output");
    let line = BufReader::new(stdout).lines().next_line().await;
    let line = line.expect("UTF-8").expect("a line");
    let update = observer.until("IDLE").await.pop().expect("an update");
    assert!(update["changes"].as_i64() > Some(0), "{update}");
    let name = name_of(&update);
    assert_eq!(line, format!("worker:     {name} (every 10s)"));
    assert_eq!(passes(&server).await, 0);

    let id = child.id().expect("a running process").to_string();
    let asked = tokio::process::Command::new("kill").arg(id).status();
    assert!(asked.await.expect("kill").success());
    let ended = tokio::time::timeout(PATIENCE, child.wait()).await;
    assert!(ended.expect("its end").expect("its end").success());
    assert_eq!(observer.workers().await[0]["host"], Value::Null);
    assert!(server.stop().await);
}

async fn who_ends_hands_over_at_once(mut lab: Lab) {
    root::with(&lab.root(), &[small("a000")]);
    // Nothing but a lease that was given back lets the other in before the test gives up.
    lab.set("LABQL_WORKERS__LEASE", "1h");
    lab.set("LABQL_AUTOSUBMIT__INTERVAL_SECONDS", "3600");
    let mut observer = Observer::of(&mut lab).await;
    let first = lab.serve_mirroring().await;
    let update = observer.until("IDLE").await.pop().expect("an update");
    let name = name_of(&update).to_owned();
    let second = lab.serve_mirroring().await;
    for _ in 0..2 {
        observer.command("runWorker", &name).await;
        let told = [
            observer.hear().await,
            observer.hear().await,
            observer.hear().await,
        ];
        assert_eq!(statuses(&told), ["IDLE", "RUNNING", "IDLE"]);
    }
    assert_eq!((passes(&first).await, passes(&second).await), (3, 0));

    assert!(first.stop().await);
    // Who takes over runs at once: the command may come before that, meanwhile or afterwards.
    observer.command("runWorker", &name).await;
    observer.until("RUNNING").await;
    observer.until("IDLE").await;
    assert!((1..=2).contains(&passes(&second).await));
    assert!(second.stop().await);
}

/// A run of the first of two processes that cannot come to its end, since somebody else keeps the row of its source.
struct HeldRun {
    observer: Observer,
    first: Server,
    second: Server,
    database: DatabaseConnection,
    lock: DatabaseTransaction,
}

impl HeldRun {
    async fn begin(lab: &mut Lab, lease: &str) -> Self {
        root::with(&lab.root(), &[small("a000")]);
        lab.set("LABQL_WORKERS__LEASE", lease);
        lab.set("LABQL_AUTOSUBMIT__INTERVAL_SECONDS", "3600");
        let mut observer = Observer::of(lab).await;
        let first = lab.serve_mirroring().await;
        let update = observer.until("IDLE").await.pop().expect("an update");
        let second = lab.serve_mirroring().await;

        let database = Database::connect(lab.database_url())
            .await
            .expect("PostgreSQL");
        let lock = database.begin().await.expect("a transaction");
        lock.execute_unprepared("SELECT * FROM source FOR UPDATE")
            .await
            .expect("a lock");
        change(&lab.root(), "a000");
        observer.command("runWorker", name_of(&update)).await;
        observer.until("RUNNING").await;
        Self {
            observer,
            first,
            second,
            database,
            lock,
        }
    }
}

/// Lets go of the source: the run that is under way by now comes to its end.
async fn let_go(database: DatabaseConnection, lock: DatabaseTransaction, observer: &mut Observer) {
    lock.rollback().await.expect("no lock");
    let done = observer.until("IDLE").await.pop().expect("an update");
    assert!(done["changes"].as_i64() > Some(0), "{done}");
    database.close().await.expect("a closed connection");
}

#[tokio::test]
async fn who_vanishes_is_lost_and_replaced() {
    let Some(mut lab) = Lab::postgres().await else {
        return;
    };
    let HeldRun {
        mut observer,
        first,
        second,
        database,
        lock,
    } = HeldRun::begin(&mut lab, "6s").await;
    assert_eq!(observer.workers().await[0]["status"], "RUNNING");
    assert_eq!(passes(&second).await, 0);
    first.kill().await;

    let lost = observer.until("LOST").await;
    assert_eq!(statuses(&lost), ["LOST"]);
    let back = observer.hear().await;
    assert_eq!(back["worker"]["status"], "IDLE");
    assert_eq!(back["worker"]["lastRun"]["outcome"], "LOST");
    assert_eq!(back["worker"]["lastRun"]["finishedAt"], Value::Null);
    // The other has begun what was lost, and ends it as soon as it can.
    observer.until("RUNNING").await;
    let_go(database, lock, &mut observer).await;
    assert_eq!(passes(&second).await, 1);
    assert!(second.stop().await);
}

/// Two processes that are suspended in turn in the midst of a run, and lose it to the other: what they gave up keeps nothing
/// from them, though the database has not answered yet.
#[tokio::test]
async fn who_loses_a_run_again_and_again_goes_on() {
    let Some(mut lab) = Lab::postgres().await else {
        return;
    };
    let HeldRun {
        mut observer,
        first,
        second,
        database,
        lock,
    } = HeldRun::begin(&mut lab, "3s").await;
    // Each loses one more than it has connections that write.
    for server in [&first, &second].repeat(3) {
        server.suspend().await;
        observer.until("LOST").await;
        observer.until("RUNNING").await;
        server.go_on().await;
    }
    let_go(database, lock, &mut observer).await;
    assert!(first.stop().await && second.stop().await);
}
