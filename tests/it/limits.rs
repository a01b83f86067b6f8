//! Attacks on the real server, over HTTP and over WebSocket.

use std::fmt::Write as _;

use reqwest::header::CONTENT_TYPE;
use serde_json::json;

use crate::support::{
    Address, Lab, Socket,
    client::{GRAPHQL, JSON, code, json_of},
};

/// Each fragment spreads the next one twice.
fn bomb(length: usize, last: &str) -> String {
    let mut text = String::from("{ ...f0 }");
    for number in 0..length {
        let next = number + 1;
        let _ = write!(
            text,
            " fragment f{number} on Query {{ ...f{next} ...f{next} }}"
        );
    }
    text + &format!(" fragment f{length} on Query {{ {last} }}")
}

/// Documents that are small to send and large to answer, and their codes.
fn attacks() -> Vec<(&'static str, String, &'static str)> {
    let mut aliases = String::from("{");
    for number in 0..10_000 {
        let _ = write!(aliases, " a{number}: eventCursor");
    }
    let deep = |levels: usize| {
        let pair = "experiment { jobs { nodes { ";
        format!(
            "{{ experiments {{ nodes {{ jobs {{ nodes {{ {} name {} }} }} }} }} }}",
            pair.repeat(levels / 3),
            "} } } ".repeat(levels / 3)
        )
    };
    let page =
        "jobs(first: 1000) { nodes { parents { children { parents { children { name } } } } } }";
    vec![
        ("60 fragments", bomb(60, "eventCursor"), "TOO_COMPLEX"),
        (
            "a fragment that spreads itself",
            bomb(5, "...f0"),
            "BAD_INPUT",
        ),
        ("10,000 aliases", aliases + " }", "TOO_COMPLEX"),
        ("depth 200", deep(200), "TOO_COMPLEX"),
        ("200 open braces", "{".repeat(200), "TOO_COMPLEX"),
        (
            "pages of pages",
            format!("{{ experiments(first: 500) {{ nodes {{ {page} }} }} }}"),
            "TOO_COMPLEX",
        ),
    ]
}

#[tokio::test]
async fn attacks_are_refused_by_their_code_on_every_transport() {
    let mut lab = Lab::sqlite();
    lab.set("LABQL_WORKERS__ENABLED", "false");
    let server = lab.serve_signed_in().await;
    let mut socket = Socket::signed_in(&server, server.token()).await;
    let before = server.statements().await;
    for (name, document, expected) in attacks() {
        let (status, answer) = server.ask(&document, json!({})).await;
        assert_eq!((status, code(&answer)), (400, expected), "{name}: {answer}");
        socket.subscribe(name, &document).await;
        let answer = socket.hear().await;
        assert_eq!(answer["type"], "error", "{name}: {answer}");
        assert_eq!(
            answer["payload"][0]["extensions"]["code"], expected,
            "{name}"
        );
    }
    // Refused before anything ran: the guard alone has looked at the user, for each request and each message.
    let after = server.statements().await;
    assert!(
        after - before <= 2 * i64::try_from(attacks().len()).expect("few") + 1,
        "{before} {after}"
    );
}

#[tokio::test]
async fn large_and_deep_bodies_are_refused_by_their_code() {
    let lab = Lab::sqlite();
    let server = lab.serve_signed_in().await;
    let bearer = format!("Bearer {}", server.token());
    let send = async |body: reqwest::Body| {
        let request = crate::support::client::http()
            .post(server.url("/graphql"))
            .header(CONTENT_TYPE, JSON)
            .header("accept", GRAPHQL)
            .header("authorization", &bearer)
            .body(body);
        let response = request.send().await.expect("an answer");
        let status = response.status().as_u16();
        (status, code(&json_of(response).await).to_owned())
    };
    let nested = |depth: usize| {
        let value = "[".repeat(depth) + &"]".repeat(depth);
        format!(r#"{{ "query": "{{ eventCursor }}", "variables": {{ "a": {value} }} }}"#)
    };
    assert_eq!(
        send(nested(100_000).into()).await,
        (400, "BAD_INPUT".into())
    );
    // 50 MB are taken and forgotten, so that a client that reads only after it has written hears the reason.
    let large = vec![b'a'; 50 * 1024 * 1024];
    assert_eq!(send(large.into()).await, (413, "TOO_COMPLEX".into()));

    let mut socket = Socket::signed_in(&server, server.token()).await;
    socket.say_text(&nested(10_000)).await;
    assert_eq!(socket.closed().await.0, 4400);
    let mut socket = Socket::signed_in(&server, server.token()).await;
    socket.try_say_text(&"x".repeat(3 * 1024 * 1024)).await;
    assert_eq!(socket.closed().await.0, 1009);
    assert_eq!(server.ask("{ eventCursor }", json!({})).await.0, 200);
}

#[tokio::test]
async fn the_introspection_of_tools_is_within_the_limits() {
    let lab = Lab::sqlite();
    let server = lab.serve_signed_in().await;
    let introspection = include_str!("serving/introspection.graphql");
    let data = server.data(introspection, json!({})).await;
    assert_eq!(data["__schema"]["queryType"]["name"], "Query");
}

#[tokio::test]
async fn operations_of_one_socket_do_not_hold_up_the_database() {
    // With one connection, an operation that waited for the socket's own task would wait for ever.
    let mut lab = Lab::sqlite();
    lab.set("LABQL_DATABASE__MAX_CONNECTIONS", "1");
    let server = lab.serve_signed_in().await;
    let mut socket = Socket::signed_in(&server, server.token()).await;
    const OPERATIONS: usize = 40;
    for number in 0..OPERATIONS {
        let query = "{ eventCursor experiments { nodes { expid runs { totalCount } } } users { nodes { username } } }";
        socket.subscribe(&number.to_string(), query).await;
    }
    let (mut answered, mut completed) = (0, 0);
    while completed < OPERATIONS {
        let message = socket.hear().await;
        match message["type"].as_str() {
            Some("next") => {
                let code = &message["payload"]["errors"][0]["extensions"]["code"];
                assert!(code.is_null() || code == "FORBIDDEN", "{message}");
                answered += 1;
            }
            Some("complete") => completed += 1,
            _ => panic!("{message}"),
        }
    }
    assert_eq!(answered, OPERATIONS);
}
