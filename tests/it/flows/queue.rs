//! Many runs that wait: what each costs does not grow with their number.
//!
//! `LABQL_TEST_QUEUED` says how many there are.

use futures_util::StreamExt as _;
use futures_util::stream;
use serde_json::{Value, json};

use super::caller::Caller;
use super::draft::Draft;
use super::ear::Ear;
use super::lab::Site;
use super::processes::until_none_is_left;
use crate::support::Lab;

on_both_databases!(all_of_a_long_queue_are_run, a_long_queue_is_canceled);

fn queued() -> usize {
    let queued = std::env::var("LABQL_TEST_QUEUED").ok();
    queued.map_or(300, |queued| queued.parse().expect("a number"))
}

/// Starts so many, some at once.
async fn start(caller: &Caller, workflow: &str, number: usize) -> Vec<String> {
    let starts = (0..number).map(|_| caller.start(workflow, json!({})));
    stream::iter(starts).buffer_unordered(8).collect().await
}

/// How many statements the server sends for each of what something does.
async fn statements(site: &Site, number: usize, what: impl Future<Output = ()>) -> i64 {
    let before = site.server.statements().await;
    what.await;
    let sent = site.server.statements().await - before;
    sent / i64::try_from(number).expect("a number")
}

async fn all_of_a_long_queue_are_run(mut lab: Lab) {
    lab.set("LABQL_FLOWS__LOCAL__AT_ONCE", "8");
    let number = queued();
    let site = Site::idle(lab, &["ann"]).await;
    let workflow = site.workflow(&Draft::of("Queued", "true")).await;
    let ann = site.who("ann");
    // The first one makes the group.
    let mut runs = start(&ann, &workflow, 1).await;
    let tenth = number / 10;
    let mut more = Vec::new();
    let first = statements(&site, tenth, async {
        more = start(&ann, &workflow, tenth).await;
    })
    .await;
    runs.append(&mut more);
    runs.append(&mut start(&ann, &workflow, number - 2 * tenth - 1).await);
    let last = statements(&site, tenth, async {
        more = start(&ann, &workflow, tenth).await;
    })
    .await;
    runs.append(&mut more);
    println!("{first} statements for each of the first starts, {last} for each of the last");
    assert!(last <= first + 1, "{first} {last}");
    assert!(last <= 25, "{last}");

    let query = "{ runs(filter: { states: [PENDING] }) { totalCount } }";
    let data = ann.data(query, json!({})).await;
    assert_eq!(data["runs"]["totalCount"], number);
    let site = site.restarted(true).await;
    let ann = site.who("ann");
    let each = statements(&site, number, async {
        let mut ear = Ear::of(&ann, json!({ "kinds": ["ENDED"] })).await;
        ear.until_ended(&runs).await;
    })
    .await;
    println!("{each} statements for each run");
    assert!(each <= 80, "{each}");
    let query = "query($states: [RunState!]) { runs(filter: { states: $states }) { totalCount } }";
    let data = ann.data(query, json!({ "states": ["SUCCESS"] })).await;
    assert_eq!(data["runs"]["totalCount"], number);
    until_none_is_left(&site).await;
}

async fn a_long_queue_is_canceled(lab: Lab) {
    let number = queued() / 3;
    let site = Site::idle(lab, &["ann"]).await;
    let workflow = site.workflow(&Draft::of("Queued", "exit 1")).await;
    let ann = site.who("ann");
    let runs = start(&ann, &workflow, number).await;
    let each = statements(&site, number, async {
        let canceled = stream::iter(runs.iter().map(|run| ann.cancel(run))).buffer_unordered(8);
        let canceled: Vec<Value> = canceled.collect().await;
        assert!(canceled.iter().all(|run| run["state"] == "CANCELED"));
    })
    .await;
    assert!(each <= 25, "{each}");
    let data = ann
        .data(
            "{ runs(filter: { states: [CANCELED] }) { totalCount } }",
            json!({}),
        )
        .await;
    assert_eq!(data["runs"]["totalCount"], number);
}
