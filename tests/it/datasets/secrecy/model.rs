//! What is registered and granted, and what the rules say of it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::super::uuid;
use super::questions::id;
use super::{ITEM, OPEN};

/// A dataset.
#[derive(Clone, Debug)]
pub struct Dataset {
    pub base: &'static str,
    pub uri: String,
    pub uuid: u64,
    /// A word that no other dataset has.
    pub secret: String,
    pub creator: &'static str,
    pub tags: Vec<&'static str>,
    pub words: Vec<&'static str>,
    /// UUIDs of what it was derived from, perhaps twice.
    pub parents: Vec<u64>,
    pub size: i64,
    pub level: i64,
}

impl Dataset {
    pub fn readme(&self) -> String {
        let parents = self.parents.iter().skip(1);
        let parents = parents.map(|it| format!("- uuid: {}\n", uuid(*it)));
        let parents: String = parents.collect();
        let list = if parents.is_empty() { " []\n" } else { "\n" };
        format!(
            "---\nabout: {} {}\nderived_from:{list}{parents}",
            self.secret,
            self.words.join(" "),
        )
    }

    /// The first parent stands in the annotations.
    pub fn annotations(&self) -> Value {
        let mut annotations = json!({ "level": self.level, "about": { "word": self.secret } });
        if let Some(parent) = self.parents.first() {
            annotations["source_dataset_uuid"] = json!(uuid(*parent));
        }
        annotations
    }

    pub fn all_tags(&self) -> Vec<String> {
        let mut tags: Vec<String> = self.tags.iter().map(|&tag| tag.to_owned()).collect();
        tags.push(self.secret.clone());
        tags
    }

    /// The document, as queries in MongoDB's language see it.
    pub fn document(&self) -> Value {
        let from: Vec<Value> = self
            .parents
            .iter()
            .skip(1)
            .map(|it| json!({ "uuid": uuid(*it) }))
            .collect();
        let about = format!("{} {}", self.secret, self.words.join(" "));
        json!({
            "uri": self.uri, "base_uri": self.base, "uuid": uuid(self.uuid), "name": self.secret, "type": "dataset",
            "creator_username": self.creator, "tags": self.all_tags(), "annotations": self.annotations(),
            "readme": { "about": about.trim_end(), "derived_from": from },
            "size_in_bytes": self.size, "number_of_items": 1,
            "manifest": { "items": { ITEM: { "relpath": format!("{}.txt", self.secret) } } },
        })
    }
}

/// How much was compared.
#[derive(Debug, Default)]
pub struct Asked {
    /// Datasets that were found.
    pub seen: usize,
    /// Datasets that would have been found by somebody else.
    pub hidden: usize,
}

/// What is registered and granted.
#[derive(Default)]
pub struct Model {
    /// By URI.
    pub datasets: BTreeMap<String, Dataset>,
    /// To search, to register.
    pub grants: BTreeMap<(&'static str, &'static str), (bool, bool)>,
    /// All that was ever registered: where, its URI and its word.
    pub ever: Vec<(&'static str, String, String)>,
    /// All changes: kind, URI, where.
    pub changes: Vec<(&'static str, String, &'static str)>,
    /// Cursors of before, with the number of changes that there were.
    pub cursors: Vec<(usize, Value)>,
    pub asked: Asked,
}

impl Model {
    pub fn may(&self, user: &'static str, base: &'static str) -> (bool, bool) {
        if base == OPEN {
            return (true, user == "ada");
        }
        self.grants.get(&(user, base)).copied().unwrap_or_default()
    }

    pub fn register(&mut self, dataset: Dataset) {
        let word = dataset.secret.clone();
        self.ever.push((dataset.base, dataset.uri.clone(), word));
        let (uri, base) = (dataset.uri.clone(), dataset.base);
        let before = self.datasets.insert(uri.clone(), dataset);
        let kind = if before.is_some() {
            "UPDATED"
        } else {
            "REGISTERED"
        };
        self.changes.push((kind, uri, base));
    }

    pub fn delete(&mut self, uri: &str) {
        if let Some(gone) = self.datasets.remove(uri) {
            self.changes.push(("DELETED", gone.uri, gone.base));
        }
    }

    /// By URI.
    pub fn visible(&self, user: &'static str) -> Vec<&Dataset> {
        let all = self.datasets.values();
        all.filter(|it| self.may(user, it.base).0).collect()
    }

    /// No answer to somebody says a word of what they may not search.
    pub fn check(&self, user: &'static str, request: &str, answer: &str) {
        for (base, uri, word) in &self.ever {
            if self.may(user, base).0 {
                continue;
            }
            // A word is known to nobody by asking for it; only its echo would be harmless.
            let names = |text: &str, part: &str| {
                let mut rest = text;
                while let Some(at) = rest.find(part) {
                    rest = &rest[at + part.len()..];
                    if !rest.starts_with(|c: char| c.is_ascii_alphanumeric()) {
                        return true;
                    }
                }
                false
            };
            assert!(
                !names(answer, word),
                "{user} is told {word} of {uri}: {request}\n{answer}"
            );
            for name in [uri.clone(), id(uri)] {
                assert!(
                    !names(answer, &name) || names(request, &name),
                    "{user} is told of {name}: {request}\n{answer}"
                );
            }
        }
    }

    /// The copy of this UUID that is shown to somebody who comes from this base URI.
    pub fn near(&self, user: &'static str, uuid: u64, base: &str) -> Option<&Dataset> {
        let copies: Vec<&Dataset> = self
            .visible(user)
            .into_iter()
            .filter(|it| it.uuid == uuid)
            .collect();
        let near = copies.iter().find(|it| it.base == base);
        near.or_else(|| copies.first()).copied()
    }

    /// The UUIDs that a dataset hangs together with, and the links among them, for somebody: parents and children.
    pub fn lineage(
        &self,
        user: &'static str,
        of: u64,
        direction: &str,
    ) -> (BTreeSet<String>, BTreeSet<(String, String)>) {
        let visible = self.visible(user);
        let known: BTreeSet<u64> = visible.iter().map(|it| it.uuid).collect();
        let links = visible
            .iter()
            .flat_map(|it| it.parents.iter().map(|parent| (*parent, it.uuid)));
        let links: BTreeSet<(u64, u64)> = links.collect();
        let mut nodes = BTreeSet::from([of]);
        loop {
            let before = nodes.len();
            for (parent, child) in &links {
                if direction != "DESCENDANTS" && nodes.contains(child) && known.contains(child) {
                    nodes.insert(*parent);
                }
                if direction != "ANCESTORS" && nodes.contains(parent) && known.contains(parent) {
                    nodes.insert(*child);
                }
            }
            if nodes.len() == before {
                break;
            }
        }
        let edges = links
            .into_iter()
            .filter(|(from, to)| nodes.contains(from) && nodes.contains(to));
        let edges = edges.map(|(from, to)| (uuid(from), uuid(to))).collect();
        (nodes.into_iter().map(uuid).collect(), edges)
    }
}
