//! What a dataset is, apart from the bytes of its items.
//!
//! Plain data: a reader fills it from a folder or a bucket, a person who registers a dataset sends it, and the database
//! keeps it. Times are microseconds since 1970-01-01 UTC, which is all that the floating-point seconds of dtool hold.
//! Texts and JSON are as they were found, a NUL among them included.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A dataset with all that is known of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// Where it is, as dtool writes it: `file://host/path/name` or `s3://bucket/uuid`.
    pub uri: String,
    /// What it lies in: the URI without its last part and without a slash at the end.
    pub base_uri: String,
    /// Its UUID, in lower case with hyphens. Copies of a dataset share it.
    pub uuid: String,
    /// Its name: of letters, digits, `_`, `.` and `-`.
    pub name: String,
    /// Who made it.
    pub creator_username: String,
    /// When it was made, in microseconds; datasets of early versions of dtool do not say.
    pub created_at: Option<i64>,
    /// When it was frozen, in microseconds; none for a proto dataset, which still grows.
    pub frozen_at: Option<i64>,
    /// The version of dtoolcore that made it.
    pub dtoolcore_version: Option<String>,
    /// Its README.
    pub readme: Readme,
    /// Any JSON value under a name.
    pub annotations: Map<String, Value>,
    /// Its tags.
    pub tags: BTreeSet<String>,
    /// Its items; none for a proto dataset.
    pub manifest: Option<Manifest>,
    /// How many items it has; whoever registers a dataset may say so without a manifest.
    pub item_count: Option<i64>,
    /// The size of all items together, in bytes; whoever registers a dataset may say so without a manifest.
    pub size_bytes: Option<i64>,
    /// By name: what is said of each item.
    pub overlays: BTreeMap<String, Overlay>,
}

/// A value for each item, by the identifier of the item.
pub type Overlay = Map<String, Value>;

/// The text that describes a dataset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Readme {
    /// As it was written.
    pub text: String,
    /// What it says when read as YAML: null if it is empty, a string if it is plain text. Dates stay the text that they
    /// are.
    pub content: Result<Value, ReadmeProblem>,
}

/// Why a README is not YAML.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadmeProblem {
    /// What is wrong, for people.
    pub message: String,
    /// The line, counted from 1, where that is known.
    pub line: Option<u32>,
    /// The column in the line, counted from 1, where that is known.
    pub column: Option<u32>,
}

/// The deepest nesting of a README and of an annotation. What is stored has to be read again, and most readers of JSON
/// end at 127 levels.
const DEEPEST: usize = 100;

/// What is wrong with a value that is nested deeper than others can read.
pub const TOO_DEEP: &str = "it is nested more than 100 levels deep";

/// Is a value nested no deeper than it may be?
pub fn is_shallow(value: &Value) -> bool {
    fn fits(value: &Value, room: usize) -> bool {
        match value {
            Value::Array(elements) => room > 0 && elements.iter().all(|it| fits(it, room - 1)),
            Value::Object(fields) => room > 0 && fields.values().all(|it| fits(it, room - 1)),
            _ => true,
        }
    }
    fits(value, DEEPEST)
}

/// The largest size of an item and of all items together, in bytes: 8 PiB, up to which JSON has whole numbers.
pub const LARGEST_SIZE: i64 = 1 << 53;

/// The items of a frozen dataset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of dtoolcore that froze the dataset.
    pub dtoolcore_version: Option<String>,
    /// How the hashes were made, such as `md5sum_hexdigest`.
    pub hash_function: Option<String>,
    /// The items by their identifiers, in this order and each once.
    pub items: Vec<Item>,
}

/// A file of a dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// The SHA-1 of the relative path in lower-case hexadecimal digits, as dtool makes it; other identifiers are kept
    /// as they are.
    pub identifier: String,
    /// Its path inside the dataset, with `/` between names.
    pub relpath: String,
    /// The hash of its content, in hexadecimal digits.
    pub hash: String,
    /// Its size in bytes, from 0 to [`LARGEST_SIZE`].
    pub size_bytes: i64,
    /// When its content was last changed, in microseconds.
    pub modified_at: i64,
}

impl Document {
    /// Whether it is frozen: a proto dataset is not.
    pub fn is_frozen(&self) -> bool {
        self.frozen_at.is_some()
    }
}

impl Manifest {
    /// The size of all items together, in bytes.
    pub fn size_bytes(&self) -> i64 {
        self.items
            .iter()
            .fold(0, |sum, item| sum.saturating_add(item.size_bytes))
    }

    /// How many items there are.
    pub fn item_count(&self) -> i64 {
        i64::try_from(self.items.len()).unwrap_or(i64::MAX)
    }
}
