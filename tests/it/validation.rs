//! A document that was valid once is not validated again; what its variables hold still is.

use serde_json::{Value, json};

use crate::support::Lab;

const QUERY: &str = "query($expid: String!, $first: Int, $order: ExperimentOrderField = EXPID, $after: DateTime, \
     $filter: JobFilter) { \
       experiment(expid: $expid) { expid jobs(first: $first, filter: $filter) { nodes { name } } } \
       experiments(first: $first, filter: { createdAfter: $after }, orderBy: [{ field: $order }]) { nodes { expid } } \
     }";

#[tokio::test]
async fn bad_values_are_refused_of_a_document_that_was_valid() {
    let mut lab = Lab::sqlite();
    lab.set("LABQL_WORKERS__ENABLED", "false");
    let server = lab.serve_signed_in().await;
    let good = json!({ "expid": "a000", "first": 2, "order": "CREATED_AT", "after": "2020-01-01T00:00:00Z",
        "filter": { "statuses": ["FAILED"] } });
    let changed = |name: &str, value: Value| {
        let mut variables = good.clone();
        variables[name] = value;
        variables
    };
    for _ in 0..2 {
        let (status, answer) = server.ask(QUERY, good.clone()).await;
        assert_eq!(status, 200, "{answer}");
        assert_eq!(answer["errors"], Value::Null, "{answer}");
    }
    let bad = [
        json!({}),
        json!({ "expid": null }),
        changed("expid", json!(1)),
        changed("first", json!("2")),
        changed("first", json!(2.5)),
        changed("first", json!(1e300)),
        changed("first", json!(-1)),
        changed("order", json!("NOTHING")),
        changed("order", Value::Null),
        changed("after", json!("tomorrow")),
        changed("after", json!(5)),
        changed("filter", json!({ "statuses": ["LATE"] })),
        changed("filter", json!({ "unknown": 1 })),
    ];
    for (number, variables) in bad.into_iter().enumerate() {
        // The same document, and one that was never seen.
        let unseen = format!("{QUERY} # {number}");
        let known = server.ask(QUERY, variables.clone()).await;
        let fresh = server.ask(&unseen, variables.clone()).await;
        assert_eq!(known, fresh, "{variables}");
        assert!(known.1["errors"].is_array(), "{variables}: {}", known.1);
    }
    let (status, answer) = server.ask(QUERY, good).await;
    assert_eq!((status, &answer["errors"]), (200, &Value::Null), "{answer}");
}
