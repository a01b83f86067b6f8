//! What keeps programs: who wakes up too late begins nothing, a killed keeper frees nothing, and nodes have names.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use labql::engine::{self, EngineError, Launch};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};

use super::{ALL_KINDS, Desk, Ear, asked, because, open_gate, refused};
use crate::support::{Lab, Server};

on_both_databases!(
    a_starter_that_wakes_up_too_late_begins_nothing,
    a_program_whose_keeper_was_killed_is_under_way,
    without_its_profile_nobody_can_tell_how_it_ended,
    a_node_knows_its_programs_by_its_name,
    questions_that_were_left_behind_go,
);

/// The folders of programs, by the numbers of their actions.
fn folder(desk: &Desk, action: &Value) -> PathBuf {
    let prefix = format!("{}-", action["number"]);
    let found = folders(desk).into_iter().find(|path| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with(&prefix))
    });
    found.expect("the folder of a program")
}

fn folders(desk: &Desk) -> Vec<PathBuf> {
    let entries = fs::read_dir(desk.lab.data().join("actions")).expect("a folder");
    entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir())
        .collect()
}

async fn state(server: &Server, action: &Value) -> Value {
    let query = "query($id: ID!) { action(id: $id) { state } }";
    let data = server.data(query, json!({ "id": action["id"] })).await;
    data["action"]["state"].clone()
}

async fn execute(desk: &Desk, sql: &str) {
    let database = desk.lab.database().await;
    sea_orm::ConnectionTrait::execute_unprepared(database.write(), sql)
        .await
        .expect("a statement");
}

/// A server that was stopped in its tracks after it wrote down that the action begins: the next one took it for gone.
async fn a_starter_that_wakes_up_too_late_begins_nothing(lab: Lab) {
    let mut desk = Desk::new(lab);
    let server = desk.serve("ada").await;
    let mut ear = Ear::of(&server, json!({})).await;
    let first = asked(&server, "runExperiment", json!({ "expid": "b000" })).await;
    ear.ended(&first).await;
    server.stop().await;
    let idle = desk.serve_idle("ada").await;
    let run = asked(&idle, "runExperiment", json!({ "expid": "a000" })).await;
    let begun = format!(
        "UPDATE action SET state = 'RUNNING', began_at = requested_at, lease_until = requested_at, holder = 'asleep',
         keeper = (SELECT keeper FROM action WHERE id = {}), host = 'here' WHERE id = {}",
        first["number"], run["number"],
    );
    execute(&desk, &begun).await;
    idle.stop().await;
    let server = desk.serve("ada").await;
    let mut ear = Ear::of(&server, json!({})).await;
    let (ended, _) = ear.ended(&run).await;
    assert_eq!(ended["state"], "LOST", "{ended}");
    // It wakes up.
    let launch = Launch {
        program: desk.bin().join("autosubmit").into_os_string(),
        args: vec!["run".into()],
        environment: vec![("PATH".into(), "/usr/bin:/bin".into())],
        stdin: Vec::new(),
        stop_word: None,
        working_dir: None,
        time_limit: None,
        output_limit: 1000,
    };
    let labql = Path::new(env!("CARGO_BIN_EXE_labql"));
    let late = engine::start_with(labql, &launch, &folder(&desk, &run)).await;
    assert!(matches!(late, Err(EngineError::Taken(_))), "{late:?}");
    assert_eq!(desk.started(), 1);
}

async fn a_program_whose_keeper_was_killed_is_under_way(lab: Lab) {
    let desk = Desk::new(lab);
    let gate = desk.gate();
    let server = desk.serve("ada").await;
    let mut ear = Ear::of(&server, json!({})).await;
    let mut run = Value::Null;
    for expid in ["a000", "b000"] {
        run = asked(&server, "runExperiment", json!({ "expid": expid })).await;
        // What it prints without a keeper would end it.
        let mut printed = String::new();
        while !printed.ends_with("before\n") {
            let update = ear.next().await;
            printed += update["output"]["text"].as_str().unwrap_or_default();
        }
        let keeper = fs::read(folder(&desk, &run).join("keeper")).expect("a record");
        let keeper: Value = serde_json::from_slice(&keeper).expect("JSON");
        let keeper = i32::try_from(keeper["pid"].as_i64().expect("a number")).expect("a number");
        kill(Pid::from_raw(keeper), Signal::SIGKILL).expect("a signal");
        if expid == "a000" {
            // It goes on, and its experiment is not free.
            let again = refused(&server, "runExperiment", json!({ "expid": expid })).await;
            assert_eq!(again, because("CONFLICT", "expid"));
            assert_eq!(state(&server, &run).await, "RUNNING");
            open_gate(&gate).await;
            let (ended, _) = ear.ended(&run).await;
            assert_eq!(ended["state"], "LOST", "{ended}");
            assert_eq!(ended["reason"], "PROCESS_GONE");
        }
    }
    // The next server sees it, too, and can end it.
    server.kill().await;
    let server = desk.serve("ada").await;
    let mut ear = Ear::of(&server, json!({})).await;
    assert_eq!(state(&server, &run).await, "RUNNING");
    asked(&server, "cancelAction", json!({ "id": run["id"] })).await;
    let (ended, _) = ear.ended(&run).await;
    assert_eq!(ended["state"], "CANCELED", "{ended}");
    let started = fs::read_to_string(desk.bin().join("started")).expect("numbers");
    let last = started.lines().next_back().expect("a number");
    let stat = fs::read_to_string(format!("/proc/{last}/stat")).unwrap_or_default();
    assert!(stat.is_empty() || stat.contains(") Z "), "{stat}");
}

async fn without_its_profile_nobody_can_tell_how_it_ended(lab: Lab) {
    let desk = Desk::new(lab);
    let (gate, server, _ear, run) = desk.at_gate().await;
    server.stop().await;
    let path = desk.lab.path("labql.toml");
    let config = fs::read_to_string(&path).expect("a configuration");
    fs::write(&path, config.replace("profiles.here", "profiles.there")).expect("a configuration");
    let server = desk.serve("ada").await;
    let mut ear = Ear::of(&server, json!({})).await;
    open_gate(&gate).await;
    let (ended, output) = ear.ended(&run).await;
    assert_eq!(ended["state"], "LOST", "{ended}");
    assert_eq!(ended["reason"], "NOT_CONFIGURED");
    assert_eq!(ended["exitCode"], 0);
    assert!(output.ends_with("after open\n"), "{output}");
}

async fn a_node_knows_its_programs_by_its_name(lab: Lab) {
    let desk = Desk::new(lab);
    let gate = desk.gate();
    let node =
        |name: &str, more: &str| desk.configure(ALL_KINDS, &format!("node = {name:?}\n{more}"));
    node("one", "");
    let server = desk.serve("ada").await;
    let mut ear = Ear::of(&server, json!({})).await;
    let run = asked(&server, "runExperiment", json!({ "expid": "a000" })).await;
    let heard = ear.until("OUTPUT", &run).await;
    assert_eq!(heard.last().expect("an update")["action"]["host"], "one");
    server.kill().await;
    // Another node leaves it alone; what it does itself comes after its look at what is there.
    node("two", "");
    desk.deed("echo begun; exec sleep 600");
    let server = desk.serve("ada").await;
    let mut ear = Ear::of(&server, json!({})).await;
    let other = asked(&server, "runExperiment", json!({ "expid": "b000" })).await;
    ear.until("OUTPUT", &other).await;
    assert_eq!(state(&server, &run).await, "RUNNING");
    server.stop().await;
    // It is back.
    node("one", "");
    let server = desk.serve("ada").await;
    let mut ear = Ear::of(&server, json!({})).await;
    open_gate(&gate).await;
    let (ended, _) = ear.ended(&run).await;
    assert_eq!(ended["state"], "SUCCEEDED", "{ended}");
    server.stop().await;
    // The other one never is.
    node("one", "keeping = { host_lost_after = \"0s\" }");
    let server = desk.serve("ada").await;
    let mut ear = Ear::of(&server, json!({})).await;
    let (ended, _) = ear.ended(&other).await;
    assert_eq!(ended["reason"], "HOST_GONE", "{ended}");
    assert!(
        ended["message"]
            .as_str()
            .expect("a message")
            .starts_with("two, "),
        "{ended}"
    );
    // It still runs there: not to be left behind by a test.
    let started = fs::read_to_string(desk.bin().join("started")).expect("numbers");
    let last = started.lines().next_back().expect("a number");
    let last: i32 = last.parse().expect("a number");
    kill(Pid::from_raw(last), Signal::SIGKILL).expect("a signal");
}

/// A server was killed while it asked Autosubmit for its version.
async fn questions_that_were_left_behind_go(lab: Lab) {
    let desk = Desk::new(lab);
    let actions = desk.lab.data().join("actions");
    let (old, new) = (actions.join("version-old"), actions.join("version-new"));
    for folder in [&old, &new] {
        fs::create_dir_all(folder).expect("a folder");
        fs::write(folder.join("output"), "4.1").expect("a file");
    }
    let long_ago = SystemTime::now() - Duration::from_hours(1);
    let opened = fs::File::open(&old).expect("a folder");
    opened.set_modified(long_ago).expect("a time");
    let server = desk.serve("ada").await;
    let mut ear = Ear::of(&server, json!({})).await;
    // The first look comes before the removal, the second after it.
    for _ in 0..2 {
        let run = asked(&server, "runExperiment", json!({ "expid": "a000" })).await;
        ear.ended(&run).await;
    }
    assert!(!old.exists());
    assert!(new.exists());
}
