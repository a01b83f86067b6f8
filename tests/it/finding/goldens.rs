//! What dserver answered to queries and searches over the sample datasets.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use labql::datasets::document::{Document, Item, Manifest, Readme, ReadmeProblem};
use labql::datasets::mongo::path::Path as Dotted;
use labql::datasets::mongo::{self, Group};
use labql::datasets::text::{self, TextQuery};
use sea_orm::ConnectionTrait;
use sea_orm::sea_query::{Expr, ExprTrait};
use serde_json::{Value, json};

use super::stores::Store;

/// dserver's second store could not take it: it has a key that is no text.
const NOT_IN_MONGO: &str = "odd-readme-keys";

pub fn goldens() -> Option<PathBuf> {
    let folder = std::env::var_os("LABQL_SHARED_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
        PathBuf::from,
    );
    let folder = folder.join("dtool-golden");
    if folder.exists() {
        return Some(folder);
    }
    println!("skipped: no sample data at {}", folder.display());
    None
}

fn files(folder: &Path) -> Vec<Value> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let files = files
        .iter()
        .filter(|path| path.file_name().unwrap() != "index.json");
    files
        .map(|path| serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())
        .collect()
}

/// The frozen datasets.
pub fn documents(folder: &Path) -> Vec<Document> {
    let files = files(&folder.join("datasets"));
    let frozen = files
        .iter()
        .filter(|file| file["admin_metadata"]["frozen_at"].is_number());
    frozen.map(document).collect()
}

fn document(file: &Value) -> Document {
    let admin = &file["admin_metadata"];
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    #[allow(clippy::cast_possible_truncation)]
    let time = |value: &Value| value.as_f64().map(|seconds| (seconds * 1e6).round() as i64);
    let readme = text(&file["readme"]);
    let content = serde_yaml_ng::from_str::<serde_yaml_ng::Value>(&readme)
        .map(json_of)
        .map_err(|error| ReadmeProblem {
            message: error.to_string(),
            line: None,
            column: None,
        });
    let manifest = &file["manifest"];
    let items = manifest["items"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(identifier, item)| Item {
            identifier: identifier.clone(),
            relpath: text(&item["relpath"]),
            hash: text(&item["hash"]),
            size_bytes: item["size_in_bytes"].as_i64().unwrap(),
            modified_at: time(&item["utc_timestamp"]).unwrap(),
        });
    Document {
        uri: text(&file["uri"]),
        base_uri: text(&file["base_uri"]),
        uuid: text(&admin["uuid"]),
        name: text(&admin["name"]),
        creator_username: text(&admin["creator_username"]),
        created_at: time(&admin["created_at"]),
        frozen_at: time(&admin["frozen_at"]),
        dtoolcore_version: admin["dtoolcore_version"].as_str().map(str::to_owned),
        readme: Readme {
            text: readme,
            content,
        },
        annotations: file["annotations"].as_object().unwrap().clone(),
        tags: file["tags"].as_array().unwrap().iter().map(text).collect(),
        manifest: Some(Manifest {
            dtoolcore_version: manifest["dtoolcore_version"].as_str().map(str::to_owned),
            hash_function: manifest["hash_function"].as_str().map(str::to_owned),
            items: items.collect(),
        }),
        item_count: file["summary"]["number_of_items"].as_i64(),
        size_bytes: file["summary"]["size_in_bytes"].as_i64(),
        overlays: BTreeMap::default(),
    }
}

fn json_of(value: serde_yaml_ng::Value) -> Value {
    use serde_yaml_ng::Value as Yaml;
    match value {
        Yaml::Mapping(fields) => Value::Object(
            fields
                .into_iter()
                .map(|(key, field)| {
                    let key = json_of(key);
                    (
                        key.as_str().map_or_else(|| key.to_string(), str::to_owned),
                        json_of(field),
                    )
                })
                .collect(),
        ),
        Yaml::Sequence(elements) => elements.into_iter().map(json_of).collect(),
        Yaml::Tagged(tagged) => json_of(tagged.value),
        other => serde_json::to_value(other).unwrap(),
    }
}

fn uris(rows: &Value) -> BTreeSet<String> {
    let rows = rows.as_array().unwrap().iter();
    rows.map(|row| row["uri"].as_str().unwrap().to_owned())
        .collect()
}

/// The URIs of the datasets that the user may see and that the other filters of the request leave.
fn allowed(documents: &[Document], request: &Value) -> BTreeSet<String> {
    let body = &request["body"];
    let lists = |name: &str, value: &str| {
        body[name]
            .as_array()
            .is_none_or(|list| list.iter().any(|one| one == value))
    };
    let may_see = |base: &str| match request["user"].as_str().unwrap() {
        "alice" => true,
        "bob" => base.ends_with("/polymers"),
        _ => false,
    };
    documents
        .iter()
        .filter(|document| may_see(&document.base_uri) && lists("base_uris", &document.base_uri))
        .filter(|document| lists("creator_usernames", &document.creator_username))
        .filter(|document| {
            let tags = body["tags"].as_array();
            tags.is_none_or(|tags| {
                tags.iter()
                    .all(|tag| document.tags.contains(tag.as_str().unwrap()))
            })
        })
        .map(|document| document.uri.clone())
        .collect()
}

fn named(documents: &[Document], ids: &[i64]) -> BTreeSet<String> {
    ids.iter()
        .map(|id| documents[usize::try_from(*id).unwrap() - 1].uri.clone())
        .collect()
}

#[tokio::test]
async fn recorded_queries_find_what_dserver_found() {
    let Some(folder) = goldens() else { return };
    let documents = documents(&folder);
    let mongos: BTreeSet<_> = documents
        .iter()
        .filter(|d| d.name != NOT_IN_MONGO)
        .map(|d| d.uri.clone())
        .collect();
    for store in Store::both().await {
        store.fill(&documents).await;
        let mut replayed = 0;
        for file in files(&folder.join("rest")) {
            let (request, response) = (&file["request"], &file["response"]);
            let path = request["path"].as_str().unwrap();
            // Pages and answers without rows are of the serving, not of finding.
            if !path.starts_with("/mongo/query")
                || path.contains("page=")
                || response["status"] != 200
            {
                continue;
            }
            let query = request["body"]
                .get("query")
                .cloned()
                .unwrap_or_else(|| json!({}));
            let parsed = mongo::parse(&query).unwrap();
            let found = named(
                &documents,
                &store.ids(mongo::condition(&parsed, store.backend())).await,
            );
            let found: BTreeSet<_> = found
                .intersection(&allowed(&documents, request))
                .cloned()
                .collect();
            let found: BTreeSet<_> = found.intersection(&mongos).cloned().collect();
            assert_eq!(
                found,
                uris(&response["body"]),
                "{:?}: {request}",
                store.backend()
            );
            replayed += 1;
        }
        assert_eq!(replayed, 24);
        store.close().await;
    }
}

#[tokio::test]
async fn recorded_searches_find_what_dserver_found() {
    let Some(folder) = goldens() else { return };
    let documents = documents(&folder);
    for store in Store::both().await {
        store.fill(&documents).await;
        let mut replayed = 0;
        for file in files(&folder.join("rest")) {
            let (request, response) = (&file["request"], &file["response"]);
            let Some(search) = request["body"]["free_text"]
                .as_str()
                .filter(|_| response["status"] == 200)
            else {
                continue;
            };
            let query = TextQuery::parse(search).unwrap();
            let found = named(
                &documents,
                &store.ids(text::condition(&query, store.backend())).await,
            );
            let found: BTreeSet<_> = found
                .intersection(&allowed(&documents, request))
                .cloned()
                .collect();
            assert_eq!(
                found,
                uris(&response["body"]),
                "{:?}: {search}",
                store.backend()
            );
            replayed += 1;
        }
        assert!(replayed >= 10, "{replayed}");
        store.close().await;
    }
}

async fn groups(store: &Store, by: &[&str]) -> Vec<Group> {
    let by: Vec<_> = by.iter().map(|path| Dotted::parse(path).unwrap()).collect();
    let condition = Expr::col(("dataset", "name")).ne(NOT_IN_MONGO);
    let select = mongo::grouped(&by, condition, 100);
    let rows = store.connection.query_all(&select).await.unwrap();
    rows.iter()
        .map(|row| Group::read(by.len(), row).unwrap())
        .collect()
}

#[tokio::test]
async fn recorded_aggregations_are_groups() {
    let Some(folder) = goldens() else { return };
    let documents = documents(&folder);
    let recorded = |stage: &str| {
        let files = files(&folder.join("rest"));
        let found = files.into_iter().find(|file| {
            file["request"]["body"]["aggregation"]
                .to_string()
                .contains(stage)
        });
        found.unwrap()["response"]["body"]
            .as_array()
            .unwrap()
            .clone()
    };
    for store in Store::both().await {
        store.fill(&documents).await;
        let users = groups(&store, &["creator_username"]).await;
        let mut users: Vec<_> = users
            .iter()
            .map(|group| json!({ "user": group.key[0], "n": group.count, "bytes": group.size_bytes }))
            .collect();
        users.sort_by_key(|row| row["user"].to_string());
        assert_eq!(users, recorded(r#""$sum":"$size_in_bytes""#));
        // An array without elements is unwound to nothing there, and a group of its own here.
        let some = |groups: Vec<Group>| {
            groups
                .into_iter()
                .filter(|group| group.key[0] != Value::Null)
        };
        let tags = some(groups(&store, &["tags"]).await);
        let tags: Vec<_> = tags
            .map(|group| json!({ "tag": group.key[0], "n": group.count }))
            .collect();
        assert_eq!(tags, recorded(r#""$unwind":"$tags""#));
        let owners = some(groups(&store, &["readme.owners.name"]).await);
        let mut owners: Vec<_> = owners
            .map(|group| json!({ "owner": group.key[0], "n": group.count }))
            .collect();
        owners.sort_by_key(|row| row["owner"].to_string());
        assert_eq!(owners, recorded(r#""$unwind":"$readme.owners""#));
        let pairs = groups(&store, &["creator_username", "tags"]).await;
        assert!(
            pairs
                .iter()
                .any(|group| group.key.len() == 2 && group.count > 1)
        );
        store.close().await;
    }
}
