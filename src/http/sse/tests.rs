use axum::{Router, body::Body, http::Request};
use futures_util::StreamExt as _;
use tower::ServiceExt as _;

use crate::http::{
    router,
    testing::{Door, KEY, Key, state},
};

/// The text of an event stream, from its beginning to its end.
async fn follow(query: &str, door: &Door, routes: Router) -> String {
    let request = Request::post("/graphql")
        .header("content-type", "application/json")
        .header("accept", "text/event-stream")
        .header("x-api-key", KEY)
        .body(Body::from(format!("{{\"query\":\"{query}\"}}")))
        .unwrap();
    let answer = routes.oneshot(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    // While nobody can tell, the stream goes on.
    door.key.send_replace(Key::Unknown);
    let checks = *door.checks.borrow();
    let mut events = answer.into_body().into_data_stream();
    let text = tokio::spawn(async move {
        let mut text = Vec::new();
        while let Some(event) = events.next().await {
            text.extend_from_slice(&event.unwrap());
            // As a socket does that is written to.
            tokio::task::yield_now().await;
        }
        String::from_utf8(text).unwrap()
    });
    let mut asked = door.checks.subscribe();
    asked.wait_for(|count| *count >= checks + 2).await.unwrap();
    door.key.send_replace(Key::Revoked);
    text.await.unwrap()
}

#[tokio::test]
async fn a_revoked_key_ends_a_stream() {
    for query in ["subscription { silence }", "subscription { flood }"] {
        let (state, door) = state(std::time::Duration::from_millis(5));
        let text = follow(query, &door, router(state, Router::new())).await;
        assert_eq!(text.matches("UNAUTHENTICATED").count(), 1);
        assert!(text.ends_with("event: complete\ndata:\n\n"));
    }
}
