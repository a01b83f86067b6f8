//! Actions are withdrawn, and come to their ends.

use std::fs;

use serde_json::{Value, json};

use super::{Desk, Ear, asked, because, refused};
use crate::support::{Lab, Server};

on_both_databases!(
    one_that_has_not_begun_never_does,
    one_that_is_under_way_is_ended,
    one_that_waits_too_long_is_not_begun,
    old_ones_go_when_they_may,
);

async fn cancel(server: &Server, action: &Value) -> Value {
    asked(server, "cancelAction", json!({ "id": action["id"] })).await
}

async fn refusal(server: &Server, action: &Value) -> (String, Option<String>) {
    refused(server, "cancelAction", json!({ "id": action["id"] })).await
}

async fn one_that_has_not_begun_never_does(lab: Lab) {
    let mut desk = Desk::new(lab);
    let idle = desk.serve_idle("ada").await;
    let action = asked(&idle, "runExperiment", json!({ "expid": "a000" })).await;
    let idle = idle.signed_in(&desk.lab.token("bob"));
    assert_eq!(refusal(&idle, &action).await, because("NOT_FOUND", "id"));
    for nothing in ["", "x", "QWN0aW9uCjk5OTk"] {
        let reason = refusal(&idle, &json!({ "id": nothing })).await;
        assert_eq!(reason, because("NOT_FOUND", "id"), "{nothing}");
    }
    let idle = idle.signed_in(&desk.lab.token("ada"));
    assert_eq!(cancel(&idle, &action).await["state"], "CANCELED");
    // Twice is no error.
    assert_eq!(cancel(&idle, &action).await["state"], "CANCELED");
    idle.stop().await;

    let server = desk.serve("ada").await;
    let mut ear = Ear::of(&server, json!({})).await;
    let next = asked(&server, "runExperiment", json!({ "expid": "a000" })).await;
    let heard = ear.until("ENDED", &next).await;
    assert_eq!(desk.started(), 1);
    let first = &heard[1]["action"];
    assert_eq!(first["id"], action["id"]);
    assert_eq!(first["reason"], "CANCELED");
    assert_eq!(first["message"], "withdrawn by ada");
    assert_eq!(refusal(&server, &next).await, because("CONFLICT", "id"));
}

async fn one_that_is_under_way_is_ended(lab: Lab) {
    let desk = Desk::new(lab);
    desk.gate();
    let server = desk.serve("ada").await;
    let mut ear = Ear::of(&server, json!({})).await;
    let action = asked(&server, "runExperiment", json!({ "expid": "a000" })).await;
    ear.until("OUTPUT", &action).await;
    let pid = fs::read_to_string(desk.bin().join("started")).expect("a process");
    // An administrator may, without any right to act.
    let server = server.signed_in(&desk.lab.token("eva"));
    let told = cancel(&server, &action).await;
    assert_eq!(told["state"], "RUNNING");
    assert_eq!(cancel(&server, &action).await["id"], action["id"]);
    let heard = ear.until("ENDED", &action).await;
    let told: Vec<_> = heard
        .iter()
        .filter(|update| update["kind"] == "CANCEL_REQUESTED")
        .collect();
    assert_eq!(told.len(), 1);
    let ended = &heard.last().expect("an update")["action"];
    assert_eq!(ended["state"], "CANCELED");
    assert_eq!(ended["reason"], "CANCELED");
    assert_eq!(ended["message"], "withdrawn by eva");
    // Gone, or about to be buried by its keeper.
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    let state = stat
        .rsplit(") ")
        .next()
        .and_then(|rest| rest.chars().next());
    assert!(matches!(state, None | Some('Z' | 'X')), "{stat}");
    assert_eq!(cancel(&server, &action).await["state"], "CANCELED");
}

async fn one_that_waits_too_long_is_not_begun(lab: Lab) {
    let mut desk = Desk::new(lab);
    let idle = desk.serve_idle("ada").await;
    let action = asked(&idle, "runExperiment", json!({ "expid": "a000" })).await;
    idle.stop().await;
    desk.configure(super::ALL_KINDS, "keeping = { begin_within = \"0s\" }");
    let server = desk.serve("ada").await;
    let mut ear = Ear::of(&server, json!({})).await;
    let (ended, _) = ear.ended(&action).await;
    assert_eq!(ended["state"], "FAILED");
    assert_eq!(ended["reason"], "NOT_BEGUN_IN_TIME");
    assert_eq!(desk.started(), 0);
}

async fn old_ones_go_when_they_may(lab: Lab) {
    let desk = Desk::new(lab);
    let server = desk.serve("ada").await;
    let mut ear = Ear::of(&server, json!({})).await;
    let action = asked(&server, "runExperiment", json!({ "expid": "a000" })).await;
    ear.ended(&action).await;
    server.stop().await;
    let programs = || {
        let entries = fs::read_dir(desk.lab.data().join("actions")).expect("a folder");
        let names = entries.map(|entry| entry.expect("an entry").file_name().into_string());
        names
            .filter(|name| name.as_ref().is_ok_and(|name| name != "keeper"))
            .count()
    };
    assert_eq!(programs(), 1);
    desk.configure(super::ALL_KINDS, "keeping = { days = 0 }");
    let server = desk.serve("ada").await;
    // The removal comes before anything that is asked for is looked at a second time.
    let mut ear = Ear::of(&server, json!({})).await;
    let next = asked(&server, "runExperiment", json!({ "expid": "b000" })).await;
    ear.ended(&next).await;
    let data = server
        .data("{ actions { nodes { number } } }", json!({}))
        .await;
    assert_eq!(
        data["actions"]["nodes"],
        json!([{ "number": next["number"] }])
    );
    assert_eq!(programs(), 1);
    // What events told of it can still be heard, but for what they leave out.
    let whole = "subscription { actionUpdates(after: \"beginning\") { action { arguments outputTail state } } }";
    let mut socket = crate::support::Socket::signed_in(&server, server.token()).await;
    socket.subscribe("1", whole).await;
    let first = socket.hear().await;
    let shown = &first["payload"]["data"]["actionUpdates"]["action"];
    assert_eq!(shown["state"], "REQUESTED", "{first}");
    assert_eq!(shown["arguments"], Value::Null);
}
