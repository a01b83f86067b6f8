//! The datasets of the demo: dtool takes them for its own, and the playground's examples find them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use labql::datasets::readers::{BaseUri, FolderSettings, StorageSettings, Store};
use labql::demo::dtool::{BASE_URI, Summary, write_base};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::dtool::{python, run};
use super::fixture::{list, read};
use crate::support::{Lab, Server, Socket};

fn written() -> (TempDir, Summary) {
    let folder = tempfile::tempdir().expect("a folder");
    let now = "2026-09-21T12:00:00Z".parse().expect("a time");
    let summary = write_base(folder.path(), now).expect("a base URI");
    (folder, summary)
}

#[tokio::test]
async fn the_readers_read_what_was_written() {
    let (folder, summary) = written();
    let settings = StorageSettings {
        folders: vec![FolderSettings {
            uri: BASE_URI.to_owned(),
            path: Some(folder.path().to_owned()),
            allowed_folders: Vec::new(),
        }],
        ..StorageSettings::default()
    };
    let base = BaseUri::parse(BASE_URI).expect("a base URI");
    let store = Store::open(&base, &settings).expect("a store");
    let (names, problems) = list(&store).await;
    assert_eq!((names.len(), problems), (summary.datasets.len(), vec![]));
    assert!(names.len() >= 12);
    for dataset in &summary.datasets {
        let reading = read(&store, &dataset.name).await.expect("a dataset");
        assert_eq!(reading.problems, []);
        let document = reading.document;
        assert_eq!(document.uuid, dataset.uuid);
        assert_eq!(document.is_frozen(), dataset.is_frozen);
        let is_plain = dataset.name == "buoy-handbook";
        assert_eq!(document.readme.content.is_err(), is_plain);
        let Some(manifest) = document.manifest else {
            assert!(!dataset.is_frozen);
            continue;
        };
        assert_eq!(manifest.items.len(), dataset.items);
        let size = i64::try_from(dataset.size_bytes).expect("a size");
        assert_eq!(document.size_bytes, Some(size));
    }
    // A raw dataset with a parent that is not here.
    let uuids: Vec<&String> = summary.datasets.iter().map(|it| &it.uuid).collect();
    let lost = |it: &&String| !uuids.contains(it);
    let parents = summary.datasets.iter().flat_map(|it| &it.derived_from);
    assert!(parents.filter(lost).count() >= 3);
}

/// Reads a base URI as dtool does, and the items with their hashes.
const READ: &str = r"
import json, sys
import dtoolcore
from dtoolcore.filehasher import md5sum_hexdigest

base, found = sys.argv[1], []
for dataset in dtoolcore.iter_datasets_in_base_uri(base):
    for identifier in dataset.identifiers:
        properties = dataset.item_properties(identifier)
        path = dataset.item_content_abspath(identifier)
        assert md5sum_hexdigest(path) == properties['hash'], path
        assert dtoolcore.utils.generate_identifier(properties['relpath']) == identifier
    generated = dataset.generate_manifest()['items']
    manifest = dataset._manifest['items']
    assert set(generated) == set(manifest), dataset.name
    for name in dataset.list_overlay_names():
        assert set(dataset.get_overlay(name)) == set(manifest), name
    found.append({
        'name': dataset.name, 'uuid': dataset.uuid, 'tags': sorted(dataset.list_tags()),
        'annotations': {name: dataset.get_annotation(name) for name in dataset.list_annotation_names()},
        'items': len(manifest), 'readme': dataset.get_readme_content(),
    })
protos = [proto.name for proto in dtoolcore.iter_proto_datasets_in_base_uri(base)]
print(json.dumps([{'datasets': found, 'protos': protos}]))
";

#[test]
fn dtool_takes_them_for_its_own() {
    let Some(python) = python() else { return };
    let (folder, summary) = written();
    let base = format!("file://{}", folder.path().display());
    let found = run(
        &python,
        &["-c".as_ref(), READ.as_ref(), base.as_ref()],
        None,
        "",
    );
    let told: BTreeMap<&str, &Value> = found[0]["datasets"]
        .as_array()
        .expect("datasets")
        .iter()
        .map(|it| (it["name"].as_str().expect("a name"), it))
        .collect();
    let (frozen, growing): (Vec<_>, Vec<_>) = summary.datasets.iter().partition(|it| it.is_frozen);
    assert_eq!(told.len(), frozen.len());
    for dataset in frozen {
        let it = told[dataset.name.as_str()];
        assert_eq!(
            (&it["uuid"], &it["items"]),
            (&json!(dataset.uuid), &json!(dataset.items))
        );
    }
    let growing: Vec<&String> = growing.iter().map(|it| &it.name).collect();
    assert_eq!(found[0]["protos"], json!(growing));
    let daily = told["buoys-2025-daily"];
    assert_eq!(daily["tags"], json!(["buoy", "processed", "published"]));
    assert_eq!(daily["annotations"]["license"]["attribution"], json!(true));
}

#[test]
fn a_folder_of_others_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("mine"), "").expect("a file");
    assert!(write_base(folder.path(), chrono::Utc::now()).is_err());
    let (folder, _) = written();
    fs::write(folder.path().join("mine"), "").expect("a file");
    write_base(folder.path(), chrono::Utc::now()).expect("written anew");
    assert!(folder.path().join("mine").exists());
}

/// The examples of the playground: their names, texts and variables.
fn examples() -> Vec<(String, String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("playground/examples");
    let entries = fs::read_dir(folder).expect("examples");
    let mut examples: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|it| it == "graphql"))
        .map(|path| {
            let name = path.file_stem().and_then(|it| it.to_str()).expect("a name");
            let text = fs::read_to_string(&path).expect("a text");
            let variables = fs::read(path.with_extension("json")).expect("variables");
            let variables = serde_json::from_slice(&variables).expect("JSON");
            (name.to_owned(), text, variables)
        })
        .collect();
    examples.sort_by(|one, other| one.0.cmp(&other.0));
    examples
}

/// Serves the demo, as its user.
async fn demo(lab: &Lab) -> Server {
    let command = lab.command(["demo", "--dir", "demo", "--listen", "127.0.0.1:0"]);
    let server = Server::start(command, &lab.path("demo.log")).await;
    let password = fs::read_to_string(lab.path("demo/password")).expect("a password");
    let login = "mutation($input: LoginInput!) { login(input: $input) { token } }";
    let input = json!({ "input": { "username": "demo", "password": password.trim() } });
    let token = server.data(login, input).await;
    let token = token["login"]["token"]
        .as_str()
        .expect("a token")
        .to_owned();
    server.signed_in(&token)
}

#[tokio::test]
async fn the_examples_work_at_once() {
    let lab = Lab::sqlite();
    let server = demo(&lab).await;
    let mut answers = BTreeMap::new();
    for (name, text, mut variables) in examples() {
        if text.contains("\nsubscription ") {
            if name == "subscriber-datasets" {
                variables["after"] = json!("beginning");
                let mut socket = Socket::signed_in(&server, server.token()).await;
                let payload = json!({ "query": text, "variables": variables });
                socket
                    .say(json!({ "type": "subscribe", "id": "1", "payload": payload }))
                    .await;
                let heard = socket.hear().await;
                let update = &heard["payload"]["data"]["datasetUpdates"];
                assert_eq!(update["kind"], "REGISTERED", "{heard}");
            }
            continue;
        }
        let (status, answer) = server.ask(&text, variables).await;
        assert_eq!(status, 200, "{name}: {answer}");
        assert!(answer.get("errors").is_none(), "{name}: {answer}");
        // What commands say of themselves.
        for field in answer["data"].as_object().expect("data").values() {
            assert!(
                field["errors"].is_null() || field["errors"] == json!([]),
                "{name}: {answer}"
            );
        }
        answers.insert(name, answer["data"].clone());
    }
    let names = |value: &Value| super::texts(value, "name");
    let of = |example: &str| &answers[example];
    assert_eq!(
        names(&of("researcher-datasets")["datasets"]["nodes"]).len(),
        5
    );
    assert_eq!(
        names(&of("researcher-search")["datasets"]["nodes"])[0],
        "forecast-skill-2025-figures"
    );
    assert_eq!(of("researcher-mongo")["datasets"]["totalCount"], 2);
    let dataset = &of("researcher-dataset")["dataset"];
    assert_eq!(dataset["manifest"]["items"]["totalCount"], 12);
    assert_eq!(names(&dataset["overlays"]), ["mime_type", "quality"]);
    let nodes = &of("researcher-lineage")["dataset"]["lineage"]["nodes"];
    let nodes = nodes.as_array().expect("nodes");
    // Eight datasets, and the calibration, which is not registered.
    let lost = nodes.iter().filter(|it| it["dataset"].is_null()).count();
    assert_eq!((nodes.len(), lost), (9, 1));
    assert_eq!(
        of("researcher-register")["registerDataset"]["created"],
        true
    );
    assert_eq!(of("researcher-index")["indexBaseUri"]["unchanged"], 12);
    assert_eq!(of("researcher-tags")["updateDatasetTags"]["written"], true);
    assert_eq!(
        of("administrator-base-uris")["baseUris"]["nodes"][0]["datasetCount"],
        12
    );
    // An item comes from the folder.
    let url = dataset["manifest"]["items"]["nodes"][0]["url"].as_str();
    let token = format!("Bearer {}", server.token());
    let headers = [("authorization", token.as_str())];
    let item = crate::support::client::get(&server, url.expect("a URL"), &headers).await;
    assert_eq!(item.status(), 200);
}
