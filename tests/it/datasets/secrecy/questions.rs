//! Every question there is about datasets, with random filters.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use rand::RngExt;
use rand::seq::IndexedRandom;
use serde_json::{Value, json};

use super::super::{texts, uuid};
use super::model::Dataset;
use super::{ADMIN, BASES, ITEM, OPEN, TAGS, UUIDS, WORDS, World};
use crate::finding::reference;
use crate::support::client::get;

/// All that is told of a dataset, and of those that it leads to.
const PAGE: &str = r#"query($filter: DatasetFilter, $order: [DatasetOrder!], $first: Int, $after: String) {
    datasets(filter: $filter, orderBy: $order, first: $first, after: $after) {
        totalCount pageInfo { hasNextPage endCursor }
        nodes {
            id uri uuid baseUri name creatorUsername tags annotations itemCount sizeBytes readme { text content }
            registeredBy { username } overlays { name values { totalCount nodes { identifier value } } } signedUrls { manifest }
            manifest { items { totalCount nodes { identifier relpath hash url } } item(identifier: "ITEM") { relpath signedUrl } }
            copies { uri name } derivatives { uri name tags } derivedFrom { uuid dataset { uri name readme { text } } }
            up: lineage(direction: ANCESTORS) { ...walk } down: lineage(direction: DESCENDANTS) { ...walk } lineage { ...walk }
        }
    }
}
fragment walk on DatasetLineage { nodes { uuid dataset { uri name copies { uri name } } } edges { from to } truncated }"#;

const SUMS: &str = "query($filter: DatasetFilter, $by: [String!]!) {
    datasetGroups(filter: $filter, by: $by) { key count sizeBytes }
    datasetSummary { count sizeBytes
        byCreator { key count sizeBytes } byBaseUri { key count sizeBytes } byTag { key count sizeBytes } }
    baseUris { totalCount nodes { uri datasetCount lastIndex { registered problems { source } } grants { username } } }
}";

const ONE: &str = r#"query($uri: String!, $id: ID!, $ids: [ID!]!) {
    dataset(uri: $uri) { uri name readme { text } manifest { item(identifier: "ITEM") { relpath } } }
    node(id: $id) { id ... on Dataset { name } }
    nodes(ids: $ids) { id ... on Dataset { name tags } }
}"#;

impl World {
    /// The data of a question, which says nothing that it must not.
    pub async fn answer(&self, reader: &'static str, query: &str, variables: Value) -> Value {
        let query = query.replace("ITEM", ITEM);
        let body = json!({ "query": query, "variables": variables });
        let request = body.to_string();
        let (_, text) = self.register.send_for_text(reader, body).await;
        self.model.check(reader, &request, &text);
        let mut answer: Value = serde_json::from_str(&text).expect("JSON");
        assert!(answer.get("errors").is_none(), "{request}: {answer}");
        answer["data"].take()
    }

    /// A filter and whether a dataset is meant by it.
    fn filter(&mut self) -> (Value, Vec<Test>) {
        let (mut filter, mut tests) = (json!({}), Vec::new());
        for _ in 0..self.random.random_range(0..3) {
            let test = self.test();
            match &test {
                Test::Tags(tags) => filter["tags"] = json!(tags),
                Test::Uuids(uuids) => filter["uuids"] = json!(uuids),
                Test::Bases(bases) => filter["baseUris"] = json!(bases),
                Test::Creators(names) => filter["creatorUsernames"] = json!(names),
                Test::Size(min, max) => filter["sizeBytes"] = json!({ "min": min, "max": max }),
                Test::Text(text, _) => filter["text"] = json!(text),
                Test::Mongo(query) => filter["mongo"] = query.clone(),
            }
            // The later one of a kind counts.
            let kind = std::mem::discriminant(&test);
            tests.retain(|it| std::mem::discriminant(it) != kind);
            tests.push(test);
        }
        (filter, tests)
    }

    fn test(&mut self) -> Test {
        match self.random.random_range(0..10) {
            0 => Test::Tags(vec![self.any(&TAGS).to_owned()]),
            1 => Test::Uuids(vec![
                uuid(self.random.random_range(0..UUIDS)),
                uuid(self.random.random_range(0..UUIDS)),
            ]),
            2 => Test::Bases(vec![self.any(&BASES), self.any(&BASES), OPEN]),
            3 => Test::Creators(vec![self.any(&["alice", "carol", "nobody"])]),
            4 => Test::Size(
                self.random.random_range(0..500),
                self.random.random_range(300..1_000),
            ),
            5 => {
                let word = self.any(&WORDS).to_owned();
                Test::Text(word.clone(), word)
            }
            6 => {
                // A word that one dataset has, as a word, a phrase, or excluded.
                let word = self.secret();
                let common = self.any(&WORDS);
                match self.random.random_range(0..3) {
                    0 => Test::Text(word.clone(), word),
                    1 => Test::Text(format!("\"{word}\""), word),
                    _ => Test::Text(format!("{common} -{word}"), format!("{common} -{word}")),
                }
            }
            _ => Test::Mongo(self.mongo()),
        }
    }

    /// The word of some dataset that is registered, or was.
    fn secret(&mut self) -> String {
        let words: Vec<&String> = self.model.ever.iter().map(|(.., word)| word).collect();
        let word = words.choose(&mut self.random);
        word.map_or_else(|| "none".to_owned(), ToString::to_string)
    }

    fn mongo(&mut self) -> Value {
        let word = self.secret();
        match self.random.random_range(0..12) {
            0 => json!({ "annotations.level": { "$gte": self.random.random_range(0..5) } }),
            1 => json!({ "annotations.about.word": word }),
            2 => json!({ "name": { "$regex": "^zq[0-9]+x$" } }),
            3 => json!({ "readme.about": { "$regex": word } }),
            4 => json!({ "$nor": [{ "tags": self.any(&TAGS) }] }),
            5 => json!({ "tags": { "$in": [word, self.any(&TAGS)] } }),
            6 => {
                json!({ "$or": [{ "base_uri": self.any(&BASES) }, { "uuid": uuid(self.random.random_range(0..UUIDS)) }] })
            }
            7 => json!({ "base_uri": { "$ne": OPEN }, "number_of_items": { "$exists": true } }),
            8 => {
                json!({ "readme.derived_from": { "$elemMatch": { "uuid": uuid(self.random.random_range(0..UUIDS)) } } })
            }
            9 => json!({ (format!("manifest.items.{ITEM}.relpath")): format!("{word}.txt") }),
            10 => json!({ "annotations.source_dataset_uuid": { "$exists": false } }),
            _ => {
                json!({ "$and": [{ "uri": { "$regex": "n[0-3]$" } }, { "size_in_bytes": { "$lt": 600 } }] })
            }
        }
    }
}

/// What a filter asks for.
enum Test {
    Tags(Vec<String>),
    Uuids(Vec<String>),
    Bases(Vec<&'static str>),
    Creators(Vec<&'static str>),
    Size(i64, i64),
    /// As it is sent, and what it means: a word, or a word and one that must not be there.
    Text(String, String),
    Mongo(Value),
}

impl Test {
    fn holds(&self, of: &Dataset) -> bool {
        match self {
            Self::Tags(tags) => tags.iter().all(|tag| of.all_tags().contains(tag)),
            Self::Uuids(uuids) => uuids.contains(&uuid(of.uuid)),
            Self::Bases(bases) => bases.contains(&of.base),
            Self::Creators(names) => names.contains(&of.creator),
            Self::Size(min, max) => (*min..=*max).contains(&of.size),
            Self::Text(_, meant) => {
                let has = |word: &str| of.words.contains(&word) || of.secret == word;
                match meant.split_once(" -") {
                    Some((word, not)) => has(word) && !has(not),
                    None => has(meant),
                }
            }
            Self::Mongo(query) => reference::matches(query, &of.document()),
        }
    }
}

/// Asks in every way, and compares with the model.
pub async fn all(world: &mut World, reader: &'static str) {
    let (filter, tests) = world.filter();
    let meant = |it: &&Dataset| tests.iter().all(|test| test.holds(it));
    let expected: Vec<Dataset> = world
        .model
        .visible(reader)
        .into_iter()
        .filter(meant)
        .cloned()
        .collect();
    let everywhere = world.model.datasets.values().filter(meant).count();
    world.model.asked.seen += expected.len();
    world.model.asked.hidden += everywhere - expected.len();
    pages(world, reader, &filter, &expected).await;
    sums(world, reader, &filter, &expected).await;
    one(world, reader).await;
    items(world, reader).await;
}

async fn pages(world: &mut World, reader: &'static str, filter: &Value, expected: &[Dataset]) {
    let order = world.any(&[
        "URI",
        "NAME",
        "UUID",
        "SIZE_BYTES",
        "CREATOR_USERNAME",
        "FROZEN_AT",
    ]);
    let order = json!([{ "field": order, "direction": world.any(&["ASC", "DESC"]) }]);
    let first = world.any(&[2, 3, 20]);
    let order = if world.maybe() { order } else { Value::Null };
    let (mut after, mut found) = (Value::Null, Vec::new());
    loop {
        let variables = json!({ "filter": filter, "order": order, "first": first, "after": after });
        let data = world.answer(reader, PAGE, variables).await;
        let page = &data["datasets"];
        assert_eq!(page["totalCount"], expected.len(), "{reader} {filter}");
        let nodes = page["nodes"].as_array().expect("nodes");
        for node in nodes {
            look_at(world, reader, node);
        }
        found.extend(texts(&page["nodes"], "uri"));
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
    assert_eq!(found.len(), expected.len(), "{reader} {filter}");
    let found: BTreeSet<String> = found.into_iter().collect();
    let expected: BTreeSet<String> = expected.iter().map(|it| it.uri.clone()).collect();
    assert_eq!(found, expected, "{reader} {filter}");
}

/// What is told of a dataset is what is known of it, and it leads to nothing else.
fn look_at(world: &World, reader: &'static str, node: &Value) {
    let model = &world.model;
    let of = &model.datasets[node["uri"].as_str().expect("a URI")];
    assert_eq!(node["name"], json!(of.secret));
    assert_eq!(node["manifest"]["items"]["totalCount"], 1);
    let visible = model.visible(reader);
    let uris = |list: &Value| texts(list, "uri");
    let those = |wanted: &dyn Fn(&&&Dataset) -> bool| {
        let those = visible.iter().filter(wanted).map(|it| it.uri.clone());
        those.collect::<Vec<String>>()
    };
    let copies = those(&|it| it.uuid == of.uuid && it.uri != of.uri);
    assert_eq!(uris(&node["copies"]), copies, "{reader} {}", of.uri);
    let derivatives = those(&|it| it.parents.contains(&of.uuid));
    assert_eq!(uris(&node["derivatives"]), derivatives);
    let parents: BTreeSet<u64> = of.parents.iter().copied().collect();
    let parents = parents.into_iter().map(|parent| {
        let near = model.near(reader, parent, of.base);
        (uuid(parent), near.map(|it| it.uri.clone()))
    });
    let told = node["derivedFrom"]
        .as_array()
        .expect("parents")
        .iter()
        .map(|it| {
            let uri = it["dataset"]["uri"].as_str().map(str::to_owned);
            (it["uuid"].as_str().expect("a UUID").to_owned(), uri)
        });
    assert_eq!(told.collect::<Vec<_>>(), parents.collect::<Vec<_>>());
    for (field, direction) in [
        ("up", "ANCESTORS"),
        ("down", "DESCENDANTS"),
        ("lineage", "BOTH"),
    ] {
        let (nodes, edges) = model.lineage(reader, of.uuid, direction);
        let told = &node[field];
        let found: BTreeSet<String> = texts(&told["nodes"], "uuid").into_iter().collect();
        assert_eq!(found, nodes, "{reader} {} {direction}", of.uri);
        let from_to = texts(&told["edges"], "from")
            .into_iter()
            .zip(texts(&told["edges"], "to"));
        assert_eq!(from_to.collect::<BTreeSet<_>>(), edges);
        for step in told["nodes"].as_array().expect("nodes") {
            let number = (0..20)
                .find(|it| step["uuid"] == uuid(*it))
                .expect("a number");
            let near = model
                .near(reader, number, of.base)
                .map(|it| it.uri.as_str());
            assert_eq!(step["dataset"]["uri"].as_str(), near);
        }
    }
}

/// Numbers as they are compared: how many, how large.
type Sums = BTreeMap<String, (u64, i64)>;

fn summed<'a>(
    of: impl IntoIterator<Item = &'a Dataset>,
    keys: impl Fn(&Dataset) -> Vec<String>,
) -> Sums {
    let mut sums = Sums::new();
    for dataset in of {
        for key in keys(dataset) {
            let sum = sums.entry(key).or_default();
            *sum = (sum.0 + 1, sum.1 + dataset.size);
        }
    }
    sums
}

fn told(groups: &Value) -> Sums {
    let groups = groups.as_array().expect("groups").iter().map(|it| {
        let key = match &it["key"] {
            Value::Array(keys) => keys[0].as_str(),
            key => key.as_str(),
        };
        #[expect(clippy::cast_possible_truncation, reason = "small numbers")]
        let size = it["sizeBytes"].as_f64().expect("a size") as i64;
        (
            key.expect("a text").to_owned(),
            (it["count"].as_u64().expect("a count"), size),
        )
    });
    groups.collect()
}

async fn sums(world: &mut World, reader: &'static str, filter: &Value, expected: &[Dataset]) {
    let by = world.any(&[
        "tags",
        "creatorUsername",
        "baseUri",
        "annotations.about.word",
    ]);
    let data = world
        .answer(reader, SUMS, json!({ "filter": filter, "by": [by] }))
        .await;
    let key = |it: &Dataset| match by {
        "tags" => it.all_tags(),
        "creatorUsername" => vec![it.creator.to_owned()],
        "baseUri" => vec![it.base.to_owned()],
        _ => vec![it.secret.clone()],
    };
    assert_eq!(
        told(&data["datasetGroups"]),
        summed(expected, key),
        "{reader} {by} {filter}"
    );
    let visible = world.model.visible(reader);
    let (all, summary) = (|| visible.iter().copied(), &data["datasetSummary"]);
    assert_eq!(summary["count"], visible.len());
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let size = all().map(|it| it.size).sum::<i64>() as f64;
    assert_eq!(summary["sizeBytes"], json!(size));
    assert_eq!(
        told(&summary["byCreator"]),
        summed(all(), |it| vec![it.creator.to_owned()])
    );
    assert_eq!(
        told(&summary["byBaseUri"]),
        summed(all(), |it| vec![it.base.to_owned()])
    );
    assert_eq!(told(&summary["byTag"]), summed(all(), Dataset::all_tags));

    let mut known: Vec<&str> = BASES.into_iter().chain([OPEN]).collect();
    known.sort_unstable();
    let may = |base: &str| {
        let base = BASES.into_iter().find(|it| *it == base).unwrap_or(OPEN);
        world.model.may(reader, base)
    };
    known.retain(|base| reader == ADMIN || may(base).0 || may(base).1);
    let base_uris = &data["baseUris"];
    assert_eq!(texts(&base_uris["nodes"], "uri"), known);
    assert_eq!(base_uris["totalCount"], known.len());
    for base in base_uris["nodes"].as_array().expect("nodes") {
        let uri = base["uri"].as_str().expect("a URI");
        let count = all().filter(|it| it.base == uri).count();
        let (search, register) = may(uri);
        assert_eq!(
            base["datasetCount"],
            if search { json!(count) } else { Value::Null }
        );
        assert!(search || register || base["lastIndex"].is_null());
    }
}

/// The global id of a dataset.
pub fn id(uri: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(format!("Dataset\n{uri}"))
}

async fn one(world: &mut World, reader: &'static str) {
    let all: Vec<(String, bool)> = world
        .model
        .datasets
        .values()
        .map(|it| (it.uri.clone(), world.model.may(reader, it.base).0))
        .collect();
    let Some((uri, is_visible)) = all.choose(&mut world.random).cloned() else {
        return;
    };
    let ids: Vec<String> = all.iter().map(|(uri, _)| id(uri)).collect();
    let variables = json!({ "uri": uri, "id": id(&uri), "ids": ids });
    let found = world.answer(reader, ONE, variables).await;
    assert_eq!(found["dataset"].is_null(), !is_visible);
    assert_eq!(found["node"].is_null(), !is_visible);
    let found = found["nodes"].as_array().expect("nodes");
    let found = found.iter().map(|it| !it.is_null());
    let visible = all.iter().map(|(_, is_visible)| *is_visible);
    assert_eq!(found.collect::<Vec<_>>(), visible.collect::<Vec<_>>());
}

/// The content of items: what must not be seen is not told from what is not there.
async fn items(world: &mut World, reader: &'static str) {
    let all: Vec<Dataset> = world.model.datasets.values().cloned().collect();
    let Some(dataset) = all.choose(&mut world.random) else {
        return;
    };
    let token = format!("Bearer {}", world.register.token(reader));
    let headers = [("authorization", token.as_str())];
    let url = |uri: &str| format!("/files/datasets/{}/items/{ITEM}", id(uri));
    let answer = get(&world.register.server, &url(&dataset.uri), &headers).await;
    let status = answer.status().as_u16();
    let shown: Vec<String> = answer
        .headers()
        .values()
        .map(|it| format!("{it:?}"))
        .collect();
    let content = answer.text().await.expect("text");
    world
        .model
        .check(reader, &dataset.uri, &(shown.join("\n") + &content));
    if world.model.may(reader, dataset.base).0 {
        assert!(status == 200 || status == 404 || status == 502, "{status}");
        return;
    }
    let nowhere = get(&world.register.server, &url("s3://nowhere/n1"), &headers).await;
    assert_eq!((status, nowhere.status().as_u16()), (404, 404));
    assert_eq!(content, nowhere.text().await.expect("text"));
}
