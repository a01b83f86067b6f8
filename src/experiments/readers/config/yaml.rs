//! YAML into a [`Tree`]: keys become upper-case text, and merge keys are resolved.

use std::collections::BTreeMap;

use super::tree::Tree;
use crate::yaml::{self, Key, Node};

/// Parses one YAML document, within the bounds of [`yaml::parse`].
pub(super) fn parse(text: &str) -> Result<Tree, String> {
    let node = yaml::parse(text).map_err(|error| error.message)?;
    Ok(tree(node))
}

fn tree(node: Node) -> Tree {
    match node {
        Node::Null => Tree::Null,
        Node::Bool(flag) => Tree::Bool(flag),
        Node::Number(number) => Tree::Number(number),
        Node::Text(text) => Tree::Text(text),
        Node::List(items) => Tree::List(items.into_iter().map(tree).collect()),
        Node::Map(entries) => map(entries),
    }
}

fn map(entries: Vec<(Key, Node)>) -> Tree {
    let mut map = BTreeMap::new();
    let mut merged = Vec::new();
    for (key, value) in entries {
        let value = tree(value);
        match key {
            // As Python spells it.
            Key::Null => {
                map.insert("NONE".to_owned(), value);
            }
            // A merge key: what it gives is overridden by the map's own keys.
            Key::Text(key) if key == "<<" => match value {
                Tree::List(items) => merged.extend(items),
                other => merged.push(other),
            },
            Key::Text(key) => {
                map.insert(key.to_uppercase(), value);
            }
        }
    }
    let mut map = Tree::Map(map);
    for other in merged {
        map.fill(other);
    }
    map
}
