//! A dataset as rows, one for each value in its README, its annotations and its tags.
//!
//! The rows are in the order of the document, so that the values inside a document or an array are those with the numbers
//! after its own, up to its `last`. What is one value for each dataset (its name, its times) stays in the table of datasets,
//! and the items of the manifest in theirs.

use sea_orm::sea_query::{Expr, InsertStatement, Query};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::path::{self, NESTED};
use super::query::Kind;
use crate::database::MOST_BINDS;
use crate::datasets::document::Document;
use crate::text::without_zero;

/// The most rows of a dataset.
pub const MOST_ROWS: usize = 10_000;
/// The most text in the rows of a dataset, in bytes.
pub const MOST_TEXT: usize = 1 << 20;
/// How many characters of a text stand in the index.
pub const HEAD: usize = 100;
/// Documents that are nested deeper are not looked into.
const DEEPEST: usize = 100;

/// A dataset's rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Flattened {
    /// The rows.
    pub rows: Vec<ValueRow>,
    /// Whether there was too much, and some of it is not in the rows.
    pub cut: bool,
}

/// A row of `dataset_value`.
#[derive(Clone, Debug, PartialEq)]
pub struct ValueRow {
    /// The [hash](path::hash) of its path without places in arrays.
    pub path: i64,
    /// Its number in the dataset.
    pub node: i32,
    /// The number of the last value inside it; its own if there is none.
    pub last: i32,
    /// Its [`Kind`].
    pub kind: i16,
    /// Whether it is an element of an array.
    pub is_element: bool,
    /// A number itself; 1 for true; the length of an array; else 0.
    pub number: f64,
    /// The beginning of a text; the digest of an array or a document; else empty.
    pub head: String,
    /// The rest of a text.
    pub rest: String,
    /// Its places in arrays: for each key of the path, separated by `;`, the places after it, separated by `,`.
    pub places: String,
}

impl Flattened {
    /// The statements that insert the rows of a dataset that has none.
    pub fn inserts(&self, dataset_id: i64) -> Vec<InsertStatement> {
        let rows = self.rows.chunks(MOST_BINDS / COLUMNS.len());
        rows.map(|rows| insert(dataset_id, rows)).collect()
    }
}

const COLUMNS: [&str; 10] = [
    "dataset_id",
    "path",
    "node",
    "last",
    "kind",
    "is_element",
    "number",
    "head",
    "rest",
    "places",
];

fn insert(dataset_id: i64, rows: &[ValueRow]) -> InsertStatement {
    let mut insert = Query::insert();
    insert.into_table("dataset_value").columns(COLUMNS);
    for row in rows {
        // There are as many values as columns.
        insert.values_panic([
            Expr::val(dataset_id),
            Expr::val(row.path),
            Expr::val(row.node),
            Expr::val(row.last),
            Expr::val(row.kind),
            Expr::val(row.is_element),
            Expr::val(row.number),
            Expr::val(row.head.as_str()),
            Expr::val(row.rest.as_str()),
            Expr::val(row.places.as_str()),
        ]);
    }
    insert
}

/// The rows of a dataset.
pub fn flatten(document: &Document) -> Flattened {
    let mut rows = Rows::default();
    let unreadable = Value::Object(Map::new());
    let readme = document.readme.content.as_ref().unwrap_or(&unreadable);
    let tags = Value::Array(document.tags.iter().cloned().map(Value::String).collect());
    let annotations = Value::Object(document.annotations.clone());
    for (name, value) in [
        ("tags", &tags),
        ("annotations", &annotations),
        ("readme", readme),
    ] {
        let at = At {
            path: name.to_owned(),
            ..At::default()
        };
        rows.visit(value, &at);
    }
    Flattened {
        rows: rows.list,
        cut: rows.cut,
    }
}

/// What arrays and documents are compared by: equal values have equal digests.
pub fn digest(value: &Value) -> String {
    head(&hash(value))
}

/// The first half, hexadecimal.
fn head(hash: &Hash) -> String {
    hex::encode(&hash[..16])
}

/// A text as its beginning and its rest.
pub fn split(text: &str) -> (&str, &str) {
    let end = text
        .char_indices()
        .nth(HEAD)
        .map_or(text.len(), |(end, _)| end);
    text.split_at(end)
}

#[derive(Default)]
struct Rows {
    list: Vec<ValueRow>,
    text: usize,
    cut: bool,
}

/// Where a value is.
#[derive(Clone, Default)]
struct At {
    path: String,
    places: String,
    /// In how many arrays it lies since the last key.
    arrays: usize,
    depth: usize,
}

impl Rows {
    /// Adds the rows of a value. Answers with its hash, which is made of those of its parts.
    fn visit(&mut self, value: &Value, at: &At) -> Hash {
        if self.list.len() >= MOST_ROWS || at.depth > DEEPEST {
            self.cut = true;
            return hash(value);
        }
        let place = self.list.len();
        let row = self.row(value, at);
        self.list.push(row);
        let (hash, is_composite) = match value {
            Value::Array(elements) => {
                let elements = elements.iter().enumerate();
                let hashes =
                    elements.map(|(number, element)| self.visit(element, &at.element(number)));
                (of_array(hashes), true)
            }
            Value::Object(fields) => {
                let fields = fields.iter();
                let hashes = fields.map(|(key, field)| (key, self.visit(field, &at.field(key))));
                (of_object(hashes.collect()), true)
            }
            scalar => (of_scalar(scalar), false),
        };
        let last = number(self.list.len().saturating_sub(1));
        if let Some(row) = self.list.get_mut(place) {
            row.last = last;
            if is_composite {
                row.head = head(&hash);
            }
        }
        hash
    }

    fn row(&mut self, value: &Value, at: &At) -> ValueRow {
        let (kind, number_of, text) = match value {
            Value::Null => (Kind::Null, 0.0, None),
            Value::Bool(is) => (Kind::Bool, f64::from(u8::from(*is)), None),
            Value::Number(number) => (Kind::Number, plain(number), None),
            Value::String(text) => (Kind::Text, 0.0, Some(self.within_bounds(text))),
            // Their digests are known when their parts are.
            Value::Array(elements) => (Kind::Array, f64::from(number(elements.len())), None),
            Value::Object(_) => (Kind::Document, 0.0, None),
        };
        let text = text.unwrap_or_default();
        let (head, rest) = split(&text);
        let node = number(self.list.len());
        ValueRow {
            path: path::hash(&at.path),
            node,
            last: node,
            kind: kind as i16,
            is_element: at.arrays > 0,
            number: number_of,
            head: head.to_owned(),
            rest: rest.to_owned(),
            places: at.places.clone(),
        }
    }

    /// As much of a text as there is room for.
    fn within_bounds(&mut self, text: &str) -> String {
        let mut room = MOST_TEXT - self.text;
        if text.len() > room {
            self.cut = true;
            while !text.is_char_boundary(room) {
                room -= 1;
            }
        }
        let kept = text.get(..room).unwrap_or(text);
        self.text += kept.len();
        without_zero(kept)
    }
}

impl At {
    fn element(&self, number: usize) -> Self {
        let mut at = self.clone();
        at.depth += 1;
        at.arrays += 1;
        if self.arrays > 0 {
            at.path.push(NESTED);
            at.places.push(',');
        }
        at.places.push_str(&number.to_string());
        at
    }

    fn field(&self, key: &str) -> Self {
        let key = path::clean_key(key);
        let mut places = self.places.clone();
        // A key with dots is as many steps as it seems.
        places.extend(key.chars().filter(|c| *c == '.').map(|_| ';'));
        places.push(';');
        Self {
            path: path::below(&self.path, &key),
            places,
            arrays: 0,
            depth: self.depth + 1,
        }
    }
}

/// The number in double precision, as all are compared; minus zero is zero.
pub fn plain(number: &serde_json::Number) -> f64 {
    number.as_f64().unwrap_or_default() + 0.0
}

fn number(length: usize) -> i32 {
    i32::try_from(length).unwrap_or(i32::MAX)
}

type Hash = [u8; 32];

/// A hash that is made of the hashes of the parts, whatever the order of keys.
fn hash(value: &Value) -> Hash {
    match value {
        Value::Array(elements) => of_array(elements.iter().map(hash)),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(key, field)| (key, hash(field)));
            of_object(fields.collect())
        }
        scalar => of_scalar(scalar),
    }
}

fn of_array(elements: impl Iterator<Item = Hash>) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(b"a");
    elements.for_each(|element| hasher.update(element));
    hasher.finalize().into()
}

fn of_object(mut fields: Vec<(&String, Hash)>) -> Hash {
    fields.sort_unstable_by_key(|(key, _)| *key);
    let mut hasher = Sha256::new();
    hasher.update(b"o");
    for (key, field) in fields {
        hasher.update(Sha256::digest(without_zero(key).as_bytes()));
        hasher.update(field);
    }
    hasher.finalize().into()
}

fn of_scalar(value: &Value) -> Hash {
    let mut hasher = Sha256::new();
    match value {
        Value::Bool(is) => hasher.update([b'b', u8::from(*is)]),
        Value::Number(number) => {
            hasher.update(b"d");
            hasher.update(plain(number).to_be_bytes());
        }
        Value::String(text) => {
            hasher.update(b"t");
            hasher.update(without_zero(text).as_bytes());
        }
        _ => hasher.update(b"n"),
    }
    hasher.finalize().into()
}
