//! How much is under way at once.

use serde_json::json;

use super::{Desk, Ear, asked};
use crate::support::Lab;

on_both_databases!(whoever_stops_a_run_finds_a_place,);

/// Commands wait until the test says so, and what stops a run does not.
const WAITS: &str = r#"
case "$1" in
    stop) echo stopped ;;
    *) until [ -e "$here/go" ] || [ ! -e "$here" ]; do sleep 0.05; done; echo 'Experiment a00z created' ;;
esac
exit 0
"#;

async fn whoever_stops_a_run_finds_a_place(lab: Lab) {
    let desk = Desk::new(lab);
    desk.deed(WAITS);
    let server = desk.serve("ada").await;
    let mut ear = Ear::of(&server, json!({})).await;
    let mut made = Vec::new();
    for number in 0..9 {
        let input = json!({ "description": format!("number {number}") });
        made.push(asked(&server, "createExperiment", input).await);
    }
    for action in &made[..8] {
        ear.until("BEGAN", action).await;
    }
    // A full house: neither runs nor what stops them wait.
    let run = asked(&server, "runExperiment", json!({ "expid": "b000" })).await;
    ear.until("BEGAN", &run).await;
    let stop = asked(&server, "stopExperiment", json!({ "expid": "a000" })).await;
    let (ended, _) = ear.ended(&stop).await;
    assert_eq!(ended["state"], "SUCCEEDED", "{ended}");
    server.stop().await;
    // The ninth has waited too long, for a place and not for a server.
    desk.configure(super::ALL_KINDS, "keeping = { begin_within = \"0s\" }");
    let server = desk.serve("ada").await;
    let mut ear = Ear::of(&server, json!({})).await;
    let (ended, _) = ear.ended(&made[8]).await;
    assert_eq!(ended["state"], "FAILED", "{ended}");
    assert_eq!(ended["reason"], "BUSY");
    std::fs::write(desk.bin().join("go"), "").expect("a file");
    for action in &made[..8] {
        let mut ear = Ear::of(&server, json!({ "id": action["id"] })).await;
        assert_eq!(ear.ended(action).await.0["state"], "SUCCEEDED");
    }
}
