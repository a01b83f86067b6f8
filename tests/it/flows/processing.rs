//! What is made of the best runs of all groups, whenever they are others than before.

use serde_json::{Value, json};

use super::caller::Caller;
use super::draft::Draft;
use super::ear::{Ear, is_made_of_best};
use super::lab::{Site, texts};
use super::ranking::RANKING;
use crate::support::Lab;

on_both_databases!(
    something_is_made_of_the_best,
    many_changes_make_one_run,
    it_can_be_turned_off,
);

/// A workflow whose result is the number that it is given; of the best a list of numbers is made, the best first.
pub fn processed() -> Draft {
    let program = "import json
runs = json.load(open('best/runs.json'))
scores = [json.load(open('best/%s/results.json' % run['id']))['score'] for run in runs]
json.dump({'scores': scores, 'groups': [run['name'] for run in runs]}, open('list.json', 'w'))
";
    let step = json!({ "name": "list", "action": { "environment": "sh", "commands": ["${python} list.py"] } });
    Draft::of("Processed", "echo '{\"score\": '${score}'}' > results.json")
        .variable("score", json!({ "dtype": "int" }))
        .file("list.py", program)
        .ranked(&["score"])
        .template(
            "postproc",
            json!({
                "workflow": { "steps": [step], "files": { "outputs": ["list.json"] } },
                "inputs": { "files": ["results.json"], "runs": "best" },
            }),
        )
}

/// How many runs were made of the best.
async fn made(caller: &Caller, workflow: &str) -> u64 {
    let query = "query($w: ID!) { runs(filter: { workflows: [$w], kinds: [POST_PROCESSING] }) { totalCount } }";
    let data = caller.data(query, json!({ "w": workflow })).await;
    data["runs"]["totalCount"].as_u64().expect("a count")
}

/// Waits until what is made of the best is this; gives the run that made it.
async fn until_made(caller: &Caller, workflow: &str, expected: &Value) -> Value {
    let mut ear = Ear::of(caller, json!({ "workflow": workflow })).await;
    let query = "query($id: ID!) { workflow(id: $id) { postProcessing {
        id state kind starter files { name url } processedRuns { rank groupName run { id } }
    } } }";
    loop {
        ear.until(is_made_of_best).await;
        let mut data = caller.data(query, json!({ "id": workflow })).await;
        let run = data["workflow"]["postProcessing"].take();
        if run["state"] != "SUCCESS" {
            continue;
        }
        let list = caller
            .bytes(run["files"][0]["url"].as_str().expect("a URL"))
            .await;
        let list: Value = serde_json::from_slice(&list).expect("JSON");
        if list == *expected {
            return run;
        }
    }
}

async fn something_is_made_of_the_best(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let workflow = site.workflow(&processed()).await;
    let ann = site.who("ann");
    let (one, two) = (
        ann.group(&workflow, "one", &[]).await,
        ann.group(&workflow, "two", &[]).await,
    );
    let make = async |group: &str, score: i32| {
        let run = ann
            .start_with(
                &workflow,
                json!({ "score": score }),
                json!({ "group": group }),
            )
            .await;
        ann.done(&run).await;
        run
    };
    let list = |scores: &[i32], groups: &[&str]| json!({ "scores": scores, "groups": groups });
    let three = make(&one, 3).await;
    until_made(&ann, &workflow, &list(&[3], &["one"])).await;
    let five = make(&two, 5).await;
    let run = until_made(&ann, &workflow, &list(&[5, 3], &["two", "one"])).await;
    assert_eq!(texts(&run["processedRuns"], "groupName"), ["two", "one"]);
    assert_eq!(
        run["processedRuns"][0],
        json!({ "rank": 1, "groupName": "two", "run": { "id": five } })
    );
    // A worse one changes nothing: the next that is made is of what comes after it.
    make(&one, 1).await;
    let seven = make(&one, 7).await;
    until_made(&ann, &workflow, &list(&[7, 5], &["one", "two"])).await;
    assert_eq!(made(&ann, &workflow).await, 3);
    // Who is deleted is not among the best any more.
    ann.told("deleteRun", json!({ "id": seven })).await;
    let run = until_made(&ann, &workflow, &list(&[5, 3], &["two", "one"])).await;
    assert_eq!(run["processedRuns"][1]["run"]["id"], json!(three));
    // What is made is in no ranking itself, and does not start itself.
    let data = ann
        .data(RANKING, json!({ "id": workflow, "all": true }))
        .await;
    assert_eq!(data["workflow"]["ranking"]["totalCount"], 3);
}

async fn many_changes_make_one_run(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let commands = json!([site.gate("go"), "${python} list.py"]);
    let step = json!({ "name": "list", "action": { "environment": "sh", "commands": commands } });
    let draft = processed().template(
        "postproc",
        json!({
            "workflow": { "steps": [step], "files": { "outputs": ["list.json"] } },
            "inputs": { "files": ["results.json"], "runs": "best" },
        }),
    );
    let workflow = site.workflow(&draft).await;
    let ann = site.who("ann");
    ann.make(&workflow, json!({ "score": 0 })).await;
    let mut ear = Ear::of(&ann, json!({ "workflow": workflow })).await;
    ear.until(|it| it["run"]["kind"] == "POST_PROCESSING" && it["step"]["state"] == "RUNNING")
        .await;
    // While one is under way, others wait for it.
    for score in 1..8 {
        ann.make(&workflow, json!({ "score": score })).await;
    }
    assert_eq!(made(&ann, &workflow).await, 1);
    site.open_gate("go");
    until_made(
        &ann,
        &workflow,
        &json!({ "scores": [7], "groups": ["ann"] }),
    )
    .await;
    assert_eq!(made(&ann, &workflow).await, 2);
}

async fn it_can_be_turned_off(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let workflow = site.workflow(&processed()).await;
    let ann = site.who("ann");
    let set = async |on: bool| {
        let input = json!({ "id": workflow, "postProcessing": on });
        site.admin().told("updateWorkflow", input).await;
    };
    set(false).await;
    ann.make(&workflow, json!({ "score": 1 })).await;
    assert_eq!(made(&ann, &workflow).await, 0);
    // When it is turned on again, the best that there are count.
    set(true).await;
    ann.make(&workflow, json!({ "score": 2 })).await;
    until_made(
        &ann,
        &workflow,
        &json!({ "scores": [2], "groups": ["ann"] }),
    )
    .await;
}
