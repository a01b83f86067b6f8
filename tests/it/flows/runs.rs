//! What is told of runs: states, steps, attempts and reasons; and what remains of those that are deleted.

use futures_util::future::join_all;
use labql::flows::state::{RunState, StepState};
use serde_json::{Value, json};

use super::caller::{id, run_input, states, stream_of};
use super::draft::Draft;
use super::ear::{Ear, column};
use super::lab::Site;
use crate::support::Lab;

on_both_databases!(
    all_of_a_run_is_told,
    what_fails_says_why,
    a_step_that_nobody_gave_is_left_out,
    runs_are_deleted_when_they_have_ended,
);

async fn all_of_a_run_is_told(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let draft = Draft::new("Told")
        .step("one", &["echo first", "echo problem >&2"])
        .step("two", &["echo second > out.txt"])
        .output("out.txt");
    let workflow = site.workflow(&draft).await;
    let ann = site.who("ann");
    let mut ear = Ear::of(&ann, json!({})).await;
    let started = ann
        .tell("startRun", run_input(&workflow, &json!({}), json!({})))
        .await;
    let run = &started["run"];
    assert_eq!(
        (&run["state"], &run["kind"]),
        (&json!("PENDING"), &json!("RUN")),
        "{started}"
    );
    let run = id(run);
    let heard = ear.until_state(&run, "SUCCESS").await;
    let kinds: Vec<&str> = heard.iter().filter_map(|it| it["kind"].as_str()).collect();
    let expected = [
        "CREATED", "STARTED", "STEP", "STEP", "STEP", "STEP", "STEP", "STEP", "ENDED",
    ];
    assert_eq!(kinds, expected);
    let of = |step: &str| {
        let of_it = heard.iter().filter(|it| it["step"]["name"] == step);
        of_it
            .filter_map(|it| it["step"]["state"].as_str())
            .collect::<Vec<_>>()
    };
    for step in ["one", "two"] {
        assert_eq!(of(step), ["STARTING", "RUNNING", "SUCCESS"]);
    }
    check_transitions(&heard);

    let run = ann.run(&run).await;
    assert_eq!(run["startedBy"]["username"], "ann");
    // Nobody said in which group: it is one's own.
    assert_eq!(run["group"]["name"], "ann");
    assert_eq!(
        (&run["executor"], &run["priority"]),
        (&json!("LOCAL"), &json!(0))
    );
    assert_eq!(
        (&run["reason"], &run["message"]),
        (&Value::Null, &Value::Null)
    );
    let times = ["createdAt", "startedAt", "endedAt"]
        .map(|name| run[name].as_str().expect(name).to_owned());
    assert!(times.is_sorted(), "{times:?}");
    for step in run["steps"].as_array().expect("steps") {
        assert_eq!(
            (&step["exitCode"], &step["attempt"]),
            (&json!(0), &json!(1)),
            "{step}"
        );
        assert!(
            step["startedAt"].as_str() <= step["endedAt"].as_str(),
            "{step}"
        );
        assert_eq!(step["executor"], "LOCAL");
        let attempts = step["attempts"].as_array().expect("attempts");
        assert_eq!(attempts.len(), 1);
        let took = &attempts[0];
        assert_eq!((&took["number"], &took["exitCode"]), (&json!(1), &json!(0)));
        assert!(took["wallSeconds"].as_f64() > Some(0.0), "{took}");
        assert!(
            took["userSeconds"].is_number() && took["peakMemoryBytes"].is_number(),
            "{took}"
        );
    }
    let pieces = ann.pieces(&id(&run)).await;
    assert_eq!(stream_of(&pieces, "one", "STDOUT"), "first\n");
    assert_eq!(stream_of(&pieces, "one", "STDERR"), "problem\n");
    assert_eq!(ann.file(&run, "out.txt").await, b"second\n");
}

/// No update tells of a state that may not follow the one that was told before.
pub fn check_transitions(heard: &[Value]) {
    let mut runs = std::collections::HashMap::new();
    let mut steps = std::collections::HashMap::new();
    for update in heard {
        let run = update["run"]["id"].as_str().expect("an id");
        let state = update["run"]["state"]
            .as_str()
            .and_then(RunState::from_name);
        let state = state.unwrap_or_else(|| panic!("{update}"));
        let before = runs.insert(run, state);
        match update["kind"].as_str().expect("a kind") {
            "CREATED" => assert_eq!((before, state), (None, RunState::Pending), "{update}"),
            "DELETED" | "TAKEN_OVER" => assert_eq!(before, Some(state), "{update}"),
            "STEP" => {
                assert_eq!(before, Some(state), "{update}");
                let step = &update["step"];
                let to = step["state"].as_str().and_then(StepState::from_name);
                let to = to.unwrap_or_else(|| panic!("{update}"));
                let name = step["name"].as_str().expect("a name");
                let from = steps.insert((run, name), to).unwrap_or(StepState::Pending);
                assert_eq!(from.becomes(to), Ok(true), "{update}");
            }
            _ => {
                let before = before.unwrap_or_else(|| panic!("{update}"));
                assert_eq!(before.becomes(state), Ok(true), "{update}");
            }
        }
    }
}

async fn what_fails_says_why(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let ann = site.who("ann");
    let timed = json!({ "limits": { "timeoutSeconds": 1 } });
    let of = |name: &str, commands: &[&str], more: Value| {
        Draft::new(name)
            .step_with("bad", commands, more)
            .step("never", &["touch never"])
    };
    let cases = [
        (
            of("Code", &["echo before; exit 7", "echo never"], json!({})),
            "STEP_FAILED",
            json!(7),
        ),
        (
            of("None", &["no-such-program"], json!({})),
            "STEP_FAILED",
            json!(127),
        ),
        (
            of("Signal", &["kill -SEGV $$PPID; sleep 10"], json!({})),
            "STEP_SIGNALED",
            Value::Null,
        ),
        (of("Slow", &["sleep 1000"], timed), "TIMED_OUT", Value::Null),
        (
            of(
                "Absent",
                &["true"],
                json!({ "files": { "outputs": ["made.txt"] } }),
            ),
            "OUTPUT_MISSING",
            json!(0),
        ),
    ];
    let runs = join_all(cases.iter().map(async |(draft, _, _)| {
        let workflow = site.workflow(draft).await;
        ann.make(&workflow, json!({})).await
    }))
    .await;
    for (run, (_, reason, code)) in runs.iter().zip(&cases) {
        assert_eq!(
            (&run["state"], &run["reason"]),
            (&json!("ERROR"), &json!(reason)),
            "{run}"
        );
        assert!(
            run["message"].as_str().is_some_and(|text| !text.is_empty()),
            "{run}"
        );
        assert_eq!(states(run), ["ERROR", "CANCELED"]);
        let step = &run["steps"][0];
        assert_eq!(
            (&step["reason"], &step["exitCode"]),
            (&json!(reason), code),
            "{run}"
        );
        assert_eq!(run["files"], json!([]));
        assert!(run["endedAt"].is_string());
    }
    let message = runs[4]["message"].as_str().expect("a message");
    assert!(message.contains("made.txt"), "{message}");
    // The files that a workflow keeps are looked for at the end.
    let workflow = site
        .workflow(&Draft::of("Kept", "true").output("a/kept.txt"))
        .await;
    let run = ann.make(&workflow, json!({})).await;
    assert_eq!(
        (&run["state"], &run["reason"]),
        (&json!("ERROR"), &json!("OUTPUT_MISSING")),
        "{run}"
    );
    assert!(
        run["message"]
            .as_str()
            .expect("a message")
            .contains("a/kept.txt"),
        "{run}"
    );
    assert_eq!(states(&run), ["SUCCESS"]);
    // Links lead out of the folder: they are no files that are kept.
    let draft = Draft::of("Linked", "ln -s /etc/passwd out.txt").output("out.txt");
    let run = ann.make(&site.workflow(&draft).await, json!({})).await;
    assert_eq!(
        (&run["state"], &run["reason"]),
        (&json!("ERROR"), &json!("OUTPUT_REFUSED")),
        "{run}"
    );
}

async fn a_step_that_nobody_gave_is_left_out(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let draft = Draft::new("Given")
        .parameter(json!({ "name": "doing", "dtype": "actor", "isRequired": false }))
        .workflow(
            "steps",
            json!([
                { "name": "given", "action": "$[[doing]]" },
                { "name": "own", "action": { "environment": "sh", "commands": ["echo own"] } },
            ]),
        );
    let workflow = site.workflow(&draft).await;
    let ann = site.who("ann");
    let run = ann.make(&workflow, json!({})).await;
    assert_eq!(
        (&run["state"], states(&run)),
        (&json!("SUCCESS"), vec!["SKIPPED", "SUCCESS"]),
        "{run}"
    );
    let doing = json!({ "environment": "sh", "commands": ["echo given"] });
    let run = ann.make(&workflow, json!({ "doing": doing })).await;
    assert_eq!(
        (&run["state"], states(&run)),
        (&json!("SUCCESS"), vec!["SUCCESS", "SUCCESS"]),
        "{run}"
    );
    assert_eq!(ann.log(&id(&run)).await, "given\nown\n");
    assert_eq!(
        run["arguments"],
        json!([{ "name": "doing", "value": doing }])
    );
}

async fn runs_are_deleted_when_they_have_ended(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let gate = site.gate("go");
    let draft = Draft::of("Deleted", &format!("{gate}; echo x > out.txt")).output("out.txt");
    let workflow = site.workflow(&draft).await;
    let ann = site.who("ann");
    let mut ear = Ear::of(&ann, json!({})).await;
    let run = ann.start(&workflow, json!({})).await;
    let of_it = || json!({ "id": run });
    ear.until_step(&run, "only", "RUNNING").await;
    assert_eq!(ann.refused("deleteRun", of_it()).await.0, "CONFLICT");
    site.open_gate("go");
    let ended = ann.done(&run).await;
    let url = ended["files"][0]["url"].as_str().expect("a URL");
    let answer = ann.told("deleteRun", of_it()).await;
    assert_eq!(answer["id"], json!(run));
    let heard = ear.until(|update| update["kind"] == "DELETED").await;
    assert_eq!(column(&heard, "run", "id").last(), Some(&run.as_str()));
    assert!(ann.run(&run).await.is_null());
    assert_eq!(ann.get(url, &[]).await.status(), 404);
    assert_eq!(ann.refused("deleteRun", of_it()).await.0, "NOT_FOUND");
    assert_eq!(super::workflows::files_below(&site.folder("runs")), 0);
    // Whoever follows the log hears of what it was all the same.
    let mut ear = Ear::of(&ann, json!({})).await;
    let again = ear.until(|update| update["kind"] == "DELETED").await;
    check_transitions(&again);
}
