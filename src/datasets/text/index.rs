//! The words of a dataset.

use std::collections::HashMap;

use serde_json::Value;

use super::words::Words;
use crate::datasets::document::Document;

/// The most words of a dataset, gaps between texts included: PostgreSQL counts no further.
pub const MOST_WORDS: usize = 16_000;
/// The most words of names, and those of the README and of annotations; manifests get what is left.
const MOST_IN_NAMES: usize = 2_000;
const MOST_IN_README: usize = 8_000;
const MOST_IN_ANNOTATIONS: usize = 2_000;
/// How often a word is counted: PostgreSQL's limit.
const MOST_REPEATS: usize = 255;
/// The most bytes of different words together: PostgreSQL has place for a mebibyte with all that belongs to them.
const MOST_BYTES: usize = 600_000;

/// The words of a dataset, in three sections that weigh differently.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Indexed {
    /// Of the name, the tags and the creator.
    pub names: Section,
    /// Of the README and the annotations.
    pub about: Section,
    /// Of all else: UUID, URI, and the items' paths and hashes.
    pub rest: Section,
    /// Whether there was too much, and some of it will not be found.
    pub cut: bool,
}

/// Words in their order; none where one text ends and another begins, so that no phrase spans both.
pub type Section = Vec<Option<String>>;

/// The words of a dataset.
pub fn index(document: &Document) -> Indexed {
    let mut indexer = Indexer::default();
    indexer.limit(MOST_IN_NAMES);
    indexer.text(&document.name);
    for tag in &document.tags {
        indexer.text(tag);
    }
    indexer.text(&document.creator_username);
    let names = indexer.section();

    indexer.limit(MOST_IN_README);
    indexer.text(&document.readme.text);
    indexer.limit(MOST_IN_ANNOTATIONS);
    for value in document.annotations.values() {
        indexer.value(value, 0);
    }
    let about = indexer.section();

    indexer.limit(MOST_WORDS);
    indexer.text(&document.uuid);
    indexer.text(&document.uri);
    indexer.text(document.dtoolcore_version.as_deref().unwrap_or_default());
    let items = || {
        document
            .manifest
            .iter()
            .flat_map(|manifest| &manifest.items)
    };
    // Paths of more items before hashes of fewer.
    for item in items() {
        if !indexer.text_fits(&item.relpath) {
            break;
        }
    }
    for item in items() {
        if !indexer.text_fits(&item.hash) {
            break;
        }
    }
    Indexed {
        names,
        about,
        rest: indexer.section(),
        cut: indexer.cut,
    }
}

#[derive(Default)]
struct Indexer {
    words: Words,
    section: Section,
    /// How many words there are, and how many there may be for now.
    count: usize,
    limit: usize,
    /// How often each word occurred.
    seen: HashMap<String, usize>,
    bytes: usize,
    cut: bool,
}

impl Indexer {
    /// So many words more, if there is room.
    fn limit(&mut self, words: usize) {
        self.limit = (self.count + words).min(MOST_WORDS);
    }

    fn section(&mut self) -> Section {
        std::mem::take(&mut self.section)
    }

    fn text(&mut self, text: &str) {
        self.text_fits(text);
    }

    /// Whether all of it was taken.
    fn text_fits(&mut self, text: &str) -> bool {
        let Self {
            words,
            section,
            count,
            limit,
            seen,
            bytes,
            ..
        } = self;
        let mut fits = true;
        let before = section.len();
        words.each(text, |word, _| {
            // One for the gap after the text.
            if *count + 1 >= *limit {
                fits = false;
                return false;
            }
            *count += 1;
            section.push(match seen.get_mut(word) {
                Some(times) if *times >= MOST_REPEATS => None,
                Some(times) => {
                    *times += 1;
                    Some(word.to_owned())
                }
                None if *bytes + word.len() > MOST_BYTES => {
                    fits = false;
                    None
                }
                None => {
                    *bytes += word.len();
                    seen.insert(word.to_owned(), 1);
                    Some(word.to_owned())
                }
            });
            true
        });
        if section.len() > before {
            section.push(None);
            *count += 1;
        }
        self.cut |= !fits;
        fits
    }

    /// The texts in a value; its numbers and keys are none.
    fn value(&mut self, value: &Value, depth: usize) {
        match value {
            Value::String(text) => self.text(text),
            Value::Array(elements) if depth < 100 => {
                for element in elements {
                    self.value(element, depth + 1);
                }
            }
            Value::Object(fields) if depth < 100 => {
                for field in fields.values() {
                    self.value(field, depth + 1);
                }
            }
            _ => {}
        }
    }
}
