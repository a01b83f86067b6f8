//! What is not kept, and what clients are told of it.

use std::time::Duration;

use chrono::Utc;
use labql::database::Database;
use labql::events::{Feed, Filter, Lost, Retention, Start, Topic};
use sea_orm::ConnectionTrait;
use serde_json::json;

use super::{event, tell};
use crate::support::{Lab, Socket};

on_both_databases!(
    the_oldest_go_first,
    cursors_that_cannot_be_followed,
    a_restored_log_is_noticed,
);

const EVENTS: &str = "query($after: String) { events(first: 2, after: $after) {
    nextCursor pageInfo { hasPreviousPage hasNextPage } edges { cursor node { subject } }
} }";

async fn subjects(feed: &Feed) -> Vec<String> {
    let filter = Filter::topic(Topic::Job);
    let page = feed
        .page(&filter, Start::Beginning, 100)
        .await
        .expect("a page");
    page.events.into_iter().map(|event| event.subject).collect()
}

/// A feed over events a to e, one a day, the last of them today.
async fn week(lab: &Lab) -> (Database, Feed) {
    let database = lab.database().await;
    for subject in ["a", "b", "c", "d", "e"] {
        tell(&database, vec![event(subject, 0)]).await;
    }
    let feed = Feed::open(database.clone()).await.expect("a feed");
    // Numbers what was committed.
    feed.look().await.expect("a log");
    let today = Utc::now().timestamp_millis();
    database
        .write()
        .execute_unprepared(&format!(
            "UPDATE event SET recorded_at = {today} - (5 - position) * 86400000"
        ))
        .await
        .expect("SQL");
    (database, feed)
}

fn days(days: u64) -> Duration {
    Duration::from_hours(24 * days)
}

async fn the_oldest_go_first(lab: Lab) {
    let (database, feed) = week(&lab).await;
    let now = Utc::now();
    let keep = |max_age, max_events| Retention {
        max_age,
        max_events,
    };
    assert_eq!(keep(days(10), 5).apply(&database, now).await, Ok(0));
    assert_eq!(keep(days(10), 4).apply(&database, now).await, Ok(1));
    assert_eq!(subjects(&feed).await, ["b", "c", "d", "e"]);
    // A young event keeps those behind it, however old they say they are.
    let statement = "UPDATE event SET recorded_at = 0 WHERE subject = 'd'";
    database
        .write()
        .execute_unprepared(statement)
        .await
        .expect("SQL");
    let age = days(2) + Duration::from_hours(12);
    assert_eq!(keep(age, 100).apply(&database, now).await, Ok(1));
    assert_eq!(subjects(&feed).await, ["c", "d", "e"]);
    assert_eq!(keep(Duration::ZERO, 0).apply(&database, now).await, Ok(3));
    assert_eq!(subjects(&feed).await, Vec::<String>::new());
    // Positions are never used twice.
    let head = feed.head().await.expect("a head");
    tell(&database, vec![event("f", 0)]).await;
    feed.look().await.expect("a log");
    assert_eq!(
        feed.head().await.expect("a head").position,
        head.position + 1
    );
}

async fn cursors_that_cannot_be_followed(lab: Lab) {
    let (database, _) = week(&lab).await;
    let server = lab.serve_signed_in().await;
    let page = server.data(EVENTS, json!({ "after": "beginning" })).await;
    let page = &page["events"];
    assert_eq!(page["edges"][1]["node"]["subject"], "b");
    assert_eq!(
        page["pageInfo"],
        json!({ "hasPreviousPage": false, "hasNextPage": true })
    );
    assert_eq!(page["nextCursor"], page["edges"][1]["cursor"]);
    let [first, second] = [0, 1].map(|index| page["edges"][index]["cursor"].clone());
    let next = server.data(EVENTS, json!({ "after": second })).await;
    assert_eq!(next["events"]["edges"][0]["node"]["subject"], "c");
    assert_eq!(next["events"]["pageInfo"]["hasPreviousPage"], true);

    // Who asks for nothing passes nothing over.
    let query = "query($after: String) { events(first: 0, after: $after) { nextCursor } }";
    let none = server.data(query, json!({ "after": second })).await;
    assert_eq!(none["events"]["nextCursor"], second);
    let refused = server.refusal(
        "query { events(topics: ACCOUNT) { nextCursor } }",
        json!({}),
    );
    assert_eq!(refused.await, "FORBIDDEN");

    let retention = Retention {
        max_age: days(10),
        max_events: 4,
    };
    // The account of the user who asks is the newest event.
    assert_eq!(retention.apply(&database, Utc::now()).await, Ok(2));
    let (_, refused) = server.ask(EVENTS, json!({ "after": first })).await;
    let extensions = &refused["errors"][0]["extensions"];
    assert_eq!(extensions["code"], "CURSOR_EXPIRED", "{refused}");
    assert_eq!(extensions["oldestCursor"], second);
    let oldest = server
        .data(EVENTS, json!({ "after": extensions["oldestCursor"] }))
        .await;
    assert_eq!(oldest["events"]["edges"][0]["node"]["subject"], "c");
    // What was seen last may be cut off, as long as nothing that follows it is.
    assert_eq!(
        oldest,
        server.data(EVENTS, json!({ "after": second })).await
    );

    let elsewhere = Lab::sqlite();
    let (_, elsewhere) = week(&elsewhere).await;
    let foreign = elsewhere.head().await.expect("a head").to_string();
    for unknown in [foreign.as_str(), "", "x", "ZXZlbnQtMTow"] {
        let refused = server.refusal(EVENTS, json!({ "after": unknown })).await;
        assert_eq!(refused, "BAD_INPUT", "{unknown}");
    }

    // Subscriptions say the same.
    let mut socket = Socket::signed_in(&server, server.token()).await;
    let events = "subscription($after: String) { events(after: $after) { cursor } }";
    let jobs = "subscription($after: String) { jobUpdates(expid: \"a\\u0000\", after: $after) { cursor } }";
    for (query, after, code) in [
        (events, &first, "CURSOR_EXPIRED"),
        (events, &json!(foreign), "BAD_INPUT"),
        (jobs, &json!("beginning"), "BAD_INPUT"),
    ] {
        let payload = json!({ "query": query, "variables": { "after": after } });
        socket
            .say(json!({ "type": "subscribe", "id": "1", "payload": payload }))
            .await;
        let refused = socket.hear().await;
        assert_eq!(refused["type"], "error", "{refused}");
        assert_eq!(
            refused["payload"][0]["extensions"]["code"], code,
            "{refused}"
        );
    }
}

/// A backup is older than what clients have seen. That must not look as if nothing had happened.
async fn a_restored_log_is_noticed(lab: Lab) {
    let (database, feed) = week(&lab).await;
    let seen = feed.head().await.expect("a head");
    let mut follower = feed
        .subscribe(Filter::topic(Topic::Job), Start::Now)
        .await
        .expect("a feed");
    let restore = "DELETE FROM event WHERE position > 3";
    database
        .write()
        .execute_unprepared(restore)
        .await
        .expect("SQL");
    let restore = "UPDATE event_log SET head = 3, head_recorded_at = 0";
    database
        .write()
        .execute_unprepared(restore)
        .await
        .expect("SQL");
    let filter = Filter::topic(Topic::Job);
    let expired = |result: Result<_, Lost>| matches!(result, Err(Lost::Expired { .. }));
    assert!(expired(
        feed.subscribe(filter.clone(), Start::After(seen))
            .await
            .map(|_| ())
    ));
    feed.look().await.expect("a log");
    assert!(expired(follower.next().await.map(|_| ())));
    // Also when it has grown beyond the cursor since.
    for subject in ["f", "g", "h"] {
        tell(&database, vec![event(subject, 0)]).await;
    }
    feed.look().await.expect("a log");
    assert!(expired(
        feed.subscribe(filter, Start::After(seen)).await.map(|_| ())
    ));
}
