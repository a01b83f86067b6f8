//! A dataset as the client of dtool describes it when it registers one: a JSON object with the fields of
//! `dtoolcore`'s admin metadata, its README, manifest, annotations and tags
//! (<https://github.com/jic-dtool/dservercore>, "dataset info").
//!
//! Everything that is wrong is told at once, with the name of the field.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::document::{Document, Item, LARGEST_SIZE, Manifest, TOO_DEEP, is_shallow};
use super::readers::manifest::check_relpath;
use super::readers::time::micros;
use super::readers::{BaseUri, MAX_NAME, MAX_URI, is_valid_name, parse_readme};
use crate::failure::{Failure, Rejection, RejectionCode};

/// The longest name of anything, in bytes.
const LONGEST_NAME: usize = 255;
/// How many things that are wrong are told.
const MOST_TOLD: usize = 50;

/// The fields that there are.
const FIELDS: [&str; 15] = [
    "uuid",
    "uri",
    "base_uri",
    "name",
    "type",
    "readme",
    "manifest",
    "creator_username",
    "frozen_at",
    "created_at",
    "annotations",
    "tags",
    "number_of_items",
    "size_in_bytes",
    "dtoolcore_version",
];

/// Reads a description.
///
/// # Errors
/// All that is wrong with it.
pub fn parse(info: &Value) -> Result<Document, Vec<Rejection>> {
    let Value::Object(fields) = info else {
        return Err(vec![rejection("info", "it must be an object")]);
    };
    let mut check = Check {
        fields,
        wrong: Vec::new(),
    };
    let document = check.document();
    match document {
        Some(document) if check.wrong.is_empty() => Ok(document),
        _ => {
            check.wrong.truncate(MOST_TOLD);
            Err(check.wrong)
        }
    }
}

/// Checks the text of a base URI. Of folders and buckets it must be the form in which they are read.
pub fn check_base_uri(field: &'static str, uri: &str) -> Result<(), Failure> {
    let wrong = wrong_with_uri(uri).map_or_else(
        || uri.ends_with('/').then_some("it must not end with a slash"),
        Some,
    );
    if let Some(wrong) = wrong {
        return Err(Failure::bad_input(field, wrong));
    }
    // What labql can read itself has one form, by which it is looked for.
    let scheme = uri.split("://").next().unwrap_or_default();
    if matches!(scheme.to_ascii_lowercase().as_str(), "file" | "s3") {
        let one = BaseUri::parse(uri)
            .map_err(|error| Failure::bad_input(field, format!("it {error}")))?;
        if one.as_str() != uri {
            let message = format!("it must be written as {one}");
            return Err(Failure::bad_input(field, message));
        }
    }
    Ok(())
}

/// Checks a name by the rule of dtool for tags and annotations: digits, ASCII letters, `_`, `.` and `-`.
pub fn check_dtool_name(field: &'static str, name: &str) -> Result<(), Failure> {
    if is_valid_name(name) {
        return Ok(());
    }
    let message =
        format!("{name:?} is not a name for dtool: 1 to {MAX_NAME} letters, digits or _ . -");
    Err(Failure::bad_input(field, message))
}

fn wrong_with_uri(uri: &str) -> Option<&'static str> {
    let Some((scheme, rest)) = uri.split_once("://") else {
        return Some("it must have a scheme, such as file:// or s3://");
    };
    let in_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    if scheme.is_empty() || !scheme.chars().all(in_scheme) || rest.is_empty() {
        return Some("it must be a URI, such as s3://bucket");
    }
    // Two of them fit an entry of an index of PostgreSQL.
    if uri.len() > MAX_URI {
        return Some("it is longer than 1024 bytes");
    }
    // What reads URIs as paths would look elsewhere.
    if rest.split('/').any(|part| matches!(part, "." | "..")) {
        return Some("it must not have relative parts, `.` or `..`");
    }
    uri.chars()
        .any(char::is_control)
        .then_some("it must not have control characters")
}

fn rejection(field: &'static str, message: impl Into<String>) -> Rejection {
    Rejection {
        code: RejectionCode::BadInput,
        field: Some(field),
        message: message.into(),
    }
}

struct Check<'a> {
    fields: &'a Map<String, Value>,
    wrong: Vec<Rejection>,
}

impl<'a> Check<'a> {
    /// None if something that is needed is missing or wrong; what it is has been noted.
    fn document(&mut self) -> Option<Document> {
        for name in self.fields.keys() {
            if !FIELDS.contains(&name.as_str()) {
                let name: String = name.chars().take(LONGEST_NAME).collect();
                self.note("info", format!("there is no field {name:?}"));
            }
        }
        let kind = self.text("type");
        if kind.is_some_and(|kind| kind != "dataset") {
            self.note("type", "it must be \"dataset\": others are not frozen yet");
        }
        let uuid = self.uuid();
        let (base_uri, uri) = (self.uri("base_uri"), self.uri("uri"));
        if let (Some(base_uri), Some(uri)) = (base_uri, uri) {
            self.lies_in(base_uri, uri);
        }
        let name = self.name("name");
        let creator_username = self.name("creator_username");
        let readme = self.text("readme");
        let frozen_at = self.time("frozen_at", true);
        let created_at = self.time("created_at", false);
        let annotations = self.object("annotations").cloned();
        if let Some(annotations) = &annotations
            && !annotations.values().all(is_shallow)
        {
            self.note("annotations", TOO_DEEP);
        }
        let tags = self.tags();
        let manifest = self.manifest();
        let item_count = self.whole("number_of_items");
        let size_bytes = self.whole("size_in_bytes");
        let dtoolcore_version = match self.given("dtoolcore_version") {
            Some(_) => self.name("dtoolcore_version"),
            None => None,
        };
        // A description without a manifest has an empty one.
        let manifest = manifest?;
        let counted = |given: Option<i64>, found: i64| {
            given.or((!manifest.items.is_empty()).then_some(found))
        };
        Some(Document {
            uri: uri?.to_owned(),
            base_uri: base_uri?.to_owned(),
            uuid: uuid?,
            name: name?.to_owned(),
            creator_username: creator_username?.to_owned(),
            created_at: created_at.or(frozen_at),
            frozen_at: Some(frozen_at?),
            dtoolcore_version: dtoolcore_version.map(str::to_owned),
            readme: parse_readme(readme?.to_owned()),
            annotations: annotations?,
            tags: tags?,
            item_count: counted(item_count, manifest.item_count()),
            size_bytes: counted(size_bytes, manifest.size_bytes()),
            manifest: Some(manifest),
            overlays: std::collections::BTreeMap::new(),
        })
    }

    fn note(&mut self, field: &'static str, message: impl Into<String>) {
        self.wrong.push(rejection(field, message));
    }

    fn given(&self, field: &'static str) -> Option<&'a Value> {
        self.fields.get(field).filter(|value| !value.is_null())
    }

    fn needed(&mut self, field: &'static str) -> Option<&'a Value> {
        let value = self.given(field);
        if value.is_none() {
            self.note(field, "it is missing");
        }
        value
    }

    fn text(&mut self, field: &'static str) -> Option<&'a str> {
        let value = self.needed(field)?;
        let Some(text) = value.as_str() else {
            self.note(field, "it must be a text");
            return None;
        };
        if text.contains('\0') {
            self.note(field, "it must not have zero bytes");
            return None;
        }
        Some(text)
    }

    fn name(&mut self, field: &'static str) -> Option<&'a str> {
        let text = self.text(field)?;
        if let Some(wrong) = wrong_with_name(text) {
            self.note(field, wrong);
            return None;
        }
        Some(text)
    }

    fn uri(&mut self, field: &'static str) -> Option<&'a str> {
        let uri = self.text(field)?;
        let wrong = wrong_with_uri(uri)
            .or_else(|| uri.ends_with('/').then_some("it must not end with a slash"));
        if let Some(wrong) = wrong {
            self.note(field, wrong);
            return None;
        }
        Some(uri)
    }

    /// What somebody may do with a dataset hangs on its base URI, so it must be told by the URI alone.
    fn lies_in(&mut self, base_uri: &str, uri: &str) {
        let lies_in = uri
            .rsplit_once('/')
            .is_some_and(|(before, _)| before == base_uri);
        if !lies_in {
            self.note("uri", "it must be base_uri, a slash and one name");
        }
    }

    fn uuid(&mut self) -> Option<String> {
        let text = self.text("uuid")?;
        match uuid::Uuid::try_parse(text) {
            Ok(uuid) if text.len() == uuid::fmt::Hyphenated::LENGTH => {
                Some(uuid.hyphenated().to_string())
            }
            _ => {
                self.note("uuid", "it must be a UUID, with hyphens");
                None
            }
        }
    }

    /// dtool sends seconds since 1970 as a text.
    fn time(&mut self, field: &'static str, needed: bool) -> Option<i64> {
        let value = if needed {
            self.needed(field)
        } else {
            self.given(field)
        };
        let micros = micros(value?).ok();
        if micros.is_none() {
            self.note(field, "it must be seconds since 1970-01-01 UTC");
        }
        micros
    }

    fn whole(&mut self, field: &'static str) -> Option<i64> {
        let number = whole(self.given(field)?);
        if number.is_none() {
            self.note(field, NO_SIZE);
        }
        number
    }

    fn object(&mut self, field: &'static str) -> Option<&'a Map<String, Value>> {
        let object = self.needed(field)?.as_object();
        if object.is_none() {
            self.note(field, "it must be an object");
        }
        object
    }

    fn tags(&mut self) -> Option<BTreeSet<String>> {
        let Some(tags) = self.needed("tags")?.as_array() else {
            self.note("tags", "it must be a list of texts");
            return None;
        };
        let mut found = BTreeSet::new();
        for (place, tag) in tags.iter().enumerate() {
            let wrong = match tag.as_str() {
                None => Some("it must be a text"),
                Some(tag) => wrong_with_name(tag),
            };
            if let Some(wrong) = wrong {
                self.note("tags", format!("number {place}: {wrong}"));
            }
            found.extend(tag.as_str().map(str::to_owned));
        }
        Some(found)
    }

    fn manifest(&mut self) -> Option<Manifest> {
        let fields = self.object("manifest")?;
        let mut manifest = Manifest::default();
        for (name, value) in fields {
            match (name.as_str(), value) {
                ("items", Value::Object(items)) => {
                    for (identifier, item) in items {
                        match self::item(identifier, item) {
                            Ok(item) => manifest.items.push(item),
                            Err(wrong) => {
                                let which: String = identifier.chars().take(64).collect();
                                self.note("manifest.items", format!("{which:?}: {wrong}"));
                            }
                        }
                        if self.wrong.len() > MOST_TOLD {
                            return None;
                        }
                    }
                }
                ("items", _) => self.note("manifest.items", "it must be an object"),
                ("hash_function" | "dtoolcore_version", Value::Null) => {}
                ("hash_function" | "dtoolcore_version", Value::String(text))
                    if wrong_with_name(text).is_none() =>
                {
                    let part = match name.as_str() {
                        "hash_function" => &mut manifest.hash_function,
                        _ => &mut manifest.dtoolcore_version,
                    };
                    *part = Some(text.clone());
                }
                ("hash_function" | "dtoolcore_version", _) => {
                    self.note("manifest", format!("{name}: it must be a short text"));
                }
                _ => {
                    let name: String = name.chars().take(LONGEST_NAME).collect();
                    self.note("manifest", format!("there is no field {name:?}"));
                }
            }
        }
        manifest
            .items
            .sort_unstable_by(|left, right| left.identifier.cmp(&right.identifier));
        if manifest.size_bytes() > LARGEST_SIZE {
            self.note("manifest.items", "together they are larger than 2^53 bytes");
        }
        Some(manifest)
    }
}

fn wrong_with_name(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        return Some("it must not be empty");
    }
    if name.len() > LONGEST_NAME {
        return Some("it is longer than 255 bytes");
    }
    name.chars()
        .any(char::is_control)
        .then_some("it must not have control characters")
}

fn item(identifier: &str, value: &Value) -> Result<Item, String> {
    if let Some(wrong) = wrong_with_name(identifier) {
        return Err(format!("as an identifier {wrong}"));
    }
    let fields = value.as_object().ok_or("it must be an object")?;
    let known = ["hash", "relpath", "size_in_bytes", "utc_timestamp"];
    if fields.keys().any(|name| !known.contains(&name.as_str())) {
        return Err(format!("it has other fields than {}", known.join(", ")));
    }
    let text = |name: &str| fields.get(name).and_then(Value::as_str);
    let relpath = text("relpath").ok_or("relpath must be a text")?;
    check_relpath(relpath)?;
    let fits = |text: &&str| text.len() <= LONGEST_NAME && !text.contains('\0');
    let hash = text("hash").filter(fits);
    let hash =
        hash.ok_or_else(|| format!("hash must be a text of at most {LONGEST_NAME} bytes"))?;
    Ok(Item {
        identifier: identifier.to_owned(),
        relpath: relpath.to_owned(),
        hash: hash.to_owned(),
        size_bytes: fields
            .get("size_in_bytes")
            .and_then(whole)
            .ok_or_else(|| format!("size_in_bytes: {NO_SIZE}"))?,
        modified_at: fields
            .get("utc_timestamp")
            .and_then(|value| micros(value).ok())
            .ok_or("utc_timestamp must be seconds since 1970-01-01 UTC")?,
    })
}

/// What is wrong with what is no size.
const NO_SIZE: &str = "it must be a whole number from 0 to 2^53";

/// A whole number within bounds, as such or as the text of one.
fn whole(value: &Value) -> Option<i64> {
    let number: Option<i64> = match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    number.filter(|number| (0..=LARGEST_SIZE).contains(number))
}

#[cfg(test)]
mod tests;
