//! What is kept no longer: by age, number and rank, with its files; and what nobody owns any more.

use std::fs;
use std::time::{Duration, SystemTime};

use sea_orm::ConnectionTrait as _;
use serde_json::{Value, json};

use super::caller::id;
use super::draft::Draft;
use super::ear::Ear;
use super::lab::{Site, texts};
use super::processes::until;
use super::workflows::files_below;
use crate::support::{Lab, Socket};

on_both_databases!(
    by_number_in_each_group,
    by_days_since_their_end,
    the_best_are_kept,
    what_nobody_owns_is_removed,
);

/// Has the worker look now, and waits until it has.
async fn look(site: &Site) {
    let admin = site.admin();
    let query = "{ eventCursor workers { name kind } }";
    let data = admin.data(query, json!({})).await;
    let workers = data["workers"].as_array().expect("workers");
    let worker = workers.iter().find(|it| it["kind"] == "FLOW_RETENTION");
    let name = &worker.expect("a worker")["name"];
    let mut socket = Socket::signed_in(&admin, site.token(super::lab::ADMIN)).await;
    let news = "subscription($after: String) { workerUpdates(after: $after) {
        worker { name requestedAt runningSince lastRun { outcome startedAt } }
    } }";
    let payload = json!({ "query": news, "variables": { "after": data["eventCursor"] } });
    socket
        .say(json!({ "type": "subscribe", "id": "1", "payload": payload }))
        .await;
    let run =
        "mutation($name: String!) { runWorker(input: { name: $name }) { errors { message } } }";
    let answer = admin.data(run, json!({ "name": name })).await;
    assert_eq!(answer["runWorker"]["errors"], json!([]));
    let mut is_asked = false;
    loop {
        let update = socket.hear().await;
        let worker = &update["payload"]["data"]["workerUpdates"]["worker"];
        if worker["name"] != *name {
            continue;
        }
        is_asked |= worker["requestedAt"].is_string();
        if is_asked && worker["requestedAt"].is_null() && worker["runningSince"].is_null() {
            assert_eq!(worker["lastRun"]["outcome"], "SUCCEEDED", "{worker}");
            return;
        }
    }
}

/// The ids of the runs that are there, the oldest first.
async fn kept(site: &Site) -> Vec<String> {
    let query =
        "{ runs(first: 500, orderBy: [{ field: CREATED_AT, direction: ASC }]) { nodes { id } } }";
    let data = site.admin().data(query, json!({})).await;
    texts(&data["runs"]["nodes"], "id")
}

async fn set(site: &Site, workflow: &str, field: &str, value: Value) {
    let mut input = json!({ "id": workflow });
    input[field] = value;
    site.admin().told("updateWorkflow", input).await;
}

async fn by_number_in_each_group(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let draft = Draft::of("Numbered", "echo x > out.txt").output("out.txt");
    let workflow = site.workflow(&draft).await;
    let ann = site.who("ann");
    let mut runs = Vec::new();
    for name in ["one", "two"] {
        let group = ann.group(&workflow, name, &[]).await;
        for _ in 0..3 {
            let run = ann
                .start_with(&workflow, json!({}), json!({ "group": group }))
                .await;
            ann.done(&run).await;
            runs.push(run);
        }
    }
    look(&site).await;
    assert_eq!(kept(&site).await, runs);
    set(&site, &workflow, "keepNumber", json!(2)).await;
    let url = ann.run(&runs[0]).await["files"][0]["url"]
        .as_str()
        .expect("a URL")
        .to_owned();
    look(&site).await;
    let rest = [1, 2, 4, 5].map(|place: usize| runs[place].clone());
    assert_eq!(kept(&site).await, rest);
    assert_eq!(ann.get(&url, &[]).await.status(), 404);
    assert_eq!(files_below(&site.folder("runs")), 4);
    // It is told.
    let mut ear = Ear::of(&ann, json!({ "kinds": ["DELETED"] })).await;
    let mut told = [id(&ear.next().await["run"]), id(&ear.next().await["run"])];
    told.sort();
    let mut gone = [runs[0].clone(), runs[3].clone()];
    gone.sort();
    assert_eq!(told, gone);
}

async fn by_days_since_their_end(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let good = site.workflow(&Draft::of("Good", "true")).await;
    let bad = site.workflow(&Draft::of("Bad", "exit 1")).await;
    let gate = site.gate("go");
    let open = site.workflow(&Draft::of("Open", &gate)).await;
    let ann = site.who("ann");
    let mut runs = Vec::new();
    for workflow in [&good, &bad] {
        for _ in 0..2 {
            runs.push(id(&ann.make(workflow, json!({})).await));
        }
    }
    let open_run = ann.start(&open, json!({})).await;
    runs.push(open_run.clone());
    // The first of each, and the one that has not ended, are ten days old.
    let database = site.lab.database().await;
    let ten_days = 10 * 24 * 3600 * 1000_i64;
    let age = format!(
        "UPDATE flow_run SET created_at = created_at - {ten_days}, started_at = started_at - {ten_days},
         ended_at = ended_at - {ten_days} WHERE id IN (SELECT MIN(id) FROM flow_run GROUP BY workflow_id)"
    );
    database
        .write()
        .execute_unprepared(&age)
        .await
        .expect("a statement");
    for workflow in [&good, &bad, &open] {
        set(&site, workflow, "keepDays", json!(20)).await;
        set(&site, workflow, "keepFailedDays", json!(7)).await;
    }
    look(&site).await;
    let without = |gone: &[usize]| {
        let left = runs
            .iter()
            .enumerate()
            .filter(|(place, _)| !gone.contains(place));
        left.map(|(_, run)| run.clone()).collect::<Vec<_>>()
    };
    assert_eq!(kept(&site).await, without(&[2]));
    set(&site, &good, "keepDays", json!(7)).await;
    set(&site, &open, "keepDays", json!(7)).await;
    look(&site).await;
    assert_eq!(kept(&site).await, without(&[0, 2]));
    site.open_gate("go");
    ann.done(&open_run).await;
}

async fn the_best_are_kept(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let draft = Draft::of("Ranked", "echo '{\"score\": '${score}'}' > results.json")
        .variable("score", json!({ "dtype": "int" }))
        .ranked(&["score"]);
    let workflow = site.workflow(&draft).await;
    let ann = site.who("ann");
    let mut runs = Vec::new();
    for score in [9, 1, 5, 2, 3] {
        runs.push(id(&ann.make(&workflow, json!({ "score": score })).await));
    }
    set(&site, &workflow, "keepNumber", json!(1)).await;
    set(&site, &workflow, "keepRanked", json!(2)).await;
    look(&site).await;
    let query = "query($id: ID!) { workflow(id: $id) { ranking(includeAll: true) { nodes { run { id } results { value } } } } }";
    let data = ann.data(query, json!({ "id": workflow })).await;
    let nodes = data["workflow"]["ranking"]["nodes"]
        .as_array()
        .expect("nodes");
    // The best, the newest, and whatever rank says among all runs or the best of each group.
    let left: Vec<_> = nodes
        .iter()
        .map(|node| node["results"][0]["value"].clone())
        .collect();
    assert!(
        left.contains(&json!(9.0)) && left.contains(&json!(3.0)),
        "{left:?}"
    );
    assert!(
        !left.contains(&json!(1.0)) && !left.contains(&json!(2.0)),
        "{left:?}"
    );
    assert!(kept(&site).await.contains(&runs[0]));
}

async fn what_nobody_owns_is_removed(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let draft = Draft::of("Owned", "echo x > out.txt").output("out.txt");
    let workflow = site.workflow(&draft).await;
    site.who("ann").make(&workflow, json!({})).await;
    let runs = site.folder("runs");
    until(|| (files_below(&runs) == 1).then_some(())).await;
    // What servers leave behind that are killed: half an upload, and folders without a row.
    let old = SystemTime::now() - Duration::from_hours(72);
    let leave = |path: &str| {
        let path = site.folder(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, "left").expect("a file");
        let file = fs::File::options().write(true).open(&path);
        file.expect("a file").set_modified(old).expect("a time");
    };
    let name = "0123456789abcdef0123456789abcdef";
    leave(&format!("drafts/{name}"));
    // Each hour a part of the folders is looked through: these are in all parts.
    for shard in 0..24 {
        leave(&format!("runs/{shard:02x}/{name}/work"));
        let folder = fs::File::open(runs.join(format!("{shard:02x}/{name}")));
        folder.expect("a folder").set_modified(old).expect("a time");
    }
    look(&site).await;
    assert_eq!(files_below(&site.folder("drafts")), 0);
    let left = files_below(&runs);
    assert!((1..1 + 24).contains(&left), "{left}");
    let data = site
        .admin()
        .data("{ runs { nodes { files { url } } } }", json!({}))
        .await;
    let url = data["runs"]["nodes"][0]["files"][0]["url"].as_str();
    assert_eq!(site.admin().bytes(url.expect("a URL")).await, b"x\n");
}
