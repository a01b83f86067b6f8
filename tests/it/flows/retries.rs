//! What runs again when it fails, how often and when: only steps that say that they may.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::caller::states;
use super::draft::Draft;
use super::ear::Ear;
use super::lab::Site;
use super::processes::until_none_is_left;
use super::runs::check_transitions;
use crate::support::Lab;

on_both_databases!(
    it_waits_longer_each_time,
    as_often_as_is_said_and_no_more,
    what_may_not_run_twice_does_not,
    what_takes_too_long_runs_again,
    what_cannot_be_started_runs_again,
);

/// A command that notes that it ran, and fails the first so many times.
fn failing(site: &Site, times: usize) -> String {
    let effects = site.path("effects");
    let effects = effects.display();
    format!("echo x >> {effects}; test $(wc -l < {effects}) -gt {times}")
}

fn repeatable(limit: u32, delay: u32) -> Value {
    json!({ "repeatable": true, "retry": { "limit": limit, "delaySeconds": delay, "maxDelaySeconds": 60 } })
}

fn time(of: &Value, name: &str) -> DateTime<Utc> {
    of[name].as_str().expect(name).parse().expect("a time")
}

async fn it_waits_longer_each_time(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let draft = Draft::new("Waits")
        .step_with("fails", &[&failing(&site, 2)], repeatable(3, 1))
        .step("then", &["true"]);
    let workflow = site.workflow(&draft).await;
    let ann = site.who("ann");
    let run = ann.start(&workflow, json!({})).await;
    let mut ear = Ear::of(&ann, json!({ "run": run })).await;
    let heard = ear.until_state(&run, "SUCCESS").await;
    check_transitions(&heard);
    let of = heard.iter().filter(|it| it["step"]["name"] == "fails");
    let told: Vec<&str> = of.filter_map(|it| it["step"]["state"].as_str()).collect();
    let once = ["STARTING", "RUNNING", "PENDING"];
    assert_eq!(
        told,
        [&once[..], &once, &["STARTING", "RUNNING", "SUCCESS"]].concat()
    );
    let run = ann.run(&run).await;
    assert_eq!(run["steps"][0]["attempt"], 3, "{run}");
    let attempts = run["steps"][0]["attempts"].as_array().expect("attempts");
    let codes: Vec<_> = attempts
        .iter()
        .map(|it| (it["exitCode"].clone(), it["reason"].clone()))
        .collect();
    let failed = || (json!(1), json!("STEP_FAILED"));
    assert_eq!(codes, [failed(), failed(), (json!(0), Value::Null)]);
    for (pair, seconds) in attempts.windows(2).zip([1, 2]) {
        let waited = time(&pair[1], "startedAt") - time(&pair[0], "endedAt");
        assert!(waited.num_milliseconds() >= seconds * 1000 - 50, "{waited}");
    }
}

async fn as_often_as_is_said_and_no_more(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let ann = site.who("ann");
    for (number, limit, asked, attempts) in [
        (0, 2, Value::Null, 3),
        (1, 2, json!(0), 1),
        (2, 2, json!(1), 2),
        (3, 0, Value::Null, 1),
    ] {
        let draft = Draft::new(&format!("Often {number}")).step_with(
            "fails",
            &["exit 3"],
            repeatable(limit, 0),
        );
        let workflow = site.workflow(&draft).await;
        let mut more = json!({});
        if !asked.is_null() {
            more["retryLimit"] = asked.clone();
        }
        let run = ann.start_with(&workflow, json!({}), more).await;
        let run = ann.ended(&run).await;
        assert_eq!(
            (&run["state"], &run["reason"]),
            (&json!("ERROR"), &json!("STEP_FAILED")),
            "{run}"
        );
        assert_eq!(run["retryLimit"], asked);
        assert_eq!(
            run["steps"][0]["attempts"].as_array().map(Vec::len),
            Some(attempts),
            "{run}"
        );
        assert_eq!(run["steps"][0]["exitCode"], 3);
    }
}

async fn what_may_not_run_twice_does_not(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let workflow = site.workflow(&Draft::of("Once", &failing(&site, 1))).await;
    let ann = site.who("ann");
    let run = ann
        .start_with(&workflow, json!({}), json!({ "retryLimit": 5 }))
        .await;
    let run = ann.ended(&run).await;
    assert_eq!(run["state"], "ERROR", "{run}");
    assert_eq!(site.text("effects"), "x\n");
    // A template that wants it all the same is refused.
    let draft =
        Draft::new("Wants").step_with("fails", &["true"], json!({ "retry": { "limit": 1 } }));
    let answer = site.register(&site.template("wants", &draft)).await;
    assert!(answer["workflow"].is_null(), "{answer}");
}

async fn what_takes_too_long_runs_again(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let mut more = repeatable(1, 0);
    more["limits"] = json!({ "timeoutSeconds": 1 });
    let command = format!("{} || sleep 1000", failing(&site, 1));
    let workflow = site
        .workflow(&Draft::new("Slow").step_with("slow", &[&command], more))
        .await;
    let run = site.who("ann").make(&workflow, json!({})).await;
    assert_eq!(
        (&run["state"], states(&run)),
        (&json!("SUCCESS"), vec!["SUCCESS"]),
        "{run}"
    );
    let attempts = run["steps"][0]["attempts"].as_array().expect("attempts");
    assert_eq!(
        (attempts.len(), &attempts[0]["reason"]),
        (2, &json!("TIMED_OUT"))
    );
    until_none_is_left(&site).await;
}

/// Nothing was begun: so nothing is done twice when it is tried again, be it repeatable or not.
async fn what_cannot_be_started_runs_again(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let workflow = site
        .workflow(
            &Draft::new("Starts")
                .step("one", &["rm -r ../work"])
                .step("two", &["true"]),
        )
        .await;
    let ann = site.who("ann");
    let run = ann.make(&workflow, json!({})).await;
    // The folder that it would work in is gone for good.
    assert_eq!(run["state"], "ERROR", "{run}");
    let reason = run["reason"].as_str();
    assert!(
        matches!(reason, Some("NOT_STARTED" | "INTERNAL" | "OUTPUT_MISSING")),
        "{run}"
    );
    let attempts = run["steps"][1]["attempts"].as_array().expect("attempts");
    assert!(attempts.len() <= 5, "{run}");
    assert!(attempts.iter().all(|it| it["exitCode"].is_null()), "{run}");
}
