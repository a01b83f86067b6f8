//! Datasets by who registered them and when, and by the names of their annotations.

use serde_json::{Value, json};

use super::{Register, info, texts};
use crate::support::Lab;

on_both_databases!(
    who_registered_and_when,
    names_of_annotations_are_counted,
    the_best_come_first_unless_otherwise_asked
);

async fn who_registered_and_when(lab: Lab) {
    let register = Register::open(lab, &["ada", "bob"]).await;
    let both = [("ada", true, true), ("bob", true, true)];
    register.base_uri("s3://a", &both).await;
    register.registered("ada", &info("s3://a", "x", 1)).await;
    register.registered("bob", &info("s3://a", "w", 2)).await;
    let query = "query($filter: DatasetFilter, $orderBy: [DatasetOrder!]) {
        datasets(filter: $filter, orderBy: $orderBy) { totalCount nodes { name registeredAt registeredBy { username } } }
    }";
    let find = async |filter: Value, direction: &str| {
        let order = json!([{ "field": "REGISTERED_AT", "direction": direction }]);
        let variables = json!({ "filter": filter, "orderBy": order });
        let mut data = register.data("ada", query, variables).await;
        data["datasets"].take()
    };
    let all = find(json!({}), "ASC").await;
    let (times, names) = (
        texts(&all["nodes"], "registeredAt"),
        texts(&all["nodes"], "name"),
    );
    let found: Vec<_> = times.iter().zip(&names).collect();
    // Those of one millisecond are in the order of their URIs.
    assert!(found.len() == 2 && found.is_sorted(), "{all}");
    let mut turned = texts(&find(json!({}), "DESC").await["nodes"], "name");
    turned.reverse();
    assert_eq!(turned, names);
    let of_bob = find(json!({ "registeredBy": ["bob", "nobody"] }), "ASC").await;
    assert_eq!(of_bob["totalCount"], 1);
    assert_eq!(of_bob["nodes"][0]["registeredBy"]["username"], "bob");
    let (first, last) = (
        &all["nodes"][0]["registeredAt"],
        &all["nodes"][1]["registeredAt"],
    );
    let early = find(json!({ "registeredAt": { "before": first } }), "ASC").await;
    assert_eq!(early["totalCount"], 0);
    let late = find(json!({ "registeredAt": { "from": last } }), "DESC").await;
    assert!(texts(&late["nodes"], "name").contains(&names[1]));
}

async fn names_of_annotations_are_counted(lab: Lab) {
    let register = Register::open(lab, &["ada", "bob"]).await;
    register.base_uri("s3://a", &[("ada", true, true)]).await;
    register.base_uri("s3://b", &[("bob", true, true)]).await;
    for (number, annotations) in [
        json!({ "project": "x", "stage": 1 }),
        json!({ "project": null }),
        json!({}),
        json!({ "odd": "a\0b" }),
    ]
    .into_iter()
    .enumerate()
    {
        for (who, base) in [("ada", "s3://a"), ("bob", "s3://b")] {
            let mut sent = info(base, &format!("n{number}"), 1);
            sent["annotations"] = annotations.clone();
            register.registered(who, &sent).await;
        }
    }
    let query = "{ datasetSummary { byAnnotation { key count sizeBytes } } }";
    let data = register.data("ada", query, json!({})).await;
    // PostgreSQL reads no annotations with a zero byte.
    let names = data["datasetSummary"]["byAnnotation"].as_array();
    let names: Vec<&Value> = names
        .expect("a list")
        .iter()
        .filter(|it| it["key"] != "odd")
        .collect();
    assert_eq!(
        names,
        [
            &json!({ "key": "project", "count": 2, "sizeBytes": 6.0 }),
            &json!({ "key": "stage", "count": 1, "sizeBytes": 3.0 }),
        ]
    );
}

async fn the_best_come_first_unless_otherwise_asked(lab: Lab) {
    let register = Register::open(lab, &["ada"]).await;
    register.base_uri("s3://a", &[("ada", true, true)]).await;
    register.registered("ada", &info("s3://a", "x", 1)).await;
    let mut named = info("s3://a", "alloy", 2);
    named["readme"] = json!("about: alloys");
    register.registered("ada", &named).await;
    let mut about = info("s3://a", "y", 3);
    about["readme"] = json!("about: an alloy");
    register.registered("ada", &about).await;
    let find = async |order: Value| {
        let query = "query($orderBy: [DatasetOrder!]) {
            datasets(filter: { text: \"alloy\" }, orderBy: $orderBy) { nodes { name } }
        }";
        let data = register
            .data("ada", query, json!({ "orderBy": order }))
            .await;
        texts(&data["datasets"]["nodes"], "name")
    };
    assert_eq!(
        find(json!([{ "field": "RELEVANCE" }])).await,
        ["alloy", "y"]
    );
    let worst = json!([{ "field": "RELEVANCE", "direction": "ASC" }]);
    assert_eq!(find(worst).await, ["y", "alloy"]);
    assert_eq!(find(json!([{ "field": "NAME" }])).await, ["alloy", "y"]);
}
