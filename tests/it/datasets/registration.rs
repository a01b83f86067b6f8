//! Registering, replacing, deleting, and what is shown of a dataset.

use serde_json::{Value, json};

use super::{Register, info};
use crate::support::Lab;

on_both_databases!(
    all_of_a_dataset_is_shown,
    everything_wrong_is_told,
    the_newest_takes_the_place,
    who_may_not_learns_nothing,
    items_come_in_pages,
    copies_are_known_by_their_uuid,
    two_at_once_leave_one,
);

const ALL: &str = "query($uri: String!) { dataset(uri: $uri) {
    id uuid uri baseUri name creatorUsername createdAt frozenAt tags annotations itemCount sizeBytes dtoolcoreVersion
    registeredAt updatedAt registeredBy { username displayName }
    readme { text content problem }
    manifest { dtoolcoreVersion hashFunction items(first: 100) { totalCount nodes {
        identifier relpath sizeBytes hash modifiedAt
    } } }
    copies { uri }
} }";

const BASE: &str = "s3://bucket";

async fn open(lab: Lab) -> Register {
    let register = Register::open(lab, &["ada", "bob"]).await;
    register.base_uri(BASE, &[("ada", true, true)]).await;
    register
}

async fn all_of_a_dataset_is_shown(lab: Lab) {
    let register = open(lab).await;
    let mut sent = info(BASE, "a", 1);
    sent["annotations"] = json!({ "k": { "a": [1, 2.5, null, true, "x"] } });
    sent["tags"] = json!(["put", "a-test", "put"]);
    sent["frozen_at"] = json!(1_604_864_525.691);
    sent["dtoolcore_version"] = json!("3.17.0");
    sent["readme"] = json!("---\ndescription: made for a test\ndate: 2020-01-02\n1: one\n");
    register.registered("ada", &sent).await;
    let variables = json!({ "uri": "s3://bucket/a" });
    let mut shown = register.data("ada", ALL, variables.clone()).await["dataset"].take();
    let id = shown["id"].take();
    assert!(shown["registeredAt"].take().is_string());
    assert!(shown["updatedAt"].take().is_string());
    assert_eq!(
        shown,
        json!({
            "id": null, "registeredAt": null, "updatedAt": null,
            "uuid": "00000000-0000-4000-8000-000000000001",
            "uri": "s3://bucket/a",
            "baseUri": "s3://bucket",
            "name": "a",
            "creatorUsername": "alice",
            "createdAt": "2020-11-08T18:38:40.736269+00:00",
            "frozenAt": "2020-11-08T19:42:05.691+00:00",
            "tags": ["a-test", "put"],
            "annotations": { "k": { "a": [1, 2.5, null, true, "x"] } },
            "itemCount": 1,
            "sizeBytes": 3.0,
            "dtoolcoreVersion": "3.17.0",
            "registeredBy": { "username": "ada", "displayName": null },
            "readme": {
                "text": "---\ndescription: made for a test\ndate: 2020-01-02\n1: one\n",
                "content": { "description": "made for a test", "date": "2020-01-02", "1": "one" },
                "problem": null,
            },
            "manifest": {
                "dtoolcoreVersion": "3.19.0",
                "hashFunction": "md5sum_hexdigest",
                "items": { "totalCount": 1, "nodes": [{
                    "identifier": "7ad4af83b511907a1db3f4d18c33c63d9b6c4d9e",
                    "relpath": "f.txt",
                    "sizeBytes": 3.0,
                    "hash": "900150983cd24fb0d6963f7d28e17f72",
                    "modifiedAt": "2020-11-08T19:42:05.500+00:00",
                }] },
            },
            "copies": [],
        })
    );
    let by_id =
        "query($id: ID!) { node(id: $id) { id ... on Dataset { uri manifest { hashFunction } } } }";
    let node = register.data("ada", by_id, json!({ "id": id })).await;
    assert_eq!(node["node"]["uri"], "s3://bucket/a");
    assert_eq!(node["node"]["manifest"]["hashFunction"], "md5sum_hexdigest");

    // What cannot be read as YAML is a text all the same.
    sent["readme"] = json!("a: [1\nb");
    register.registered("ada", &sent).await;
    let readme = register.data("ada", ALL, variables).await["dataset"]["readme"].take();
    assert_eq!(readme["text"], "a: [1\nb");
    assert_eq!(readme["content"], Value::Null);
    assert!(readme["problem"].is_string());
}

async fn everything_wrong_is_told(lab: Lab) {
    let register = open(lab).await;
    let mut sent = info(BASE, "a", 1);
    sent["uuid"] = json!("xyz");
    sent["tags"] = json!(["fine", 7]);
    sent["more"] = json!(1);
    sent["manifest"]["items"]["b"] = json!({ "size_in_bytes": -1 });
    let answer = register.register("ada", &sent).await;
    assert_eq!(answer["dataset"], Value::Null);
    assert_eq!(answer["created"], Value::Null);
    let mut fields = super::texts(&answer["errors"], "field");
    fields.sort();
    assert_eq!(fields, ["info", "manifest.items", "tags", "uuid"]);
    let errors = answer["errors"].as_array().expect("a list");
    assert!(errors.iter().all(|error| error["code"] == "BAD_INPUT"));
    assert_eq!(register.uris("ada", json!({})).await, [""; 0]);

    // Not what any client sends.
    let answer = register.register("ada", &json!([])).await;
    assert_eq!(answer["errors"][0]["field"], "info");
}

async fn the_newest_takes_the_place(lab: Lab) {
    let register = open(lab).await;
    register.grant("bob", BASE, true, true).await;
    let mut sent = info(BASE, "a", 1);
    sent["tags"] = json!(["old", "both"]);
    assert_eq!(register.register("ada", &sent).await["created"], true);
    sent["name"] = json!("renamed");
    sent["tags"] = json!(["both", "new"]);
    sent["manifest"] = json!({ "items": {} });
    sent["created_at"] = Value::Null;
    sent["number_of_items"] = Value::Null;
    sent["size_in_bytes"] = Value::Null;
    assert_eq!(register.register("bob", &sent).await["created"], false);

    let shown = register
        .data("ada", ALL, json!({ "uri": "s3://bucket/a" }))
        .await["dataset"]
        .take();
    assert_eq!(shown["name"], "renamed");
    assert_eq!(shown["tags"], json!(["both", "new"]));
    assert_eq!(shown["createdAt"], shown["frozenAt"]);
    assert_eq!(shown["itemCount"], Value::Null);
    assert_eq!(shown["sizeBytes"], Value::Null);
    assert_eq!(shown["manifest"]["hashFunction"], Value::Null);
    assert_eq!(shown["manifest"]["items"]["totalCount"], 0);
    // Whoever registered it first did so.
    assert_eq!(shown["registeredBy"]["username"], "ada");
    let of_tag = async |tag: &str| register.uris("ada", json!({ "tags": [tag] })).await.len();
    assert_eq!(
        (
            of_tag("old").await,
            of_tag("both").await,
            of_tag("new").await
        ),
        (0, 1, 1)
    );

    for _ in 0..2 {
        let deleted = register.delete("bob", "s3://bucket/a").await;
        assert_eq!(deleted, json!({ "uri": "s3://bucket/a", "errors": [] }));
        assert_eq!(register.uris("ada", json!({})).await, [""; 0]);
    }
    assert_eq!(register.register("ada", &sent).await["created"], true);
}

async fn who_may_not_learns_nothing(lab: Lab) {
    let register = open(lab).await;
    register.registered("ada", &info(BASE, "a", 1)).await;
    register
        .base_uri("s3://other", &[("bob", true, false)])
        .await;

    // To search is not to register, to manage is neither, and what there is is not told from what there is not.
    let mut answers = Vec::new();
    for (who, base) in [
        ("bob", "s3://other"),
        ("bob", BASE),
        ("bob", "s3://nowhere"),
        ("root", BASE),
        ("root", "s3://nowhere"),
    ] {
        let registered = register.register(who, &info(base, "a", 1)).await;
        let deleted = register.delete(who, &format!("{base}/a")).await;
        let query = "mutation($input: UpdateDatasetTagsInput!) {
            updateDatasetTags(input: $input) { dataset { uri } errors { code field message } }
        }";
        let input = json!({ "uri": format!("{base}/a"), "tags": ["x"] });
        let tagged = register.data(who, query, json!({ "input": input })).await;
        answers.push(json!([registered, deleted, tagged]));
    }
    assert_eq!(answers[0][0]["errors"][0]["code"], "NOT_FOUND");
    assert_eq!(answers[0][0]["errors"][0]["field"], "base_uri");
    assert_eq!(answers[0][1]["errors"][0]["code"], "NOT_FOUND");
    assert!(
        answers.iter().all(|answer| *answer == answers[0]),
        "{answers:?}"
    );
    for who in ["bob", "root"] {
        for uri in [
            "s3://bucket/a",
            "s3://bucket/none",
            "s3://nowhere/a",
            "\0",
            "",
        ] {
            let answer = register.data(who, ALL, json!({ "uri": uri })).await;
            assert_eq!(answer["dataset"], Value::Null);
        }
    }

    // To register is not to search: whether it was there is not told, either.
    register.grant("bob", BASE, false, true).await;
    let answer = register.register("bob", &info(BASE, "b", 2)).await;
    assert_eq!(
        answer,
        json!({ "dataset": null, "created": null, "errors": [] })
    );
    assert_eq!(register.uris("bob", json!({})).await, [""; 0]);
    assert_eq!(register.uris("ada", json!({})).await.len(), 2);

    let nobody = "mutation { deleteDataset(input: { uri: \"s3://bucket/a\" }) { uri } }";
    let (_, answer) = register.server.ask(nobody, json!({})).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
}

async fn items_come_in_pages(lab: Lab) {
    let register = open(lab).await;
    for (number, name) in [(1, "a"), (2, "b")] {
        let mut sent = info(BASE, name, number);
        let items: serde_json::Map<String, Value> = (0..25)
            .map(|item| {
                let path = format!("folder/{}/Item_{item}", item % 5);
                let item = json!({
                    "hash": "h", "relpath": path, "size_in_bytes": 1_u64 << 40, "utc_timestamp": item,
                });
                (path, item)
            })
            .collect();
        sent["manifest"]["items"] = Value::Object(items);
        sent["size_in_bytes"] = Value::Null;
        register.registered("ada", &sent).await;
    }
    let query = "query($filter: DatasetItemFilter, $after: String) { datasets { nodes { sizeBytes manifest {
        items(first: 10, after: $after, filter: $filter) {
            totalCount pageInfo { hasNextPage endCursor } nodes { identifier sizeBytes }
        }
    } } } }";
    let (mut after, mut found) = (Value::Null, Vec::new());
    loop {
        let page =
            register.data("ada", query, json!({ "after": after })).await["datasets"]["nodes"]
                .take();
        assert_eq!(page[0], page[1]);
        assert_eq!(page[0]["sizeBytes"], 27_487_790_694_400.0);
        let items = &page[0]["manifest"]["items"];
        assert_eq!(items["totalCount"], 25);
        found.extend(super::texts(&items["nodes"], "identifier"));
        after = items["pageInfo"]["endCursor"].clone();
        if items["pageInfo"]["hasNextPage"] == false {
            break;
        }
    }
    assert_eq!(found.len(), 25);
    assert!(found.is_sorted());
    for (filter, count) in [
        (json!({ "relpath": "/3/item_" }), 5),
        (json!({ "relpath": "!/3/" }), 20),
        (json!({ "identifiers": ["folder/0/Item_0", "none"] }), 1),
        (json!({ "identifiers": [] }), 0),
    ] {
        let page = register
            .data("ada", query, json!({ "filter": filter }))
            .await["datasets"]["nodes"]
            .take();
        assert_eq!(
            page[1]["manifest"]["items"]["totalCount"], count,
            "{filter}"
        );
    }
}

async fn copies_are_known_by_their_uuid(lab: Lab) {
    let register = open(lab).await;
    register
        .base_uri("s3://other", &[("ada", true, true)])
        .await;
    register
        .base_uri("s3://hidden", &[("bob", true, true)])
        .await;
    for (base, name, number) in [
        (BASE, "a", 1),
        (BASE, "b", 2),
        ("s3://other", "a", 1),
        ("s3://other", "c", 3),
    ] {
        register.registered("ada", &info(base, name, number)).await;
    }
    register
        .registered("bob", &info("s3://hidden", "a", 1))
        .await;
    let query = "{ datasets { nodes { uri copies { uri name copies { uri } } } } }";
    let data = register.data("ada", query, json!({})).await;
    assert_eq!(
        data["datasets"]["nodes"],
        json!([
            { "uri": "s3://bucket/a", "copies": [
                { "uri": "s3://other/a", "name": "a", "copies": [{ "uri": "s3://bucket/a" }] },
            ] },
            { "uri": "s3://bucket/b", "copies": [] },
            { "uri": "s3://other/a", "copies": [
                { "uri": "s3://bucket/a", "name": "a", "copies": [{ "uri": "s3://other/a" }] },
            ] },
            { "uri": "s3://other/c", "copies": [] },
        ])
    );
}

async fn two_at_once_leave_one(lab: Lab) {
    let register = open(lab).await;
    let sent: Vec<Value> = (0..8)
        .map(|number| {
            let mut sent = info(BASE, "a", 1);
            sent["tags"] = json!([format!("tag-{number}")]);
            sent
        })
        .collect();
    let answers =
        futures_util::future::join_all(sent.iter().map(|sent| register.register("ada", sent)));
    let answers = answers.await;
    let created = answers.iter().filter(|answer| answer["created"] == true);
    assert_eq!(created.count(), 1, "{answers:?}");
    let query = "{ datasets { totalCount nodes { tags } } baseUris { nodes { datasetCount } } }";
    let data = register.data("ada", query, json!({})).await;
    assert_eq!(data["datasets"]["totalCount"], 1);
    assert_eq!(
        data["datasets"]["nodes"][0]["tags"]
            .as_array()
            .expect("tags")
            .len(),
        1
    );
    assert_eq!(data["baseUris"]["nodes"][0]["datasetCount"], 1);
}
