//! A configuration as a tree, and how two of them become one.

use std::collections::BTreeMap;

/// A node. Numbers are kept as text: Autosubmit's getters want text anyway.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tree {
    Null,
    Bool(bool),
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
            Self::Null | Self::List(_) | Self::Map(_) => None,
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
