//! The readers on real datasets, against what dtoolcore 3.19.0 reads.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;

use labql::datasets::document::{Document, ReadmeProblem};
use labql::datasets::readers::{BaseUri, FolderSettings, StorageSettings, Store};
use serde_json::{Value, json};

use super::expected::check;
use super::fixture::{list, read};
use crate::support::shared_data;

const ROOT: &str = "file://storage.example.org/srv/dtool";

fn store(shared: &Path, base: &str) -> Store {
    let settings = StorageSettings {
        folders: vec![FolderSettings {
            uri: ROOT.into(),
            path: Some(shared.join("dtool")),
            allowed_folders: Vec::new(),
        }],
        ..StorageSettings::default()
    };
    let base = BaseUri::parse(&format!("{ROOT}/{base}")).expect("a base URI");
    Store::open(&base, &settings).expect("a store")
}

async fn one(shared: &Path, base: &str, name: &str) -> Document {
    let reading = read(&store(shared, base), name).await.expect("a dataset");
    assert_eq!(reading.problems, []);
    reading.document
}

#[tokio::test]
async fn every_field_equals_what_dtool_reads() {
    let Some(shared) = shared_data() else { return };
    let mut goldens = BTreeMap::new();
    for entry in fs::read_dir(shared.join("dtool-golden/datasets")).expect("goldens") {
        let path = entry.expect("a golden").path();
        let golden: Value = serde_json::from_slice(&fs::read(path).expect("a file")).expect("JSON");
        goldens.insert(golden["uri"].as_str().expect("a URI").to_owned(), golden);
    }
    assert_eq!(goldens.len(), 28);
    for base in ["alloys", "polymers"] {
        let store = store(&shared, base);
        let (names, problems) = list(&store).await;
        assert_eq!(problems, []);
        for name in names {
            let document = one(&shared, base, &name).await;
            let golden = goldens.remove(&document.uri).expect("a golden of this URI");
            check(&document, &golden);
        }
    }
    assert!(goldens.is_empty(), "not found: {:?}", goldens.keys());
}

#[tokio::test]
async fn readmes_are_parsed_as_far_as_they_are_yaml() {
    let Some(shared) = shared_data() else { return };
    let odd = one(&shared, "polymers", "odd-readme-keys").await;
    let expected = json!({
        "project": "Housekeeping",
        "description": "Keys with dots, dollars and dates",
        "a.dotted.key": 1,
        "$dollar": 2,
        "1": "integer key",
        "date_field": "2024-04-03",
        "datetime_field": "2024-04-03T12:34:56Z",
        "yes_field": "yes",
        "null_field": null,
        "multi_line": "first line\nsecond line\n",
        "mixed_list": [1, "two", 3.5, {"four": 4}, [5, 6]],
    });
    assert_eq!(odd.readme.content, Ok(expected));
    let plain = one(&shared, "alloys", "legacy-xrd-scans").await;
    let text = "Old XRD scans copied from the instrument PC. No structured metadata was recorded.";
    assert_eq!(plain.readme.content, Ok(json!(text)));
    let empty = one(&shared, "alloys", "steel-hardness-quick").await;
    assert_eq!(
        (empty.readme.text.as_str(), &empty.readme.content),
        ("", &Ok(Value::Null))
    );
    let broken = one(&shared, "polymers", "invalid-yaml-readme").await;
    let Err(ReadmeProblem {
        line: Some(_),
        column: Some(_),
        ..
    }) = broken.readme.content
    else {
        panic!("no place: {:?}", broken.readme.content);
    };
}

#[tokio::test]
async fn items_are_opened() {
    let Some(shared) = shared_data() else { return };
    let (base, name) = ("polymers", "unicode-and-nested.paths_1");
    let (store, document) = (store(&shared, base), one(&shared, base, name).await);
    let uri = store.dataset(name).expect("a URI");
    for item in document.manifest.expect("a manifest").items {
        let opened = store.item_file(&uri, &item.relpath).await;
        let mut file = opened.expect("the item").expect("a file");
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).expect("its bytes");
        let size = usize::try_from(item.size_bytes).expect("a size");
        assert_eq!(bytes.len(), size, "{}", item.relpath);
    }
}
