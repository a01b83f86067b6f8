//! A client for HTTP.

use std::{net::SocketAddr, time::Duration};

use reqwest::{Response, header::HeaderMap};
use serde_json::{Value, json};
use tokio::time::timeout;

pub const GRAPHQL: &str = "application/graphql-response+json";
pub const JSON: &str = "application/json";
pub const EVENTS: &str = "text/event-stream";

/// Longer than anything that a test waits for; only a broken server makes it pass.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A server that listens somewhere.
pub trait Address {
    fn address(&self) -> SocketAddr;

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }
}

/// What clients are made from. Storage needs TLS, and brings it to every client of the process; the tests' own speak to
/// this machine alone, but want a provider nevertheless.
pub fn http_builder() -> reqwest::ClientBuilder {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
}

/// A client.
pub fn http() -> reqwest::Client {
    http_builder().build().unwrap()
}

pub async fn post(
    server: &impl Address,
    accept: &str,
    headers: &[(&str, &str)],
    body: Value,
) -> Response {
    let mut request = http()
        .post(server.url("/graphql"))
        .header("accept", accept)
        .header("content-type", "application/json")
        .body(body.to_string());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    timeout(PATIENCE, request.send()).await.unwrap().unwrap()
}

pub async fn get(server: &impl Address, path: &str, headers: &[(&str, &str)]) -> Response {
    let client = http_builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let mut request = client.get(server.url(path));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    timeout(PATIENCE, request.send()).await.unwrap().unwrap()
}

/// The answer to a query, and its status under `application/graphql-response+json`.
pub async fn ask(server: &impl Address, query: &str) -> (u16, Value) {
    ask_with(server, query, json!({})).await
}

pub async fn ask_with(server: &impl Address, query: &str, variables: Value) -> (u16, Value) {
    let body = json!({ "query": query, "variables": variables });
    let response = post(server, GRAPHQL, &[], body).await;
    (response.status().as_u16(), json_of(response).await)
}

pub async fn json_of(response: Response) -> Value {
    serde_json::from_str(&response.text().await.unwrap()).unwrap()
}

pub fn code(answer: &Value) -> &str {
    answer["errors"][0]["extensions"]["code"].as_str().unwrap()
}

pub fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers
        .get(name)
        .map_or("", |value| value.to_str().unwrap())
}

/// The text of an event stream, up to and without a marker or up to its end.
pub async fn read_events(response: &mut Response, until: &str) -> String {
    let mut text = String::new();
    while !text.contains(until) {
        match timeout(PATIENCE, response.chunk()).await.unwrap().unwrap() {
            Some(chunk) => text.push_str(std::str::from_utf8(&chunk).unwrap()),
            None => break,
        }
    }
    text
}
