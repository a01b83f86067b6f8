//! Documents that are small to send and large to answer.

use std::fmt::Write as _;

use labql::{graphql::precheck::Limits, http::HttpSettings};
use serde_json::json;

use super::dummy::{quick, start};
use crate::support::client::{ask, ask_with, code};

/// The query that GraphiQL 5 and graphql-js 16 send, with all options on.
const INTROSPECTION: &str = include_str!("introspection.graphql");

#[tokio::test]
async fn attacks_are_refused_by_their_code() {
    let server = start(HttpSettings::default(), quick().1).await;
    let nested = |levels: usize| {
        format!(
            "{{ {} hello {} }}",
            "nested { ".repeat(levels),
            "}".repeat(levels)
        )
    };
    let mut aliases = String::from("{");
    for number in 0..10_000 {
        let _ = write!(aliases, "a{number}:hello ");
    }
    aliases.push('}');
    let mut some_aliases = String::from("{ nested {");
    for number in 0..201 {
        let _ = write!(some_aliases, "a{number}: hello ");
    }
    some_aliases.push_str("} }");
    let mut bomb = String::from("{ ...f0 }");
    for number in 0..60 {
        let next = number + 1;
        let _ = write!(
            bomb,
            "fragment f{number} on Query {{ ...f{next} ...f{next} }}"
        );
    }
    bomb.push_str("fragment f60 on Query { hello }");
    let mut short_bomb = String::from("{ ...f0 }");
    for number in 0..25 {
        let next = number + 1;
        let _ = write!(
            short_bomb,
            "fragment f{number} on Query {{ ...f{next} ...f{next} }}"
        );
    }
    short_bomb.push_str("fragment f25 on Query { hello }");
    let unused_bomb = short_bomb.replacen("{ ...f0 }", "{ hello }", 1);
    let directives = format!("{{ hello {} }}", "@include(if: true) ".repeat(101));
    let roots = format!("{{ {} }}", "hello ".repeat(31));
    let pages = "{ items(first: 1000) { nodes { number } edges { node { number } } } \
                 nested { items { nodes { number } } } }"
        .to_owned();
    for document in [
        nested(200),
        nested(30),
        aliases,
        some_aliases,
        bomb,
        short_bomb,
        unused_bomb,
        directives,
        roots,
        "{".repeat(50_000),
        format!("{{ echo(value: {}", "[".repeat(50_000)),
        format!("query ($a: {}", "[".repeat(50_000)),
        format!("{{ hello{} }}", "(".repeat(50_000)),
    ] {
        let (status, answer) = ask(&server, &document).await;
        let start: String = document.chars().take(60).collect();
        assert_eq!((status, code(&answer)), (400, "TOO_COMPLEX"), "{start}");
    }
    // The deepest that is let through must not exhaust a stack either.
    let inline = format!("{}{{ hello }}{}", "{ ... ".repeat(58), "}".repeat(58));
    assert_eq!(ask(&server, &inline).await.0, 200);
    let list = format!("{{ echo(value: {}{}) }}", "[".repeat(57), "]".repeat(57));
    assert_eq!(code(&ask(&server, &list).await.1), "BAD_INPUT");
    assert_eq!(ask(&server, &nested(20)).await.0, 200);
    assert_eq!(ask(&server, &pages).await.0, 200);
}

#[tokio::test]
async fn pages_multiply_whatever_form_they_have() {
    let (http, mut engine) = quick();
    engine.limits = Limits {
        max_cost: 3_000,
        max_page: 100,
        ..Limits::default()
    };
    let server = start(http, engine).await;
    let deep = |argument: &str| {
        format!("{{ items{argument} {{ edges {{ node {{ number text number text }} }} }} }}")
    };
    let wide = |page: &str| {
        let fields = "number text ".repeat(20);
        format!("{{ items{page} {{ nodes {{ {fields} }} }} }}")
    };
    assert_eq!(ask(&server, &deep("(first: 10)")).await.0, 200);
    // 1 + 100 × 41, 1 + 50 × 41 and 1 + 100 × 41: the page is clamped.
    for (page, passes) in [
        ("(first: 100)", false),
        ("(last: 100)", false),
        ("", true),
        ("(first: 2147483647)", false),
        ("(first: -1)", true),
        ("(first: null)", true),
    ] {
        let (_, answer) = ask(&server, &wide(page)).await;
        let refused = answer.to_string().contains("TOO_COMPLEX");
        assert_eq!(!refused, passes, "{page}: {answer}");
    }
    let variable = |declared: &str| format!("query ($n: Int{declared}) {}", wide("(first: $n)"));
    for (declared, variables, passes) in [
        ("", json!({ "n": 10 }), true),
        ("", json!({ "n": 100 }), false),
        (" = 100", json!({}), false),
        (" = 10", json!({}), true),
        (" = 100", json!({ "n": 10 }), true),
        ("", json!({}), true),
    ] {
        let (_, answer) = ask_with(&server, &variable(declared), variables.clone()).await;
        let refused = answer.to_string().contains("TOO_COMPLEX");
        assert_eq!(!refused, passes, "{declared} {variables}: {answer}");
    }
}

#[tokio::test]
async fn tools_can_read_the_schema_and_nobody_goes_in_circles() {
    let server = start(quick().0, quick().1).await;
    let (status, answer) = ask(&server, INTROSPECTION).await;
    assert_eq!(status, 200, "{answer}");
    assert!(answer["data"]["__schema"]["types"].is_array());
    for circle in [
        "{ __schema { types { fields { type { fields { type { fields { type { fields { name } } } } } } } } } }",
        "{ __type(name: \"Query\") { interfaces { possibleTypes { interfaces { possibleTypes { name } } } } } }",
        "{ hello ...s } fragment s on Query { __schema { types { ...t } } } \
         fragment t on __Type { fields { type { ...u } } } \
         fragment u on __Type { fields { args { type { inputFields { name } } } } }",
    ] {
        let (status, answer) = ask(&server, circle).await;
        assert_eq!((status, code(&answer)), (400, "TOO_COMPLEX"), "{circle}");
    }
    // Introspection may be deeper than data.
    let (http, mut engine) = quick();
    engine.limits.max_depth = 5;
    let server = start(http, engine).await;
    assert_eq!(ask(&server, INTROSPECTION).await.0, 200);
    let mixed = INTROSPECTION.replacen("__schema", "hello __schema", 1);
    assert_eq!(code(&ask(&server, &mixed).await.1), "TOO_COMPLEX");
}
