//! It can be seen who moves a run forward, and that somebody else has taken over.

use std::process::id;

use serde_json::{Value, json};

use super::crew::Crew;
use super::draft::Draft;
use super::ear::Ear;
use crate::support::Lab;

on_both_databases!(who_moves_a_run_is_told_and_followed);

const MOVER: &str =
    "query($run: ID!) { run(id: $run) { state mover { host process leaseUntil } } }";

async fn who_moves_a_run_is_told_and_followed(lab: Lab) {
    let mut crew = Crew::open(lab, 0, "ann").await;
    let gate = crew.site.gate("go");
    let workflow = crew.site.workflow(&Draft::of("Gated", &gate)).await;
    let ann = crew.caller();
    let mut ear = Ear::of(&ann, json!({})).await;
    let run = ann.start(&workflow, json!({})).await;
    let heard = ear.until_step(&run, "only", "RUNNING").await;
    assert!(heard.iter().all(|update| update["kind"] != "TAKEN_OVER"));
    let cursor = heard.last().expect("an update")["cursor"].clone();
    let cursor = cursor.as_str().expect("a cursor").to_owned();
    let mover = async |crew: &Crew| -> Value {
        let data = crew.caller().data(MOVER, json!({ "run": run })).await;
        data["run"]["mover"].clone()
    };
    let first = mover(&crew).await;
    assert_eq!(first["process"], json!(crew.site.server.id()));
    assert_ne!(first["process"], json!(id()));
    assert!(first["host"].as_str().is_some_and(|host| !host.is_empty()));
    assert!(first["leaseUntil"].is_string(), "{first}");

    crew.strike_server().await;
    let mut ear = Ear::from(&crew.caller(), json!({ "kinds": ["TAKEN_OVER"] }), &cursor).await;
    let told = ear.next().await;
    assert_eq!(told["run"]["id"], json!(run));
    assert_eq!(told["run"]["state"], "RUNNING");
    assert_eq!(told["step"], Value::Null);
    let second = mover(&crew).await;
    assert_eq!(second["process"], json!(crew.site.server.id()));
    assert_ne!(second, first);

    crew.site.open_gate("go");
    let mut ear = Ear::from(&crew.caller(), json!({}), &cursor).await;
    let heard = ear.until_ended(std::slice::from_ref(&run)).await;
    let taken = heard.iter().filter(|update| update["kind"] == "TAKEN_OVER");
    assert_eq!(taken.count(), 1);
    assert_eq!(crew.caller().run(&run).await["state"], "SUCCESS");
    assert_eq!(mover(&crew).await, Value::Null);
}
