//! `GET /uris`, `/uris/<uri>` and `/uuids/<uuid>`: `datasets` and `dataset`.

use serde_json::{Value, json};

use super::{Replay, Request};

/// The fields that rows are compared by.
pub const FIELDS: &str = "uuid uri baseUri name creatorUsername createdAt frozenAt tags itemCount sizeBytes dtoolcoreVersion";

/// To which digit dserver knows times: its SQL database to microseconds, its MongoDB to milliseconds.
#[derive(Clone, Copy)]
pub enum Times {
    Micros,
    Millis,
}

/// A page of datasets, or one.
pub async fn compare(replay: &mut Replay, request: &Request) {
    if request.argument().is_empty() {
        compare_page(replay, request, json!({}), Times::Micros).await;
        return;
    }
    let query = format!("query($uri: String!) {{ dataset(uri: $uri) {{ {FIELDS} }} }}");
    let data = replay.data(request, &query, json!({ "uri": request.uri() }));
    let data = data.await;
    let ours = &data["dataset"];
    match request.answer.status {
        200 => {
            let (theirs, ours) = row(&request.answer.body, ours, Times::Micros);
            replay.equal(request, "dataset", &theirs, &ours);
        }
        // What is not there and what may not be seen look alike.
        403 | 404 => replay.equal(request, "dataset", &Value::Null, ours),
        status => replay.differ(request, &format!("what is {status} of a dataset?")),
    }
}

/// The datasets with a UUID.
pub async fn compare_copies(replay: &mut Replay, request: &Request) {
    let filter = json!({ "uuids": [request.argument()] });
    compare_page(replay, request, filter, Times::Micros).await;
}

/// A page in its order.
pub async fn compare_page(replay: &mut Replay, request: &Request, filter: Value, times: Times) {
    let refusal = match request.answer.status {
        401 => Some("UNAUTHENTICATED"),
        422 => Some("BAD_INPUT"),
        _ => None,
    };
    if let Some(code) = refusal {
        let after = request.parameter("page");
        let variables = json!({ "filter": filter, "orderBy": request.order(), "after": after });
        replay.refused(request, &list(), variables, code).await;
        return;
    }
    let page = page(replay, request, &filter).await;
    // A page beyond the last one has nothing, whether dserver calls that 404 or not.
    let theirs = request.answer.rows();
    rows(replay, request, &theirs, nodes(&page), times);
    if request.answer.status == 200 {
        let total = json!(request.answer.total());
        replay.equal(request, "total", &total, &page["totalCount"]);
    }
}

/// The page that the request asks for by its number.
pub async fn page(replay: &mut Replay, request: &Request, filter: &Value) -> Value {
    let size = request.number("page_size", 10);
    let mut after = Value::Null;
    for _ in 1..request.number("page", 1) {
        let mut page = read(replay, request, filter, size, &after).await;
        if page["pageInfo"]["hasNextPage"] != true {
            page["nodes"] = json!([]);
            return page;
        }
        after = page["pageInfo"]["endCursor"].take();
    }
    read(replay, request, filter, size, &after).await
}

async fn read(
    replay: &mut Replay,
    request: &Request,
    filter: &Value,
    size: usize,
    after: &Value,
) -> Value {
    let variables = json!({
        "filter": filter, "orderBy": request.order(), "first": size, "after": after,
    });
    replay.data(request, &list(), variables).await["datasets"].take()
}

fn list() -> String {
    format!(
        "query($filter: DatasetFilter, $orderBy: [DatasetOrder!], $first: Int, $after: String) {{
            datasets(filter: $filter, orderBy: $orderBy, first: $first, after: $after) {{
                totalCount pageInfo {{ hasNextPage endCursor }} nodes {{ {FIELDS} }}
            }}
        }}"
    )
}

pub fn nodes(page: &Value) -> &[Value] {
    page["nodes"].as_array().map_or(&[], Vec::as_slice)
}

/// Compares row by row.
pub fn rows(
    replay: &mut Replay,
    request: &Request,
    theirs: &[Value],
    ours: &[Value],
    times: Times,
) {
    let uris = |rows: &[Value]| rows.iter().map(|row| row["uri"].clone()).collect::<Value>();
    replay.equal(request, "rows", &uris(theirs), &uris(ours));
    for (theirs, ours) in theirs.iter().zip(ours) {
        let (theirs, ours) = row(theirs, ours, times);
        replay.equal(request, "row", &theirs, &ours);
    }
}

/// Both as what dserver's row has, in one spelling.
pub fn row(theirs: &Value, ours: &Value, times: Times) -> (Value, Value) {
    let (mut left, mut right) = (json!({}), json!({}));
    for (name, value) in theirs.as_object().into_iter().flatten() {
        let field = match name.as_str() {
            "base_uri" => "baseUri",
            "creator_username" => "creatorUsername",
            "created_at" => "createdAt",
            "frozen_at" => "frozenAt",
            "number_of_items" => "itemCount",
            "size_in_bytes" => "sizeBytes",
            "dtoolcore_version" => "dtoolcoreVersion",
            // There are no others here.
            "type" => {
                (left[name], right[name]) = (value.clone(), json!("dataset"));
                continue;
            }
            name => name,
        };
        let ours = &ours[field];
        (left[name], right[name]) = match field {
            "createdAt" | "frozenAt" => (seconds(value, times), moment(ours, times)),
            "tags" => (sorted(value), sorted(ours)),
            // A Float here.
            "sizeBytes" => (json!(value.as_f64()), json!(ours.as_f64())),
            _ => (value.clone(), ours.clone()),
        };
    }
    (left, right)
}

/// Seconds since 1970 in the unit that is known.
fn seconds(value: &Value, times: Times) -> Value {
    let digits = match times {
        Times::Micros => 6,
        Times::Millis => 3,
    };
    let seconds = value.as_f64().map(|seconds| format!("{seconds:.digits$}"));
    json!(seconds)
}

/// A moment as seconds since 1970, cut where dserver cuts it.
fn moment(value: &Value, times: Times) -> Value {
    let Some(Ok(moment)) = value
        .as_str()
        .map(str::parse::<chrono::DateTime<chrono::Utc>>)
    else {
        return value.clone();
    };
    let micros = moment.timestamp_micros();
    let (whole, rest) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
    json!(match times {
        Times::Micros => format!("{whole}.{rest:06}"),
        Times::Millis => format!("{whole}.{:03}", rest / 1_000),
    })
}

/// A list in which the order says nothing.
pub fn sorted(list: &Value) -> Value {
    let mut list = list.as_array().cloned().unwrap_or_default();
    list.sort_by_key(Value::to_string);
    Value::Array(list)
}
