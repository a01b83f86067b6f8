//! Whose turn it is: by priority and age, as far as there is room on the machine, for the user and for the workflow.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::caller::{Caller, id, run_input};
use super::draft::Draft;
use super::ear::Ear;
use super::lab::{Site, use_slurm};
use crate::support::{Lab, slurm};

on_both_databases!(
    the_largest_priority_goes_first_then_the_oldest,
    as_many_at_once_as_the_machine_may,
    as_many_at_once_as_slurm_may,
    nobody_keeps_others_waiting,
    a_workflow_has_its_own_bounds,
    as_many_as_may_be_open,
);

/// A step that notes that it begins, waits for a gate, and notes that it ends.
fn gated(site: &Site, name: &str) -> Draft {
    let effects = site.path("effects");
    let effects = effects.display();
    let gate = site.gate("go");
    let command =
        format!("echo begin $$LABQL_RUN >> {effects}; {gate}; echo end $$LABQL_RUN >> {effects}");
    Draft::of(name, &command)
}

/// The most that were under way at once, as their steps noted it.
pub fn most_at_once(effects: &str) -> usize {
    let (mut open, mut most) = (BTreeSet::new(), 0);
    for line in effects.lines() {
        match line.split_once(' ') {
            Some(("begin", run)) => assert!(open.insert(run.to_owned()), "{run} began twice"),
            Some(("end", run)) => assert!(open.remove(run), "{run} did not begin"),
            _ => panic!("{line:?}"),
        }
        most = most.max(open.len());
    }
    assert!(open.is_empty(), "{open:?} did not end");
    most
}

async fn the_largest_priority_goes_first_then_the_oldest(mut lab: Lab) {
    lab.set("LABQL_FLOWS__LOCAL__AT_ONCE", "1");
    let site = Site::idle(lab, &["ann", "ben"]).await;
    let effects = site.path("effects");
    let command = format!("echo ${{name}} >> {}", effects.display());
    let draft = Draft::of("Turns", &command).variable("name", json!({ "dtype": "string" }));
    let workflow = site.workflow(&draft).await;
    let mut last = String::new();
    for (who, name, priority) in [
        ("ann", "a", json!(null)),
        ("ann", "low", json!(-5)),
        ("ben", "b", json!(0)),
        ("root", "high", json!(10)),
        ("root", "higher", json!(1_000_000)),
        ("ann", "c", json!(null)),
        ("root", "high too", json!(10)),
    ] {
        let mut more = json!({});
        if !priority.is_null() {
            more["priority"] = priority;
        }
        let run = site
            .who(who)
            .start_with(&workflow, json!({ "name": name }), more)
            .await;
        if name == "low" {
            last = run;
        }
    }
    // A workflow may say it for those who do not.
    let urgent = site.workflow(&draft.clone().named("Urgent")).await;
    let input = json!({ "id": urgent, "priority": 7 });
    site.admin().told("updateWorkflow", input).await;
    site.who("ben")
        .start(&urgent, json!({ "name": "urgent" }))
        .await;
    let site = site.restarted(true).await;
    site.who("ann").done(&last).await;
    let expected = ["higher", "high", "high too", "urgent", "a", "b", "c", "low"];
    assert_eq!(site.text("effects").lines().collect::<Vec<_>>(), expected);
    let ann = site.who("ann");
    let input = run_input(&workflow, &json!({ "name": "x" }), json!({ "priority": 1 }));
    let answer = ann.answer("startRun", input).await;
    assert!(answer["data"]["it"]["run"].is_null(), "{answer}");
}

/// How many runs are in each state, for somebody.
async fn counts(caller: &Caller) -> (u64, u64) {
    let query = "{
        running: runs(filter: { states: [RUNNING] }) { totalCount }
        pending: runs(filter: { states: [PENDING] }) { totalCount }
    }";
    let data = caller.data(query, json!({})).await;
    let of = |name: &str| data[name]["totalCount"].as_u64().expect("a count");
    (of("running"), of("pending"))
}

/// Hears until so many steps run.
async fn until_running(ear: &mut Ear, number: usize) {
    let mut running = BTreeSet::new();
    while running.len() < number {
        let update = ear.next().await;
        if update["step"]["state"] == "RUNNING" {
            running.insert(id(&update["run"]));
        }
    }
}

async fn at_once(site: Site, number: usize) {
    let workflow = site.workflow(&gated(&site, "Gated")).await;
    let ann = site.who("ann");
    let mut ear = Ear::of(&ann, json!({})).await;
    let mut runs = Vec::new();
    for _ in 0..3 * number {
        runs.push(ann.start(&workflow, json!({})).await);
    }
    until_running(&mut ear, number).await;
    let number = u64::try_from(number).expect("a number");
    assert_eq!(counts(&ann).await, (number, 2 * number));
    site.open_gate("go");
    let mut all = Ear::of(&ann, json!({})).await;
    all.until_ended(&runs).await;
    let most = u64::try_from(most_at_once(&site.text("effects"))).expect("a number");
    assert_eq!(most, number);
}

async fn as_many_at_once_as_the_machine_may(mut lab: Lab) {
    lab.set("LABQL_FLOWS__LOCAL__AT_ONCE", "3");
    at_once(Site::open(lab, &["ann"]).await, 3).await;
}

async fn as_many_at_once_as_slurm_may(mut lab: Lab) {
    let Some(conf) = slurm::conf() else {
        return;
    };
    use_slurm(&mut lab, &conf);
    lab.set("LABQL_FLOWS__SLURM__AT_ONCE", "2");
    at_once(Site::open(lab, &["ann"]).await, 2).await;
}

async fn nobody_keeps_others_waiting(mut lab: Lab) {
    lab.set("LABQL_FLOWS__LOCAL__AT_ONCE", "8");
    lab.set("LABQL_FLOWS__QUEUE__RUNNING_PER_USER", "2");
    let site = Site::idle(lab, &["ann", "ben"]).await;
    let workflow = site.workflow(&gated(&site, "Gated")).await;
    let mut runs = Vec::new();
    for who in ["ann", "ann", "ann", "ann", "ben", "ben", "ben"] {
        runs.push(site.who(who).start(&workflow, json!({})).await);
    }
    let site = site.restarted(true).await;
    let mut ear = Ear::of(&site.admin(), json!({})).await;
    until_running(&mut ear, 4).await;
    assert_eq!(counts(&site.who("ann")).await, (2, 2));
    assert_eq!(counts(&site.who("ben")).await, (2, 1));
    site.open_gate("go");
    let mut ear = Ear::of(&site.admin(), json!({})).await;
    ear.until_ended(&runs).await;
    assert!(most_at_once(&site.text("effects")) <= 4);
}

async fn a_workflow_has_its_own_bounds(mut lab: Lab) {
    lab.set("LABQL_FLOWS__LOCAL__AT_ONCE", "8");
    lab.set("LABQL_FLOWS__QUEUE__RUNNING_PER_WORKFLOW", "3");
    let site = Site::idle(lab, &["ann", "ben"]).await;
    let one = site.workflow(&gated(&site, "One")).await;
    let two = site.workflow(&gated(&site, "Two")).await;
    let three = site.workflow(&gated(&site, "Three")).await;
    let admin = site.admin();
    let set = async |workflow: &str, field: &str, value: Value| {
        let mut input = json!({ "id": workflow });
        input[field] = value;
        admin.told("updateWorkflow", input).await;
    };
    set(&two, "mostRunning", json!(1)).await;
    set(&three, "mostRunningPerUser", json!(1)).await;
    let mut runs = Vec::new();
    for workflow in [&one, &two, &three] {
        for who in ["ann", "ann", "ben", "ben"] {
            runs.push(site.who(who).start(workflow, json!({})).await);
        }
    }
    let site = site.restarted(true).await;
    let admin = site.admin();
    let mut ear = Ear::of(&admin, json!({})).await;
    // As the site says; as the workflow says; one of each user.
    until_running(&mut ear, 3 + 1 + 2).await;
    let query =
        "query($w: ID!) { runs(filter: { workflows: [$w], states: [RUNNING] }) { totalCount } }";
    for (workflow, running) in [(&one, 3), (&two, 1), (&three, 2)] {
        let data = admin.data(query, json!({ "w": workflow })).await;
        assert_eq!(data["runs"]["totalCount"], running);
    }
    site.open_gate("go");
    let mut ear = Ear::of(&admin, json!({})).await;
    ear.until_ended(&runs).await;
    assert!(most_at_once(&site.text("effects")) <= 6);
}

async fn as_many_as_may_be_open(mut lab: Lab) {
    lab.set("LABQL_FLOWS__QUEUE__OPEN", "5");
    lab.set("LABQL_FLOWS__QUEUE__OPEN_PER_USER", "3");
    let site = Site::idle(lab, &["ann", "ben", "cas"]).await;
    let workflow = site.workflow(&Draft::of("Open", "true")).await;
    let narrow = site.workflow(&Draft::of("Narrow", "true")).await;
    let input = json!({ "id": narrow, "mostOpenPerUser": 1 });
    site.admin().told("updateWorkflow", input).await;
    let (ann, ben, cas) = (site.who("ann"), site.who("ben"), site.who("cas"));
    let refused = async |caller: &Caller, workflow: &str, said: &str| {
        let input = || run_input(workflow, &json!({}), json!({}));
        assert_eq!(caller.refused("startRun", input()).await.0, "RATE_LIMITED");
        let answer = caller.tell("startRun", input()).await;
        let message = answer["errors"][0]["message"]
            .as_str()
            .expect("a message")
            .to_owned();
        assert!(message.contains(said), "{message}");
    };
    let first = ann.start(&narrow, json!({})).await;
    refused(&ann, &narrow, "1").await;
    for _ in 0..2 {
        ann.start(&workflow, json!({})).await;
    }
    refused(&ann, &workflow, "3").await;
    for _ in 0..2 {
        ben.start(&workflow, json!({})).await;
    }
    refused(&cas, &workflow, "5").await;
    // What has ended is not open any more.
    ann.cancel(&first).await;
    ann.start(&narrow, json!({})).await;
    refused(&cas, &workflow, "5").await;
}
