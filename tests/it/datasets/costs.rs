//! What operations on datasets cost: statements, and the plans of the statements.

use labql::auth::Viewer;
use labql::auth::viewer::ViewerUser;
use labql::database::Database;
use labql::datasets::read::datasets::{DatasetOrder, DatasetOrderField, statement};
use labql::datasets::read::{DatasetFilter, Reader};
use labql::entity::dataset;
use labql::paging::Page;
use sea_orm::{ConnectionTrait, DatabaseBackend, Statement, TransactionTrait};
use serde_json::{Value, json};

use super::{Register, info};
use crate::statements::cost;
use crate::support::Lab;

on_both_databases!(
    statements_do_not_grow_with_the_answer,
    every_order_has_its_index
);

const OPERATIONS: &str = include_str!("../../contract/datasets.graphql");
const PAGE: &str = "query($first: Int) { datasets(first: $first) {
    totalCount pageInfo { hasNextPage endCursor }
    nodes { id uuid uri baseUri name creatorUsername createdAt frozenAt tags annotations itemCount sizeBytes }
} }";
const DETAIL: &str = "{ dataset(uri: \"s3://a/n1\") {
    id uuid uri tags annotations registeredAt registeredBy { username } readme { text content }
    manifest { dtoolcoreVersion hashFunction items(first: 100) { totalCount nodes {
        identifier relpath sizeBytes hash modifiedAt
    } } }
    copies { uri }
} }";
const DEEP: &str = "query($first: Int) { datasets(first: $first) { nodes {
    uri registeredBy { username } readme { content }
    manifest { items(first: 2, filter: { relpath: \"f\" }) { totalCount nodes { relpath } } }
    copies { uri manifest { items(first: 1) { nodes { hash } } } }
} } }";
const SUMMARY: &str = "{ datasetSummary { count sizeBytes
    byCreator { key count sizeBytes } byBaseUri { key count sizeBytes } byTag { key count sizeBytes }
    byAnnotation { key count }
} }";
const BASE_URIS: &str = "{ baseUris(first: 50) { totalCount nodes {
    uri datasetCount grants { username canSearch canRegister }
} } }";

async fn statements_do_not_grow_with_the_answer(lab: Lab) {
    let mut register = Register::open(lab, &["ada"]).await;
    for base in ["s3://a", "s3://b"] {
        register.base_uri(base, &[("ada", true, true)]).await;
        for number in 0..20 {
            let mut sent = info(base, &format!("n{number}"), number);
            sent["tags"] = json!(["x", format!("t{number}")]);
            register.registered("ada", &sent).await;
        }
    }
    let token = register.token("ada").to_owned();
    register.server = register.server.signed_in(&token);
    let statements = async |query: &str, first: u64| {
        let body = json!({ "query": query, "variables": { "first": first } });
        let (count, data) = cost(&register.server, &body).await;
        assert_ne!(data, Value::Null);
        count
    };
    for first in [1, 10, 500] {
        // The page, and the total.
        assert_eq!(statements(PAGE, first).await, 2, "{first}");
        // Page, items with their total, copies with their items. People are remembered from one operation to the next.
        assert_eq!(statements(DEEP, first).await, 5, "{first}");
    }
    // Nothing is signed for in buckets that are not configured.
    let signed =
        "query($first: Int) { datasets(first: $first) { nodes { signedUrls { manifest } } } }";
    assert_eq!(statements(signed, 500).await, 1);
    // The dataset, its items, its copies.
    assert_eq!(statements(DETAIL, 1).await, 3);
    assert_eq!(statements(SUMMARY, 1).await, 5);
    assert_eq!(statements(BASE_URIS, 1).await, 4);
    let groups = "{ datasetGroups(by: [\"tags\"]) { key count } }";
    assert_eq!(statements(groups, 1).await, 1);

    // However many items a dataset has, it is registered with as many statements; and so it is deleted.
    let register_again = async |sent: &Value| {
        let variables = json!({ "input": { "info": sent } });
        let body = json!({
            "query": OPERATIONS, "operationName": "RegisterDataset", "variables": variables,
        });
        cost(&register.server, &body).await.0
    };
    let mut sent = info("s3://a", "n1", 1);
    let small = register_again(&sent).await;
    let items = sent["manifest"]["items"].as_object_mut().expect("items");
    let item = items.values().next().cloned().expect("an item");
    items.extend((0..400).map(|number| (format!("{number:040}"), item.clone())));
    let large = register_again(&sent).await;
    assert_eq!(small, large);
    assert!(large <= 25, "{large}");
    let before = register.server.statements().await;
    let variables = json!({ "input": { "uri": "s3://a/n1" } });
    let body = json!({
        "query": OPERATIONS, "operationName": "DeleteDataset", "variables": variables,
    });
    let (_, answer) = register.server.send(body).await;
    let deleted = register.server.statements().await - before;
    assert!(answer.get("errors").is_none(), "{answer}");
    assert!(deleted <= 10, "{deleted}");
}

/// Neither database sorts what an index has in order: not for all that somebody may see, not for one base URI, and not for
/// one creator in the orders that are asked for most.
async fn every_order_has_its_index(lab: Lab) {
    let database = lab.database().await;
    let reader = Reader::of(&Viewer {
        user: Some(ViewerUser {
            id: Some(1),
            username: "ada".to_owned(),
            is_admin: false,
        }),
        expires_at: None,
    });
    let all = DatasetFilter::default();
    let of_base_uri = DatasetFilter {
        base_uris: Some(vec!["s3://a".to_owned()]),
        ..DatasetFilter::default()
    };
    let of_creator = DatasetFilter {
        creator_usernames: Some(vec!["alice".to_owned()]),
        ..DatasetFilter::default()
    };
    for field in DatasetOrderField::ALL {
        for descending in [false, true] {
            let order = DatasetOrder::new([(field, descending)]);
            let of_one_creator = matches!(
                field,
                DatasetOrderField::Uri | DatasetOrderField::CreatedAt | DatasetOrderField::FrozenAt
            );
            for filter in [&all, &of_base_uri, &of_creator] {
                if *filter == of_creator && !of_one_creator {
                    continue;
                }
                // A page in the middle begins where it begins, and is not reached by way of those before.
                let middle = Page {
                    from: Some(order.key(&dataset::Model::default(), 0)),
                    ..Page::only(50)
                };
                for page in [Page::only(50), middle] {
                    let statement = statement(&database, reader, filter, &order, &page);
                    let plan = plan(&database, statement).await;
                    let what = format!("{field:?} {descending} {filter:?} {page:?}\n{plan}");
                    let sorts = plan.contains("Sort") || plan.contains("USE TEMP B-TREE FOR");
                    assert!(!sorts, "{what}");
                    if page.from.is_some() {
                        let seeks = |line: &str| {
                            line.contains("Index Cond")
                                && (line.contains("ROW(") || line.contains("(uri "))
                        };
                        let is_found = match database.backend() {
                            DatabaseBackend::Postgres => plan.lines().any(seeks),
                            _ => !plan.contains("SCAN dataset"),
                        };
                        assert!(is_found, "{what}");
                    }
                }
            }
        }
    }
    // Few datasets are found by what tells them apart, whatever their order.
    for (filter, index) in [
        (
            DatasetFilter {
                uuids: Some(vec!["x".to_owned()]),
                ..DatasetFilter::default()
            },
            "dataset_uuid",
        ),
        (
            DatasetFilter {
                tags: vec!["x".to_owned()],
                ..DatasetFilter::default()
            },
            "dataset_tag",
        ),
    ] {
        let order = DatasetOrder::new([]);
        let statement = statement(&database, reader, &filter, &order, &Page::only(50));
        let plan = plan(&database, statement).await;
        assert!(plan.contains(index), "{filter:?}\n{plan}");
    }
}

/// How the database goes about a statement. PostgreSQL would read small tables whole; it is asked not to.
pub async fn plan(database: &Database, mut statement: Statement) -> String {
    let backend = database.backend();
    let explain = match backend {
        DatabaseBackend::Postgres => "EXPLAIN",
        _ => "EXPLAIN QUERY PLAN",
    };
    statement.sql = format!("{explain} {}", statement.sql);
    let transaction = database.read().begin().await.expect("a transaction");
    if backend == DatabaseBackend::Postgres {
        transaction
            .execute_unprepared(
                "SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_incremental_sort = off",
            )
            .await
            .expect("settings");
    }
    let rows = transaction.query_all_raw(statement).await.expect("a plan");
    let column = match backend {
        DatabaseBackend::Postgres => "QUERY PLAN",
        _ => "detail",
    };
    let lines = rows
        .iter()
        .map(|row| row.try_get::<String>("", column).expect("a line"));
    lines.collect::<Vec<_>>().join("\n")
}
