//! Base URIs and what is granted there.

use serde_json::{Value, json};

use super::{ADMIN, Register, info};
use crate::support::Lab;

on_both_databases!(
    administrators_manage_and_do_not_read,
    a_base_uri_with_datasets_stays,
    grants_are_set_and_taken,
    grants_of_older_databases_stay,
);

const BASE_URIS: &str = "{ baseUris { totalCount nodes {
    uri datasetCount indexedAt grants { username canSearch canRegister }
} } }";

async fn administrators_manage_and_do_not_read(lab: Lab) {
    let register = Register::open(lab, &["ada", "bob"]).await;
    register.base_uri("s3://a", &[("ada", true, true)]).await;
    register
        .base_uri("s3://b", &[("ada", false, true), ("bob", true, false)])
        .await;
    register.registered("ada", &info("s3://a", "x", 1)).await;
    register.registered("ada", &info("s3://b", "y", 2)).await;

    let all = register.data(ADMIN, BASE_URIS, json!({})).await["baseUris"].take();
    let ada_a = json!({ "username": "ada", "canSearch": true, "canRegister": true });
    let ada_b = json!({ "username": "ada", "canSearch": false, "canRegister": true });
    let bob_b = json!({ "username": "bob", "canSearch": true, "canRegister": false });
    let shown = |uri: &str, count: Value, grants: Value| json!({ "uri": uri, "datasetCount": count, "indexedAt": null, "grants": grants });
    assert_eq!(
        all,
        json!({ "totalCount": 2, "nodes": [
            shown("s3://a", Value::Null, json!([ada_a])),
            shown("s3://b", Value::Null, json!([ada_b, bob_b])),
        ] })
    );
    let own = register.data("ada", BASE_URIS, json!({})).await["baseUris"].take();
    assert_eq!(
        own,
        json!({ "totalCount": 2, "nodes": [
            shown("s3://a", json!(1), json!([ada_a])),
            shown("s3://b", Value::Null, json!([ada_b])),
        ] })
    );
    let own = register.data("bob", BASE_URIS, json!({})).await["baseUris"].take();
    assert_eq!(
        own,
        json!({ "totalCount": 1, "nodes": [shown("s3://b", json!(1), json!([bob_b]))] })
    );
    let one = "{ known: baseUri(uri: \"s3://b\") { uri } foreign: baseUri(uri: \"s3://a\") { uri }
        none: baseUri(uri: \"s3://c\") { uri } }";
    assert_eq!(
        register.data("bob", one, json!({})).await,
        json!({ "known": { "uri": "s3://b" }, "foreign": null, "none": null })
    );

    for mutation in [
        "registerBaseUri(input: { uri: \"s3://c\" }) { created }",
        "deleteBaseUri(input: { uri: \"s3://a\" }) { uri }",
        "grantBaseUri(input: { username: \"ada\", baseUri: \"s3://a\", canSearch: true, canRegister: true }) {
            grant { username }
        }",
    ] {
        let answer = register.ask("ada", &format!("mutation {{ {mutation} }}"), json!({})).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN", "{mutation}");
    }
}

async fn a_base_uri_with_datasets_stays(lab: Lab) {
    let register = Register::open(lab, &["ada"]).await;
    let delete = "mutation($input: DeleteBaseUriInput!) {
        deleteBaseUri(input: $input) { uri errors { code field } }
    }";
    let delete = async |input: Value| {
        let data = register
            .data(ADMIN, delete, json!({ "input": input }))
            .await;
        data["deleteBaseUri"].clone()
    };
    register.base_uri("s3://a", &[("ada", true, true)]).await;
    register.registered("ada", &info("s3://a", "x", 1)).await;
    let refused = delete(json!({ "uri": "s3://a" })).await;
    let conflict = json!([{ "code": "CONFLICT", "field": "uri" }]);
    assert_eq!(refused, json!({ "uri": null, "errors": conflict }));
    assert_eq!(register.uris("ada", json!({})).await.len(), 1);

    let done = delete(json!({ "uri": "s3://a", "withDatasets": true })).await;
    assert_eq!(done, json!({ "uri": "s3://a", "errors": [] }));
    assert_eq!(register.uris("ada", json!({})).await, [""; 0]);
    let again = delete(json!({ "uri": "s3://a" })).await;
    assert_eq!(again["errors"][0]["code"], "NOT_FOUND");
    // Made anew, it is another one: nothing is granted there.
    register.base_uri("s3://a", &[]).await;
    let answer = register.register("ada", &info("s3://a", "x", 1)).await;
    assert_eq!(answer["errors"][0]["code"], "NOT_FOUND");
}

async fn grants_are_set_and_taken(lab: Lab) {
    let register = Register::open(lab, &["ada"]).await;
    for (uri, message) in [
        ("bucket", "it must have a scheme, such as file:// or s3://"),
        ("s3://bucket/", "it must not end with a slash"),
        ("s3://", "it must be a URI, such as s3://bucket"),
        ("file:///srv//x", "it must be written as file:///srv/x"),
        (
            "s3://bucket/folder",
            "it holds a path: the base URI of a bucket is s3://BUCKET alone",
        ),
    ] {
        let query = "mutation($input: RegisterBaseUriInput!) {
            registerBaseUri(input: $input) { baseUri { uri } created errors { field message } }
        }";
        let answer = register
            .data(ADMIN, query, json!({ "input": { "uri": uri } }))
            .await;
        assert_eq!(
            answer["registerBaseUri"],
            json!({ "baseUri": null, "created": null, "errors": [{ "field": "uri", "message": message }] })
        );
    }
    let query = "mutation($input: GrantBaseUriInput!) {
        grantBaseUri(input: $input) { grant { username baseUri canSearch canRegister } errors { code field } }
    }";
    let grant = async |user: &str, uri: &str, search: bool, register_: bool| {
        let input = json!({
            "username": user, "baseUri": uri, "canSearch": search, "canRegister": register_,
        });
        register.data(ADMIN, query, json!({ "input": input })).await["grantBaseUri"].clone()
    };
    register.base_uri("s3://a", &[]).await;
    let missing = grant("ada", "s3://b", true, true).await;
    assert_eq!(
        missing["errors"],
        json!([{ "code": "NOT_FOUND", "field": "baseUri" }])
    );
    let missing = grant("eve", "s3://a", true, true).await;
    assert_eq!(
        missing["errors"],
        json!([{ "code": "NOT_FOUND", "field": "username" }])
    );
    let set = grant("ada", "s3://a", true, false).await;
    assert_eq!(
        set["grant"],
        json!({ "username": "ada", "baseUri": "s3://a", "canSearch": true, "canRegister": false })
    );
    let viewer = "{ viewer { grants { username baseUri canSearch canRegister } } }";
    let seen = register.data("ada", viewer, json!({})).await;
    assert_eq!(seen["viewer"]["grants"], json!([set["grant"]]));
    grant("ada", "s3://a", false, false).await;
    let seen = register.data("ada", viewer, json!({})).await;
    assert_eq!(seen["viewer"]["grants"], json!([]));
}

/// Grants named base URIs by their text, whether these were registered or not.
async fn grants_of_older_databases_stay(lab: Lab) {
    let database = lab.database().await;
    lab.done(&["user", "add", "ada", "--no-password"]);
    lab.done(&["user", "grant", "ada", "s3://a", "--search"]);
    let later = database.migration_status().await.expect("migrations");
    let place = later
        .iter()
        .position(|(name, _)| name.ends_with("000015_datasets"));
    let steps = later.len() - place.expect("the migration");
    database
        .migrate_down(u32::try_from(steps).expect("a few"))
        .await
        .expect("the way back");
    database.migrate_up(None).await.expect("the way forth");
    drop(database);
    let token = lab.token("ada");
    let server = lab.serve().await.signed_in(&token);
    let query = "{ viewer { grants { baseUri canSearch canRegister } } baseUris { nodes { uri datasetCount } } }";
    assert_eq!(
        server.data(query, json!({})).await,
        json!({
            "viewer": { "grants": [{ "baseUri": "s3://a", "canSearch": true, "canRegister": false }] },
            "baseUris": { "nodes": [{ "uri": "s3://a", "datasetCount": 0 }] },
        })
    );
}
