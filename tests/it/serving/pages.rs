//! What is beside `/graphql`: playground, schema, health, metrics; and what every answer carries.

use serde_json::json;

use super::dummy::{quick, start};
use crate::support::client::{get, header, json_of};

#[tokio::test]
async fn browsers_are_led_to_the_playground() {
    let server = start(quick().0, quick().1).await;
    let html = [("accept", "text/html,application/xhtml+xml,*/*;q=0.8")];
    let response = get(&server, "/graphql", &html).await;
    assert_eq!(response.status(), 303);
    assert_eq!(header(response.headers(), "location"), "/playground");
    let query = get(&server, "/graphql?query=%7Bhello%7D", &html).await;
    assert_eq!(query.status(), 200);

    let entered = get(&server, "/playground", &html).await;
    assert_eq!(header(entered.headers(), "location"), "/playground/");
    let page = get(&server, "/playground/", &html).await;
    assert_eq!(page.status(), 200);
    let policy = header(page.headers(), "content-security-policy");
    assert!(
        policy.contains("script-src 'self';") && !policy.contains("http"),
        "{policy}"
    );
    assert_eq!(
        get(&server, "/playground/../Cargo.toml", &html)
            .await
            .status(),
        404
    );
    assert_eq!(
        get(&server, "/playground/%2e%2e/Cargo.toml", &html)
            .await
            .status(),
        404
    );
    assert_eq!(get(&server, "/playground/no.js", &html).await.status(), 404);
}

#[tokio::test]
async fn the_schema_and_the_metrics_are_text() {
    let server = start(quick().0, quick().1).await;
    let schema = get(&server, "/schema.graphql", &[])
        .await
        .text()
        .await
        .unwrap();
    assert!(schema.contains("type Query {"), "{schema}");
    let metrics = get(&server, "/metrics", &[]).await;
    assert_eq!(metrics.status(), 200);
    assert!(header(metrics.headers(), "content-type").starts_with("text/plain; version=0.0.4"));
}

#[tokio::test]
async fn health_is_the_process_and_readiness_its_parts() {
    let server = start(quick().0, quick().1).await;
    assert_eq!(get(&server, "/ready", &[]).await.status(), 200);
    server.ready.send_replace(false);
    let response = get(&server, "/ready", &[]).await;
    assert_eq!(response.status(), 503);
    assert_eq!(
        json_of(response).await,
        json!({ "status": "not ready", "check": "database", "reason": "does not answer" })
    );
    assert_eq!(get(&server, "/health", &[]).await.status(), 200);
}

#[tokio::test]
async fn requests_have_an_id_and_answers_their_headers() {
    let server = start(quick().0, quick().1).await;
    let mine = get(&server, "/health", &[("x-request-id", "proxy-7.a")]).await;
    assert_eq!(header(mine.headers(), "x-request-id"), "proxy-7.a");
    let long = "a".repeat(129);
    for bad in ["a b", "<script>", &long] {
        let response = get(&server, "/health", &[("x-request-id", bad)]).await;
        assert_eq!(
            header(response.headers(), "x-request-id").len(),
            36,
            "{bad}"
        );
    }
    let response = get(&server, "/nowhere", &[]).await;
    assert_eq!(response.status(), 404);
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("x-frame-options", "DENY"),
    ] {
        assert_eq!(header(response.headers(), name), value);
    }
}

#[tokio::test]
async fn long_answers_are_compressed() {
    let server = start(quick().0, quick().1).await;
    for (characters, encoding) in [(10, ""), (10_000, "gzip")] {
        let path = format!("/graphql?query=%7Blong(characters:{characters})%7D");
        let response = get(&server, &path, &[("accept-encoding", "gzip")]).await;
        assert_eq!(header(response.headers(), "content-encoding"), encoding);
    }
}
