//! Answers are made once for all who ask for the same, and for nobody who may not have them.

use serde_json::{Value, json};

use super::{event, tell};
use crate::support::{Lab, Server, Socket};

on_both_databases!(
    equal_subscriptions_share_their_answers,
    whoever_is_shut_out_hears_nothing_more,
);

const SUBSCRIBERS: usize = 20;
const EVENTS: i64 = 30;

async fn subscribed(server: &Server, token: &str, query: &str, variables: Value) -> Socket {
    let mut socket = Socket::signed_in(server, token).await;
    let payload = json!({ "query": query, "variables": variables });
    socket
        .say(json!({ "type": "subscribe", "id": "1", "payload": payload }))
        .await;
    socket
}

async fn equal_subscriptions_share_their_answers(lab: Lab) {
    let server = lab.serve_signed_in().await;
    let database = lab.database().await;
    let query = "subscription($after: String, $with: Boolean = false) {
        events(after: $after, topics: JOB) { cursor subject kind @include(if: $with) }
    }";
    // Some replay and some follow; that makes no difference to what they are told, nor do their cursors.
    let cursor = server.data("{ eventCursor }", json!({})).await["eventCursor"].take();
    for number in 0..EVENTS / 2 {
        tell(&database, vec![event("a000", number)]).await;
    }
    let mut sockets = Vec::new();
    for index in 0..SUBSCRIBERS {
        let after = if index % 2 == 0 {
            &cursor
        } else {
            &json!("beginning")
        };
        let variables = json!({ "after": after });
        sockets.push(subscribed(&server, server.token(), query, variables).await);
    }
    let with = json!({ "after": cursor, "with": true });
    sockets.push(subscribed(&server, server.token(), query, with).await);
    for number in EVENTS / 2..EVENTS {
        tell(&database, vec![event("a000", number)]).await;
    }
    let mut told = Vec::new();
    for socket in &mut sockets {
        let mut heard = Vec::new();
        for _ in 0..EVENTS {
            heard.push(socket.hear().await["payload"]["data"]["events"].take());
        }
        told.push(heard);
    }
    let with = told.pop().expect("the last");
    assert!(told.iter().all(|heard| *heard == told[0]));
    assert!(with.iter().all(|event| event["kind"] == "changed"));
    let [made, delivered] = server
        .counters([
            "labql_graphql_updates_made_total",
            "labql_graphql_events_total",
        ])
        .await;
    let subscribers = i64::try_from(SUBSCRIBERS).expect("a few");
    assert_eq!(delivered, (subscribers + 1) * EVENTS);
    // One for those who ask alike, one for the other. The first subscriber was alone for a while.
    assert!(made <= 2 * EVENTS + EVENTS, "{made}");
}

/// Rights are those of the moment at which an event is sent.
async fn whoever_is_shut_out_hears_nothing_more(lab: Lab) {
    let server = lab.serve_signed_in().await;
    lab.user("eve", &[]);
    lab.user("root", &["--admin"]);
    let database = lab.database().await;
    let query = "subscription { events(topics: JOB) { subject } }";
    let mut eve = subscribed(&server, &lab.token("eve"), query, json!({})).await;
    let mut ada = subscribed(&server, server.token(), query, json!({})).await;
    // What is for administrators is refused to others.
    let accounts = "subscription { events(topics: ACCOUNT) { subject kind actor } }";
    let mut refused = subscribed(&server, server.token(), accounts, json!({})).await;
    let refused = refused.hear().await;
    assert_eq!(
        refused["payload"][0]["extensions"]["code"], "FORBIDDEN",
        "{refused}"
    );
    let mut root = subscribed(&server, &lab.token("root"), accounts, json!({})).await;

    until_followed(&server, 3).await;
    tell(&database, vec![event("a000", 1)]).await;
    for socket in [&mut ada, &mut eve] {
        let heard = socket.hear().await;
        assert_eq!(
            heard["payload"]["data"]["events"]["subject"], "a000",
            "{heard}"
        );
    }
    lab.done(&["user", "disable", "eve"]);
    tell(&database, vec![event("a001", 2)]).await;
    assert_eq!(
        ada.hear().await["payload"]["data"]["events"]["subject"],
        "a001"
    );
    let heard = root.hear().await;
    let told = json!({ "subject": "eve", "kind": "user-disabled", "actor": "command line" });
    assert_eq!(heard["payload"]["data"]["events"], told);
    // Not even the event that was there at the same moment.
    assert_eq!(eve.only_closed().await.0, 4403);
}

/// Waits until so many subscriptions follow: from then on nothing passes them by.
async fn until_followed(server: &Server, count: i64) {
    let followers = r#"labql_event_log_followers{of="subscriptions"}"#;
    while server.counters([followers]).await != [count] {
        tokio::task::yield_now().await;
    }
}
