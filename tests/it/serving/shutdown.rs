//! The end of the server.

use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;

use super::dummy::{quick, start};
use crate::support::{
    Address, Socket,
    client::{EVENTS, post, read_events},
};

const GOODBYE: &str = "The server restarts: connect again and go on from your last cursor";

#[tokio::test]
async fn sockets_and_streams_are_told_to_go_and_requests_finish() {
    let (http, mut engine) = quick();
    engine.query_timeout = Duration::from_millis(500);
    let server = start(http, engine).await;
    let mut socket = Socket::ready(&server).await;
    socket.subscribe("1", "subscription { quiet }").await;
    socket.hear().await;
    let body = json!({ "query": "subscription { quiet }" });
    let mut stream = post(&server, EVENTS, &[], body).await;
    read_events(&mut stream, "\n\n").await;
    let running = {
        let url = server.url("/graphql?query=%7Bstuck%7D");
        tokio::spawn(async move {
            crate::support::client::http()
                .get(url)
                .send()
                .await
                .unwrap()
                .text()
                .await
                .unwrap()
        })
    };
    server.quiet.wait_for(3).await;

    server.shutdown.cancel();
    assert_eq!(socket.closed().await, (1012, GOODBYE.to_owned()));
    // Without `complete`: the client is to come back.
    assert_eq!(read_events(&mut stream, "complete").await, "");
    assert!(running.await.unwrap().contains("UNAVAILABLE"));
    timeout(Duration::from_secs(10), server.ended)
        .await
        .unwrap()
        .unwrap();
    assert!(
        crate::support::client::http()
            .get(format!("http://{}/health", server.address))
            .send()
            .await
            .is_err()
    );
}

#[tokio::test]
async fn what_does_not_end_is_cut_at_the_deadline() {
    let (mut http, mut engine) = quick();
    http.shutdown_deadline = Duration::from_millis(100);
    engine.query_timeout = Duration::from_hours(1);
    let server = start(http, engine).await;
    let url = server.url("/graphql?query=%7Bstuck%7D");
    let running = tokio::spawn(crate::support::client::http().get(url).send());
    server.quiet.wait_for(1).await;
    server.shutdown.cancel();
    timeout(Duration::from_secs(10), server.ended)
        .await
        .unwrap()
        .unwrap();
    running.abort();
}
