//! Servers and workers are killed at any instant while runs with several steps go on: each run ends as it should, nothing is done
//! twice, no process is left, and what was told is what is.
//!
//! `LABQL_TEST_KILLS` says how many rounds there are, and `LABQL_TEST_SEED` the first seed.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use futures_util::future::join_all;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use sea_orm::ConnectionTrait as _;
use serde_json::{Value, json};
use tokio::task::yield_now;

use super::caller::{Caller, id, run_input};
use super::crew::Crew;
use super::draft::Draft;
use super::ear::Ear;
use super::follow::{Follower, surely};
use super::kinds::{KINDS, Kind, check_log, workflows};
use super::lab::use_slurm;
use super::processes::{until, until_none_is_left};
use super::runs::check_transitions;
use super::turns::most_at_once;
use crate::support::slurm::TestSlurm;
use crate::support::{Lab, slurm};

on_both_databases!(
    a_server_that_is_killed,
    a_server_that_is_killed_while_slurm_works
);

/// How many rounds there are; so many without another wish.
fn rounds(usual: u64) -> u64 {
    let rounds = std::env::var("LABQL_TEST_KILLS").ok();
    rounds.map_or(usual, |rounds| rounds.parse().expect("a number"))
}

/// From what random choices are made.
pub fn seed() -> u64 {
    let seed = std::env::var("LABQL_TEST_SEED").ok();
    seed.map_or(8, |seed| seed.parse().expect("a number"))
}

/// Any instant: after some further updates, and a little later. Counted in turns and not in time, so it is the same on a machine
/// that is busy.
async fn instant(follower: &mut Follower, random: &mut StdRng) {
    follower.further(random.random_range(0..8)).await;
    for _ in 0..random.random_range(0..3_000) {
        yield_now().await;
    }
}

/// Some runs, some kills, and what came of it.
async fn round(crew: &mut Crew, workflows: &BTreeMap<&str, String>, seed: u64) {
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let kinds: Vec<Kind> = (0..random.random_range(2..6))
        .map(|_| KINDS[random.random_range(0..4)])
        .collect();
    let cursor = crew.caller().data("{ eventCursor }", json!({})).await["eventCursor"].take();
    let cursor = cursor.as_str().expect("a cursor").to_owned();
    let mut follower = Follower::start(crew.callers(), &cursor, kinds.len());
    let starting: Vec<_> = kinds
        .iter()
        .enumerate()
        .map(|(place, kind)| {
            let more = json!({ "idempotencyKey": format!("{seed} {place}") });
            let input = run_input(&workflows[kind.name()], &json!({}), more);
            let callers = crew.callers();
            let ends = *kind == Kind::Endless;
            let turns = random.random_range(0..3_000);
            tokio::spawn(async move {
                let answer = surely(callers.clone(), "startRun", input).await;
                let run = id(&answer["run"]);
                if ends {
                    for _ in 0..turns {
                        yield_now().await;
                    }
                    let answer = surely(callers, "cancelRun", json!({ "id": run })).await;
                    // The answer to an earlier wish may have been lost with its server.
                    let code = &answer["errors"][0]["code"];
                    assert!(code.is_null() || code == "CONFLICT", "{answer}");
                }
                run
            })
        })
        .collect();
    for _ in 0..random.random_range(1..4) {
        instant(&mut follower, &mut random).await;
        crew.strike(&mut random).await;
    }
    let runs: Vec<String> = join_all(starting)
        .await
        .into_iter()
        .map(|run| run.expect("a run"))
        .collect();
    let told = follower.told().await;
    let caller = crew.caller();
    check_told(&caller, &cursor, &told, &runs).await;
    let effects = crew.site.text("effects");
    for (run, kind) in runs.iter().zip(&kinds) {
        let run = caller.run(run).await;
        let of_it = format!("{} ", run["number"]);
        let effects: Vec<&str> = effects
            .lines()
            .filter_map(|line| line.strip_prefix(&of_it))
            .collect();
        kind.check(&run, &effects);
        check_log(&caller, &run, *kind).await;
        if *kind == Kind::Plain {
            assert_eq!(caller.file(&run, "out.txt").await, b"one\nthree\n");
        }
    }
    until_none_is_left(&crew.site).await;
}

/// What was told, joined over all servers, is what is told now from the beginning, and ends with what is; and no state followed
/// one that it may not follow.
async fn check_told(caller: &Caller, cursor: &str, told: &[Value], runs: &[String]) {
    let mut ear = Ear::from(caller, json!({}), cursor).await;
    assert_eq!(ear.until_ended(runs).await, told);
    check_transitions(told);
    for run in runs {
        let of_it: Vec<&Value> = told
            .iter()
            .filter(|it| it["run"]["id"] == json!(run))
            .collect();
        let now = caller.run(run).await;
        let last = of_it.last().expect("an update");
        assert_eq!(
            (&last["run"]["state"], &last["run"]["reason"]),
            (&now["state"], &now["reason"])
        );
        for step in now["steps"].as_array().expect("steps") {
            let mut of_step = of_it
                .iter()
                .rev()
                .filter(|it| it["step"]["name"] == step["name"]);
            let state = of_step
                .next()
                .map_or(&json!("PENDING"), |it| &it["step"]["state"])
                .clone();
            assert_eq!(state, step["state"], "{now}");
            assert_ne!(state, "PENDING", "{now}");
        }
    }
}

/// Nothing that a run worked in is left: what nobody came to remove is removed some time after its end.
async fn check_folders(crew: &Crew) {
    let database = crew.site.lab.database().await;
    let hours_later = "UPDATE flow_run SET ended_at = ended_at - 7200000 WHERE cleaned_at IS NULL";
    let aged = database.write().execute_unprepared(hours_later).await;
    aged.expect("a statement");
    database.close().await;
    let query =
        "mutation { runWorker(input: { name: \"flow-retention\" }) { errors { message } } }";
    let answer = crew.site.admin().data(query, json!({})).await;
    assert_eq!(answer["runWorker"]["errors"], json!([]));
    let runs = crew.site.folder("runs");
    let entries = |folder: PathBuf| fs::read_dir(folder).into_iter().flatten().flatten();
    until(|| {
        let runs = entries(runs.clone()).flat_map(|shard| entries(shard.path()));
        let mut open = runs.filter(|run| run.path().join("work").exists());
        open.next().is_none().then_some(())
    })
    .await;
}

async fn all_rounds(mut crew: Crew, number: u64) {
    let workflows = workflows(&crew.site).await;
    for round_number in 0..number {
        round(&mut crew, &workflows, seed() + round_number).await;
    }
    check_folders(&crew).await;
}

async fn a_server_that_is_killed(mut lab: Lab) {
    lab.set("LABQL_FLOWS__LOCAL__AT_ONCE", "4");
    all_rounds(Crew::open(lab, 0, "ann").await, rounds(12)).await;
}

#[tokio::test]
async fn workers_that_are_killed() {
    let Some(lab) = Lab::postgres().await else {
        return;
    };
    all_rounds(Crew::open(lab, 2, "ann").await, rounds(12)).await;
}

async fn a_server_that_is_killed_while_slurm_works(mut lab: Lab) {
    let Some(conf) = slurm::conf() else {
        return;
    };
    use_slurm(&mut lab, &conf);
    all_rounds(Crew::open(lab, 0, "ann").await, rounds(12).div_ceil(4)).await;
}

/// Two workers take runs from one queue: each run once, and not more at a time than the machine may.
#[tokio::test]
async fn two_workers_on_one_queue() {
    let Some(mut lab) = Lab::postgres().await else {
        return;
    };
    lab.set("LABQL_FLOWS__LOCAL__AT_ONCE", "3");
    let crew = Crew::open(lab, 2, "ann").await;
    let effects = crew.site.path("effects");
    let effects = effects.display();
    let command = format!(
        "echo begin $$LABQL_RUN >> {effects}; sleep 0.02; echo end $$LABQL_RUN >> {effects}"
    );
    let workflow = crew.site.workflow(&Draft::of("Queued", &command)).await;
    let ann = crew.caller();
    let mut ear = Ear::of(&ann, json!({})).await;
    let mut runs = Vec::new();
    for _ in 0..40 {
        runs.push(ann.start(&workflow, json!({})).await);
    }
    let heard = ear.until_ended(&runs).await;
    check_transitions(&heard);
    let effects = crew.site.text("effects");
    assert_eq!(effects.lines().count(), 80);
    assert!(most_at_once(&effects) <= 3);
    for run in &runs {
        assert_eq!(ann.run(run).await["state"], "SUCCESS");
    }
    until_none_is_left(&crew.site).await;
}

/// A controller that is down for a while, and the server with it: what it had taken goes on, what it had not waits, and nothing is
/// given to it twice.
#[tokio::test]
async fn a_controller_that_is_down() {
    let Some(slurm) = TestSlurm::start() else {
        return;
    };
    let mut lab = Lab::sqlite();
    use_slurm(&mut lab, &slurm.conf());
    lab.set("LABQL_FLOWS__SLURM__TIMEOUT", "2s");
    let mut crew = Crew::open(lab, 0, "ann").await;
    let effects = crew.site.path("effects");
    let effects = effects.display();
    let step = |name: &str| format!("echo $$LABQL_RUN {name} >> {effects}");
    let gate = crew.site.gate("go");
    let draft = Draft::new("Down")
        .step("one", &[&step("one"), &gate])
        .step("two", &[&step("two")]);
    let workflow = crew.site.workflow(&draft).await;
    let ann = crew.caller();
    let mut ear = Ear::of(&ann, json!({})).await;
    let under_way = ann.start(&workflow, json!({})).await;
    ear.until_step(&under_way, "one", "RUNNING").await;
    until(|| (!crew.site.text("effects").is_empty()).then_some(())).await;
    slurm.halt();
    let waiting = ann.start(&workflow, json!({})).await;
    let unwanted = ann.start(&workflow, json!({})).await;
    ear.until_step(&waiting, "one", "STARTING").await;
    let canceling = ann.cancel(&unwanted).await;
    assert!(
        ["CANCELING", "CANCELED"].contains(&canceling["state"].as_str().expect("a state")),
        "{canceling}"
    );
    // What ends meanwhile is told, and what comes next has to wait.
    crew.site.open_gate("go");
    ear.until_step(&under_way, "one", "SUCCESS").await;
    ear.until_step(&under_way, "two", "STARTING").await;
    for run in [&under_way, &waiting] {
        assert_eq!(ann.run(run).await["state"], "RUNNING");
    }
    crew.strike_server().await;
    slurm.resume();
    let ann = crew.caller();
    let mut ear = Ear::of(&ann, json!({})).await;
    let heard = ear
        .until_ended(&[under_way.clone(), waiting.clone(), unwanted.clone()])
        .await;
    check_transitions(&heard);
    let effects = crew.site.text("effects");
    for run in [&under_way, &waiting] {
        let run = ann.run(run).await;
        assert_eq!(run["state"], "SUCCESS", "{run}");
        let number = &run["number"];
        let of_it: Vec<&str> = effects
            .lines()
            .filter(|line| line.starts_with(&format!("{number} ")))
            .collect();
        assert_eq!(of_it, [format!("{number} one"), format!("{number} two")]);
    }
    assert_eq!(ann.run(&unwanted).await["state"], "CANCELED");
    until_none_is_left(&crew.site).await;
}
