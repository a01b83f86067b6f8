//! `manifest.json`: the items of a frozen dataset.

use std::fmt;

use serde::de::{self, DeserializeSeed, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::problem::ReadError;
use super::time;
use crate::datasets::document::{Item, LARGEST_SIZE, Manifest};

/// The longest identifier, hash and version, in bytes.
const MAX_TEXT: usize = 255;
/// The longest relative path, in bytes: Linux ends there.
const MAX_RELPATH: usize = 4096;

/// Reads it, with at most so many items.
pub(super) fn parse(bytes: &[u8], most: usize) -> Result<Manifest, ReadError> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let manifest = Root { most }
        .deserialize(&mut json)
        .and_then(|manifest| json.end().map(|()| manifest));
    let mut manifest = manifest.map_err(ReadError::invalid)?;
    let items = &mut manifest.items;
    // Of items with one identifier the last one counts, as in Python.
    items.reverse();
    items.sort_by(|a, b| a.identifier.cmp(&b.identifier));
    items.dedup_by(|a, b| a.identifier == b.identifier);
    if manifest.size_bytes() > LARGEST_SIZE {
        return Err(ReadError::invalid("the items together are too large"));
    }
    Ok(manifest)
}

/// The object as a whole. It is read item by item, so that a large manifest is in memory once and what is wrong is told
/// with the name of the item.
struct Root {
    most: usize,
}

impl<'de> DeserializeSeed<'de> for Root {
    type Value = Manifest;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Manifest, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Root {
    type Value = Manifest;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a manifest")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Manifest, A::Error> {
        let mut manifest = Manifest::default();
        let mut seen = false;
        while let Some(field) = fields.next_key::<String>()? {
            match field.as_str() {
                "dtoolcore_version" => manifest.dtoolcore_version = short(fields.next_value()?)?,
                "hash_function" => manifest.hash_function = short(fields.next_value()?)?,
                "items" => {
                    manifest.items = fields.next_value_seed(Items { most: self.most })?;
                    seen = true;
                }
                _ => {
                    fields.next_value::<de::IgnoredAny>()?;
                }
            }
        }
        if seen {
            Ok(manifest)
        } else {
            Err(de::Error::missing_field("items"))
        }
    }
}

fn short<E: de::Error>(text: Option<String>) -> Result<Option<String>, E> {
    match text {
        Some(text) if text.len() > MAX_TEXT => Err(E::custom("a text is too long")),
        text => Ok(text),
    }
}

/// The items by their identifiers.
struct Items {
    most: usize,
}

impl<'de> DeserializeSeed<'de> for Items {
    type Value = Vec<Item>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Vec<Item>, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Items {
    type Value = Vec<Item>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("items by their identifiers")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Vec<Item>, A::Error> {
        let mut items = Vec::new();
        while let Some(identifier) = entries.next_key::<String>()? {
            if items.len() >= self.most {
                let message = format!("there are more than {} items", self.most);
                return Err(de::Error::custom(message));
            }
            let raw: RawItem = entries.next_value()?;
            let shown: String = identifier.chars().take(60).collect();
            let item = raw.item(identifier);
            items.push(item.map_err(|e| de::Error::custom(format!("the item {shown:?}: {e}")))?);
        }
        Ok(items)
    }
}

#[derive(Deserialize)]
#[serde(expecting = "an item")]
struct RawItem {
    hash: String,
    relpath: String,
    size_in_bytes: u64,
    utc_timestamp: f64,
}

impl RawItem {
    fn item(self, identifier: String) -> Result<Item, String> {
        if !is_identifier(&identifier) {
            return Err("this is no identifier".into());
        }
        check_relpath(&self.relpath)?;
        if self.hash.len() > MAX_TEXT {
            return Err("the hash is too long".into());
        }
        let size_bytes = i64::try_from(self.size_in_bytes).ok();
        let size_bytes = size_bytes
            .filter(|size| *size <= LARGEST_SIZE)
            .ok_or_else(|| format!("the size {} is too large", self.size_in_bytes))?;
        let modified_at = time::of_seconds(self.utc_timestamp)
            .ok_or_else(|| format!("{} is no time", self.utc_timestamp))?;
        Ok(Item {
            identifier,
            relpath: self.relpath,
            hash: self.hash,
            size_bytes,
            modified_at,
        })
    }
}

/// Whether it can be one: in a bucket the identifier is the name of the object.
pub(super) fn is_identifier(text: &str) -> bool {
    let of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    !text.is_empty()
        && text.len() <= MAX_TEXT
        && text.chars().all(of_name)
        && !matches!(text, "." | "..")
}

/// Checks that a path stays in the dataset.
pub(in crate::datasets) fn check_relpath(relpath: &str) -> Result<(), String> {
    let shown: String = relpath.chars().take(80).collect();
    if relpath.is_empty() {
        Err("the path is empty".into())
    } else if relpath.len() > MAX_RELPATH {
        Err(format!(
            "the path {shown:?}… has {} bytes, at most {MAX_RELPATH} are allowed",
            relpath.len()
        ))
    } else if relpath.contains('\0') {
        Err(format!("the path {shown:?} holds a NUL"))
    } else if relpath.starts_with('/') || relpath.split('/').any(|part| part == "..") {
        Err(format!("the path {shown:?} leads out of the dataset"))
    } else {
        Ok(())
    }
}
