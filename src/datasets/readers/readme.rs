//! The README: a text, which is meant to be YAML.

use serde_json::{Map, Value};

use crate::datasets::document::{Readme, ReadmeProblem, TOO_DEEP, is_shallow};
use crate::yaml::{self, Key, Node};

/// Reads a README. Its text is kept in any case.
///
/// Keys become text (`1` as much as `true` or a date), of equal keys the last one counts, and merge keys are resolved.
/// What JSON does not know (infinity, integers beyond 64 bits) is text.
pub fn parse(text: String) -> Readme {
    let content = yaml::parse(&text).map(value).map_err(|error| {
        let number = |value: usize| u32::try_from(value).ok();
        ReadmeProblem {
            message: error.message,
            line: error.place.and_then(|(line, _)| number(line)),
            column: error.place.and_then(|(_, column)| number(column)),
        }
    });
    if content.as_ref().is_ok_and(|content| !is_shallow(content)) {
        return broken(text, TOO_DEEP.to_owned());
    }
    Readme { text, content }
}

/// A README whose text is not to be had.
pub(super) fn unread(message: String) -> Readme {
    broken(String::new(), message)
}

/// Reads the bytes of a README. What is not UTF-8 is replaced in the text.
pub(super) fn of_bytes(bytes: &[u8]) -> Readme {
    match std::str::from_utf8(bytes) {
        Ok(text) => parse(text.to_owned()),
        Err(error) => broken(
            String::from_utf8_lossy(bytes).into_owned(),
            format!("is not UTF-8: {error}"),
        ),
    }
}

fn broken(text: String, message: String) -> Readme {
    Readme {
        text,
        content: Err(ReadmeProblem {
            message,
            line: None,
            column: None,
        }),
    }
}

fn value(node: Node) -> Value {
    match node {
        Node::Null => Value::Null,
        Node::Bool(flag) => Value::Bool(flag),
        Node::Number(number) => Value::Number(number),
        Node::Text(text) => Value::String(text),
        Node::List(items) => items.into_iter().map(value).collect(),
        Node::Map(entries) => map(entries),
    }
}

fn map(entries: Vec<(Key, Node)>) -> Value {
    let mut map = Map::new();
    let mut merged = Vec::new();
    for (key, node) in entries {
        let value = value(node);
        match key {
            Key::Null => {
                map.insert("null".to_owned(), value);
            }
            Key::Text(key) if key == "<<" => match value {
                Value::Array(items) => merged.extend(items),
                other => merged.push(other),
            },
            Key::Text(key) => {
                map.insert(key, value);
            }
        }
    }
    // The keys of the map itself come before what is merged into it, and the first of these before the others.
    for other in merged {
        match other {
            Value::Object(entries) => {
                for (key, value) in entries {
                    map.entry(key).or_insert(value);
                }
            }
            Value::Null => {}
            other => {
                map.entry("<<").or_insert(other);
            }
        }
    }
    Value::Object(map)
}
