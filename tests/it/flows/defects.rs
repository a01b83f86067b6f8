//! What goes wrong in flowserv 0.9.4, by its number in the list of what was seen there: none of it does here.

use std::fs;

use reqwest::{Body, Method};
use serde_json::{Value, json};

use super::caller::{id, run_input};
use super::draft::Draft;
use super::ear::Ear;
use super::lab::Site;
use super::processes::{check_none_is_left, of_steps, until};
use super::workflows::files_below;
use crate::support::Lab;
use crate::support::client::json_of;

on_both_databases!(
    d01_no_list_tells_tokens,
    d02_nobody_reads_or_makes_anything_without_a_token,
    d03_no_password_is_reset_by_whoever_asks,
    d04_target_paths_stay_in_the_folder,
    d05_arguments_are_no_commands,
    d06_nothing_runs_after_a_cancel,
    d07_runs_survive_their_server,
    d08_a_missing_output_is_an_end,
    d09_references_with_a_choice_take_defaults,
    d10_a_missing_branch_is_no_word,
    d11_what_one_start_says_is_for_that_run,
    d12_nothing_breaks_a_ranking,
    d13_what_cannot_be_canceled_says_why,
    d14_what_is_made_of_the_best_can_be_deleted,
    d15_the_command_line_takes_a_file_of_arguments,
    d16_nothing_is_left_of_what_is_over,
    d17_files_are_not_held_in_memory,
    d18_sizes_and_filters_are_right,
);

const FIELDS: &str =
    "{ __schema { types { name fields { name } } mutationType { fields { name } } } }";

async fn d01_no_list_tells_tokens(lab: Lab) {
    let site = Site::idle(lab, &["ann"]).await;
    let data = site.admin().data(FIELDS, json!({})).await;
    let types = data["__schema"]["types"].as_array().expect("types");
    for name in ["User", "Person", "GroupMember"] {
        let of = types
            .iter()
            .find(|it| it["name"] == name)
            .unwrap_or_else(|| panic!("no {name}"));
        let fields = of["fields"].to_string().to_lowercase();
        for secret in ["token", "secret", "password"] {
            assert!(!fields.contains(secret), "{name}: {fields}");
        }
    }
    let users = "{ users { nodes { username } } }";
    for (caller, code) in [
        (site.nobody(), "UNAUTHENTICATED"),
        (site.who("ann"), "FORBIDDEN"),
    ] {
        let answer = caller.ask(users, json!({})).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], code, "{answer}");
    }
}

async fn d02_nobody_reads_or_makes_anything_without_a_token(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let draft = Draft::of("Secret", "echo x > out.txt").output("out.txt");
    let workflow = site.workflow(&draft).await;
    let run = site.who("ann").make(&workflow, json!({})).await;
    let nobody = site.nobody();
    for url in [&run["files"][0]["url"], &run["archiveUrl"]] {
        let response = nobody.get(url.as_str().expect("a URL"), &[]).await;
        assert_eq!(response.status(), 401);
        assert_eq!(response.text().await.expect("text").find("out.txt"), None);
    }
    let folder = site.template("theirs", &draft);
    for (mutation, input) in [
        (
            "registerWorkflow",
            json!({ "source": { "folder": folder } }),
        ),
        ("deleteWorkflow", json!({ "id": workflow })),
        ("startRun", run_input(&workflow, &json!({}), json!({}))),
        ("cancelRun", json!({ "id": run["id"] })),
    ] {
        assert_eq!(
            nobody.refused(mutation, input).await.0,
            "UNAUTHENTICATED",
            "{mutation}"
        );
    }
}

async fn d03_no_password_is_reset_by_whoever_asks(lab: Lab) {
    let site = Site::idle(lab, &["ann"]).await;
    let data = site.admin().data(FIELDS, json!({})).await;
    let mutations = data["__schema"]["mutationType"]["fields"]
        .to_string()
        .to_lowercase();
    assert!(!mutations.contains("reset"), "{mutations}");
}

async fn d04_target_paths_stay_in_the_folder(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let draft = Draft::of("Target", "cat ${file}")
        .variable("file", json!({ "dtype": "file", "target": "in.txt" }));
    let workflow = site.workflow(&draft).await;
    let ann = site.who("ann");
    let group = ann.group(&workflow, "team", &[]).await;
    let upload = ann.upload(&group, "x", "x").await;
    for target in [
        "../../../escaped",
        "/tmp/escaped-from-labql",
        "a/../../escaped",
    ] {
        let file =
            json!({ "type": "$file", "value": { "fileId": upload["id"], "targetPath": target } });
        let input = run_input(
            &workflow,
            &json!({ "file": file }),
            json!({ "group": group }),
        );
        let answer = ann.tell("startRun", input).await;
        assert_eq!(
            answer["argumentErrors"][0]["code"], "INVALID_ARGUMENT",
            "{answer}"
        );
    }
    assert!(!fs::exists("/tmp/escaped-from-labql").expect("a look"));
}

async fn d05_arguments_are_no_commands(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let pwned = site.path("pwned");
    let draft = Draft::new("Quoted")
        .variable("text", json!({ "dtype": "string" }))
        .step("double", &["printf '%s' \"${text}\""])
        .step("single", &["printf '%s' '${text}'"])
        .step("none", &["printf '%s' ${text}"]);
    let workflow = site.workflow(&draft).await;
    let ann = site.who("ann");
    let touch = format!("touch {}", pwned.display());
    for text in [
        format!("\"; {touch}; echo \""),
        format!("'; {touch}; echo '"),
        format!("$({touch})"),
        format!("`{touch}`"),
        format!("x\n{touch}\n"),
        format!("&& {touch} #"),
        "-n -e $HOME * ~ \\ ${text}".to_owned(),
    ] {
        let run = ann.start(&workflow, json!({ "text": text })).await;
        ann.done(&run).await;
        assert_eq!(ann.log(&run).await, text.repeat(3));
    }
    assert!(!pwned.exists());
}

async fn d06_nothing_runs_after_a_cancel(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let command = "sh -c 'sleep 1000 & sleep 1000' & touch ready; wait";
    let workflow = site.workflow(&Draft::of("Children", command)).await;
    let ann = site.who("ann");
    let run = ann.start(&workflow, json!({})).await;
    until(|| (of_steps(&site).len() >= 4).then_some(())).await;
    ann.cancel(&run).await;
    let run = ann.ended(&run).await;
    assert_eq!(run["state"], "CANCELED", "{run}");
    check_none_is_left(&site);
}

async fn d07_runs_survive_their_server(mut lab: Lab) {
    lab.set("LABQL_WORKERS__LEASE", "1s");
    let site = Site::open(lab, &["ann"]).await;
    let gate = site.gate("go");
    let draft = Draft::new("Survives")
        .step("one", &[&gate])
        .step("two", &["echo two"]);
    let workflow = site.workflow(&draft).await;
    let ann = site.who("ann");
    let mut ear = Ear::of(&ann, json!({})).await;
    let run = ann.start(&workflow, json!({})).await;
    ear.until_step(&run, "one", "RUNNING").await;
    let site = site.crashed().await;
    site.open_gate("go");
    let ann = site.who("ann");
    ann.done(&run).await;
    assert_eq!(ann.log(&run).await, "two\n");
}

async fn d08_a_missing_output_is_an_end(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let draft = Draft::of("Missing", "true").output("results/none.txt");
    let workflow = site.workflow(&draft).await;
    let run = site.who("ann").make(&workflow, json!({})).await;
    assert_eq!(
        (&run["state"], &run["reason"]),
        (&json!("ERROR"), &json!("OUTPUT_MISSING")),
        "{run}"
    );
}

/// A workflow that prints the words that a reference with a choice becomes.
fn choice() -> Draft {
    Draft::of("Choice", "printf '%s|' a ${flag} b")
        .parameter(json!({ "name": "flag", "dtype": "bool", "defaultValue": true }))
}

async fn d09_references_with_a_choice_take_defaults(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let draft = choice().workflow("parameters", json!({ "flag": "$[[flag ? --on : --off]]" }));
    let workflow = site.workflow(&draft).await;
    let ann = site.who("ann");
    for (arguments, printed) in [
        (json!({}), "a|--on|b|"),
        (json!({ "flag": false }), "a|--off|b|"),
        (json!({ "flag": "T" }), "a|--on|b|"),
    ] {
        let run = ann.start(&workflow, arguments).await;
        ann.done(&run).await;
        assert_eq!(ann.log(&run).await, printed);
    }
}

async fn d10_a_missing_branch_is_no_word(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let draft = choice().workflow("parameters", json!({ "flag": "$[[flag ? --on]]" }));
    let workflow = site.workflow(&draft).await;
    let ann = site.who("ann");
    let run = ann.start(&workflow, json!({ "flag": false })).await;
    ann.done(&run).await;
    assert_eq!(ann.log(&run).await, "a|b|");
}

async fn d11_what_one_start_says_is_for_that_run(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let workflow = site.workflow(&Draft::of("Config", "true")).await;
    let ann = site.who("ann");
    let told = ["executor", "priority", "timeoutSeconds", "retryLimit"];
    let before = ann.run(&ann.start(&workflow, json!({})).await).await;
    let more =
        json!({ "executor": "LOCAL", "priority": -3, "timeoutSeconds": 77, "retryLimit": 5 });
    let other = ann
        .run(&ann.start_with(&workflow, json!({}), more).await)
        .await;
    let after = ann.run(&ann.start(&workflow, json!({})).await).await;
    let of = |run: &Value| told.map(|field| run[field].clone());
    assert_eq!(of(&other), [json!("LOCAL"), json!(-3), json!(77), json!(5)]);
    assert_eq!(of(&before), of(&after));
}

async fn d12_nothing_breaks_a_ranking(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let draft = Draft::of("Broken", "printf '%s' \"${document}\" > results.json")
        .variable("document", json!({ "dtype": "string" }))
        .output("results.json")
        .template(
            "results",
            json!({ "file": "results.json", "schema": [
            { "name": "score", "label": "Score", "dtype": "float", "required": false },
        ] }),
        );
    let workflow = site.workflow(&draft).await;
    let ann = site.who("ann");
    let mut told = Vec::new();
    for document in [
        r#"{"score": null}"#,
        r#"{"score": 2}"#,
        r#"{"score": NaN}"#,
        "broken",
        r#"{"score": 3}"#,
    ] {
        let run = ann.make(&workflow, json!({ "document": document })).await;
        assert_eq!(run["state"], "SUCCESS", "{run}");
        told.push(run["resultProblem"].is_string());
    }
    // What was wrong with a result is to be seen.
    assert_eq!(told, [false, false, true, true, false]);
    let query = "query($id: ID!) { workflow(id: $id) { ranking(includeAll: true) { nodes { results { value } } } } }";
    let data = ann.data(query, json!({ "id": workflow })).await;
    let nodes = data["workflow"]["ranking"]["nodes"]
        .as_array()
        .expect("nodes");
    let values: Vec<_> = nodes
        .iter()
        .map(|node| node["results"][0]["value"].clone())
        .collect();
    assert_eq!(values, [json!(3.0), json!(2.0), Value::Null]);
}

async fn d13_what_cannot_be_canceled_says_why(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let workflow = site.workflow(&Draft::of("Over", "true")).await;
    let ann = site.who("ann");
    let run = ann.make(&workflow, json!({})).await;
    let answer = ann.tell("cancelRun", json!({ "id": run["id"] })).await;
    let error = &answer["errors"][0];
    assert_eq!(error["code"], "CONFLICT");
    let message = error["message"].as_str().expect("a message");
    assert!(
        message.contains("SUCCESS") && !message.contains("method"),
        "{message}"
    );
}

async fn d14_what_is_made_of_the_best_can_be_deleted(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let workflow = site.workflow(&super::processing::processed()).await;
    let ann = site.who("ann");
    let mut ear = Ear::of(&ann, json!({ "workflow": workflow })).await;
    ann.make(&workflow, json!({ "score": 1 })).await;
    let heard = ear.until(super::ear::is_made_of_best).await;
    let made = id(&heard.last().expect("an update")["run"]);
    site.admin().told("deleteRun", json!({ "id": made })).await;
    let query = "query($id: ID!) { workflow(id: $id) { name postProcessing { id } ranking { nodes { rank } } } }";
    let data = ann.data(query, json!({ "id": workflow })).await;
    let expected = json!({ "name": "Processed", "postProcessing": null, "ranking": { "nodes": [{ "rank": 1 }] } });
    assert_eq!(data["workflow"], expected);
    // The next best makes it anew.
    ann.make(&workflow, json!({ "score": 2 })).await;
    ear.until(super::ear::is_made_of_best).await;
    let data = ann.data(query, json!({ "id": workflow })).await;
    assert!(
        data["workflow"]["postProcessing"]["id"].is_string(),
        "{data}"
    );
}

async fn d15_the_command_line_takes_a_file_of_arguments(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let draft =
        Draft::of("Arguments", "echo ${number}").variable("number", json!({ "dtype": "int" }));
    site.workflow(&draft).await;
    fs::write(site.path("arguments.json"), r#"{"number": 9}"#).expect("a file");
    let url = format!("http://{}", crate::support::Address::address(&site.server));
    let arguments = [
        "run",
        "Arguments",
        "--arguments",
        "arguments.json",
        "--server",
        &url,
        "--token",
        site.token("ann"),
    ];
    let said = site.lab.run(&arguments);
    assert!(said.success, "{said:?}");
    assert_eq!(said.stdout, "9\n");
}

async fn d16_nothing_is_left_of_what_is_over(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let draft = Draft::of("Leaks", "echo x > out.txt; echo y > scratch")
        .output("out.txt")
        .file("static.txt", "s");
    let workflow = site.workflow(&draft).await;
    let ann = site.who("ann");
    let group = ann.group(&workflow, "team", &[]).await;
    ann.upload(&group, "f.txt", "f").await;
    let run = ann
        .start_with(&workflow, json!({}), json!({ "group": group }))
        .await;
    ann.done(&run).await;
    let below = |name: &str| files_below(&site.folder(name));
    // Only what it gave.
    until(|| (below("runs") == 1).then_some(())).await;
    ann.told("deleteGroup", json!({ "id": group })).await;
    assert_eq!((below("runs"), below("uploads")), (0, 0));
    site.admin()
        .told("deleteWorkflow", json!({ "id": workflow }))
        .await;
    // Only the name of the folder.
    assert_eq!(below(""), 1);
}

/// The most memory that a process has had, in KiB.
fn most_memory(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.expect("a number").parse().expect("a number")
}

async fn d17_files_are_not_held_in_memory(lab: Lab) {
    const MIB: usize = 96;
    let site = Site::open(lab, &["ann"]).await;
    let draft = Draft::of("Large", "cp in.bin out.bin; cp in.bin again.bin")
        .parameter(json!({ "name": "in", "dtype": "file", "target": "in.bin" }))
        .output("out.bin")
        .output("again.bin");
    let workflow = site.workflow(&draft).await;
    let ann = site.who("ann");
    let group = ann.group(&workflow, "team", &[]).await;
    ann.upload(&group, "small", "x").await;
    let before = most_memory(site.server.id());
    let piece = |_| Ok::<_, std::io::Error>(vec![7_u8; 1 << 20]);
    let body = Body::wrap_stream(futures_util::stream::iter((0..MIB).map(piece)));
    let response = ann
        .send(
            Method::POST,
            &format!("/files/uploads?group={group}&name=f"),
            body,
        )
        .await;
    assert_eq!(response.status(), 201);
    let upload = json_of(response).await;
    let run = ann
        .start_with(
            &workflow,
            json!({ "in": upload["id"] }),
            json!({ "group": group }),
        )
        .await;
    let run = ann.done(&run).await;
    for url in [&run["files"][0]["url"], &run["archiveUrl"]] {
        let mut response = ann.get(url.as_str().expect("a URL"), &[]).await;
        assert_eq!(response.status(), 200);
        while response.chunk().await.expect("a whole body").is_some() {}
    }
    let grown = (most_memory(site.server.id()) - before) >> 10;
    assert!(grown < 40, "{grown} MiB more for files of {MIB} MiB");
}

async fn d18_sizes_and_filters_are_right(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let workflow = site
        .workflow(&Draft::of("Sizes", "exit ${code}").variable("code", json!({ "dtype": "int" })))
        .await;
    let ann = site.who("ann");
    let group = ann.group(&workflow, "team", &[]).await;
    let upload = ann.upload(&group, "f.txt", "twelve bytes").await;
    assert_eq!(upload["sizeBytes"], 12);
    for code in [0, 1, 0] {
        ann.make(&workflow, json!({ "code": code })).await;
    }
    let query = "query($states: [RunState!]) { runs(filter: { states: $states }) { totalCount nodes { state } } }";
    for (state, count) in [("SUCCESS", 2), ("ERROR", 1), ("RUNNING", 0)] {
        let data = ann.data(query, json!({ "states": [state] })).await;
        assert_eq!(data["runs"]["totalCount"], count, "{state}");
        let nodes = data["runs"]["nodes"].as_array().expect("nodes");
        assert!(nodes.iter().all(|node| node["state"] == state), "{data}");
    }
}
