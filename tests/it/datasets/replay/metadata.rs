//! `GET /manifests`, `/readmes`, `/annotations` and `/tags`: fields of `dataset`.

use serde_json::{Value, json};

use super::lists::sorted;
use super::{Replay, Request};

pub async fn compare(replay: &mut Replay, request: &Request) {
    match request.answer.status {
        200 => {}
        403 | 404 => {
            let query = "query($uri: String!) { dataset(uri: $uri) { uri } }";
            let data = replay.data(request, query, json!({ "uri": request.uri() }));
            let ours = data.await["dataset"].take();
            replay.equal(request, "dataset", &Value::Null, &ours);
            return;
        }
        status => return replay.differ(request, &format!("what is {status} of metadata?")),
    }
    let theirs = &request.answer.body;
    match request.root() {
        "manifests" => manifest(replay, request).await,
        "readmes" => {
            let ours = field(replay, request, "readme { text }").await;
            replay.equal(
                request,
                "README",
                &theirs["readme"],
                &ours["readme"]["text"],
            );
        }
        "annotations" => {
            let ours = field(replay, request, "annotations").await;
            let flat = ours["annotations"].as_object().into_iter().flatten();
            let flat = flat.map(|(name, value)| (name.clone(), flattened(value)));
            let ours = Value::Object(flat.collect());
            replay.equal(request, "annotations", &theirs["annotations"], &ours);
        }
        _ => {
            let ours = field(replay, request, "tags").await;
            let (theirs, ours) = (sorted(&theirs["tags"]), sorted(&ours["tags"]));
            replay.equal(request, "tags", &theirs, &ours);
        }
    }
}

async fn field(replay: &mut Replay, request: &Request, field: &str) -> Value {
    let query = format!("query($uri: String!) {{ dataset(uri: $uri) {{ {field} }} }}");
    let variables = json!({ "uri": request.uri() });
    replay.data(request, &query, variables).await["dataset"].take()
}

/// All pages of it.
async fn manifest(replay: &mut Replay, request: &Request) {
    let query = "query($uri: String!, $after: String) { dataset(uri: $uri) { manifest {
        dtoolcoreVersion hashFunction
        items(first: 3, after: $after) {
            totalCount pageInfo { hasNextPage endCursor }
            nodes { identifier relpath hash sizeBytes modifiedAt }
        }
    } } }";
    let theirs = &request.answer.body;
    let mut items = json!({});
    let mut after = Value::Null;
    loop {
        let variables = json!({ "uri": request.uri(), "after": after });
        let data = replay.data(request, query, variables).await;
        let ours = &data["dataset"]["manifest"];
        for (name, field) in [
            ("dtoolcore_version", "dtoolcoreVersion"),
            ("hash_function", "hashFunction"),
        ] {
            replay.equal(request, name, &theirs[name], &ours[field]);
        }
        let page = &ours["items"];
        for item in page["nodes"].as_array().into_iter().flatten() {
            let identifier = item["identifier"].as_str().unwrap_or_default();
            items[identifier] = json!({
                "hash": item["hash"],
                "relpath": item["relpath"],
                "size_in_bytes": item["sizeBytes"].as_f64(),
                "utc_timestamp": seconds(&item["modifiedAt"]),
            });
        }
        if page["pageInfo"]["hasNextPage"] != true {
            let count = theirs["items"].as_object().map(serde_json::Map::len);
            replay.equal(request, "items", &json!(count), &page["totalCount"]);
            break;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
    let mut expected = theirs["items"].clone();
    for item in expected.as_object_mut().into_iter().flatten() {
        for number in ["size_in_bytes", "utc_timestamp"] {
            item.1[number] = json!(item.1[number].as_f64());
        }
    }
    replay.equal(request, "items", &expected, &items);
}

fn seconds(moment: &Value) -> Value {
    let moment = moment
        .as_str()
        .map(str::parse::<chrono::DateTime<chrono::Utc>>);
    let Some(Ok(moment)) = moment else {
        return Value::Null;
    };
    #[expect(
        clippy::cast_precision_loss,
        reason = "it is far from the end of what is exact"
    )]
    let micros = moment.timestamp_micros() as f64;
    json!(micros / 1e6)
}

/// An annotation as dserver 0.22.0 tells it: what is no text as Python's `str` writes it.
fn flattened(value: &Value) -> Value {
    match value {
        Value::Null | Value::String(_) => value.clone(),
        other => json!(python(other)),
    }
}

/// What Python's `repr` writes.
fn python(value: &Value) -> String {
    let list = |parts: Vec<String>| parts.join(", ");
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(number) if number.is_f64() => float(number.as_f64().unwrap_or_default()),
        Value::Number(number) => number.to_string(),
        Value::String(text) => format!("'{text}'"),
        Value::Array(values) => format!("[{}]", list(values.iter().map(python).collect())),
        Value::Object(fields) => {
            let fields = fields.iter();
            let fields = fields.map(|(name, value)| format!("'{name}': {}", python(value)));
            format!("{{{}}}", list(fields.collect()))
        }
    }
}

fn float(number: f64) -> String {
    if number == 0.0 || (1e-4..1e16).contains(&number.abs()) {
        return format!("{number:?}");
    }
    let text = format!("{number:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    match exponent.strip_prefix('-') {
        Some(exponent) => format!("{digits}e-{exponent:0>2}"),
        None => format!("{digits}e+{exponent:0>2}"),
    }
}
