//! `POST /mongo/aggregate`: `datasetGroups` for `$unwind` and `$group`, `datasets` for all else.

use serde_json::{Value, json};

use super::lists;
use super::mongo::NOT_IN_MONGO;
use super::{Replay, Request};

/// What a pipeline asks for, if labql has a counterpart of it.
#[derive(Default)]
struct Pipeline {
    /// `$match`
    conditions: Vec<Value>,
    /// The path of `$unwind`: documents without a value are dropped.
    unwound: bool,
    /// The path that `$group` groups by.
    group: Option<String>,
    /// `$project`
    names: Vec<(String, Value)>,
    /// `$sort`
    order: Vec<(String, bool)>,
    /// `$limit`
    limit: Option<u64>,
    /// The name that `$count` gives the count.
    count: Option<String>,
}

impl Pipeline {
    fn of(stages: &Value) -> Self {
        let mut pipeline = Self::default();
        let stages = stages.as_array().into_iter().flatten();
        for (stage, value) in stages.filter_map(Value::as_object).flatten() {
            match stage.as_str() {
                "$match" => pipeline.conditions.push(value.clone()),
                "$unwind" => pipeline.unwound = true,
                "$group" => pipeline.group = value["_id"].as_str().map(path),
                "$project" => pipeline.names = pairs(value),
                "$sort" => {
                    let ascending = |(name, value)| (name, value == json!(1));
                    pipeline.order = pairs(value).into_iter().map(ascending).collect();
                }
                "$limit" => pipeline.limit = value.as_u64(),
                "$count" => pipeline.count = value.as_str().map(str::to_owned),
                other => panic!("no counterpart of {other}"),
            }
        }
        pipeline
    }

    /// Without what MongoDB does not have.
    fn filter(&self) -> Value {
        let mut conditions = self.conditions.clone();
        conditions.push(json!({ "uri": { "$ne": NOT_IN_MONGO } }));
        json!({ "mongo": { "$and": conditions } })
    }
}

pub async fn compare(replay: &mut Replay, request: &Request) {
    let pipeline = Pipeline::of(&request.body["aggregation"]);
    let ours = match &pipeline.group {
        Some(by) => groups(replay, request, &pipeline, by).await,
        None => rows(replay, request, &pipeline).await,
    };
    let theirs: Vec<_> = request.answer.rows().iter().map(plain).collect();
    replay.equal(request, "rows", &json!(theirs), &json!(ours));
    replay.equal(
        request,
        "total",
        &json!(request.answer.total()),
        &json!(ours.len()),
    );
}

/// The groups with the names and in the order of the pipeline.
async fn groups(
    replay: &mut Replay,
    request: &Request,
    pipeline: &Pipeline,
    by: &str,
) -> Vec<Value> {
    let query = "query($filter: DatasetFilter, $by: [String!]!) {
        datasetGroups(filter: $filter, by: $by) { key count sizeBytes }
    }";
    let variables = json!({ "filter": pipeline.filter(), "by": [by] });
    let data = replay.data(request, query, variables).await;
    let groups = data["datasetGroups"].as_array().into_iter().flatten();
    let groups = groups.filter(|group| !pipeline.unwound || !group["key"][0].is_null());
    let mut rows: Vec<Value> = groups
        .map(|group| {
            let mut row = json!({});
            for (name, value) in &pipeline.names {
                row[name] = match (name.as_str(), value.as_str()) {
                    (_, Some("$_id")) => group["key"][0].clone(),
                    ("n", _) => group["count"].clone(),
                    ("bytes", _) => group["sizeBytes"].clone(),
                    _ => panic!("what is {name}?"),
                };
            }
            plain(&row)
        })
        .collect();
    // Groups come the largest first, and those of one size by key; a pipeline that sorts by less must have another order.
    if pipeline.order.len() == 1 {
        let (name, _) = &pipeline.order[0];
        rows.sort_by_key(|row| row[name].to_string());
    }
    rows
}

async fn rows(replay: &mut Replay, request: &Request, pipeline: &Pipeline) -> Vec<Value> {
    let order = pipeline.order.iter().map(|(name, ascending)| {
        let field = match name.as_str() {
            "size_in_bytes" => "SIZE_BYTES".to_owned(),
            name => name.to_uppercase(),
        };
        json!({ "field": field, "direction": if *ascending { "ASC" } else { "DESC" } })
    });
    let query = format!(
        "query($filter: DatasetFilter, $orderBy: [DatasetOrder!], $first: Int) {{
            datasets(filter: $filter, orderBy: $orderBy, first: $first) {{
                totalCount nodes {{ {} }}
            }}
        }}",
        lists::FIELDS
    );
    let order: Value = order.collect();
    let variables = json!({
        "filter": pipeline.filter(), "orderBy": order, "first": pipeline.limit.unwrap_or(500),
    });
    let data = replay.data(request, &query, variables).await;
    if let Some(name) = &pipeline.count {
        return vec![plain(
            &json!({ name.as_str(): data["datasets"]["totalCount"] }),
        )];
    }
    let template: serde_json::Map<_, _> = pipeline.names.iter().cloned().collect();
    let nodes = lists::nodes(&data["datasets"]).iter();
    // What is asked for, under dserver's names.
    let named = |node| lists::row(&template.clone().into(), node, lists::Times::Millis).1;
    nodes.map(|node| plain(&named(node))).collect()
}

/// A row in one spelling of numbers.
fn plain(row: &Value) -> Value {
    let fields = row.as_object().into_iter().flatten().map(|(name, value)| {
        let number = value.as_f64().or_else(|| match name.as_str() {
            "created_at" | "frozen_at" => value.as_str()?.parse().ok(),
            _ => None,
        });
        (
            name.clone(),
            number.map_or(value.clone(), |number| json!(number)),
        )
    });
    Value::Object(fields.collect())
}

fn path(text: &str) -> String {
    match text.trim_start_matches('$') {
        "creator_username" => "creatorUsername".to_owned(),
        path => path.to_owned(),
    }
}

fn pairs(fields: &Value) -> Vec<(String, Value)> {
    let fields = fields.as_object().into_iter().flatten();
    fields
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}
