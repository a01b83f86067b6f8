//! The command line: workflows are registered, listed and checked, and runs followed to their end.

use std::fs;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use super::draft::Draft;
use super::ear::Ear;
use super::lab::{Site, texts};
use super::processes::{check_none_is_left, until_none_is_left};
use crate::support::lab::Output;
use crate::support::{Address as _, Lab};

on_both_databases!(
    workflows_are_registered_and_listed,
    a_run_is_followed_and_ends_as_it_does,
    files_and_arguments_are_brought,
    whoever_does_not_want_it_any_more,
    it_survives_its_server,
    what_is_wrong_is_said,
);

async fn workflows_are_registered_and_listed(lab: Lab) {
    let site = Site::idle(lab, &["ann"]).await;
    let folder = site.path("somewhere");
    let draft = Draft::of("Tides", "true").manifest("description", json!("High and low"));
    draft.write(&folder);
    let path = folder.to_str().expect("UTF-8");
    let lab = &site.lab;
    for (version, created) in [(1, true), (1, false)] {
        let said = lab.done(&["workflow", "register", path, "--json"]);
        let said: Value = serde_json::from_str(&said).expect("JSON");
        let told = (
            &said["name"],
            &said["version"],
            &said["isNew"],
            &said["problems"],
        );
        assert_eq!(
            told,
            (
                &json!("Tides"),
                &json!(version),
                &json!(created),
                &json!([])
            )
        );
    }
    let archive = site.path("tides.tar.gz");
    let packed = Command::new("tar")
        .arg("-czf")
        .arg(&archive)
        .arg("-C")
        .arg(&folder)
        .arg(".")
        .status();
    assert!(packed.expect("tar").success());
    let archive = archive.to_str().expect("UTF-8");
    let said = lab.done(&["workflow", "register", archive, "--name", "Other"]);
    assert!(said.contains("Other"), "{said}");
    let listed = lab.done(&["workflow", "list"]);
    assert_eq!(listed, "Other\t1\tHigh and low\nTides\t1\tHigh and low\n");
    let data = site
        .who("ann")
        .data(
            "{ workflows { nodes { name creator sourceKind } } }",
            json!({}),
        )
        .await;
    let nodes = &data["workflows"]["nodes"];
    assert_eq!(texts(nodes, "name"), ["Other", "Tides"]);
    assert_eq!(texts(nodes, "sourceKind"), ["ARCHIVE", "FOLDER"]);

    // What is wrong is told with its place, and registers nothing.
    fs::write(
        folder.join("workflow.json"),
        "{\"workflow\": {\n  \"steps\": []}}",
    )
    .expect("a file");
    for action in ["register", "check"] {
        let refused = lab.run(&["workflow", action, path]);
        assert!(!refused.success);
        assert!(refused.stdout.contains("workflow.json"), "{refused:?}");
        assert!(refused.stdout.contains("workflow.steps"), "{refused:?}");
    }
    assert_eq!(lab.done(&["workflow", "list"]), listed);
    draft.write(&folder);
    // A check needs no database.
    let checked = Command::new(env!("CARGO_BIN_EXE_labql"))
        .args(["workflow", "check", path])
        .env("LABQL_DATABASE__URL", "postgres://nobody@127.0.0.1:1/none")
        .output();
    assert!(checked.expect("the binary").status.success());
}

/// `labql run` with these arguments, as somebody.
fn command(site: &Site, who: &str, arguments: &[&str]) -> Command {
    let mut command = site.lab.command([&["run"], arguments].concat());
    command
        .env("LABQL_SERVER", format!("http://{}", site.server.address()))
        .env("LABQL_TOKEN", site.token(who))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// What it said, and its exit code.
fn ended(child: Child) -> (Option<i32>, Output) {
    let output = child.wait_with_output().expect("its end");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    let said = Output {
        success: output.status.success(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    };
    (output.status.code(), said)
}

fn run(site: &Site, who: &str, arguments: &[&str]) -> (Option<i32>, Output) {
    ended(command(site, who, arguments).spawn().expect("the binary"))
}

async fn a_run_is_followed_and_ends_as_it_does(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let draft = Draft::new("Followed")
        .step("one", &["echo to output", "echo to errors >&2"])
        .step("two", &["exit ${code}"])
        .variable("code", json!({ "dtype": "int", "defaultValue": 0 }));
    site.workflow(&draft).await;
    let (code, said) = run(&site, "ann", &["Followed"]);
    assert_eq!(
        (code, said.stdout.as_str()),
        (Some(0), "to output\n"),
        "{said:?}"
    );
    assert!(
        said.stderr.contains("to errors\n") && said.stderr.contains("SUCCESS"),
        "{said:?}"
    );
    let (code, said) = run(&site, "ann", &["Followed", "code=7"]);
    assert_eq!(
        (code, said.stdout.as_str()),
        (Some(7), "to output\n"),
        "{said:?}"
    );
    assert!(said.stderr.contains("STEP_FAILED"), "{said:?}");
    // Only checked: nothing is started.
    let (code, said) = run(&site, "ann", &["Followed", "--dry-run", "code=3"]);
    assert_eq!(code, Some(0), "{said:?}");
    assert!(
        said.stdout.contains("exit") && said.stdout.contains("echo to output"),
        "{said:?}"
    );
    // Only started: somebody else follows.
    let (code, said) = run(&site, "ann", &["Followed", "--detach"]);
    assert_eq!(code, Some(0), "{said:?}");
    let ann = site.who("ann");
    ann.done(said.stdout.trim()).await;
    let data = ann.data("{ runs { totalCount } }", json!({})).await;
    assert_eq!(data["runs"]["totalCount"], 3);
}

async fn files_and_arguments_are_brought(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let draft = Draft::of("Brought", "cat ${file}; echo ${number} ${text} ${list}")
        .variable("file", json!({ "dtype": "file", "target": "in.txt" }))
        .variable("number", json!({ "dtype": "int", "defaultValue": 1 }))
        .variable("text", json!({ "dtype": "string", "defaultValue": "t" }))
        .variable(
            "list",
            json!({ "dtype": "list", "para": { "name": "x", "dtype": "int" }, "defaultValue": [] }),
        );
    let workflow = site.workflow(&draft).await;
    fs::write(site.path("names.txt"), "brought\n").expect("a file");
    let (code, said) = run(
        &site,
        "ann",
        &[
            "Brought",
            "file=@names.txt",
            "number=5",
            "text=7",
            "list=[1, 2]",
        ],
    );
    assert_eq!(
        (code, said.stdout.as_str()),
        (Some(0), "brought\n5 7 [1, 2]\n"),
        "{said:?}"
    );
    // From a file, too; what stands on the line is besides.
    fs::write(site.path("arguments.json"), r#"{"number": 9, "list": [3]}"#).expect("a file");
    let more = [
        "Brought",
        "file=@names.txt",
        "--arguments",
        "arguments.json",
    ];
    let (code, said) = run(&site, "ann", &more);
    assert_eq!(
        (code, said.stdout.as_str()),
        (Some(0), "brought\n9 t [3]\n"),
        "{said:?}"
    );
    // For a group.
    let ann = site.who("ann");
    ann.group(&workflow, "team", &[]).await;
    let (code, said) = run(
        &site,
        "ann",
        &["Brought", "file=@names.txt", "--group", "team"],
    );
    assert_eq!(code, Some(0), "{said:?}");
    let data = ann
        .data(
            "{ runs(first: 1) { nodes { group { name uploads { totalCount } } } } }",
            json!({}),
        )
        .await;
    let group = json!({ "name": "team", "uploads": { "totalCount": 1 } });
    assert_eq!(data["runs"]["nodes"][0]["group"], group);
}

async fn whoever_does_not_want_it_any_more(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    site.workflow(&Draft::of("Endless", "echo begun; sleep 1000"))
        .await;
    let ann = site.who("ann");
    let mut ear = Ear::of(&ann, json!({})).await;
    let child = command(&site, "ann", &["Endless"])
        .spawn()
        .expect("the binary");
    ear.until(|update| update["step"]["state"] == "RUNNING")
        .await;
    let id = i32::try_from(child.id()).expect("the number of a process");
    kill(Pid::from_raw(id), Signal::SIGINT).expect("a signal");
    let (code, said) = ended(child);
    assert_eq!(code, Some(130), "{said:?}");
    ear.until(|update| update["run"]["state"] == "CANCELED")
        .await;
    check_none_is_left(&site);
    until_none_is_left(&site).await;
}

async fn it_survives_its_server(mut lab: Lab) {
    lab.set("LABQL_WORKERS__LEASE", "1s");
    // The same address afterwards.
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = free.local_addr().expect("an address").to_string();
    drop(free);
    let mut site = Site::open(lab, &["ann"]).await;
    let listening = ["serve", "--listen", &address];
    let log = site.path("serve.log");
    let server = crate::support::Server::start(site.lab.command(listening), &log).await;
    site.server.kill().await;
    site.server = server;
    let gate = site.gate("go");
    let draft = Draft::new("Survives")
        .step("one", &["echo one", &gate])
        .step("two", &["echo two"]);
    site.workflow(&draft).await;
    let ann = site.who("ann");
    let mut ear = Ear::of(&ann, json!({})).await;
    let child = command(&site, "ann", &["Survives"])
        .spawn()
        .expect("the binary");
    ear.until(|update| update["step"]["state"] == "RUNNING")
        .await;
    site.server.kill().await;
    site.server = crate::support::Server::start(site.lab.command(listening), &log).await;
    site.open_gate("go");
    let (code, said) = ended(child);
    assert_eq!(
        (code, said.stdout.as_str()),
        (Some(0), "one\ntwo\n"),
        "{said:?}"
    );
}

async fn what_is_wrong_is_said(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let draft = Draft::of("Wrong", "true").parameter(json!({ "name": "count", "dtype": "int" }));
    site.workflow(&draft).await;
    for (arguments, said) in [
        (&["Nothing"][..], "Nothing"),
        (&["Wrong"], "count"),
        (&["Wrong", "count=x"], "count"),
        (&["Wrong", "count=1", "colour=red"], "colour"),
        (&["Wrong", "count=1", "count=2"], "count"),
        (&["Wrong", "count"], "count"),
        (&["Wrong", "count=@nowhere.txt"], "nowhere.txt"),
        (&["Wrong", "count=1", "--group", "nobody's"], "nobody's"),
        (&["Wrong", "count=1", "--workflow-version", "9"], "9"),
    ] {
        let (code, told) = run(&site, "ann", arguments);
        assert!(
            code.is_some_and(|code| code != 0),
            "{arguments:?}: {told:?}"
        );
        assert!(told.stderr.contains(said), "{arguments:?}: {told:?}");
        assert!(!told.stderr.contains("panicked"), "{told:?}");
    }
    let mut stranger = command(&site, "ann", &["Wrong", "count=1"]);
    let (code, told) = ended(
        stranger
            .env("LABQL_TOKEN", "wrong")
            .spawn()
            .expect("the binary"),
    );
    assert!(code != Some(0) && !told.stderr.is_empty(), "{told:?}");
    let mut nowhere = command(&site, "ann", &["Wrong", "count=1"]);
    let (code, told) = ended(
        nowhere
            .env("LABQL_SERVER", "http://127.0.0.1:1")
            .spawn()
            .expect("the binary"),
    );
    assert!(code != Some(0) && !told.stderr.is_empty(), "{told:?}");
    let data = site
        .who("ann")
        .data("{ runs { totalCount } }", json!({}))
        .await;
    assert_eq!(data["runs"]["totalCount"], 0);
}
