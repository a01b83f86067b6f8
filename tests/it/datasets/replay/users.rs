//! `GET /me`, `/users` and `/base-uris`: `viewer`, `users`, `datasetSummary` and `baseUris`.

use serde_json::{Map, Value, json};

use super::lists::sorted;
use super::{Replay, Request};

const GRANTS: &str = "username isAdmin grants { baseUri canSearch canRegister }";

pub async fn compare(replay: &mut Replay, request: &Request) {
    let own = request.user.as_deref().unwrap_or_default();
    let (name, rest) = match request.argument().split_once('/') {
        Some((name, rest)) if request.root() == "users" => (name, rest),
        _ => (request.argument(), ""),
    };
    match (request.root(), name, rest) {
        ("me", "", "") => viewer(replay, request).await,
        ("me", "summary", "") => summary(replay, request).await,
        ("users", "", "") => users(replay, request).await,
        ("users", name, "") if name == own => viewer(replay, request).await,
        ("users", name, "summary") if name == own => summary(replay, request).await,
        ("users", name, "") => user(replay, request, name).await,
        ("base-uris", "", "") => base_uris(replay, request).await,
        ("base-uris", ..) => base_uri(replay, request).await,
        _ => replay.differ(request, "there is no counterpart"),
    }
}

/// Who asks, and what they may do.
async fn viewer(replay: &mut Replay, request: &Request) {
    let query = format!("{{ viewer {{ {GRANTS} }} }}");
    // A wrong token is refused; without one, one is nobody.
    if request.answer.status != 200 && request.user.is_some() {
        replay
            .refused(request, &query, json!({}), "UNAUTHENTICATED")
            .await;
        return;
    }
    let data = replay.data(request, &query, json!({})).await;
    if request.answer.status == 200 {
        equal_user(replay, request, &data["viewer"]);
    } else {
        replay.equal(request, "viewer", &Value::Null, &data["viewer"]);
    }
}

fn equal_user(replay: &mut Replay, request: &Request, ours: &Value) {
    let theirs = &request.answer.body;
    replay.equal(request, "username", &theirs["username"], &ours["username"]);
    replay.equal(request, "is_admin", &theirs["is_admin"], &ours["isAdmin"]);
    for (name, right) in [
        ("search_permissions_on_base_uris", "canSearch"),
        ("register_permissions_on_base_uris", "canRegister"),
    ] {
        let granted = with_right(&ours["grants"], right, "baseUri");
        replay.equal(request, name, &sorted(&theirs[name]), &granted);
    }
}

/// A field of the grants that have this right, sorted.
fn with_right(grants: &Value, right: &str, field: &str) -> Value {
    let grants = grants.as_array().into_iter().flatten();
    let granted = grants.filter(|grant| grant[right] == true);
    sorted(&granted.map(|grant| grant[field].clone()).collect())
}

/// The sums over what one may see.
async fn summary(replay: &mut Replay, request: &Request) {
    let query = "{ datasetSummary {
        count sizeBytes
        byCreator { key count sizeBytes } byBaseUri { key count sizeBytes } byTag { key count sizeBytes }
    } }";
    let mut data = replay.data(request, query, json!({})).await;
    let (theirs, ours) = (&request.answer.body, data["datasetSummary"].take());
    replay.equal(
        request,
        "datasets",
        &theirs["number_of_datasets"],
        &ours["count"],
    );
    let size = json!(theirs["total_size_in_bytes"].as_f64());
    let found = json!(ours["sizeBytes"].as_f64());
    replay.equal(request, "bytes", &size, &found);
    for (field, keys, kind) in [
        ("byCreator", "creator_usernames", "creator"),
        ("byBaseUri", "base_uris", "base_uri"),
        ("byTag", "tags", "tag"),
    ] {
        let sums = ours[field].as_array().cloned().unwrap_or_default();
        let found = sums.iter().map(|sum| sum["key"].clone()).collect();
        replay.equal(request, keys, &sorted(&theirs[keys]), &sorted(&found));
        for (prefix, value) in [("datasets", "count"), ("size_in_bytes", "sizeBytes")] {
            let name = format!("{prefix}_per_{kind}");
            let sums = sums.iter().filter_map(|sum| {
                let key = sum["key"].as_str()?.to_owned();
                Some((key, json!(sum[value].as_f64())))
            });
            let expected = theirs[&name].as_object().cloned().unwrap_or_default();
            let expected = expected
                .into_iter()
                .map(|(key, it)| (key, json!(it.as_f64())));
            let (expected, sums): (Map<_, _>, Map<_, _>) = (expected.collect(), sums.collect());
            replay.equal(request, &name, &expected.into(), &sums.into());
        }
    }
}

/// A page of users, by name.
async fn users(replay: &mut Replay, request: &Request) {
    let query =
        "query($first: Int) { users(first: $first) { totalCount nodes { username isAdmin } } }";
    let variables = json!({ "first": request.number("page_size", 10) });
    if request.answer.status == 403 {
        replay.refused(request, query, variables, "FORBIDDEN").await;
        return;
    }
    let data = replay.data(request, query, variables).await;
    let nodes = data["users"]["nodes"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let ours = nodes
        .iter()
        .map(|user| json!({ "username": user["username"], "is_admin": user["isAdmin"] }));
    replay.equal(request, "users", &request.answer.body, &ours.collect());
    let total = json!(request.answer.total());
    replay.equal(request, "total", &total, &data["users"]["totalCount"]);
}

/// Somebody else.
async fn user(replay: &mut Replay, request: &Request, name: &str) {
    let query = format!("{{ users(first: 500) {{ nodes {{ {GRANTS} }} }} }}");
    if request.answer.status == 403 {
        replay
            .refused(request, &query, json!({}), "FORBIDDEN")
            .await;
        return;
    }
    let data = replay.data(request, &query, json!({})).await;
    let mut nodes = data["users"]["nodes"].as_array().into_iter().flatten();
    let found = nodes.find(|user| user["username"] == name);
    match (request.answer.status, found) {
        (404, found) => replay.equal(request, "user", &json!(false), &json!(found.is_some())),
        (_, found) => equal_user(replay, request, found.unwrap_or(&Value::Null)),
    }
}

/// A page of base URIs. In falling order the first are the last.
async fn base_uris(replay: &mut Replay, request: &Request) {
    let size = request.number("page_size", 10);
    let falls = request.parameter("sort") == Some("-base_uri");
    let end = if falls { "last" } else { "first" };
    let query = format!("{{ baseUris({end}: {size}) {{ totalCount nodes {{ uri }} }} }}");
    let data = replay.data(request, &query, json!({})).await;
    let nodes = data["baseUris"]["nodes"].as_array().into_iter().flatten();
    let mut ours: Vec<_> = nodes.map(|it| json!({ "base_uri": it["uri"] })).collect();
    if falls {
        ours.reverse();
    }
    replay.equal(request, "base URIs", &request.answer.body, &json!(ours));
    let total = json!(request.answer.total());
    replay.equal(request, "total", &total, &data["baseUris"]["totalCount"]);
}

async fn base_uri(replay: &mut Replay, request: &Request) {
    let query = "query($uri: String!) {
        baseUri(uri: $uri) { uri grants { username canSearch canRegister } }
    }";
    let data = replay.data(request, query, json!({ "uri": request.uri() }));
    let ours = data.await["baseUri"].take();
    let theirs = &request.answer.body;
    if request.answer.status == 404 {
        replay.equal(request, "base URI", &Value::Null, &ours);
        return;
    }
    replay.equal(request, "base URI", &theirs["base_uri"], &ours["uri"]);
    for (name, right) in [
        ("users_with_search_permissions", "canSearch"),
        ("users_with_register_permissions", "canRegister"),
    ] {
        let granted = with_right(&ours["grants"], right, "username");
        replay.equal(request, name, &sorted(&theirs[name]), &granted);
    }
}
