//! Servers come and go; what was asked for is done once, and its end is known.

use std::fs;

use serde_json::json;

use super::{Desk, Ear, asked, because, kinds, open_gate, printed, refused};
use crate::support::Lab;

on_both_databases!(
    who_is_killed_leaves_it_to_the_next,
    who_ends_hands_over,
    it_ends_while_nobody_is_there,
    what_was_asked_for_is_begun_by_the_next,
    what_was_about_to_begin_is_not_begun_again,
    a_key_belongs_to_its_user_and_to_what_it_made,
    tables_that_are_made_anew_know_nothing_of_before,
);

async fn who_is_killed_leaves_it_to_the_next(lab: Lab) {
    let desk = Desk::new(lab);
    let gate = desk.gate();
    let server = desk.serve("ada").await;
    let mut ear = Ear::of(&server, json!({})).await;
    let run = asked(&server, "runExperiment", json!({ "expid": "a000" })).await;
    let mut heard = ear.until("OUTPUT", &run).await;
    let cursor = heard.last().expect("an update")["cursor"].clone();
    // A second server beside the first takes nothing from it.
    for _ in 0..2 {
        let other = desk.serve("ada").await;
        let variables = json!({ "id": run["id"] });
        let query = "query($id: ID!) { action(id: $id) { state } }";
        let data = other.data(query, variables).await;
        assert_eq!(data["action"]["state"], "RUNNING");
        other.kill().await;
    }
    server.kill().await;
    let server = desk.serve("ada").await;
    let mut ear = Ear::of(&server, json!({ "after": cursor })).await;
    open_gate(&gate).await;
    heard.extend(ear.until("ENDED", &run).await);
    let ended = &heard.last().expect("an update")["action"];
    assert_eq!(ended["state"], "SUCCEEDED", "{ended}");
    assert_eq!(ended["exitCode"], 0);
    assert_eq!(kinds(&heard), ["REQUESTED", "BEGAN", "OUTPUT", "ENDED"]);
    let text = printed(&heard);
    assert!(text.ends_with("before\nafter open\n"), "{text}");
    assert_eq!(desk.started(), 1);
}

async fn who_ends_hands_over(lab: Lab) {
    let mut desk = Desk::new(lab);
    // Nobody waits for a lease that was given back.
    desk.lab.set("LABQL_WORKERS__LEASE", "1h");
    let (gate, server, _ear, run) = desk.at_gate().await;
    assert!(server.stop().await);
    let server = desk.serve("ada").await;
    let mut ear = Ear::of(&server, json!({})).await;
    open_gate(&gate).await;
    let (ended, output) = ear.ended(&run).await;
    assert_eq!(ended["state"], "SUCCEEDED", "{ended}");
    assert!(output.ends_with("before\nafter open\n"), "{output}");
    assert_eq!(desk.started(), 1);
}

async fn it_ends_while_nobody_is_there(lab: Lab) {
    let desk = Desk::new(lab);
    let (gate, server, _ear, run) = desk.at_gate().await;
    server.kill().await;
    open_gate(&gate).await;
    let server = desk.serve("ada").await;
    let mut ear = Ear::of(&server, json!({})).await;
    let (ended, output) = ear.ended(&run).await;
    assert_eq!(ended["state"], "SUCCEEDED", "{ended}");
    assert!(output.ends_with("before\nafter open\n"), "{output}");
    assert_eq!(desk.started(), 1);
}

async fn what_was_asked_for_is_begun_by_the_next(lab: Lab) {
    let mut desk = Desk::new(lab);
    let idle = desk.serve_idle("ada").await;
    let run = asked(&idle, "runExperiment", json!({ "expid": "a000" })).await;
    idle.kill().await;
    let server = desk.serve("ada").await;
    let mut ear = Ear::of(&server, json!({})).await;
    assert_eq!(ear.ended(&run).await.0["state"], "SUCCEEDED");
    assert_eq!(desk.started(), 1);
}

/// Killed after it wrote down that it begins, and before anything was started: nobody can tell, so nobody starts it.
async fn what_was_about_to_begin_is_not_begun_again(lab: Lab) {
    let mut desk = Desk::new(lab);
    let gate = desk.gate();
    let server = desk.serve("ada").await;
    let mut ear = Ear::of(&server, json!({})).await;
    let first = asked(&server, "runExperiment", json!({ "expid": "b000" })).await;
    ear.until("OUTPUT", &first).await;
    server.kill().await;
    let idle = desk.serve_idle("ada").await;
    let run = asked(&idle, "runExperiment", json!({ "expid": "a000" })).await;
    let database = desk.lab.database().await;
    // As a server on this machine would have left it.
    let sql = format!(
        "UPDATE action SET state = 'RUNNING', began_at = requested_at, lease_until = requested_at, holder = 'gone',
         keeper = (SELECT keeper FROM action WHERE id = {}), host = 'here' WHERE id = {}",
        first["number"], run["number"],
    );
    sea_orm::ConnectionTrait::execute_unprepared(database.write(), &sql)
        .await
        .expect("a statement");
    idle.stop().await;
    let server = desk.serve("ada").await;
    let mut ear = Ear::of(&server, json!({})).await;
    let (ended, _) = ear.ended(&run).await;
    assert_eq!(ended["state"], "LOST", "{ended}");
    assert_eq!(ended["reason"], "PROCESS_GONE");
    open_gate(&gate).await;
    assert_eq!(desk.started(), 1);
}

/// Two machines, as far as labql can tell: each has a data folder of its own.
#[tokio::test]
async fn another_machine_leaves_it_alone_and_one_day_gives_it_up() {
    let Some(lab) = Lab::postgres().await else {
        return;
    };
    let mut desk = Desk::new(lab);
    let gate = desk.gate();
    let here = desk.serve("ada").await;
    let mut ear = Ear::of(&here, json!({})).await;
    let run = asked(&here, "runExperiment", json!({ "expid": "a000" })).await;
    let mut heard = ear.until("OUTPUT", &run).await;

    let config = fs::read_to_string(desk.lab.path("labql.toml")).expect("a configuration");
    let secret = fs::read_dir(desk.lab.data()).expect("a folder");
    let elsewhere = desk.lab.path("elsewhere");
    fs::create_dir(&elsewhere).expect("a folder");
    // The same keys of tokens, but another machine.
    for entry in secret.map(|entry| entry.expect("an entry")) {
        if entry.path().is_file() {
            fs::copy(entry.path(), elsewhere.join(entry.file_name())).expect("a copy");
        }
    }
    let data = elsewhere.to_str().expect("UTF-8").to_owned();
    let token = desk.lab.token("ada");
    desk.lab.set("LABQL_DATA_DIR", data);
    let there = desk.lab.serve().await.signed_in(&token);
    // Both hear of new ones, and one begins them.
    for _ in 0..5 {
        desk.deed(super::WELL);
        let other = asked(&there, "stopExperiment", json!({ "expid": "a000" })).await;
        let (ended, _) = Ear::of(&there, json!({ "id": other["id"] }))
            .await
            .ended(&other)
            .await;
        assert_eq!(ended["state"], "SUCCEEDED", "{ended}");
    }
    assert_eq!(desk.started(), 6);
    open_gate(&gate).await;
    heard.extend(ear.until("ENDED", &run).await);
    assert_eq!(
        heard.last().expect("an update")["action"]["state"],
        "SUCCEEDED"
    );

    // A machine that never comes back.
    desk.deed(super::GATED);
    there.stop().await;
    let run = asked(&here, "runExperiment", json!({ "expid": "a000" })).await;
    ear.until("OUTPUT", &run).await;
    here.kill().await;
    let soon = config.replace(
        "[actions]\n",
        "[actions]\nkeeping = { host_lost_after = \"1s\" }\n",
    );
    fs::write(desk.lab.path("labql.toml"), soon).expect("a configuration");
    let there = desk.lab.serve().await.signed_in(&token);
    let mut ear = Ear::of(&there, json!({})).await;
    let (ended, _) = ear.ended(&run).await;
    assert_eq!(ended["state"], "LOST", "{ended}");
    assert_eq!(ended["reason"], "HOST_GONE");
    assert!(ended["message"].is_string());
    // It still waits there: not to be left behind by a test.
    open_gate(&gate).await;
}

/// Keys are kept by name and number: neither an account nor an action that comes to have these later is meant.
async fn a_key_belongs_to_its_user_and_to_what_it_made(lab: Lab) {
    let mut desk = Desk::new(lab);
    desk.lab
        .done(&["user", "allow", "bob", "RUN", "--experiments", "*"]);
    let server = desk.serve_idle("ada").await;
    let input = json!({ "expid": "a000", "idempotencyKey": "once" });
    let hers = asked(&server, "runExperiment", input.clone()).await;
    let stop = asked(&server, "stopExperiment", input.clone()).await;
    assert_ne!(hers["id"], stop["id"]);
    let bob = desk.lab.token("bob");
    let server = server.signed_in(&bob);
    let reason = refused(&server, "runExperiment", input.clone()).await;
    assert_eq!(reason, because("CONFLICT", "expid"));
    let database = desk.lab.database().await;
    for change in [
        "UPDATE idempotency_key SET actor = 'bob' WHERE mutation = 'runExperiment'",
        "UPDATE idempotency_key SET subject_id = 1 WHERE mutation = 'stopExperiment'",
    ] {
        sea_orm::ConnectionTrait::execute_unprepared(database.write(), change)
            .await
            .expect("a statement");
    }
    let reason = refused(&server, "runExperiment", input.clone()).await;
    assert_eq!(reason, because("BAD_INPUT", "idempotencyKey"));
    let server = server.signed_in(&desk.lab.token("ada"));
    let reason = refused(&server, "stopExperiment", input).await;
    assert_eq!(reason, because("BAD_INPUT", "idempotencyKey"));
}

async fn tables_that_are_made_anew_know_nothing_of_before(lab: Lab) {
    let mut desk = Desk::new(lab);
    let idle = desk.serve_idle("ada").await;
    let input = json!({ "expid": "a000", "idempotencyKey": "once" });
    let old = asked(&idle, "runExperiment", input.clone()).await;
    let cursor = idle.data("{ eventCursor }", json!({})).await["eventCursor"].take();
    idle.stop().await;
    let status = desk.lab.done(&["migrate", "status"]);
    let newer = status
        .lines()
        .skip_while(|line| !line.contains("_actions"))
        .count();
    assert!(newer > 0, "{status}");
    desk.lab
        .done(&["migrate", "down", "--steps", &newer.to_string()]);
    desk.lab.done(&["migrate", "up"]);
    desk.lab
        .done(&["user", "allow", "ada", "RUN", "--experiments", "*"]);

    let idle = desk.serve_idle("ada").await;
    let new = asked(&idle, "runExperiment", json!({ "expid": "b000" })).await;
    assert_eq!(new["id"], old["id"]);
    let again = asked(&idle, "runExperiment", input).await;
    assert_ne!(again["id"], new["id"]);
    let mut ear = Ear::of(&idle, json!({})).await;
    for action in [&new, &again] {
        assert_eq!(ear.next().await["action"]["expid"], action["expid"]);
    }
    // The log is the same one, without gaps.
    let mut ear = Ear::of(&idle, json!({ "after": cursor })).await;
    assert_eq!(ear.next().await["action"]["expid"], "b000");
    let admin = idle.signed_in(&desk.lab.token("eva"));
    let told = "{ events(first: 500) { edges { node { topic subject } } } }";
    let told = admin.data(told, json!({})).await["events"]["edges"].take();
    let actions = told.as_array().expect("events").iter();
    let actions = actions.filter(|edge| edge["node"]["topic"] == "ACTION");
    assert_eq!(actions.count(), 2, "{told}");
}
