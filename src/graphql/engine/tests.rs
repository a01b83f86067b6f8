use async_graphql::{EmptyMutation, Object, Subscription, Value};
use serde_json::json;

use super::*;

struct Query;

#[Object]
impl Query {
    async fn text(&self, length: usize) -> String {
        "x".repeat(length)
    }
}

struct Texts;

#[Subscription]
impl Texts {
    async fn texts(&self) -> stream::Iter<std::vec::IntoIter<String>> {
        stream::iter(vec!["x".repeat(10), "x".repeat(2_000), "x".repeat(10)])
    }
}

fn engine() -> Engine {
    let schema = Schema::new(Query, EmptyMutation, Texts);
    let attach = |viewer: &Arc<Viewer>, request: Request| request.data(Arc::clone(viewer));
    let settings = EngineSettings {
        max_answer_bytes: 1_000,
        ..EngineSettings::default()
    };
    Engine::new(schema, attach, settings)
}

fn prepare(engine: &Engine, query: &str) -> Result<Prepared, ServerError> {
    engine.prepare(GraphQlRequest::from_json(json!({ "query": query })).unwrap())
}

fn caller() -> Caller {
    Caller::from(Arc::new(Viewer::anonymous()))
}

#[tokio::test]
async fn answers_are_bounded() {
    let engine = engine();
    let operation = prepare(&engine, "{ text(length: 900) }").unwrap();
    assert!(engine.execute(operation, caller()).await.is_ok());
    let operation = prepare(&engine, "{ text(length: 1000) }").unwrap();
    let response = engine.execute(operation, caller()).await;
    assert_eq!(response.data, Value::Null);
    assert_eq!(error::code_of(&response.errors[0]), Some("TOO_COMPLEX"));

    let operation = prepare(&engine, "subscription { texts }").unwrap();
    let events: Vec<Answer> = engine.subscribe(operation, caller()).collect().await;
    let passed: Vec<bool> = events.iter().map(|event| event.refusal.is_none()).collect();
    assert_eq!(passed, [true, false]);
}

/// An operation whose answer may be large takes several turns, and never more than there are.
#[tokio::test]
async fn turns_are_weighed_by_cost() {
    let schema = Schema::new(Query, EmptyMutation, Texts);
    let attach = |_: &Arc<Viewer>, request: Request| request;
    let settings = EngineSettings {
        max_concurrent: 3,
        queue_timeout: Duration::from_millis(1),
        ..EngineSettings::default()
    };
    let engine = Engine::new(schema, attach, settings);
    let run = |cost, execution| engine.in_turn(OperationType::Query, cost, execution);
    for (cost, beside, expected) in [
        (0, 0, None),
        (COST_OF_A_TURN, 0, None),
        (COST_OF_A_TURN, COST_OF_A_TURN, Some("UNAVAILABLE")),
        (2 * COST_OF_A_TURN, 0, Some("UNAVAILABLE")),
        (u64::MAX, 0, Some("UNAVAILABLE")),
    ] {
        let mut large = Box::pin(run(cost, futures_util::future::pending().boxed()));
        assert!(futures_util::poll!(&mut large).is_pending());
        let empty = std::future::ready(Response::new(Value::Null)).boxed();
        let refused = run(beside, empty).await.err();
        let code = refused.as_ref().and_then(error::code_of);
        assert_eq!(code, expected, "{cost} and {beside}");
    }
}

/// The shape of answers is made from a document that has passed: a bomb never gets so far.
#[test]
fn bombs_are_refused_before_anything_expands_them() {
    let engine = engine();
    for (last, code) in [("...nope", "BAD_INPUT"), ("__typename", "TOO_COMPLEX")] {
        let links = (0..58).map(|number| {
            let next = number + 1;
            format!("fragment f{number} on Query {{ ...f{next} ...f{next} }} ")
        });
        let links: String = links.collect();
        let bomb = format!("{{ ...f0 }} {links} fragment f58 on Query {{ {last} }}");
        let Err(error) = prepare(&engine, &bomb) else {
            panic!("{last}: not refused");
        };
        assert_eq!(error::code_of(&error), Some(code), "{}", error.message);
    }
}
