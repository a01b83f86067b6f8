//! GraphQL over HTTP. The specification's own audit runs from outside; here are the rules that protect
//! somebody, and ours.

use std::time::Duration;

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::dummy::{quick, start};
use crate::support::{
    Address,
    client::{GRAPHQL, JSON, ask, code, get, header, json_of, post},
};

#[tokio::test]
async fn the_form_of_the_answer_follows_accept() {
    let server = start(quick().0, quick().1).await;
    for (accept, status, media) in [
        (GRAPHQL, 400, GRAPHQL),
        (JSON, 200, JSON),
        ("*/*", 200, JSON),
        ("text/plain", 406, JSON),
        ("multipart/mixed", 406, JSON),
    ] {
        let response = post(&server, accept, &[], json!({ "query": "{ no }" })).await;
        assert_eq!(response.status(), status, "{accept}");
        let expected = format!("{media}; charset=utf-8");
        assert_eq!(header(response.headers(), "content-type"), expected);
        let answer = json_of(response).await;
        assert_eq!(code(&answer), "BAD_INPUT");
        assert!(answer.get("data").is_none(), "{answer}");
    }
}

#[tokio::test]
async fn only_json_bodies_are_read() {
    let server = start(quick().0, quick().1).await;
    let client = crate::support::client::http();
    for (media, status) in [
        ("application/json", 200),
        ("application/json; charset=UTF-8", 200),
        ("application/json; charset=latin1", 415),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
    ] {
        let request = client
            .post(server.url("/graphql"))
            .header("content-type", media)
            .body(r#"{ "query": "{ hello }" }"#);
        assert_eq!(request.send().await.unwrap().status(), status, "{media}");
    }
    let bare = client.post(server.url("/graphql")).body("{}");
    assert_eq!(bare.send().await.unwrap().status(), 415);
}

#[tokio::test]
async fn malformed_requests_are_400_under_every_form() {
    let server = start(quick().0, quick().1).await;
    let client = crate::support::client::http();
    let deep = format!(
        r#"{{ "query": "{{ hello }}", "variables": {{ "a": {}{} }} }}"#,
        "[".repeat(5_000),
        "]".repeat(5_000)
    );
    for body in [
        "{",
        "",
        "null",
        r#"[{ "query": "{ hello }" }]"#,
        "{}",
        r#"{ "query": 1 }"#,
        r#"{ "query": "{ hello }", "operationName": 1 }"#,
        r#"{ "query": "{ hello }", "variables": [] }"#,
        r#"{ "query": "{ hello }", "extensions": "" }"#,
        &deep,
    ] {
        for accept in [JSON, GRAPHQL] {
            let request = client
                .post(server.url("/graphql"))
                .header("content-type", JSON)
                .header("accept", accept)
                .body(body.to_owned());
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), 400, "{body}");
            assert_eq!(code(&json_of(response).await), "BAD_INPUT");
        }
    }
    let twice = r#"{ "query": "{ no }", "query": "{ hello }", "unknown": 1 }"#;
    let request = client
        .post(server.url("/graphql"))
        .header("content-type", JSON)
        .body(twice);
    assert_eq!(request.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn get_runs_queries_only() {
    let server = start(quick().0, quick().1).await;
    let query =
        "/graphql?query=query($n:String)%7Bhello(name:$n)%7D&variables=%7B%22n%22:%22you%22%7D";
    let answer = json_of(get(&server, query, &[]).await).await;
    assert_eq!(answer, json!({ "data": { "hello": "hello you" } }));

    let mutation = get(&server, "/graphql?query=mutation%7Bdouble(value:1)%7D", &[]).await;
    assert_eq!(mutation.status(), 405);
    assert_eq!(header(mutation.headers(), "allow"), "POST");
    let many =
        "/graphql?operationName=b&query=query%20a%7Bhello%7D%20mutation%20b%7Bdouble(value:1)%7D";
    assert_eq!(get(&server, many, &[]).await.status(), 405);

    // What Java's client offers with its first request.
    let offers = [("connection", "upgrade"), ("upgrade", "h2c")];
    let offered = get(&server, "/graphql?query=%7Bhello%7D", &offers).await;
    assert_eq!(offered.status(), 200);

    for bad in [
        "/graphql",
        "/graphql?query=%7Bhello%7D&query=%7Bhello%7D",
        "/graphql?query=%7Bhello%7D&variables=%7B",
        "/graphql?query=%7Bhello%7D&variables=1",
    ] {
        assert_eq!(get(&server, bad, &[]).await.status(), 400, "{bad}");
    }
}

#[tokio::test]
async fn other_methods_are_told_what_is_allowed() {
    let server = start(quick().0, quick().1).await;
    let client = crate::support::client::http();
    for method in [reqwest::Method::PUT, reqwest::Method::DELETE] {
        let response = client
            .request(method, server.url("/graphql"))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 405);
        assert_eq!(
            header(response.headers(), "allow"),
            "GET, HEAD, POST, OPTIONS"
        );
    }
    let url = server.url("/graphql");
    let options = client
        .request(reqwest::Method::OPTIONS, &url)
        .send()
        .await
        .unwrap();
    assert_eq!(options.status(), 204);
    let head = client
        .head(format!("{url}?query=%7Bhello%7D"))
        .send()
        .await
        .unwrap();
    assert_eq!(head.status(), 200);
    assert_eq!(head.text().await.unwrap(), "");
}

#[tokio::test]
async fn credentials_are_checked_before_anything_runs() {
    let server = start(quick().0, quick().1).await;
    let viewer = json!({ "query": "{ viewer }" });
    for (name, value, user) in [
        ("authorization", "Bearer good", "alice"),
        ("authorization", "FPS_API APIKEY=0123", "robot"),
        ("fps_api", "APIKEY=0123", "robot"),
        ("x-api-key", "0123", "robot"),
    ] {
        let response = post(&server, JSON, &[(name, value)], viewer.clone()).await;
        assert_eq!(json_of(response).await["data"]["viewer"], user);
    }
    for headers in [
        &[("authorization", "Bearer wrong")][..],
        &[("authorization", "Basic dTpw")],
        &[("authorization", "Bearer good"), ("x-api-key", "0123")],
    ] {
        for accept in [JSON, GRAPHQL] {
            let response = post(&server, accept, headers, viewer.clone()).await;
            assert_eq!(response.status(), 401);
            assert_eq!(header(response.headers(), "www-authenticate"), "Bearer");
            let answer = json_of(response).await;
            assert_eq!(code(&answer), "UNAUTHENTICATED");
            assert_eq!(
                answer["errors"][0]["message"],
                "the credentials are not valid"
            );
        }
    }
    let down = post(&server, JSON, &[("authorization", "Bearer down")], viewer).await;
    assert_eq!(down.status(), 503);
    assert_eq!(code(&json_of(down).await), "UNAVAILABLE");

    let other_room = get(&server, "/whoami", &[("x-api-key", "0123")]).await;
    assert_eq!(other_room.text().await.unwrap(), "robot");
    let refused = get(&server, "/whoami", &[("x-api-key", "4")]).await;
    assert_eq!(refused.status(), 401);
}

#[tokio::test]
async fn a_request_that_needs_a_user_and_nothing_else_is_401() {
    let server = start(quick().0, quick().1).await;
    let secret = json!({ "query": "{ secret }" });
    let response = post(&server, GRAPHQL, &[], secret.clone()).await;
    assert_eq!(response.status(), 401);
    assert_eq!(header(response.headers(), "www-authenticate"), "Bearer");
    assert_eq!(post(&server, JSON, &[], secret).await.status(), 200);
    let (status, answer) = ask(&server, "{ hello maybeSecret }").await;
    assert_eq!(status, 200);
    assert_eq!(answer["data"]["hello"], "hello world");
}

#[tokio::test]
async fn large_and_slow_bodies_are_cut() {
    let server = start(quick().0, quick().1).await;
    let large = json!({ "query": "{ hello }", "variables": { "a": "x".repeat(70_000) } });
    let response = post(&server, JSON, &[], large.clone()).await;
    assert_eq!(response.status(), 413);
    assert_eq!(code(&json_of(response).await), "TOO_COMPLEX");

    // Without a length that would give it away.
    let chunks = futures_util::stream::iter(
        large
            .to_string()
            .into_bytes()
            .chunks(1_000)
            .map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec()))
            .collect::<Vec<_>>(),
    );
    let response = crate::support::client::http()
        .post(server.url("/graphql"))
        .header("content-type", JSON)
        .body(reqwest::Body::wrap_stream(chunks))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 413);

    let mut slow = TcpStream::connect(server.address).await.unwrap();
    slow.write_all(
        b"POST /graphql HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
          content-length: 20\r\nconnection: close\r\n\r\n{",
    )
    .await
    .unwrap();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[tokio::test]
async fn other_origins_are_let_in_by_name() {
    let (mut http, engine) = quick();
    http.cors_origins = vec!["https://lab.example".to_owned()];
    let server = start(http, engine).await;
    let body = json!({ "query": "{ hello }" });
    for (origin, allowed) in [
        ("https://lab.example", "https://lab.example"),
        ("https://evil.example", ""),
    ] {
        let response = post(&server, JSON, &[("origin", origin)], body.clone()).await;
        let headers = response.headers();
        assert_eq!(header(headers, "access-control-allow-origin"), allowed);
    }
    let preflight = crate::support::client::http()
        .request(reqwest::Method::OPTIONS, server.url("/graphql"))
        .header("origin", "https://lab.example")
        .header("access-control-request-method", "POST")
        .header(
            "access-control-request-headers",
            "authorization,content-type",
        )
        .send()
        .await
        .unwrap();
    assert_eq!(preflight.status(), 200);
    assert_eq!(
        header(preflight.headers(), "access-control-allow-methods"),
        "GET,POST"
    );
}

#[tokio::test]
async fn connections_that_say_nothing_are_closed() {
    let (mut http, engine) = quick();
    http.header_timeout = Duration::from_millis(100);
    let server = start(http, engine).await;
    for beginning in [
        "",
        // Could become the preface of HTTP/2.
        "PRI * HT",
        "GET /health HTTP/1.1\r\nhost: a\r\n",
        // Silence after a request.
        "GET /health HTTP/1.1\r\nhost: a\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(beginning.as_bytes()).await.unwrap();
        let mut heard = Vec::new();
        let _ = stream.read_to_end(&mut heard).await;
    }
}
