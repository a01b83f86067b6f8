//! Tags, annotations and READMEs that are changed by those who may, and what is kept of what was there before.

use labql::entity::dataset_change;
use sea_orm::{EntityTrait, QueryOrder};
use serde_json::{Value, json};

use super::{Register, info};
use crate::support::Lab;

on_both_databases!(changes_are_made_and_kept, what_dtool_refuses_is_refused);

const BASE: &str = "s3://bucket";
const SHOWN: &str = "dataset { tags annotations readme { text content } } errors { code field }";

impl Register {
    async fn change(&self, who: &str, mutation: &str, field: &str, value: Value) -> Value {
        self.change_all(who, mutation, json!({ field: value }))
            .await
    }

    async fn change_all(&self, who: &str, mutation: &str, fields: Value) -> Value {
        let input = mutation[..1].to_uppercase() + &mutation[1..];
        let query = format!(
            "mutation($input: {input}Input!) {{ {mutation}(input: $input) {{ {SHOWN} }} }}"
        );
        let mut input = fields;
        input["uri"] = json!("s3://bucket/a");
        self.data(who, &query, json!({ "input": input })).await[mutation].take()
    }
}

async fn changes_are_made_and_kept(lab: Lab) {
    let register = Register::open(lab, &["ada"]).await;
    register.base_uri(BASE, &[("ada", true, true)]).await;
    let mut sent = info(BASE, "a", 1);
    sent["tags"] = json!(["b", "a"]);
    sent["annotations"] = json!({ "k": 1, "gone": [true] });
    register.registered("ada", &sent).await;

    let changed = register
        .change("ada", "updateDatasetTags", "tags", json!(["c", "b", "c"]))
        .await;
    assert_eq!(changed["dataset"]["tags"], json!(["b", "c"]));
    assert_eq!(
        register
            .uris("ada", json!({ "tags": ["c", "b"] }))
            .await
            .len(),
        1
    );
    assert_eq!(
        register.uris("ada", json!({ "tags": ["a"] })).await,
        [""; 0]
    );

    let annotations = json!({ "set": { "new": { "x": "ü" } }, "remove": ["gone", "never"] });
    let changed = register
        .change_all("ada", "updateDatasetAnnotations", annotations)
        .await;
    assert_eq!(
        changed["dataset"]["annotations"],
        json!({ "k": 1, "new": { "x": "ü" } })
    );
    // What is so already is no change.
    for _ in 0..2 {
        let text = json!("project: another\n");
        let changed = register
            .change("ada", "updateDatasetReadme", "text", text)
            .await;
        assert_eq!(
            changed["dataset"]["readme"],
            json!({ "text": "project: another\n", "content": { "project": "another" } })
        );
    }

    let database = register.lab.database().await;
    let kept = dataset_change::Entity::find()
        .order_by_asc(dataset_change::Column::Id)
        .all(database.read())
        .await
        .expect("changes");
    let kept: Vec<_> = kept
        .iter()
        .map(|it| (it.what.as_str(), it.before.as_str(), it.after.as_str()))
        .collect();
    assert_eq!(
        kept,
        [
            ("tags", r#"["a","b"]"#, r#"["b","c"]"#),
            (
                "annotations",
                r#"{"gone":[true],"k":1}"#,
                r#"{"k":1,"new":{"x":"ü"}}"#
            ),
            (
                "readme",
                "---\ndescription: about a\n",
                "project: another\n"
            ),
        ]
    );

    // Whoever may see the dataset sees who changed what, the newest first.
    let query = "query($first: Int, $after: String) { dataset(uri: \"s3://bucket/a\") { changes(first: $first, after: $after) {
        totalCount pageInfo { hasNextPage endCursor }
        nodes { changedAt changedBy { username } part before after }
    } } }";
    let history = async |first: u64, after: Value| {
        let variables = json!({ "first": first, "after": after });
        let mut data = register.data("ada", query, variables).await;
        data["dataset"]["changes"].take()
    };
    let page = history(2, Value::Null).await;
    assert_eq!(page["totalCount"], 3);
    assert_eq!(page["pageInfo"]["hasNextPage"], true);
    let newest = &page["nodes"][0];
    assert!(newest["changedAt"].is_string());
    assert_eq!(newest["changedBy"]["username"], "ada");
    assert_eq!(newest["part"], "README");
    assert_eq!(newest["after"], "project: another\n");
    assert_eq!(page["nodes"][1]["part"], "ANNOTATIONS");
    let last = history(2, page["pageInfo"]["endCursor"].clone()).await;
    let last = &last["nodes"];
    assert_eq!(last.as_array().map(Vec::len), Some(1));
    assert_eq!(
        (&last[0]["part"], &last[0]["before"]),
        (&json!("TAGS"), &json!(r#"["a","b"]"#))
    );

    // Registered anew, it says of itself what it is.
    register.registered("ada", &sent).await;
    let query = "{ dataset(uri: \"s3://bucket/a\") { tags annotations } }";
    let shown = register.data("ada", query, json!({})).await;
    assert_eq!(
        shown["dataset"],
        json!({ "tags": ["a", "b"], "annotations": { "k": 1, "gone": [true] } })
    );
}

async fn what_dtool_refuses_is_refused(lab: Lab) {
    let register = Register::open(lab, &["ada", "bob"]).await;
    register
        .base_uri(BASE, &[("ada", true, true), ("bob", true, false)])
        .await;
    register.registered("ada", &info(BASE, "a", 1)).await;
    let long = "x".repeat(81);
    for (mutation, field, value) in [
        ("updateDatasetTags", "tags", json!(["a b"])),
        ("updateDatasetTags", "tags", json!([""])),
        ("updateDatasetTags", "tags", json!([long])),
        ("updateDatasetAnnotations", "set", json!({ "a/b": 1 })),
        ("updateDatasetAnnotations", "set", json!([1])),
        ("updateDatasetAnnotations", "remove", json!(["a/b"])),
        ("updateDatasetReadme", "text", json!("a\0b")),
    ] {
        let answer = register.change("ada", mutation, field, value.clone()).await;
        assert_eq!(answer["dataset"], Value::Null);
        assert_eq!(
            answer["errors"],
            json!([{ "code": "BAD_INPUT", "field": field }]),
            "{value}"
        );
    }
    for (mutation, field, value) in [
        ("updateDatasetTags", "tags", json!(["a"])),
        ("updateDatasetAnnotations", "set", json!({ "a": 1 })),
        ("updateDatasetReadme", "text", json!("x")),
    ] {
        let answer = register.change("bob", mutation, field, value).await;
        assert_eq!(
            answer,
            json!({ "dataset": null, "errors": [{ "code": "NOT_FOUND", "field": "uri" }] })
        );
    }
}
