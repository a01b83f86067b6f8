//! The workflows of the demo: they are templates without a flaw, and their runs have ended, failed, run and wait.

use std::collections::BTreeMap;
use std::fs;

use chrono::Utc;
use labql::demo::flows::write_flows;
use labql::flows::template::{Choices, read};
use serde_json::json;

use super::caller::Caller;
use super::ear::{Ear, is_made_of_best};
use super::lab::texts;
use crate::support::{Address as _, Lab, Server};

#[test]
fn templates_have_no_flaw() {
    let folder = tempfile::tempdir().expect("a folder");
    let summary = write_flows(folder.path(), Utc::now()).expect("workflows");
    assert_eq!(summary.workflows.len(), 3);
    for name in summary.workflows {
        let reading = read(&folder.path().join(name), &Choices::default());
        let problems: Vec<String> = reading.problems.iter().map(ToString::to_string).collect();
        assert_eq!(problems, [""; 0], "{name}");
        assert_eq!(reading.template.map(|it| it.name).as_deref(), Some(name));
    }
}

#[test]
fn a_folder_of_others_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("mine"), "").expect("a file");
    assert!(write_flows(folder.path(), Utc::now()).is_err());
}

/// Starts the demo, and logs in.
async fn demo(lab: &Lab, more: &[&str]) -> (Server, Caller) {
    let usual = ["demo", "--dir", "demo", "--listen", "127.0.0.1:0"];
    let command = lab.command([&usual, more].concat());
    let server = Server::start(command, &lab.path("demo.log")).await;
    let password = fs::read_to_string(lab.path("demo/password")).expect("a password");
    let login = "mutation($input: LoginInput!) { login(input: $input) { token } }";
    let input = json!({ "input": { "username": "demo", "password": password.trim() } });
    let mut data = server.data(login, input).await;
    let token = data["login"]["token"].take();
    let caller = Caller {
        address: server.address(),
        token: token.as_str().map(str::to_owned),
    };
    (server, caller)
}

/// How many runs that somebody started are in each state.
async fn states(caller: &Caller) -> BTreeMap<String, usize> {
    let query = "{ runs(filter: { kinds: [RUN] }, first: 500) { nodes { state } } }";
    let data = caller.data(query, json!({})).await;
    let mut states = BTreeMap::new();
    for state in texts(&data["runs"]["nodes"], "state") {
        *states.entry(state).or_default() += 1;
    }
    states
}

/// Ends what takes minutes, which would run on after the server.
async fn end_all(caller: &Caller) {
    let query = "{ runs(filter: { states: [PENDING, RUNNING, CANCELING] }) { nodes { id } } }";
    let data = caller.data(query, json!({})).await;
    for run in texts(&data["runs"]["nodes"], "id") {
        caller.told("cancelRun", json!({ "id": run })).await;
        caller.ended(&run).await;
    }
}

#[tokio::test]
async fn there_is_something_of_everything() {
    let lab = Lab::sqlite();
    let (server, caller) = demo(&lab, &[]).await;
    let data = caller
        .data("{ workflows { nodes { name } } }", json!({}))
        .await;
    let names = texts(&data["workflows"]["nodes"], "name");
    assert_eq!(names, ["count-words", "simulate", "sky-histogram"]);
    // All but the one that takes minutes, and the one that waits for it.
    let mut ear = Ear::of(&caller, json!({})).await;
    let mut ended = 0;
    while ended < 11 {
        let update = ear.next().await;
        ended += usize::from(update["kind"] == "ENDED" && !is_made_of_best(&update));
    }
    let told = states(&caller).await;
    let expected = [
        ("CANCELED", 1),
        ("ERROR", 2),
        ("PENDING", 1),
        ("RUNNING", 1),
        ("SUCCESS", 8),
    ];
    let expected = expected.map(|(state, number)| (state.to_owned(), number));
    assert_eq!(told, BTreeMap::from(expected));
    let query = "{ workflow(name: \"count-words\") {
        ranking { totalCount nodes { rank group { name } } } postProcessing { kind }
    } }";
    let data = caller.data(query, json!({})).await;
    assert_eq!(data["workflow"]["ranking"]["totalCount"], 3, "{data}");
    assert_eq!(
        data["workflow"]["postProcessing"]["kind"],
        "POST_PROCESSING"
    );
    end_all(&caller).await;
    assert!(server.stop().await);

    // The next one finds all of it there, and one that lives begins something that takes minutes.
    let (server, caller) = demo(&lab, &[]).await;
    assert_eq!(states(&caller).await.values().sum::<usize>(), 13);
    assert!(server.stop().await);
    let (server, caller) = demo(&lab, &["--live"]).await;
    let told = states(&caller).await;
    assert_eq!(told.values().sum::<usize>(), 14, "{told:?}");
    assert_eq!(told.get("CANCELED"), Some(&3), "{told:?}");
    end_all(&caller).await;
    assert!(server.stop().await);
}
