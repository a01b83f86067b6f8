//! Workflows are registered as versions that never change; what is wrong is told with its place, and changes nothing.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::caller::id;
use super::draft::Draft;
use super::lab::Site;
use crate::support::Lab;

on_both_databases!(
    versions_never_change,
    what_is_wrong_is_told_with_its_place_and_changes_nothing,
    a_check_changes_nothing,
    what_is_archived_is_not_started,
    what_is_deleted_is_gone_with_its_files,
);

const VERSIONS: &str =
    "query($name: String!, $version: Int) { workflow(name: $name, version: $version) {
    id name version versions { nodes { id version } } steps { name }
} }";

/// The names of the steps of a version; without one, of the latest.
async fn steps(site: &Site, name: &str, version: Value) -> Value {
    let variables = json!({ "name": name, "version": version });
    let data = site.who("ann").data(VERSIONS, variables).await;
    let steps = data["workflow"]["steps"].as_array().map(|steps| {
        let names = steps.iter().map(|step| step["name"].clone());
        names.collect::<Value>()
    });
    steps.unwrap_or_default()
}

async fn versions_never_change(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let first = Draft::new("Greeting")
        .step("say", &["echo one"])
        .file("f.txt", "1");
    let folder = site.template("greeting", &first);
    let one = site.register(&folder).await;
    assert_eq!(
        (&one["created"], &one["workflow"]["version"]),
        (&json!(true), &json!(1))
    );
    // What is the same to the byte is the same version.
    let again = site.register(&folder).await;
    assert_eq!(again["created"], false, "{again}");
    assert_eq!(again["workflow"]["id"], one["workflow"]["id"]);
    // Another content of a file is another version, and so is another template.
    let second = Draft::new("Greeting")
        .step("say", &["echo one"])
        .file("f.txt", "2");
    let two = site.register(&site.template("greeting", &second)).await;
    let third = Draft::new("Greeting")
        .step("shout", &["cat f.txt"])
        .file("f.txt", "2");
    let three = site.register(&site.template("greeting", &third)).await;
    for (number, answer) in [(2, &two), (3, &three)] {
        assert_eq!(
            (&answer["created"], &answer["workflow"]["version"]),
            (&json!(true), &json!(number))
        );
    }
    // Only the newest is looked at: going back is a version, too.
    let four = site.register(&site.template("greeting", &first)).await;
    assert_eq!(four["workflow"]["version"], 4, "{four}");
    assert_eq!(steps(&site, "Greeting", json!(3)).await, json!(["shout"]));
    assert_eq!(steps(&site, "Greeting", Value::Null).await, json!(["say"]));
    assert_eq!(steps(&site, "Greeting", json!(5)).await, Value::Null);
    let data = site
        .who("ann")
        .data(VERSIONS, json!({ "name": "Greeting" }))
        .await;
    let versions = data["workflow"]["versions"]["nodes"]
        .as_array()
        .expect("versions");
    let numbers: Vec<_> = versions.iter().map(|it| it["version"].clone()).collect();
    assert_eq!(numbers, [4, 3, 2, 1]);

    // A run of a version runs what that version was, whatever became of the folder.
    fs::remove_dir_all(&folder).expect("a folder");
    let ann = site.who("ann");
    for (answer, printed) in [(&one, "one\n"), (&three, "2")] {
        let run = ann.start(&id(&answer["workflow"]), json!({})).await;
        let run = ann.done(&run).await;
        assert_eq!(run["workflow"]["version"], answer["workflow"]["version"]);
        assert_eq!(ann.log(&id(&run)).await, printed);
    }
}

async fn what_is_wrong_is_told_with_its_place_and_changes_nothing(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let right = Draft::of("Careful", "echo right");
    let workflow = site.workflow(&right).await;
    let folder = site.template("wrong", &right);
    let wrong = "workflow:\n  parameters:\n    x: $[[nothing]]\n  steps:\n    - name: one\n      action:\n        \
                 environment: sh\n        commands:\n          - echo \"unclosed\n    - name: one\n      action: {func: os.system}\n\
                 outputs:\n  - {source: ../../x}\n";
    fs::write(folder.join("workflow.yaml"), wrong).expect("a file");
    fs::write(
        folder.join("flowserv.json"),
        r#"{"name": "Careful", "specfile": "workflow.yaml", "files": [{"source": "nowhere"}]}"#,
    )
    .expect("a file");
    let answer = site.register(&folder).await;
    assert!(answer["workflow"].is_null(), "{answer}");
    let problems = answer["problems"].as_array().expect("problems");
    let told: Vec<(&str, &str, &str)> = problems
        .iter()
        .map(|it| {
            let text = |name: &str| it[name].as_str().expect(name);
            (text("code"), text("file"), text("path"))
        })
        .collect();
    for expected in [
        (
            "UNKNOWN_PARAMETER",
            "workflow.yaml",
            "workflow.parameters.x",
        ),
        (
            "INVALID_REFERENCE",
            "workflow.yaml",
            "workflow.steps[0].action.commands[0]",
        ),
        (
            "UNSUPPORTED_STEP",
            "workflow.yaml",
            "workflow.steps[1].action",
        ),
        ("UNSAFE_PATH", "workflow.yaml", "outputs[0].source"),
    ] {
        assert!(told.contains(&expected), "{expected:?} in {told:?}");
    }
    assert!(
        told.iter().any(|(_, file, _)| *file == "flowserv.json"),
        "{told:?}"
    );
    let unsafe_path = problems
        .iter()
        .find(|it| it["code"] == "UNSAFE_PATH")
        .expect("one");
    let place = (&unsafe_path["line"], &unsafe_path["column"]);
    assert_eq!(place.0, 13, "{unsafe_path}");
    assert!(
        place.1.is_number() && unsafe_path["severity"] == "ERROR",
        "{unsafe_path}"
    );

    // There is still one version, and nothing of the other one is left.
    let data = site
        .who("ann")
        .data(VERSIONS, json!({ "name": "Careful" }))
        .await;
    assert_eq!(data["workflow"]["id"], json!(workflow));
    assert_eq!(
        data["workflow"]["versions"]["nodes"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    let entries = |name: &str| {
        let folder = fs::read_dir(site.folder(name));
        folder.map_or(0, Iterator::count)
    };
    assert_eq!((entries("drafts"), entries("workflows")), (0, 1));
    // A warning is told, and registered all the same.
    let draft = Draft::of("Careful", "echo right")
        .parameter(json!({ "name": "unused", "dtype": "string" }));
    let answer = site.register(&site.template("warned", &draft)).await;
    assert_eq!(answer["workflow"]["version"], 2, "{answer}");
    assert_eq!(
        answer["problems"][0]["code"], "UNUSED_PARAMETER",
        "{answer}"
    );
    assert_eq!(answer["problems"][0]["severity"], "WARNING");
}

async fn a_check_changes_nothing(lab: Lab) {
    let site = Site::open(lab, &[]).await;
    let admin = site.admin();
    let check = async |draft: &Draft| {
        let folder = site.template("checked", draft);
        admin
            .tell("checkWorkflow", json!({ "source": { "folder": folder } }))
            .await
    };
    let right = check(&Draft::of("Checked", "true")).await;
    assert_eq!(
        (&right["valid"], &right["problems"]),
        (&json!(true), &json!([])),
        "{right}"
    );
    let wrong = check(&Draft::new("Checked")).await;
    assert_eq!(wrong["valid"], false);
    assert_eq!(wrong["problems"][0]["path"], "workflow.steps", "{wrong}");
    let data = admin.data("{ workflows { totalCount } }", json!({})).await;
    assert_eq!(data["workflows"]["totalCount"], 0);
}

async fn what_is_archived_is_not_started(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let workflow = site.workflow(&Draft::of("Old", "true")).await;
    let (admin, ann) = (site.admin(), site.who("ann"));
    let set = async |archived: bool| {
        let input = json!({ "id": workflow, "archived": archived });
        admin.told("updateWorkflow", input).await
    };
    let answer = set(true).await;
    assert!(answer["workflow"]["archivedAt"].is_string(), "{answer}");
    let input = json!({ "workflow": workflow, "arguments": [] });
    assert_eq!(ann.refused("startRun", input).await.0, "CONFLICT");
    let query =
        "query($archived: Boolean) { workflows(filter: { archived: $archived }) { totalCount } }";
    for (archived, count) in [(json!(true), 1), (json!(false), 0)] {
        let data = ann.data(query, json!({ "archived": archived })).await;
        assert_eq!(data["workflows"]["totalCount"], count, "{archived}");
    }
    assert!(set(false).await["workflow"]["archivedAt"].is_null());
    assert_eq!(ann.make(&workflow, json!({})).await["state"], "SUCCESS");
}

async fn what_is_deleted_is_gone_with_its_files(lab: Lab) {
    let site = Site::idle(lab, &["ann"]).await;
    let draft = Draft::of("Gone", "cat in.txt > out.txt")
        .parameter(json!({ "name": "in", "dtype": "file", "target": "in.txt" }))
        .output("out.txt");
    let workflow = site.workflow(&draft).await;
    let ann = site.who("ann");
    let group = ann.group(&workflow, "team", &[]).await;
    let upload = ann.upload(&group, "in.txt", "in").await;
    let more = json!({ "group": group });
    let run = ann
        .start_with(&workflow, json!({ "in": upload["id"] }), more)
        .await;
    // Not while anything of it is under way.
    let of_it = json!({ "id": workflow });
    assert_eq!(
        site.admin()
            .refused("deleteWorkflow", of_it.clone())
            .await
            .0,
        "CONFLICT"
    );
    let site = site.restarted(true).await;
    let ann = site.who("ann");
    let ended = ann.done(&run).await;
    let url = ended["files"][0]["url"].as_str().expect("a URL");
    site.admin().told("deleteWorkflow", of_it).await;
    let query = "query($w: ID!, $g: ID!, $r: ID!) { workflow(id: $w) { id } group(id: $g) { id } run(id: $r) { id } }";
    let data = ann
        .data(query, json!({ "w": workflow, "g": group, "r": run }))
        .await;
    assert_eq!(
        data,
        json!({ "workflow": null, "group": null, "run": null })
    );
    assert_eq!(ann.get(url, &[]).await.status(), 404);
    for name in ["workflows", "uploads", "runs", "drafts"] {
        assert_eq!(files_below(&site.folder(name)), 0, "{name}");
    }
    // The name is free again, and versions begin anew.
    let answer = site.register(&site.template("again", &draft)).await;
    assert_eq!(answer["workflow"]["version"], 1, "{answer}");
}

/// How many files there are below a folder, which need not be there.
/// Files in a folder and its folders, but for those that keep anything from beginning in a run that is over.
pub fn files_below(folder: &Path) -> usize {
    let Ok(entries) = fs::read_dir(folder) else {
        return 0;
    };
    let count = |entry: fs::DirEntry| {
        if entry.path().is_dir() {
            files_below(&entry.path())
        } else {
            usize::from(entry.file_name() != "attempts")
        }
    };
    entries.map(|entry| count(entry.expect("an entry"))).sum()
}
