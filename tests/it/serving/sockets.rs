//! graphql-transport-ws, row by row.

use std::time::Duration;

use serde_json::{Value, json};

use super::dummy::{Server, quick, start};
use crate::support::{
    Socket,
    client::{EVENTS, post, read_events},
};

async fn server() -> Server {
    start(quick().0, quick().1).await
}

fn init(payload: Value) -> Value {
    json!({ "type": "connection_init", "payload": payload })
}

/// More than go out with one flush.
#[tokio::test]
async fn answers_that_are_ready_at_once_all_arrive() {
    let server = server().await;
    let mut socket = Socket::ready(&server).await;
    socket
        .subscribe("1", "subscription { count(to: 200) { number } }")
        .await;
    for number in 1..=200 {
        let answer = socket.hear().await;
        assert_eq!(answer["payload"]["data"]["count"]["number"], number);
    }
    assert_eq!(socket.hear().await["type"], "complete");
}

#[tokio::test]
async fn every_fault_has_its_close_code() {
    let server = server().await;
    let hello = json!({ "type": "subscribe", "id": "1", "payload": { "query": "{ hello }" } });
    let quiet =
        json!({ "type": "subscribe", "id": "1", "payload": { "query": "subscription { quiet }" } });
    for (messages, code) in [
        (vec![hello.clone()], 4401),
        (vec![init(json!({})), init(json!({}))], 4429),
        (vec![init(json!([]))], 4400),
        (vec![json!({ "type": "start" })], 4400),
        (vec![json!([])], 4400),
        (vec![init(json!({})), json!({ "type": "complete" })], 4400),
        (
            vec![
                init(json!({})),
                json!({ "type": "subscribe", "payload": {} }),
            ],
            4400,
        ),
        (
            vec![
                init(json!({})),
                json!({ "type": "subscribe", "id": "1", "payload": {} }),
            ],
            4400,
        ),
        (vec![init(json!({})), quiet.clone(), quiet], 4409),
        (vec![], 4408),
        (vec![init(json!({ "authorization": "Bearer wrong" }))], 4403),
        (vec![init(json!({ "authorization": "wrong" }))], 4403),
        (
            vec![init(
                json!({ "Authorization": "Bearer good", "apiKey": "0123" }),
            )],
            4403,
        ),
        (vec![init(json!({ "authorization": "Bearer down" }))], 1013),
    ] {
        let mut socket = Socket::open(&server).await;
        for message in &messages {
            socket.say(message.clone()).await;
        }
        assert_eq!(socket.closed().await.0, code, "{messages:?}");
    }
    let mut socket = Socket::open(&server).await;
    socket.say_text("{").await;
    assert_eq!(
        socket.closed().await,
        (4400, "Message is not JSON".to_owned())
    );
    server.quiet.wait_for(0).await;
}

#[tokio::test]
async fn reasons_fit_a_close_frame() {
    let server = server().await;
    let mut socket = Socket::open(&server).await;
    socket.say(json!({ "type": "ü".repeat(200) })).await;
    let (code, reason) = socket.closed().await;
    assert_eq!(code, 4400);
    assert!(
        reason.len() <= 123 && reason.starts_with("Unknown message type ü"),
        "{reason}"
    );
}

#[tokio::test]
async fn other_protocols_are_closed_after_the_handshake() {
    let server = server().await;
    for headers in [&[("sec-websocket-protocol", "graphql-ws")][..], &[]] {
        let mut socket = Socket::open_with(&server, headers).await.unwrap();
        assert_eq!(socket.closed().await.0, 4406);
    }
}

#[tokio::test]
async fn operations_of_every_kind_run() {
    let server = server().await;
    let mut socket = Socket::ready(&server).await;
    for (id, query, data) in [
        ("q", "{ hello }", json!({ "hello": "hello world" })),
        ("m", "mutation { double(value: 4) }", json!({ "double": 8 })),
        (
            "s",
            "subscription { count(to: 1) { number } }",
            json!({ "count": { "number": 1 } }),
        ),
    ] {
        socket.subscribe(id, query).await;
        let next = json!({ "type": "next", "id": id, "payload": { "data": data } });
        assert_eq!(socket.hear().await, next);
        assert_eq!(socket.hear().await, json!({ "type": "complete", "id": id }));
    }
    // The id is free again.
    socket.subscribe("q", "{ hello }").await;
    assert_eq!(socket.hear().await["type"], "next");
}

#[tokio::test]
async fn what_cannot_begin_is_an_error_without_complete() {
    let server = server().await;
    let mut socket = Socket::ready(&server).await;
    for query in [
        "{",
        "{ no }",
        "subscription { no }",
        "query ($v: Int!) { echo(value: $v) }",
    ] {
        socket.subscribe("1", query).await;
        let error = socket.hear().await;
        assert_eq!(
            (&error["type"], &error["id"]),
            (&json!("error"), &json!("1"))
        );
        assert_eq!(error["payload"][0]["extensions"]["code"], "BAD_INPUT");
    }
    socket
        .say(json!({ "type": "ping", "payload": { "n": 1 } }))
        .await;
    assert_eq!(
        socket.hear().await,
        json!({ "type": "pong", "payload": { "n": 1 } })
    );
    socket.say(json!({ "type": "ping" })).await;
    assert_eq!(socket.hear().await, json!({ "type": "pong" }));
}

#[tokio::test]
async fn a_resolver_that_panics_ends_its_operation_only() {
    let server = server().await;
    let mut socket = Socket::ready(&server).await;
    socket.subscribe("1", "subscription { explosive }").await;
    for _ in 0..2 {
        assert_eq!(socket.hear().await["type"], "next");
    }
    let error = socket.hear().await;
    assert_eq!(error["type"], "error");
    assert_eq!(error["payload"][0]["extensions"]["code"], "INTERNAL");
    socket.subscribe("2", "{ panic }").await;
    assert_eq!(
        socket.hear().await["payload"][0]["extensions"]["code"],
        "INTERNAL"
    );
    socket.subscribe("1", "{ hello }").await;
    assert_eq!(socket.hear().await["type"], "next");
}

#[tokio::test]
async fn complete_of_the_client_is_answered_with_silence() {
    let server = server().await;
    let mut socket = Socket::ready(&server).await;
    socket.subscribe("1", "subscription { quiet }").await;
    assert_eq!(socket.hear().await["type"], "next");
    server.quiet.wait_for(1).await;
    socket.say(json!({ "type": "complete", "id": "1" })).await;
    server.quiet.wait_for(0).await;
    socket
        .say(json!({ "type": "complete", "id": "unknown" }))
        .await;
    socket.say(json!({ "type": "ping" })).await;
    assert_eq!(socket.hear().await, json!({ "type": "pong" }));
}

#[tokio::test]
async fn streams_end_with_their_client() {
    let server = server().await;
    let mut socket = Socket::ready(&server).await;
    socket.subscribe("1", "subscription { quiet }").await;
    server.quiet.wait_for(1).await;
    socket.vanish();
    server.quiet.wait_for(0).await;
}

#[tokio::test]
async fn a_flood_starves_neither_the_client_nor_other_streams() {
    let server = server().await;
    let mut socket = Socket::ready(&server).await;
    socket.subscribe("flood", "subscription { flood }").await;
    socket
        .subscribe("other", "subscription { count(to: 3) { number } }")
        .await;
    socket.say(json!({ "type": "ping" })).await;
    let (mut pong, mut other) = (false, false);
    while !(pong && other) {
        let message = socket.hear().await;
        pong |= message["type"] == "pong";
        other |= message["type"] == "complete" && message["id"] == "other";
    }
}

#[tokio::test]
async fn tokens_stand_in_the_headers_or_in_the_first_message() {
    let server = server().await;
    let protocol = ("sec-websocket-protocol", "graphql-transport-ws");
    let header = ("authorization", "Bearer good");
    for (headers, payload, user) in [
        (&[protocol][..], json!({}), Value::Null),
        (
            &[protocol],
            json!({ "AUTHORIZATION": "Bearer good" }),
            json!("alice"),
        ),
        (&[protocol], json!({ "apiKey": "0123" }), json!("robot")),
        (&[protocol, header], json!({}), json!("alice")),
        (
            &[protocol, header],
            json!({ "apiKey": "0123" }),
            json!("robot"),
        ),
    ] {
        let mut socket = Socket::open_with(&server, headers).await.unwrap();
        socket.say(init(payload)).await;
        assert_eq!(socket.hear().await["type"], "connection_ack");
        socket.subscribe("1", "{ viewer }").await;
        assert_eq!(socket.hear().await["payload"]["data"]["viewer"], user);
    }
    let twice = [protocol, header, ("x-api-key", "0123")];
    assert_eq!(Socket::open_with(&server, &twice).await.err(), Some(401));
}

#[tokio::test]
async fn sockets_close_when_the_token_expires() {
    let server = server().await;
    let mut socket = Socket::open(&server).await;
    socket
        .say(init(json!({ "authorization": "Bearer brief" })))
        .await;
    assert_eq!(socket.hear().await["type"], "connection_ack");
    socket.subscribe("1", "subscription { quiet }").await;
    assert_eq!(socket.closed().await.0, 4403);
    server.quiet.wait_for(0).await;

    let mut long = Socket::open(&server).await;
    long.say(init(json!({ "authorization": "Bearer hour" })))
        .await;
    assert_eq!(long.hear().await["type"], "connection_ack");
    long.subscribe("1", "{ viewer }").await;
    assert_eq!(long.hear().await["payload"]["data"]["viewer"], "alice");
}

#[tokio::test]
async fn sockets_operations_and_messages_are_bounded() {
    let (mut http, engine) = quick();
    http.websocket.max_sockets = 1;
    let server = start(http, engine).await;
    let protocol = ("sec-websocket-protocol", "graphql-transport-ws");
    let mut socket = Socket::ready(&server).await;
    assert_eq!(
        Socket::open_with(&server, &[protocol]).await.err(),
        Some(503)
    );

    for id in ["1", "2", "3", "4"] {
        socket.subscribe(id, "subscription { quiet }").await;
        assert_eq!(socket.hear().await["type"], "next");
    }
    socket.subscribe("5", "subscription { quiet }").await;
    let error = socket.hear().await;
    assert_eq!(error["payload"][0]["extensions"]["code"], "RATE_LIMITED");
    socket.say(json!({ "type": "complete", "id": "1" })).await;
    socket.subscribe("5", "subscription { quiet }").await;
    assert_eq!(socket.hear().await["type"], "next");

    socket.say_text(&"x".repeat(40_000)).await;
    assert_eq!(socket.closed().await.0, 1009);
}

#[tokio::test]
async fn pages_of_other_origins_cannot_connect() {
    let (mut http, engine) = quick();
    http.cors_origins = vec!["https://lab.example".to_owned()];
    let server = start(http, engine).await;
    let own = format!("http://{}", server.address);
    for (origin, status) in [
        (own.as_str(), None),
        ("https://lab.example", None),
        ("https://evil.example", Some(403)),
        ("null", Some(403)),
    ] {
        let headers = [
            ("sec-websocket-protocol", "graphql-transport-ws"),
            ("origin", origin),
        ];
        let refused = Socket::open_with(&server, &headers).await.err();
        assert_eq!(refused, status, "{origin}");
    }
}

/// A socket with a quiet stream and one that is too much for it, of a server that does not wait for long.
async fn flooded() -> (Server, Socket) {
    let (mut http, engine) = quick();
    http.websocket.write_timeout = Duration::from_millis(200);
    let server = start(http, engine).await;
    let mut socket = Socket::ready(&server).await;
    socket.subscribe("quiet", "subscription { quiet }").await;
    assert_eq!(socket.hear().await["id"], "quiet");
    socket
        .subscribe("torrent", "subscription { torrent }")
        .await;
    (server, socket)
}

#[tokio::test]
async fn clients_that_do_not_read_are_let_go() {
    let (server, _socket) = flooded().await;
    // Nobody reads: the buffers between fill up, and then the session ends.
    server.quiet.wait_for(0).await;
}

/// A client that was slow for too long is told so when it reads again.
#[tokio::test]
async fn slow_readers_are_told_why_they_are_closed() {
    let (server, mut socket) = flooded().await;
    server.quiet.wait_for(0).await;
    let (code, reason) = socket.closed().await;
    assert_eq!(code, 1013);
    assert!(reason.contains("your last cursor"), "{reason}");
}

#[tokio::test]
async fn sockets_without_operations_are_closed() {
    let (mut http, engine) = quick();
    http.websocket.ping_interval = Duration::from_millis(20);
    http.websocket.idle_timeout = Duration::from_millis(50);
    let server = start(http, engine).await;
    let mut busy = Socket::ready(&server).await;
    busy.subscribe("1", "subscription { quiet }").await;
    busy.hear().await;
    let mut idle = Socket::ready(&server).await;
    assert_eq!(idle.closed().await.0, 1001);
    busy.subscribe("2", "{ hello }").await;
    assert_eq!(busy.hear().await["type"], "next");
}

#[tokio::test]
async fn event_streams_that_nobody_reads_end() {
    let (mut http, engine) = quick();
    http.write_timeout = Duration::from_millis(200);
    let server = start(http, engine).await;
    let body = |query: &str| serde_json::json!({ "query": query });
    let mut quiet = post(&server, EVENTS, &[], body("subscription { quiet }")).await;
    read_events(&mut quiet, "\n\n").await;
    let mut torrent = post(&server, EVENTS, &[], body("subscription { torrent }")).await;
    let mut ended = server.torrents.clone();
    ended.wait_for(|count| *count == 1).await.unwrap();
    // It breaks off: nobody can take that for the end of the operation.
    while let Ok(Some(_)) = torrent.chunk().await {}
    // Silence is no fault of the reader.
    assert_eq!(server.quiet.count(), 1);
}

#[tokio::test]
async fn clients_that_answer_no_ping_are_let_go() {
    let (mut http, engine) = quick();
    http.websocket.ping_interval = Duration::from_millis(50);
    http.websocket.pong_timeout = Duration::from_millis(50);
    let server = start(http, engine).await;
    let mut socket = Socket::ready(&server).await;
    socket.subscribe("1", "subscription { quiet }").await;
    server.quiet.wait_for(1).await;
    // Pings are answered while somebody reads, and this test does not.
    server.quiet.wait_for(0).await;
    drop(socket);
}
