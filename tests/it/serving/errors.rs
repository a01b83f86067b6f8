//! Every error has a code, and none tells about the inside.

use serde_json::json;

use super::dummy::{quick, start};
use crate::support::{
    Address,
    client::{ask, ask_with, code, get, json_of},
};

#[tokio::test]
async fn mistakes_of_clients_are_bad_input() {
    let server = start(quick().0, quick().1).await;
    for query in [
        "{",
        "{ no }",
        "{ echo(value: \"x\") }",
        "{ echo }",
        "query a { hello } query b { hello }",
        "{ hello } { hello }",
        "{ ...f } fragment f on Query { ...g } fragment g on Query { ...f }",
        "subscription { quiet }",
        "fragment f on Query { hello }",
    ] {
        let (status, answer) = ask(&server, query).await;
        assert_eq!((status, code(&answer)), (400, "BAD_INPUT"), "{query}");
        assert!(answer.get("data").is_none(), "{answer}");
    }
    for (variables, status) in [
        (json!({}), 400),
        (json!({ "v": null }), 400),
        (json!({ "v": "x" }), 400),
        // Only the resolver's argument knows its range.
        (json!({ "v": 99_999_999_999_i64 }), 200),
    ] {
        let query = "query ($v: Int!) { echo(value: $v) }";
        let (actual, answer) = ask_with(&server, query, variables.clone()).await;
        assert_eq!(
            (actual, code(&answer)),
            (status, "BAD_INPUT"),
            "{variables}"
        );
    }
}

#[tokio::test]
async fn the_inside_is_hidden_behind_an_id() {
    let server = start(quick().0, quick().1).await;
    for query in [
        "{ forgotten }",
        "{ converted }",
        "{ broken }",
        "{ panic }",
        "{ hello forgotten }",
    ] {
        let (_, answer) = ask(&server, query).await;
        let text = answer.to_string();
        assert_eq!(code(&answer), "INTERNAL", "{query}");
        assert_eq!(answer["errors"][0]["message"], "internal error");
        assert_eq!(
            answer["errors"][0]["extensions"]["errorId"]
                .as_str()
                .unwrap()
                .len(),
            32
        );
        assert!(
            !text.contains("hunter2") && !text.contains("invalid digit"),
            "{text}"
        );
    }
    assert_eq!(ask(&server, "{ hello }").await.0, 200);

    let handler = get(&server, "/panic", &[]).await;
    assert_eq!(handler.status(), 500);
    let answer = json_of(handler).await;
    assert_eq!(code(&answer), "INTERNAL");
    assert!(!answer.to_string().contains("hunter2"));
}

#[tokio::test]
async fn operations_that_take_too_long_are_given_up() {
    let server = start(quick().0, quick().1).await;
    let (status, answer) = ask(&server, "{ stuck }").await;
    assert_eq!((status, code(&answer)), (503, "UNAVAILABLE"));
    server.quiet.wait_for(0).await;
}

#[tokio::test]
async fn operations_wait_for_their_turn_only_so_long() {
    let (http, mut engine) = quick();
    engine.max_concurrent = 1;
    engine.query_timeout = std::time::Duration::from_secs(30);
    engine.queue_timeout = std::time::Duration::from_millis(50);
    let server = start(http, engine).await;
    let holder = {
        let url = server.url("/graphql?query=%7Bstuck%7D");
        tokio::spawn(async move { crate::support::client::http().get(url).send().await })
    };
    server.quiet.wait_for(1).await;
    let (status, answer) = ask(&server, "{ hello }").await;
    assert_eq!((status, code(&answer)), (503, "UNAVAILABLE"));
    // A client that goes away gives its turn back.
    holder.abort();
    server.quiet.wait_for(0).await;
    assert_eq!(ask(&server, "{ hello }").await.0, 200);
}
