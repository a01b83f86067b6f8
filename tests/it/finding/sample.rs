//! Queries over the sample datasets: the databases find what a plain reading of MongoDB's rules finds.

use labql::datasets::document::Document;
use labql::datasets::mongo;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use super::goldens::{documents, goldens};
use super::stores::Store;
use super::{mongo as rules, reference};

/// The documents as MongoDB would have them, times excepted: they are told by the queries over times.
fn wholes(documents: &[Document]) -> Vec<Value> {
    let whole = |document: &Document| {
        let mut whole = rules::whole(document);
        let manifest = document.manifest.clone().unwrap_or_default();
        let items = manifest.items.iter().map(|item| {
            #[expect(clippy::cast_precision_loss, reason = "times are far from the end of what is exact")]
            let time = item.modified_at as f64 / 1e6;
            let told = json!({
                "relpath": item.relpath, "hash": item.hash, "size_in_bytes": item.size_bytes, "utc_timestamp": time,
            });
            (item.identifier.clone(), told)
        });
        whole["manifest"] = json!({
            "items": items.collect::<serde_json::Map<_, _>>(),
            "hash_function": manifest.hash_function, "dtoolcore_version": manifest.dtoolcore_version,
        });
        whole
    };
    documents.iter().map(whole).collect()
}

/// What the rules say.
fn expected(query: &Value, wholes: &[Value]) -> Vec<i64> {
    let found = (1..)
        .zip(wholes)
        .filter(|(_, whole)| reference::matches(query, whole));
    found.map(|(id, _)| id).collect()
}

async fn found(store: &Store, query: &Value) -> Vec<i64> {
    let parsed = mongo::parse(query).unwrap_or_else(|error| panic!("{query}: {error}"));
    store.ids(mongo::condition(&parsed, store.backend())).await
}

/// Every operator, over every part of a document, as people ask.
fn queries() -> Vec<Value> {
    let item = "manifest.items.7b5d2d5ea8ab0b17b2b6a9c6bd0a1ea2d9fd6a1c";
    vec![
        json!({ "name": "ni3al-tensile-raw" }),
        json!({ "name": { "$eq": "ni3al-tensile-cleaned" } }),
        json!({ "creator_username": { "$ne": "ahuber" } }),
        json!({ "creator_username": { "$in": ["ahuber", "zoë-w", null] } }),
        json!({ "creator_username": { "$nin": ["ahuber", "zoë-w"] } }),
        json!({ "uuid": "e568868a-cccc-4447-adec-9e89084f0b9c" }),
        json!({ "uri": { "$regex": "/polymers/" } }),
        json!({ "base_uri": { "$regex": "ALLOYS$", "$options": "i" } }),
        json!({ "type": { "$ne": "dataset" } }),
        json!({ "dtoolcore_version": { "$lt": "3" } }),
        json!({ "number_of_items": 0 }),
        json!({ "number_of_items": { "$gte": 2, "$lte": 6 } }),
        json!({ "number_of_items": { "$not": { "$gt": 1 } } }),
        json!({ "size_in_bytes": { "$gt": 1e3 } }),
        json!({ "size_in_bytes": { "$type": "number" } }),
        json!({ "size_in_bytes": "251" }),
        json!({ "tags": "pdms" }),
        json!({ "tags": { "$ne": "raw" } }),
        json!({ "tags": { "$all": ["ni3al", "tensile"] } }),
        json!({ "tags": { "$all": [["analysis", "fracture"]] } }),
        json!({ "tags": ["ct", "raw", "ti64"] }),
        json!({ "tags": [] }),
        json!({ "tags": { "$size": 3 } }),
        json!({ "tags": { "$not": { "$size": 0 } } }),
        json!({ "tags": { "$elemMatch": { "$regex": "^f", "$ne": "fit" } } }),
        json!({ "tags.0": { "$lt": "b" } }),
        json!({ "tags.1": { "$exists": false } }),
        json!({ "tags": { "$regex": "[._]" } }),
        json!({ "tags": { "$gt": "tensile" } }),
        json!({ "tags": { "$type": "array" } }),
        json!({ "annotations": {} }),
        json!({ "annotations.doi": { "$type": "string" } }),
        json!({ "annotations.converged": true }),
        json!({ "annotations.a_bool_false": { "$ne": true } }),
        json!({ "annotations.a_null": null }),
        json!({ "annotations.a_null": { "$type": "null" } }),
        json!({ "annotations.a_null": { "$exists": 1 } }),
        json!({ "annotations.a_float": { "$lt": 0 } }),
        json!({ "annotations.elements": "Cu" }),
        json!({ "annotations.elements": ["Al", "Cu"] }),
        json!({ "annotations.elements": ["Cu", "Al"] }),
        json!({ "annotations.a_list": { "$size": 5 } }),
        json!({ "annotations.a_list": 3 }),
        json!({ "annotations.a_list.4.k": "v" }),
        json!({ "annotations.a_list.k": { "$exists": true } }),
        json!({ "annotations.a_list": { "$elemMatch": { "k": { "$in": ["v", "w"] } } } }),
        json!({ "annotations.a_list": { "$in": [null, "none"] } }),
        json!({ "annotations.a_dict.nested.deep.x": "y" }),
        json!({ "annotations.a_dict.nested.deep": { "$all": [1, 2] } }),
        json!({ "annotations.a_dict": { "nested": { "deep": [1, 2, { "x": "y" }] } } }),
        json!({ "annotations.cutoff": { "$gte": 0.02, "$lt": 0.03 } }),
        json!({ "annotations.cooling_rate": 1_000_000_000_000_i64 }),
        json!({ "annotations.emoji": "\u{1f9ea}" }),
        json!({ "annotations.titel": { "$regex": "größen", "$options": "i" } }),
        json!({ "annotations.a_long_string": { "$regex": "ipsum.*lorem" } }),
        json!({ "readme": { "$type": "string" } }),
        json!({ "readme": { "$regex": "XRD" } }),
        json!({ "readme": { "$type": "object" } }),
        json!({ "readme": {} }),
        json!({ "readme.project": { "$in": ["Housekeeping", "Soft adhesives"] } }),
        json!({ "readme.description": { "$regex": "日本語" } }),
        json!({ "readme.owners": { "$size": 2 } }),
        json!({ "readme.owners.username": { "$all": ["ahuber", "bkumar"] } }),
        json!({ "readme.owners.username": { "$nin": ["ahuber"] } }),
        json!({ "readme.owners.0.username": "clopez" }),
        json!({ "readme.owners.2": { "$exists": true } }),
        json!({ "readme.owners": { "$elemMatch": { "username": "bkumar", "orcid": { "$regex": "^0000-0001" } } } }),
        json!({ "readme.owners": { "$elemMatch": { "username": "bkumar", "name": { "$ne": "Bhavesh Kumar" } } } }),
        json!({ "readme.owners": { "$not": { "$elemMatch": { "username": "ahuber" } } } }),
        json!({ "readme.owners": { "$all": [{ "$elemMatch": { "username": "ahuber" } }, { "$elemMatch": { "username": "clopez" } }] } }),
        json!({ "readme.owners.name": { "$gt": "D", "$lt": "Z" } }),
        json!({ "readme.owners.email": { "$not": { "$regex": "@uni\\.example$" } } }),
        json!({ "readme.funders": [] }),
        json!({ "readme.funders": { "$exists": true, "$ne": [] } }),
        json!({ "readme.funders": { "$size": 0 } }),
        json!({ "readme.funders.code": { "$in": ["101045678", "BB/P013511/1"] } }),
        json!({ "readme.funders": { "organization": "DFG", "program": "EXC 2193 livMatS", "code": "390951807" } }),
        json!({ "readme.creation_date": { "$regex": "^2023-0[1-6]" } }),
        json!({ "readme.expiration_date": { "$gte": "2030" } }),
        json!({ "readme.expiration_date": null }),
        json!({ "readme.date_field": "2024-04-03" }),
        json!({ "readme.datetime_field": { "$lt": "2024-04-03T13" } }),
        json!({ "readme.yes_field": true }),
        json!({ "readme.yes_field": "yes" }),
        json!({ "readme.null_field": { "$exists": true, "$eq": null } }),
        json!({ "readme.1": "integer key" }),
        json!({ "readme.mixed_list": { "$gt": 2 } }),
        json!({ "readme.mixed_list": [5, 6] }),
        json!({ "readme.mixed_list.four": 4 }),
        json!({ "readme.mixed_list.4.1": 6 }),
        json!({ "readme.mixed_list": { "$elemMatch": { "$gt": 1, "$lt": 3 } } }),
        json!({ "readme.multi_line": { "$regex": "^second", "$options": "m" } }),
        json!({ "readme.parameters.rate_K_per_s": { "$gte": 1e12 } }),
        json!({ "readme.parameters": { "$exists": true } }),
        json!({ "readme.keywords": { "$in": ["材料", "steel"] } }),
        json!({ "readme.derived_from.name": { "$regex": "^pdms-" } }),
        json!({ "readme.derived_from": { "$size": 2 } }),
        json!({ "readme.derived_from.uuid": { "$exists": false } }),
        json!({ "readme.derived_from.uuid": null }),
        json!({ "manifest.hash_function": "md5sum_hexdigest" }),
        json!({ "manifest.dtoolcore_version": { "$ne": "3.19.0" } }),
        json!({ "manifest": { "$exists": true } }),
        json!({ "manifest.items": { "$type": "object" } }),
        json!({ item: { "$exists": false } }),
        json!({ format!("{item}.size_in_bytes"): { "$gt": 1 } }),
        json!({ "$or": [{ "tags": "hea" }, { "number_of_items": { "$gt": 5 } }, { "readme.project": "Übertragbarkeit" }] }),
        json!({ "$and": [{ "tags": "pdms" }, { "$or": [{ "creator_username": "ahuber" }, { "annotations.g0": { "$exists": true } }] }] }),
        json!({ "$nor": [{ "tags": "pdms" }, { "tags": "ni3al" }, { "readme.funders.organization": "DFG" }] }),
        json!({ "$nor": [{ "$and": [{ "tags": "raw" }, { "tags": "pdms" }] }], "creator_username": "zoë-w" }),
        json!({ "nothing": { "$exists": false } }),
        json!({ "nothing.at.all": { "$in": [null] } }),
        json!({ "nothing": { "$nin": [null] } }),
    ]
}

#[tokio::test]
async fn every_operator_over_real_documents() {
    let Some(folder) = goldens() else { return };
    let documents = documents(&folder);
    let wholes = wholes(&documents);
    for store in Store::both().await {
        store.fill(&documents).await;
        for query in queries().iter().chain(&items(&wholes)) {
            let expected = expected(query, &wholes);
            let found = found(&store, query).await;
            assert_eq!(found, expected, "{:?}: {query}", store.backend());
        }
        for (query, names) in times() {
            let found = found(&store, &query).await;
            let found = found
                .iter()
                .map(|id| &documents[usize::try_from(*id).unwrap() - 1].name);
            assert_eq!(
                found.collect::<Vec<_>>(),
                names,
                "{:?}: {query}",
                store.backend()
            );
        }
        store.close().await;
    }
}

/// Of items that there are.
fn items(wholes: &[Value]) -> Vec<Value> {
    let items = wholes
        .iter()
        .filter_map(|whole| whole["manifest"]["items"].as_object());
    let first = items.filter_map(|items| items.iter().next());
    first
        .flat_map(|(identifier, item)| {
            let field = |name: &str| format!("manifest.items.{identifier}.{name}");
            [
                json!({ field("relpath"): item["relpath"] }),
                json!({ field("hash"): { "$ne": item["hash"] } }),
                json!({ field("utc_timestamp"): { "$gte": item["utc_timestamp"] } }),
                json!({ field("size_in_bytes"): { "$exists": true }, "tags": { "$exists": true } }),
                json!({ field("size_in_bytes"): null }),
            ]
        })
        .collect()
}

/// Times compare with numbers, with dates in MongoDB's extended JSON, and with text.
fn times() -> Vec<(Value, Vec<&'static str>)> {
    let old = vec!["legacy-xrd-scans"];
    vec![
        (
            json!({ "created_at": { "$lt": { "$date": "2020-01-01T00:00:00Z" } } }),
            old.clone(),
        ),
        (
            json!({ "frozen_at": { "$lt": 1_577_836_800 } }),
            old.clone(),
        ),
        (
            json!({ "frozen_at": { "$lte": "2016-04-04T04:21:04.722Z" } }),
            old.clone(),
        ),
        (json!({ "created_at": 1_459_743_664.721_263 }), old),
        (
            json!({ "created_at": { "$gte": "2022-01-01", "$lt": "2023-01-01" } }),
            vec!["al-cu-eam-potential"],
        ),
        (json!({ "created_at": { "$type": "string" } }), vec![]),
    ]
}

/// A path that a document has, with the value at its end.
fn leaves<'a>(
    value: &'a Value,
    path: &str,
    random: &mut StdRng,
    found: &mut Vec<(String, &'a Value)>,
) {
    let below = |key: &str| {
        if path.is_empty() {
            key.to_owned()
        } else {
            format!("{path}.{key}")
        }
    };
    if !path.is_empty() && path != "manifest" && path != "manifest.items" {
        found.push((path.to_owned(), value));
    }
    match value {
        Value::Object(fields) => {
            // The items of one dataset are as good as the others.
            for (key, field) in fields.iter().take(12) {
                leaves(field, &below(key), random, found);
            }
        }
        Value::Array(elements) => {
            for (place, element) in elements.iter().enumerate() {
                // Mostly arrays are looked through.
                let inside = if random.random_bool(0.8) {
                    path.to_owned()
                } else {
                    below(&place.to_string())
                };
                leaves(element, &inside, random, found);
            }
        }
        _ => {}
    }
}

/// A test of a field with what is found in some document there, or near.
fn test(value: &Value, random: &mut StdRng, depth: u32) -> Value {
    let mut value = value.clone();
    if let Some(number) = value.as_f64().filter(|_| random.random_bool(0.3)) {
        value = json!(number + 1.0);
    }
    if let Some(text) = value.as_str().filter(|_| random.random_bool(0.2)) {
        value = json!(
            text.chars()
                .take(text.chars().count() / 2)
                .collect::<String>()
        );
    }
    let composite = value.is_array() || value.is_object();
    let relation = ["$gt", "$gte", "$lt", "$lte"][random.random_range(0..4)];
    let kinds = ["null", "bool", "number", "string", "array", "object"];
    let kind = kinds[random.random_range(0..kinds.len())];
    match random.random_range(0..12) {
        0 => value,
        1 => json!({ "$eq": value }),
        2 => json!({ "$ne": value }),
        3 => json!({ "$in": [value, null, "raw"] }),
        4 => json!({ "$nin": [value, 2, "x"] }),
        5 => json!({ "$all": [value] }),
        6 => json!({ "$exists": random.random_bool(0.5) }),
        7 => json!({ "$type": kind }),
        8 => json!({ "$size": random.random_range(0..4) }),
        9 if depth > 0 => match test(&value, random, depth - 1) {
            Value::Object(test) if test.keys().any(|key| key.starts_with('$')) => {
                json!({ "$not": test })
            }
            _ => json!({ "$exists": true }),
        },
        10 => match value.as_str() {
            Some(text) => {
                let part: String = text
                    .chars()
                    .skip(random.random_range(0..3))
                    .take(4)
                    .collect();
                let pattern =
                    ["", "^"][random.random_range(0..2)].to_owned() + &regex::escape(&part);
                let options = ["", "i", "m"][random.random_range(0..3)];
                json!({ "$regex": pattern, "$options": options })
            }
            None => json!({ "$exists": true }),
        },
        _ if composite => json!({ "$ne": value }),
        _ => json!({ relation: value }),
    }
}

fn condition(leaves: &[(String, &Value)], random: &mut StdRng, depth: u32) -> Value {
    let list = |random: &mut StdRng| {
        let count = random.random_range(1..4);
        (0..count)
            .map(|_| condition(leaves, random, depth - 1))
            .collect::<Value>()
    };
    if depth > 0 {
        match random.random_range(0..8) {
            0 => return json!({ "$and": list(random) }),
            1 => return json!({ "$or": list(random) }),
            2 => return json!({ "$nor": list(random) }),
            _ => {}
        }
    }
    let (path, value) = leaves.choose(random).unwrap();
    // Of items only their fields are asked for.
    let is_item = path.starts_with("manifest.items.") && path.split('.').count() == 3;
    if is_item {
        return json!({ path: { "$exists": random.random_bool(0.5) } });
    }
    // What another place has.
    let value = if random.random_bool(0.1) {
        leaves.choose(random).unwrap().1
    } else {
        value
    };
    json!({ path: test(value, random, 1) })
}

#[tokio::test]
async fn random_queries_over_real_documents() {
    let Some(folder) = goldens() else { return };
    let documents = documents(&folder);
    let wholes = wholes(&documents);
    let mut random = StdRng::seed_from_u64(u64::from(rules::seed()));
    let mut found_there = Vec::new();
    for whole in &wholes {
        leaves(whole, "", &mut random, &mut found_there);
    }
    // What looks like an operator is no value in a list.
    let has_dollar = |value: &Value| {
        let mut keys = value.as_object().into_iter().flatten();
        keys.any(|(key, _)| key.starts_with('$'))
    };
    found_there
        .retain(|(path, value)| mongo::path::Path::parse(path).is_ok() && !has_dollar(value));
    let rounds = std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(600);
    let queries: Vec<_> = (0..rounds)
        .map(|_| condition(&found_there, &mut random, 2))
        .collect();
    let mut hits = 0;
    for store in Store::both().await {
        store.fill(&documents).await;
        for query in &queries {
            let expected = expected(query, &wholes);
            hits += usize::from(!expected.is_empty() && expected.len() < documents.len());
            let found = found(&store, query).await;
            assert_eq!(found, expected, "{:?}: {query}", store.backend());
        }
        store.close().await;
    }
    assert!(
        hits > rounds / 10,
        "only {hits} queries told datasets apart"
    );
}
