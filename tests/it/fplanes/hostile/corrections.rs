//! Corrections and tags that cannot be.

use serde_json::json;

use super::super::site::kept;
use super::{AT, told_something};
use crate::support::Lab;

on_both_databases!(corrections_and_tags_that_cannot_be);

async fn corrections_and_tags_that_cannot_be(lab: Lab) {
    let (site, database) = told_something(lab).await;
    let before = kept(&database).await;
    for (fields, field) in [
        (json!({ "ifuslot": "x", "removed": ["MAPPING"] }), "ifuslot"),
        (
            json!({ "ifuslot": "\u{0}", "removed": ["MAPPING"] }),
            "ifuslot",
        ),
        (json!({}), "mapping"),
        (
            json!({ "until": "2024-01-01T00:00:00Z", "removed": ["MAPPING"] }),
            "until",
        ),
        (
            json!({ "until": "2023-01-01T00:00:00Z", "removed": ["MAPPING"] }),
            "until",
        ),
        (
            json!({ "removed": ["MAPPING"], "mapping": { "specid": "401" } }),
            "mapping",
        ),
        (
            json!({ "removed": ["MEASURED"], "position": { "x": 1.0, "y": 1.0 } }),
            "position",
        ),
        (json!({ "position": { "x": 1e6, "y": 1.0 } }), "position"),
        (json!({ "mapping": { "specid": "4\u{0}1" } }), "mapping"),
        (
            json!({ "mapping": { "ifuid": "4".repeat(100_000) } }),
            "mapping",
        ),
        (json!({ "mapping": { "rotation": 1e9 } }), "mapping"),
        (json!({ "mapping": { "plateScale": -1.0 } }), "mapping"),
        (
            json!({ "special": { "id": "", "x": 1e9, "y": 0.0 } }),
            "special",
        ),
        (
            json!({ "special": { "id": "902", "name": "a\nb", "x": 0.0, "y": 0.0 } }),
            "special",
        ),
        (
            json!({ "removed": ["MAPPING"], "reason": "r".repeat(10_000) }),
            "reason",
        ),
    ] {
        let mut input = json!({ "ifuslot": "021", "from": "2024-01-01T00:00:00Z", "reason": "" });
        for (name, value) in fields.as_object().expect("fields") {
            input[name] = value.clone();
        }
        let answer = site.tell("correctFplane", input).await;
        let error = &answer["errors"][0];
        assert_eq!(
            (&error["code"], &error["field"]),
            (&json!("BAD_INPUT"), &json!(field)),
            "{answer}"
        );
    }
    let tag = "mutation($input: TagFplaneInput!) { tagFplane(input: $input) { tag { name } errors { code field } } }";
    for (input, field) in [
        (json!({ "name": "" }), "name"),
        (json!({ "name": "two words" }), "name"),
        (json!({ "name": "a\u{0}" }), "name"),
        (json!({ "name": "n".repeat(101) }), "name"),
        (
            json!({ "name": "a", "description": "d".repeat(10_000) }),
            "description",
        ),
        (
            json!({ "name": "a", "knownAt": "2999-01-01T00:00:00Z" }),
            "knownAt",
        ),
        (json!({ "name": "a", "at": "yesterday" }), "at"),
    ] {
        let data = site.server.data(tag, json!({ "input": input })).await;
        assert_eq!(
            data["tagFplane"]["errors"],
            json!([{ "code": "BAD_INPUT", "field": field }])
        );
    }
    assert_eq!(kept(&database).await, before);

    // A frozen tag stays what it is, whatever comes.
    let frozen = json!({ "input": { "name": "good", "at": AT, "frozen": true } });
    assert_eq!(
        site.server.data(tag, frozen).await["tagFplane"]["errors"],
        json!([])
    );
    let before = kept(&database).await;
    for input in [
        json!({ "name": "good", "at": "latest" }),
        json!({ "name": "good", "at": AT }),
    ] {
        let data = site.server.data(tag, json!({ "input": input })).await;
        assert_eq!(
            data["tagFplane"]["errors"],
            json!([{ "code": "CONFLICT", "field": "name" }])
        );
    }
    let delete = "mutation { deleteFplaneTag(input: { name: \"good\" }) { name deleted errors { code field } } }";
    let data = site.server.data(delete, json!({})).await;
    let errors = json!([{ "code": "CONFLICT", "field": "name" }]);
    assert_eq!(
        data["deleteFplaneTag"],
        json!({ "name": null, "deleted": null, "errors": errors })
    );
    assert_eq!(kept(&database).await, before);
    let was = site.plane("tag:good", "NOMINAL").await;
    let correction = json!({ "ifuslot": "021", "from": "2020-01-01T00:00:00Z", "removed": ["MAPPING"], "reason": "never" });
    site.told("correctFplane", correction).await;
    let is = site.plane("tag:good", "NOMINAL").await;
    assert_eq!((&is["slots"], &is["text"]), (&was["slots"], &was["text"]));
    assert_eq!(site.plane(AT, "NOMINAL").await["slots"], json!([]));
}
