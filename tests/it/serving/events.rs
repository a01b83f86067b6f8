//! Server-sent events.

use serde_json::json;

use super::dummy::{quick, start};
use crate::support::client::{EVENTS, GRAPHQL, code, get, header, json_of, post, read_events};

#[tokio::test]
async fn events_carry_their_cursor_and_the_stream_ends_with_complete() {
    let server = start(quick().0, quick().1).await;
    let query = json!({ "query": "subscription { count(to: 2) { cursor number } }" });
    let response = post(&server, EVENTS, &[], query.clone()).await;
    assert_eq!(header(response.headers(), "content-type"), EVENTS);
    assert_eq!(header(response.headers(), "x-accel-buffering"), "no");
    assert_eq!(header(response.headers(), "content-encoding"), "");
    assert_eq!(
        response.text().await.unwrap(),
        "event: next\nid: 1\ndata: {\"data\":{\"count\":{\"cursor\":\"1\",\"number\":1}}}\n\n\
         event: next\nid: 2\ndata: {\"data\":{\"count\":{\"cursor\":\"2\",\"number\":2}}}\n\n\
         event: complete\ndata:\n\n"
    );
    let resumed = post(&server, EVENTS, &[("last-event-id", "1")], query).await;
    let text = resumed.text().await.unwrap();
    assert!(text.starts_with("event: next\nid: 2\n"), "{text}");
}

#[tokio::test]
async fn any_operation_can_be_an_event_stream() {
    let server = start(quick().0, quick().1).await;
    for (query, data) in [
        ("{ hello }", r#"{"data":{"hello":"hello world"}}"#),
        ("mutation { double(value: 2) }", r#"{"data":{"double":4}}"#),
    ] {
        let response = post(&server, EVENTS, &[], json!({ "query": query })).await;
        let expected = format!("event: next\ndata: {data}\n\nevent: complete\ndata:\n\n");
        assert_eq!(response.text().await.unwrap(), expected);
    }
    let path = "/graphql?query=subscription%7Bcount(to:1)%7Bnumber%7D%7D";
    let response = get(&server, path, &[("accept", EVENTS)]).await;
    assert!(
        response
            .text()
            .await
            .unwrap()
            .ends_with("event: complete\ndata:\n\n")
    );
}

#[tokio::test]
async fn a_client_that_takes_both_gets_events_for_subscriptions_alone() {
    let server = start(quick().0, quick().1).await;
    let both = format!("{GRAPHQL}, {EVENTS}");
    let query = post(&server, &both, &[], json!({ "query": "{ hello }" })).await;
    assert!(header(query.headers(), "content-type").starts_with(GRAPHQL));
    let body = json!({ "query": "subscription { count(to: 1) { number } }" });
    let subscription = post(&server, &both, &[], body).await;
    assert_eq!(header(subscription.headers(), "content-type"), EVENTS);
}

#[tokio::test]
async fn failures_are_events_and_then_the_stream_completes() {
    let server = start(quick().0, quick().1).await;
    for (query, code, count) in [
        ("{ no }", "BAD_INPUT", 1),
        ("{", "BAD_INPUT", 1),
        ("subscription { no }", "BAD_INPUT", 1),
        ("subscription { refused }", "CURSOR_EXPIRED", 1),
        ("subscription { explosive }", "INTERNAL", 3),
    ] {
        let response = post(&server, EVENTS, &[], json!({ "query": query })).await;
        assert_eq!(response.status(), 200);
        let text = response.text().await.unwrap();
        assert_eq!(text.matches("event: next").count(), count, "{text}");
        assert!(text.contains(code) && !text.contains("hunter2"), "{text}");
        assert!(text.ends_with("event: complete\ndata:\n\n"), "{text}");
    }
    let refused = post(
        &server,
        EVENTS,
        &[("authorization", "Bearer wrong")],
        json!({ "query": "{ hello }" }),
    )
    .await;
    assert_eq!(refused.status(), 401);
}

#[tokio::test]
async fn quiet_streams_say_that_they_live_and_end_with_their_client() {
    let (mut http, engine) = quick();
    http.sse_keep_alive = std::time::Duration::from_millis(20);
    http.max_event_streams = 1;
    let server = start(http, engine).await;
    let body = json!({ "query": "subscription { quiet }" });
    let mut response = post(&server, EVENTS, &[], body.clone()).await;
    read_events(&mut response, "\n\n:\n\n").await;
    server.quiet.wait_for(1).await;

    let second = post(&server, EVENTS, &[], body).await;
    assert_eq!(second.status(), 503);
    assert_eq!(code(&json_of(second).await), "UNAVAILABLE");

    drop(response);
    server.quiet.wait_for(0).await;
}

#[tokio::test]
async fn streams_end_when_the_credential_expires() {
    let server = start(quick().0, quick().1).await;
    let response = post(
        &server,
        EVENTS,
        &[("authorization", "Bearer brief")],
        json!({ "query": "subscription { quiet }" }),
    )
    .await;
    let text = response.text().await.unwrap();
    assert!(text.contains("UNAUTHENTICATED"), "{text}");
    assert!(text.ends_with("event: complete\ndata:\n\n"), "{text}");
    server.quiet.wait_for(0).await;
}
