//! What dtool says of a dataset, compared with what the readers say.

use labql::datasets::document::Document;
use serde_json::{Map, Value};

/// Checks every field.
pub fn check(document: &Document, told: &Value) {
    let uri = told["uri"].as_str().expect("a URI");
    let admin = &told["admin_metadata"];
    assert_eq!(document.uri, uri);
    assert_eq!(document.base_uri, told["base_uri"], "{uri}");
    assert_eq!(document.uuid, admin["uuid"], "{uri}");
    assert_eq!(document.name, admin["name"], "{uri}");
    assert_eq!(
        document.creator_username, admin["creator_username"],
        "{uri}"
    );
    assert_eq!(document.created_at, micros(&admin["created_at"]), "{uri}");
    let frozen = admin["type"] == "dataset";
    assert_eq!(document.is_frozen(), frozen, "{uri}");
    assert_eq!(
        document.frozen_at,
        micros(&admin["frozen_at"]).filter(|_| frozen),
        "{uri}"
    );
    let version = admin["dtoolcore_version"].as_str();
    assert_eq!(document.dtoolcore_version.as_deref(), version, "{uri}");
    assert_eq!(document.readme.text, told["readme"], "{uri}");
    let tags = told["tags"].as_array().expect("tags");
    assert!(document.tags.iter().eq(tags), "{uri}: {:?}", document.tags);
    assert_eq!(
        Value::Object(document.annotations.clone()),
        told["annotations"],
        "{uri}"
    );
    let overlays: Map<String, Value> = document
        .overlays
        .iter()
        .map(|(name, overlay)| (name.clone(), Value::Object(overlay.clone())))
        .collect();
    if frozen {
        assert_eq!(Value::Object(overlays), told["overlays"], "{uri}");
        manifest(document, told);
    } else {
        assert_eq!(
            (&document.manifest, document.item_count),
            (&None, None),
            "{uri}"
        );
    }
}

fn manifest(document: &Document, told: &Value) {
    let uri = &document.uri;
    let manifest = document.manifest.as_ref().expect("a manifest");
    let expected = &told["manifest"];
    assert_eq!(
        manifest.dtoolcore_version.as_deref(),
        expected["dtoolcore_version"].as_str(),
        "{uri}"
    );
    assert_eq!(
        manifest.hash_function.as_deref(),
        expected["hash_function"].as_str(),
        "{uri}"
    );
    let items = expected["items"].as_object().expect("items");
    assert_eq!(manifest.items.len(), items.len(), "{uri}");
    for item in &manifest.items {
        let expected = &items[&item.identifier];
        assert_eq!(item.relpath, expected["relpath"], "{uri}");
        assert_eq!(item.hash, expected["hash"], "{uri}");
        assert_eq!(item.size_bytes, expected["size_in_bytes"], "{uri}");
        assert_eq!(
            Some(item.modified_at),
            micros(&expected["utc_timestamp"]),
            "{uri}"
        );
    }
    let identifiers = told["identifiers"].as_array().expect("identifiers");
    assert!(
        manifest
            .items
            .iter()
            .map(|item| &item.identifier)
            .eq(identifiers),
        "{uri}"
    );
    if let Some(summary) = told.get("summary") {
        assert_eq!(
            document.item_count,
            summary["number_of_items"].as_i64(),
            "{uri}"
        );
        assert_eq!(
            document.size_bytes,
            summary["size_in_bytes"].as_i64(),
            "{uri}"
        );
    }
}

/// The digits of a time in microseconds, without the readers' arithmetic.
pub fn micros(seconds: &Value) -> Option<i64> {
    let text = format!("{:.6}", seconds.as_f64()?);
    Some(text.replace('.', "").parse().expect("digits"))
}

/// A document as it comes back from JSON.
#[derive(serde::Deserialize)]
pub struct Kept(pub Document);
