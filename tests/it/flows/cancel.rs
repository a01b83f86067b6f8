//! Runs that are canceled, in each state and whatever their steps do about it: nothing of them is left.

use serde_json::{Value, json};

use super::caller::{Caller, states};
use super::draft::Draft;
use super::ear::{Ear, column};
use super::lab::{Site, use_slurm};
use super::processes::{check_none_is_left, of_steps, until, until_none_is_left};
use super::runs::check_transitions;
use crate::support::{Lab, slurm};

on_both_databases!(
    what_waits_never_runs,
    what_runs_is_ended,
    what_is_to_be_repeated_is_not,
    a_wish_outlives_the_server,
    what_has_ended_stays_as_it_is,
    whatever_a_step_does_nothing_is_left,
    whatever_a_job_does_nothing_is_left,
    jobs_that_wait,
    many_at_once,
);

/// A process that leaves its group, its session and its parents behind, and closes what it printed to.
const DOUBLE: &str = "import os, time
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
for fd in range(3): os.close(fd)
open('double', 'w').close()
time.sleep(1000)
";

/// What steps do that do not want to end; each makes the file `ready` when it is so far.
const STUBBORN: [(&str, &str); 6] = [
    ("Sleeps", "touch ready; sleep 1000"),
    (
        "Ignores",
        "trap '' TERM INT HUP; touch ready; while :; do sleep 1; done",
    ),
    (
        "Forks",
        "for i in 1 2 3; do sleep 1000 & done; touch ready; wait",
    ),
    (
        "Forks and ignores",
        "(trap '' TERM; touch inner; while :; do sleep 1; done) & until [ -e inner ]; do sleep 0.02; done; touch ready; wait",
    ),
    (
        "Forks twice",
        "${python} double.py; until [ -e double ]; do sleep 0.02; done; touch ready; sleep 1000",
    ),
    (
        "Makes sessions",
        "setsid sh -c 'trap \"\" TERM; touch inner; while :; do sleep 1; done' & until [ -e inner ]; do sleep 0.02; done; touch ready; wait",
    ),
];

/// The reason of a run that somebody canceled, and who.
fn check_canceled(run: &Value, by: &str) {
    assert_eq!(
        (&run["state"], &run["reason"]),
        (&json!("CANCELED"), &json!("CANCELED")),
        "{run}"
    );
    assert_eq!(run["cancelRequestedBy"], by, "{run}");
    assert!(
        run["cancelRequestedAt"].is_string() && run["endedAt"].is_string(),
        "{run}"
    );
    assert_eq!(run["files"], json!([]));
}

async fn what_waits_never_runs(lab: Lab) {
    let site = Site::idle(lab, &["ann"]).await;
    let effects = site.path("effects");
    let draft = Draft::new("Waits")
        .step("one", &[&format!("echo x >> {}", effects.display())])
        .step("two", &["true"]);
    let workflow = site.workflow(&draft).await;
    let ann = site.who("ann");
    let run = ann.start(&workflow, json!({})).await;
    let input = json!({ "id": run, "reason": "not today" });
    let answer = ann.told("cancelRun", input).await;
    check_canceled(&answer["run"], "ann");
    assert!(answer["run"]["startedAt"].is_null(), "{answer}");
    assert_eq!(answer["run"]["message"], "canceled by ann: not today");
    assert_eq!(states(&answer["run"]), ["CANCELED", "CANCELED"]);
    let site = site.restarted(true).await;
    let ann = site.who("ann");
    // One that is started later is done, and the canceled one is still not.
    let later = ann.start(&workflow, json!({})).await;
    ann.done(&later).await;
    check_canceled(&ann.run(&run).await, "ann");
    assert_eq!(site.text("effects"), "x\n");
}

async fn what_runs_is_ended(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let draft = Draft::new("Runs")
        .step("one", &["echo one"])
        .step("two", &["echo two; sleep 1000"])
        .step("three", &["echo three"]);
    let workflow = site.workflow(&draft).await;
    let ann = site.who("ann");
    let mut ear = Ear::of(&ann, json!({})).await;
    let run = ann.start(&workflow, json!({})).await;
    let mut heard = ear.until_step(&run, "two", "RUNNING").await;
    let mut log = Ear::of_log(&ann, &run, "beginning").await;
    log.until(|piece| piece["text"] == "two\n").await;
    let canceling = ann.cancel(&run).await;
    // Nobody waits for the end; twice is as good as once.
    assert!(
        canceling["state"] == "CANCELING" || canceling["state"] == "CANCELED",
        "{canceling}"
    );
    heard.extend(ear.until_state(&run, "CANCELED").await);
    check_none_is_left(&site);
    check_transitions(&heard);
    let kinds = column(&heard, "run", "state");
    assert!(kinds.contains(&"CANCELING"), "{kinds:?}");
    let run = ann.run(&run).await;
    check_canceled(&run, "ann");
    assert_eq!(states(&run), ["SUCCESS", "CANCELED", "CANCELED"]);
    assert_eq!(
        ann.log(run["id"].as_str().expect("an id")).await,
        "one\ntwo\n"
    );
    until_none_is_left(&site).await;
}

async fn what_is_to_be_repeated_is_not(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let retry = json!({ "repeatable": true, "retry": { "limit": 3, "delaySeconds": 1000, "maxDelaySeconds": 1000 } });
    let draft = Draft::new("Again").step_with("fails", &["echo x; exit 1"], retry);
    let workflow = site.workflow(&draft).await;
    let ann = site.who("ann");
    let mut ear = Ear::of(&ann, json!({})).await;
    let run = ann.start(&workflow, json!({})).await;
    ear.until_step(&run, "fails", "PENDING").await;
    ann.cancel(&run).await;
    ear.until_state(&run, "CANCELED").await;
    let run = ann.run(&run).await;
    check_canceled(&run, "ann");
    assert_eq!(
        run["steps"][0]["attempts"].as_array().map(Vec::len),
        Some(1),
        "{run}"
    );
}

/// Whoever has a run end writes that down; whoever keeps it next ends it.
async fn a_wish_outlives_the_server(mut lab: Lab) {
    lab.set("LABQL_WORKERS__LEASE", "1s");
    let site = Site::open(lab, &["ann"]).await;
    let workflow = site
        .workflow(&Draft::of("Wish", "echo begun; sleep 1000"))
        .await;
    let ann = site.who("ann");
    let mut ear = Ear::of(&ann, json!({})).await;
    let run = ann.start(&workflow, json!({})).await;
    ear.until_step(&run, "only", "RUNNING").await;
    let site = site.restarted(false).await;
    let ann = site.who("ann");
    for _ in 0..2 {
        let canceling = ann.cancel(&run).await;
        assert_eq!(canceling["state"], "CANCELING", "{canceling}");
    }
    assert!(!of_steps(&site).is_empty());
    let site = site.crashed().await;
    let run = site.who("ann").ended(&run).await;
    check_canceled(&run, "ann");
    check_none_is_left(&site);
}

async fn what_has_ended_stays_as_it_is(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let ann = site.who("ann");
    for (name, command, state) in [("Good", "true", "SUCCESS"), ("Bad", "exit 1", "ERROR")] {
        let workflow = site.workflow(&Draft::of(name, command)).await;
        let run = ann.make(&workflow, json!({})).await;
        let answer = ann.tell("cancelRun", json!({ "id": run["id"] })).await;
        let error = &answer["errors"][0];
        assert_eq!(error["code"], "CONFLICT", "{answer}");
        // For people: it says how it stands.
        let message = error["message"].as_str().expect("a message");
        assert!(
            message.contains(state) && !message.contains("Some("),
            "{message}"
        );
        assert_eq!(ann.run(run["id"].as_str().expect("an id")).await, run);
    }
    let error = ann.refused("cancelRun", json!({ "id": "nothing" })).await;
    assert_eq!(error.0, "NOT_FOUND");
}

/// The working folder of the only step of a run, which made `ready` there.
async fn until_ready(site: &Site) {
    let runs = site.folder("runs");
    until(|| ready_below(&runs).then_some(())).await;
}

fn ready_below(folder: &std::path::Path) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| {
        let path = entry.path();
        path.file_name().is_some_and(|name| name == "ready") || ready_below(&path)
    })
}

async fn whatever_a_step_does_nothing_is_left(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    stubborn(&site).await;
}

async fn whatever_a_job_does_nothing_is_left(mut lab: Lab) {
    let Some(conf) = slurm::conf() else {
        return;
    };
    use_slurm(&mut lab, &conf);
    let site = Site::open(lab, &["ann"]).await;
    stubborn(&site).await;
}

async fn stubborn(site: &Site) {
    let ann = site.who("ann");
    for (name, command) in STUBBORN {
        let draft = Draft::of(name, command).file("double.py", DOUBLE);
        let workflow = site.workflow(&draft).await;
        let run = ann.start(&workflow, json!({})).await;
        until_ready(site).await;
        assert!(!of_steps(site).is_empty(), "{name}");
        ann.cancel(&run).await;
        let run = ann.ended(&run).await;
        check_canceled(&run, "ann");
        if run["executor"] == "LOCAL" {
            check_none_is_left(site);
        }
        until_none_is_left(site).await;
        // So is the folder that it worked in.
        let runs = site.folder("runs");
        until(|| (!ready_below(&runs)).then_some(())).await;
    }
}

async fn jobs_that_wait(mut lab: Lab) {
    let Some(conf) = slurm::conf() else {
        return;
    };
    use_slurm(&mut lab, &conf);
    lab.set("LABQL_FLOWS__SLURM__OPTIONS", r#"["--hold"]"#);
    let site = Site::open(lab, &["ann"]).await;
    let workflow = site
        .workflow(&Draft::of("Held", "echo ran >> /dev/null"))
        .await;
    let ann = site.who("ann");
    let run = ann.start(&workflow, json!({})).await;
    let mut asked = ann.run(&run).await;
    let numbered = async {
        while asked["steps"][0]["remoteId"].is_null() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            asked = ann.run(&run).await;
        }
    };
    let numbered = tokio::time::timeout(crate::support::client::PATIENCE, numbered).await;
    numbered.expect("the number of a job");
    ann.cancel(&run).await;
    let run = ann.ended(&run).await;
    check_canceled(&run, "ann");
    let job = run["steps"][0]["remoteId"].as_str().expect("a number");
    let queue = std::process::Command::new("squeue")
        .args(["--noheader", "--format=%T", "--jobs", job])
        .env("SLURM_CONF", &conf)
        .output()
        .expect("squeue");
    let queue = String::from_utf8_lossy(&queue.stdout).into_owned();
    assert!(queue.is_empty() || queue.contains("CANCELLED"), "{queue}");
}

/// Whoever ends a run and the run that ends of itself meet: it is one or the other, and each is told once.
async fn many_at_once(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let workflow = site
        .workflow(
            &Draft::new("Short")
                .step("one", &["true"])
                .step("two", &["true"]),
        )
        .await;
    let ann = site.who("ann");
    let mut ear = Ear::of(&ann, json!({})).await;
    let mut runs = Vec::new();
    for number in 0..24 {
        let run = ann.start(&workflow, json!({})).await;
        if number % 3 > 0 {
            try_cancel(&ann, &run).await;
        }
        if number % 3 == 2 {
            try_cancel(&ann, &run).await;
        }
        runs.push(run);
    }
    let heard = ear.until_ended(&runs).await;
    check_transitions(&heard);
    for run in &runs {
        let ends = heard
            .iter()
            .filter(|it| it["kind"] == "ENDED" && it["run"]["id"] == json!(run));
        let ends: Vec<_> = ends.collect();
        assert_eq!(ends.len(), 1, "{ends:?}");
        let run = ann.run(run).await;
        assert_eq!(ends[0]["run"]["state"], run["state"]);
        let wanted = !run["cancelRequestedAt"].is_null();
        let canceled = run["state"] == "CANCELED";
        assert!(canceled || run["state"] == "SUCCESS", "{run}");
        assert!(wanted || !canceled, "{run}");
    }
    until_none_is_left(&site).await;
}

/// Has a run end that may have ended meanwhile.
async fn try_cancel(ann: &Caller, run: &str) {
    let answer = ann.tell("cancelRun", json!({ "id": run })).await;
    let code = &answer["errors"][0]["code"];
    assert!(code.is_null() || code == "CONFLICT", "{answer}");
}
