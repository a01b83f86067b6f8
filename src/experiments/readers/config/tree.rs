//! A configuration as a tree, and how two of them become one.

use std::collections::BTreeMap;

use serde_json::{Number, Value};

/// A node.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tree {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Self>),
    Map(BTreeMap<String, Self>),
}

impl Tree {
    /// An empty map.
    pub(super) fn new() -> Self {
        Self::Map(BTreeMap::new())
    }

    /// The node at a path of keys.
    pub(super) fn get(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |node, key| match node {
            Self::Map(map) => map.get(*key),
            _ => None,
        })
    }

    /// The entries of the map at a path of keys; none if there is no map.
    pub(super) fn entries(&self, path: &[&str]) -> impl Iterator<Item = (&String, &Self)> {
        match self.get(path) {
            Some(Self::Map(map)) => Some(map.iter()),
            _ => None,
        }
        .into_iter()
        .flatten()
    }

    /// A scalar as text.
    pub(super) fn text(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Number(number) => Some(number.to_string()),
            Self::Bool(flag) => Some(flag.to_string()),
            Self::Null | Self::List(_) | Self::Map(_) => None,
        }
    }

    /// Whether it is true, or a word for it.
    pub(super) fn flag(&self) -> Option<bool> {
        match self {
            Self::Bool(flag) => Some(*flag),
            Self::Text(text) => match text.trim().to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "1" => Some(true),
                "false" | "no" | "off" | "0" => Some(false),
                _ => None,
            },
            Self::Number(number) => match number.as_i64() {
                Some(1) => Some(true),
                Some(0) => Some(false),
                _ => None,
            },
            Self::Null | Self::List(_) | Self::Map(_) => None,
        }
    }

    /// Its entries, if it is a map.
    pub(super) fn map_mut(&mut self) -> Option<&mut BTreeMap<String, Self>> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The map at a key of this map, which is made if there is none.
    pub(super) fn child_map(&mut self, key: &str) -> Option<&mut BTreeMap<String, Self>> {
        let map = self.map_mut()?;
        map.entry(key.to_owned())
            .or_insert_with(Self::new)
            .map_mut()
    }

    /// Sets a key of this map.
    pub(super) fn set(&mut self, key: &str, value: Self) {
        if let Self::Map(map) = self {
            map.insert(key.to_owned(), value);
        }
    }

    /// How many nodes it has; long texts count as one for each 32 bytes.
    pub(super) fn size(&self) -> usize {
        let of_text = |text: &str| text.len() / 32;
        let below = match self {
            Self::List(items) => items.iter().map(Self::size).sum(),
            Self::Map(map) => map
                .iter()
                .map(|(key, item)| of_text(key) + item.size())
                .sum(),
            Self::Text(text) => of_text(text),
            Self::Null | Self::Bool(_) | Self::Number(_) => 0,
        };
        below + 1
    }

    /// Visits the texts, in the order of [`Tree::texts_mut`].
    pub(super) fn texts(&self, visit: &mut impl FnMut(&str)) {
        match self {
            Self::Text(text) => visit(text),
            Self::List(items) => items.iter().for_each(|item| item.texts(visit)),
            Self::Map(map) => map.values().for_each(|item| item.texts(visit)),
            Self::Null | Self::Bool(_) | Self::Number(_) => {}
        }
    }

    /// Visits the texts to change them.
    pub(super) fn texts_mut(&mut self, visit: &mut impl FnMut(&mut String)) {
        match self {
            Self::Text(text) => visit(text),
            Self::List(items) => items.iter_mut().for_each(|item| item.texts_mut(visit)),
            Self::Map(map) => map.values_mut().for_each(|item| item.texts_mut(visit)),
            Self::Null | Self::Bool(_) | Self::Number(_) => {}
        }
    }

    /// As Python writes it inside of a text; none for what is nothing there.
    pub(super) fn python(&self) -> String {
        match self {
            Self::Null => "None".into(),
            Self::Bool(true) => "True".into(),
            Self::Bool(false) => "False".into(),
            Self::Number(number) => number.to_string(),
            Self::Text(text) if text.contains('\'') && !text.contains('"') => format!("\"{text}\""),
            Self::Text(text) => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'")),
            Self::List(items) => {
                let items: Vec<_> = items.iter().map(Self::python).collect();
                format!("[{}]", items.join(", "))
            }
            Self::Map(map) => {
                let entry = |(key, value): (&String, &Self)| format!("'{key}': {}", value.python());
                let entries: Vec<_> = map.iter().map(entry).collect();
                format!("{{{}}}", entries.join(", "))
            }
        }
    }

    /// Lays another tree over this one: maps are joined key by key, anything else is replaced.
    pub(super) fn merge(&mut self, over: Self) {
        match (self, over) {
            (Self::Map(own), Self::Map(over)) => {
                for (key, value) in over {
                    match own.get_mut(&key) {
                        Some(place) => place.merge(value),
                        None => {
                            own.insert(key, value);
                        }
                    }
                }
            }
            (place, over) => *place = over,
        }
    }

    /// Takes from another tree what this one lacks.
    pub(super) fn fill(&mut self, under: Self) {
        if let (Self::Map(own), Self::Map(under)) = (self, under) {
            for (key, value) in under {
                match own.get_mut(&key) {
                    Some(place) => place.fill(value),
                    None => {
                        own.insert(key, value);
                    }
                }
            }
        }
    }

    /// Removes a key of this map.
    pub(super) fn remove(&mut self, key: &str) {
        if let Self::Map(map) = self {
            map.remove(key);
        }
    }
}

impl From<Tree> for Value {
    fn from(tree: Tree) -> Self {
        match tree {
            Tree::Null => Self::Null,
            Tree::Bool(flag) => Self::Bool(flag),
            Tree::Number(number) => Self::Number(number),
            Tree::Text(text) => Self::String(text),
            Tree::List(items) => Self::Array(items.into_iter().map(Self::from).collect()),
            Tree::Map(map) => Self::Object(
                map.into_iter()
                    .map(|(key, value)| (key, value.into()))
                    .collect(),
            ),
        }
    }
}
