//! How much may be asked for: at once, and in one wish.

use serde_json::{Value, json};

use super::{Desk, ask, asked, because, refused};
use crate::statements::cost;
use crate::support::{Lab, Server};

on_both_databases!(
    open_actions_are_limited,
    those_who_ask_at_once_keep_the_limit,
    a_dry_run_is_refused_as_the_real_one_is,
    what_is_wrong_is_told_in_few_words,
    rights_and_limits_take_a_statement_each,
);

/// Code and message of the first reason.
async fn reason(server: &Server, mutation: &str, input: Value) -> (String, String) {
    let answer = ask(server, mutation, input).await;
    let error = &answer["data"][mutation]["errors"][0];
    let text = |field: &str| error[field].as_str().map(str::to_owned);
    text("code")
        .zip(text("message"))
        .unwrap_or_else(|| panic!("{answer}"))
}

async fn open_actions_are_limited(lab: Lab) {
    let mut desk = Desk::new(lab);
    desk.configure(super::ALL_KINDS, "limits = { open_per_user = 2, open = 3 }");
    desk.lab.done(&["user", "allow", "bob", "DESCRIBE"]);
    desk.lab.done(&["user", "allow", "eva", "CREATE"]);
    let server = desk.serve_idle("ada").await;
    let run = asked(&server, "runExperiment", json!({ "expid": "a000" })).await;
    let text = json!({ "expid": "a000", "description": "x" });
    asked(&server, "updateExperimentDescription", text).await;
    let more = json!({ "expid": "b000" });
    for dry in [true, false] {
        let more = json!({ "expid": "b000", "dryRun": dry });
        let (code, message) = reason(&server, "runExperiment", more).await;
        assert_eq!(code, "RATE_LIMITED");
        assert!(
            message.contains("`actions.limits.open_per_user` is 2"),
            "{message}"
        );
    }
    // Stopping is always possible, and takes no place.
    for expid in ["a000", "b000"] {
        asked(&server, "stopExperiment", json!({ "expid": expid })).await;
    }
    let withdrawn = asked(&server, "cancelAction", json!({ "id": run["id"] })).await;
    assert_eq!(withdrawn["state"], "CANCELED");
    asked(&server, "runExperiment", more).await;

    let bob = server.signed_in(&desk.lab.token("bob"));
    let text = json!({ "expid": "b000", "description": "x" });
    let his = asked(&bob, "updateExperimentDescription", text).await;
    let eva = bob.signed_in(&desk.lab.token("eva"));
    let new = json!({ "description": "x" });
    let (code, message) = reason(&eva, "createExperiment", new.clone()).await;
    assert_eq!(code, "RATE_LIMITED");
    assert!(
        message.contains("`actions.limits.open` allows, 3"),
        "{message}"
    );
    asked(&eva, "cancelAction", json!({ "id": his["id"] })).await;
    asked(&eva, "createExperiment", new).await;
}

async fn those_who_ask_at_once_keep_the_limit(lab: Lab) {
    let mut desk = Desk::new(lab);
    desk.configure(super::ALL_KINDS, "limits = { open_per_user = 3 }");
    let server = desk.serve_idle("ada").await;
    let asks = (0..8).map(|_| ask(&server, "createExperiment", json!({ "description": "x" })));
    let answers = futures_util::future::join_all(asks).await;
    let taken = answers
        .iter()
        .filter(|answer| answer["data"]["createExperiment"]["action"].is_object());
    assert_eq!(taken.count(), 3);
}

async fn a_dry_run_is_refused_as_the_real_one_is(lab: Lab) {
    let mut desk = Desk::new(lab);
    desk.lab
        .done(&["user", "allow", "bob", "RUN", "--experiments", "*"]);
    let server = desk.serve_idle("ada").await;
    let run = asked(&server, "runExperiment", json!({ "expid": "a000" })).await;
    let bob = desk.lab.token("bob");
    let mut server = server;
    for dry in [true, false] {
        // Nobody is told of actions of others more than that there is one.
        server = server.signed_in(&bob);
        let input = json!({ "expid": "a000", "dryRun": dry });
        let theirs = reason(&server, "runExperiment", input.clone()).await;
        let of_others = "another action is under way on this experiment";
        assert_eq!(theirs, ("CONFLICT".to_owned(), of_others.to_owned()));
        server = server.signed_in(&desk.lab.token("ada"));
        let (code, message) = reason(&server, "runExperiment", input).await;
        assert_eq!(code, "CONFLICT");
        let own = format!("RUN (action {}) is under way", run["number"]);
        assert!(message.starts_with(&own), "{message}");
        let long = json!({ "expid": "b000", "description": "x".repeat(260_000), "dryRun": dry });
        let (code, message) = reason(&server, "updateExperimentDescription", long).await;
        assert_eq!(code, "BAD_INPUT");
        assert!(message.starts_with("the most are"), "{message}");
        let longer = json!({ "expid": "b000", "description": "x".repeat(262_144), "dryRun": dry });
        let (code, message) = reason(&server, "updateExperimentDescription", longer).await;
        assert_eq!(code, "BAD_INPUT");
        assert!(message.starts_with("all arguments together"), "{message}");
    }
}

async fn what_is_wrong_is_told_in_few_words(lab: Lab) {
    let mut desk = Desk::new(lab);
    let server = desk.serve_idle("ada").await;
    let errors = async |input: Value| {
        let mut answer = ask(&server, "setJobStatus", input).await;
        answer["data"]["setJobStatus"]["errors"].take()
    };
    let few = vec!["[".repeat(90); 900];
    let wrong = json!({ "expid": "a000", "finalStatus": "READY", "jobs": few, "filterStatus": ["[".repeat(900)] });
    let told = errors(wrong).await;
    assert_eq!(told.as_array().map(Vec::len), Some(20));
    assert!(told.to_string().len() < 20 * 250, "{told}");
    let many = vec!["["; 40_000];
    let wrong = json!({ "expid": "a000", "finalStatus": "READY", "jobs": many });
    let told = errors(wrong).await;
    assert_eq!(told.as_array().map(Vec::len), Some(1), "{told}");
    let message = told[0]["message"].as_str().expect("a message");
    assert!(message.contains("102400 bytes"), "{message}");
    let input =
        json!({ "expid": "a000", "finalStatus": "READY", "filterStatus": ["[".repeat(900)] });
    let reason = refused(&server, "setJobStatus", input).await;
    assert_eq!(reason, because("BAD_INPUT", "filterStatus"));
}

async fn rights_and_limits_take_a_statement_each(lab: Lab) {
    let mut desk = Desk::new(lab);
    for pattern in ["a*", "b*", "*0"] {
        desk.lab
            .done(&["user", "allow", "ada", "RUN", "--experiments", pattern]);
    }
    desk.lab.done(&["user", "allow", "ada", "RUN"]);
    let server = desk.serve_idle("ada").await;
    let dry = json!({ "query": "mutation {
        runExperiment(input: { expid: \"a000\", dryRun: true }) { argv }
    }" });
    // The experiment, the rights to it, what is under way on it, and what has not ended at all.
    assert_eq!(cost(&server, &dry).await.0, 4);
}
