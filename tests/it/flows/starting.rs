//! How runs are started: by keys, dry, with arguments that are told one by one; and what their steps are given.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::json;

use super::caller::{id, run_input, stream_of};
use super::draft::Draft;
use super::lab::{Site, texts};
use crate::support::Lab;

on_both_databases!(
    the_same_key_is_the_same_run,
    a_dry_run_shows_commands_and_starts_nothing,
    arguments_are_told_one_by_one,
    what_steps_are_given,
);

/// A command that prints a variable that is not one of the workflow.
const PRINT_RUN: &str = "echo run $$LABQL_RUN";

async fn the_same_key_is_the_same_run(lab: Lab) {
    let site = Site::idle(lab, &["ann", "ben"]).await;
    let draft = Draft::of("Once", "echo ${text}").variable("text", json!({ "dtype": "string" }));
    let workflow = site.workflow(&draft).await;
    let (ann, ben) = (site.who("ann"), site.who("ben"));
    let key = || json!({ "idempotencyKey": "2024-06-01/17" });
    let text = json!({ "text": "x" });
    // Many at once, too.
    let starts = (0..8).map(|_| ann.start_with(&workflow, text.clone(), key()));
    let runs: BTreeSet<String> = join_all(starts).await.into_iter().collect();
    assert_eq!(runs.len(), 1, "{runs:?}");
    let first = runs.first().expect("one");
    assert_eq!(&ann.start_with(&workflow, text.clone(), key()).await, first);
    // A key belongs to who made it up.
    assert_ne!(&ben.start_with(&workflow, text.clone(), key()).await, first);
    assert_ne!(&ann.start(&workflow, text.clone()).await, first);
    let data = ann.data("{ runs { totalCount } }", json!({})).await;
    assert_eq!(data["runs"]["totalCount"], 2);
    // What was refused is not remembered.
    let other = || json!({ "idempotencyKey": "other" });
    let input = run_input(&workflow, &json!({}), other());
    assert_ne!(
        ann.tell("startRun", input).await["argumentErrors"],
        json!([])
    );
    assert_ne!(&ann.start_with(&workflow, text, other()).await, first);
}

async fn a_dry_run_shows_commands_and_starts_nothing(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let draft = Draft::new("Dry")
        .variable("text", json!({ "dtype": "string" }))
        .workflow(
            "parameters",
            json!({ "text": "$[[text]]", "file": "in.txt" }),
        )
        .step("one", &["echo \"${text}\" > ${file}", "cat '${file}'"])
        .step("two", &["${python} -c 'pass'"]);
    let workflow = site.workflow(&draft).await;
    let ann = site.who("ann");
    let more = || json!({ "dryRun": true });
    let text = json!({ "text": "it's $(date) \"q\"" });
    let answer = ann
        .told("startRun", run_input(&workflow, &text, more()))
        .await;
    assert!(answer["run"].is_null(), "{answer}");
    let commands = &answer["commands"];
    assert_eq!(texts(commands, "step"), ["one", "one", "two"]);
    assert_eq!(commands[0]["image"], "sh");
    let shown = commands[0]["command"].as_str().expect("a command");
    assert!(
        shown.contains("it's") && shown.contains("in.txt"),
        "{shown}"
    );
    let answer = ann
        .tell("startRun", run_input(&workflow, &json!({}), more()))
        .await;
    assert_eq!(
        answer["argumentErrors"][0]["code"], "MISSING_ARGUMENT",
        "{answer}"
    );
    let data = ann.data("{ runs { totalCount } }", json!({})).await;
    assert_eq!(data["runs"]["totalCount"], 0);
}

async fn arguments_are_told_one_by_one(lab: Lab) {
    let site = Site::idle(lab, &["ann", "ben"]).await;
    let draft = Draft::of("Typed", "true")
        .parameter(json!({ "name": "count", "dtype": "int", "range": "[1,9]" }))
        .parameter(json!({ "name": "share", "dtype": "float", "defaultValue": 0.5 }))
        .parameter(json!({ "name": "flag", "dtype": "bool", "defaultValue": false }))
        .parameter(json!({ "name": "file", "dtype": "file", "target": "in.txt" }))
        .parameter(json!({ "name": "list", "dtype": "list", "para": { "name": "x", "dtype": "int" }, "defaultValue": [] }));
    let workflow = site.workflow(&draft).await;
    let (ann, ben) = (site.who("ann"), site.who("ben"));
    let group = ann.group(&workflow, "team", &[]).await;
    let upload = ann.upload(&group, "in.txt", "in").await;
    let wrong = json!({ "count": 3.7, "share": "much", "flag": "maybe", "list": [1, "x"], "colour": "red" });
    let told = ann.wrong(&workflow, wrong).await;
    let expected = [
        ("count", "INVALID_ARGUMENT"),
        ("share", "INVALID_ARGUMENT"),
        ("flag", "INVALID_ARGUMENT"),
        ("file", "MISSING_ARGUMENT"),
        ("list", "INVALID_ARGUMENT"),
        ("colour", "UNKNOWN_PARAMETER"),
    ];
    assert_eq!(
        told,
        expected.map(|(name, code)| (name.to_owned(), code.to_owned()))
    );
    let mut input = run_input(
        &workflow,
        &json!({ "count": 1, "file": upload["id"] }),
        json!({ "group": group }),
    );
    let twice = json!({ "name": "count", "value": 2 });
    input["arguments"]
        .as_array_mut()
        .expect("a list")
        .push(twice);
    let answer = ann.tell("startRun", input).await;
    assert_eq!(
        answer["argumentErrors"][0]["code"], "DUPLICATE_ARGUMENT",
        "{answer}"
    );
    // A file of another group is none, and neither is one that is not there.
    let other = ben.group(&workflow, "others", &[]).await;
    let theirs = ben.upload(&other, "in.txt", "in").await;
    for file in [
        theirs["id"].clone(),
        json!("no id"),
        json!(workflow),
        json!("0".repeat(32)),
    ] {
        let input = run_input(
            &workflow,
            &json!({ "count": 1, "file": file }),
            json!({ "group": group }),
        );
        let answer = ann.tell("startRun", input).await;
        assert!(answer["run"].is_null(), "{file}: {answer}");
        assert_eq!(
            answer["argumentErrors"][0]["parameter"], "file",
            "{file}: {answer}"
        );
    }
    // What was understood is shown as it was understood; files by their ids.
    let given = json!({ "count": "3", "file": upload["id"], "flag": "T" });
    let run = ann
        .start_with(&workflow, given, json!({ "group": group }))
        .await;
    let run = ann.run(&run).await;
    let value = |name: &str| {
        let arguments = run["arguments"].as_array().expect("arguments");
        let found = arguments.iter().find(|it| it["name"] == name);
        found.map(|it| it["value"].clone())
    };
    assert_eq!(
        (value("count"), value("flag")),
        (Some(json!(3)), Some(json!(true)))
    );
    let file = value("file").expect("a file").to_string();
    assert!(
        file.contains(upload["id"].as_str().expect("an id")),
        "{file}"
    );
    assert_eq!(value("share"), None);
}

async fn what_steps_are_given(mut lab: Lab) {
    lab.set("LABQL_FLOWS__VARIABLES", r#"{tool="echo tool"}"#);
    lab.set("SECRET_OF_THE_SERVER", "hunter2");
    let site = Site::open(lab, &["ann"]).await;
    let draft = Draft::new("Given")
        .variable("text", json!({ "dtype": "string" }))
        .step("environment", &["env", PRINT_RUN, "pwd", "ls -a"])
        .step("site", &["${tool} here"])
        .step("variable", &["printf '%s' \"${text}\""])
        .file("given/f.txt", "f");
    let workflow = site.workflow(&draft).await;
    let ann = site.who("ann");
    let text = "two  words\nand 'quotes' \"too\" $HOME `id` \\ é\t";
    let run = ann.start(&workflow, json!({ "text": text })).await;
    let run = ann.done(&run).await;
    let pieces = ann.pieces(&id(&run)).await;
    let said = stream_of(&pieces, "environment", "STDOUT");
    let line = |start: &str| said.lines().find(|line| line.starts_with(start));
    let number = run["number"].to_string();
    assert_eq!(
        line("LABQL_RUN="),
        Some(format!("LABQL_RUN={number}").as_str()),
        "{said}"
    );
    assert_eq!(line("run "), Some(format!("run {number}").as_str()));
    assert_eq!(
        line("TEST_MARK="),
        Some(format!("TEST_MARK={}", site.mark()).as_str())
    );
    assert_eq!(line("LANG="), Some("LANG=C.UTF-8"));
    let home = line("HOME=").expect("HOME").trim_start_matches("HOME=");
    assert!(said.lines().any(|line| line == home), "{home} in {said}");
    assert!(line("PATH=").is_some() && said.contains("given"), "{said}");
    assert!(
        !said.contains("hunter2")
            && !said.contains("LABQL_DATA_DIR")
            && !said.contains("LABQL_DATABASE"),
        "{said}"
    );
    assert_eq!(stream_of(&pieces, "variable", "STDOUT"), text);
    assert_eq!(stream_of(&pieces, "site", "STDOUT"), "tool here\n");
}
