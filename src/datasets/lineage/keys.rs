//! Where a dataset names its parents.

use std::collections::BTreeSet;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

/// The longest key, in bytes, and the most of them.
const LONGEST: usize = 255;
const MOST_KEYS: usize = 20;
/// How many parents of a dataset are kept for each key.
const MOST_PARENTS: usize = 1_000;

/// Why something is no dependency key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It does not lead into README or annotations.
    #[error(
        "{0:?} is no dependency key: it must be `readme.` or `annotations.` and the names that lead to a UUID, with dots between"
    )]
    Form(String),
    /// There are too many of them.
    #[error("there are more than {MOST_KEYS} dependency keys")]
    TooMany,
}

/// A path to the UUIDs of parents, such as `readme.derived_from.uuid`. Arrays on the way, and at its end, are looked through.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DependencyKey {
    text: String,
    part: Part,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Readme,
    Annotations,
}

/// The keys that are looked at, sorted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<DependencyKey>", into = "Vec<DependencyKey>")]
pub struct DependencyKeys(Vec<DependencyKey>);

/// What a dataset says of its parents: each with the key at which it stands.
pub type Parents<'k> = BTreeSet<(String, &'k str)>;

impl DependencyKey {
    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn path(&self) -> Vec<&str> {
        self.text.split('.').skip(1).collect()
    }
}

impl FromStr for DependencyKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let wrong = || KeyError::Form(text.chars().take(80).collect());
        let (part, path) = text.split_once('.').ok_or_else(wrong)?;
        let part = match part {
            "readme" => Part::Readme,
            "annotations" => Part::Annotations,
            _ => return Err(wrong()),
        };
        let is_bad = |name: &str| name.is_empty() || name.chars().any(char::is_control);
        if text.len() > LONGEST || path.split('.').any(is_bad) {
            return Err(wrong());
        }
        Ok(Self {
            text: text.to_owned(),
            part,
        })
    }
}

impl TryFrom<String> for DependencyKey {
    type Error = KeyError;

    fn try_from(text: String) -> Result<Self, KeyError> {
        text.parse()
    }
}

impl From<DependencyKey> for String {
    fn from(key: DependencyKey) -> Self {
        key.text
    }
}

impl TryFrom<Vec<DependencyKey>> for DependencyKeys {
    type Error = KeyError;

    fn try_from(mut keys: Vec<DependencyKey>) -> Result<Self, KeyError> {
        keys.sort();
        keys.dedup();
        if keys.len() > MOST_KEYS {
            return Err(KeyError::TooMany);
        }
        Ok(Self(keys))
    }
}

impl From<DependencyKeys> for Vec<DependencyKey> {
    fn from(keys: DependencyKeys) -> Self {
        keys.0
    }
}

impl Default for DependencyKeys {
    /// Those of dserver's plugin: what templates of READMEs have, and what dtool writes into a dataset that it derives.
    fn default() -> Self {
        let key = |part, text: &str| DependencyKey {
            text: text.to_owned(),
            part,
        };
        Self(vec![
            key(Part::Annotations, "annotations.source_dataset_uuid"),
            key(Part::Readme, "readme.derived_from.uuid"),
        ])
    }
}

impl DependencyKeys {
    /// The parents that a dataset names, in its README as it was read and in its annotations.
    pub fn parents(&self, readme: Option<&Value>, annotations: &Map<String, Value>) -> Parents<'_> {
        let mut parents = Parents::new();
        for key in &self.0 {
            let mut found = BTreeSet::new();
            let path = key.path();
            match key.part {
                Part::Readme => {
                    if let Some(readme) = readme {
                        find(readme, &path, &mut found);
                    }
                }
                Part::Annotations => find_in(annotations, &path, &mut found),
            }
            let found = found.into_iter().take(MOST_PARENTS);
            parents.extend(found.map(|uuid| (uuid, key.as_str())));
        }
        parents
    }
}

/// The UUIDs at the end of a path.
fn find(value: &Value, path: &[&str], found: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| find(item, path, found)),
        Value::Object(fields) => find_in(fields, path, found),
        Value::String(text) if path.is_empty() => found.extend(uuid(text)),
        _ => {}
    }
}

/// Names may have dots in them: annotations of dtool do.
fn find_in(fields: &Map<String, Value>, path: &[&str], found: &mut BTreeSet<String>) {
    for names in 1..=path.len() {
        let (name, rest) = path.split_at(names);
        if let Some(value) = fields.get(&name.join(".")) {
            find(value, rest, found);
        }
    }
}

/// A UUID with hyphens, in lower case.
fn uuid(text: &str) -> Option<String> {
    let text = text.trim();
    let uuid = Uuid::try_parse(text).ok()?;
    (text.len() == uuid::fmt::Hyphenated::LENGTH).then(|| uuid.hyphenated().to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const A: &str = "00000000-0000-4000-8000-00000000000a";
    const B: &str = "00000000-0000-4000-8000-00000000000b";

    fn found(key: &str, document: &Value) -> Vec<String> {
        let keys = DependencyKeys::try_from(vec![key.parse().unwrap()]).unwrap();
        let annotations = document["annotations"].as_object().cloned();
        let found = keys.parents(document.get("readme"), &annotations.unwrap_or_default());
        found.into_iter().map(|(uuid, _)| uuid).collect()
    }

    #[test]
    fn parents_are_found_through_lists_and_dots() {
        let document = json!({
            "readme": { "derived_from": [{ "uuid": A.to_uppercase() }, { "uuid": [B, 3, "no uuid"] }, "x"] },
            "annotations": { "a.b": { "c": A }, "source": format!(" {B} "), "bare": A.replace('-', "") },
        });
        assert_eq!(found("readme.derived_from.uuid", &document), [A, B]);
        assert_eq!(found("annotations.a.b.c", &document), [A]);
        assert_eq!(found("annotations.source", &document), [B]);
        for nothing in [
            "annotations.bare",
            "annotations.a.b",
            "readme.uuid",
            "readme.derived_from",
        ] {
            assert!(found(nothing, &document).is_empty(), "{nothing}");
        }
    }

    #[test]
    fn keys_lead_into_readme_or_annotations() {
        for wrong in [
            "",
            "readme",
            "readme.",
            "readme..a",
            "tags.a",
            "a",
            "annotations.\n",
        ] {
            let error = wrong.parse::<DependencyKey>().unwrap_err();
            assert_eq!(error, KeyError::Form(wrong.to_owned()));
        }
        let keys: DependencyKeys =
            serde_json::from_value(json!(["readme.b", "readme.a", "readme.a"])).unwrap();
        assert_eq!(
            serde_json::to_value(&keys).unwrap(),
            json!(["readme.a", "readme.b"])
        );
        let default = serde_json::to_value(DependencyKeys::default()).unwrap();
        let read: DependencyKeys = serde_json::from_value(default).unwrap();
        assert_eq!(read, DependencyKeys::default());
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(key in "\\PC{0,20}|readme\\.[a-z.]{0,20}", text in "\\PC{0,40}") {
            if let Ok(key) = key.parse::<DependencyKey>() {
                let document = json!({ "a": [{ "b": text }], "": text });
                let keys = DependencyKeys::try_from(vec![key]).unwrap();
                prop_assert!(keys.parents(Some(&document), &Map::new()).len() <= 1);
            }
        }
    }
}
