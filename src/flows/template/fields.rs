//! The entries of a mapping: which there are, which must be, and which nobody knows.

use serde_json::Value;

use super::path::{PathError, RelativePath};
use super::problem::{Code, Problems};
use super::tree::{Kind, Position, Tree};

/// The longest name and the longest other text of a declaration, in characters.
const LONGEST_NAME: usize = 512;
const LONGEST_TEXT: usize = 10_000;

/// What becomes of keys that nobody asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unknown {
    Error,
    Warning,
}

/// A mapping that is being read.
pub(crate) struct Fields<'t> {
    pub at: &'t Position,
    entries: &'t [(String, Tree)],
    asked: Vec<&'static str>,
}

impl<'t> Fields<'t> {
    /// The entries of a mapping; a problem if it is none, and for each key that occurs twice.
    pub fn of(tree: &'t Tree, problems: &mut Problems) -> Option<Self> {
        let Kind::Map(entries) = &tree.kind else {
            wrong(tree, "a mapping", problems);
            return None;
        };
        let mut seen = std::collections::BTreeSet::new();
        for (key, value) in entries {
            if !seen.insert(key) {
                let message = format!("the key {key:?} occurs twice");
                problems.error(&value.at, Code::Duplicate, message);
            }
        }
        Some(Self {
            at: &tree.at,
            entries,
            asked: Vec::new(),
        })
    }

    /// The value of a key, null included.
    pub fn raw(&mut self, key: &'static str) -> Option<&'t Tree> {
        self.asked.push(key);
        let entry = self.entries.iter().find(|(name, _)| name == key);
        entry.map(|(_, value)| value)
    }

    /// The value of a key; null is as good as absent.
    pub fn get(&mut self, key: &'static str) -> Option<&'t Tree> {
        self.raw(key).filter(|value| !value.is_null())
    }

    /// The value of a key that must be there.
    pub fn required(&mut self, key: &'static str, problems: &mut Problems) -> Option<&'t Tree> {
        let value = self.get(key);
        if value.is_none() {
            let message = format!("the key {key:?} is missing");
            problems.error(self.at, Code::MissingKey, message);
        }
        value
    }

    /// A text that may be there.
    pub fn text(&mut self, key: &'static str, problems: &mut Problems) -> Option<String> {
        text(self.get(key)?, LONGEST_TEXT, problems)
    }

    /// A text that must be there, and not be empty.
    pub fn name(&mut self, key: &'static str, problems: &mut Problems) -> Option<String> {
        let tree = self.required(key, problems)?;
        let name = text(tree, LONGEST_NAME, problems)?;
        if name.trim().is_empty() {
            problems.error(&tree.at, Code::InvalidValue, format!("{key} is empty"));
            return None;
        }
        Some(name)
    }

    /// True or false.
    pub fn flag(&mut self, key: &'static str, problems: &mut Problems) -> Option<bool> {
        let tree = self.get(key)?;
        if let Kind::Bool(flag) = tree.kind {
            return Some(flag);
        }
        wrong(tree, "true or false", problems);
        None
    }

    /// A whole number from 0 up to `most`.
    pub fn count(&mut self, key: &'static str, most: u64, problems: &mut Problems) -> Option<u64> {
        let tree = self.get(key)?;
        let number = match &tree.kind {
            Kind::Number(number) => number.as_u64(),
            _ => None,
        };
        if number.is_none_or(|number| number > most) {
            let message = format!("it must be a whole number from 0 to {most}");
            problems.error(&tree.at, Code::InvalidValue, message);
            return None;
        }
        number
    }

    /// A whole number.
    pub fn whole(&mut self, key: &'static str, problems: &mut Problems) -> Option<i64> {
        let tree = self.get(key)?;
        let number = match &tree.kind {
            Kind::Number(number) => number.as_i64(),
            _ => None,
        };
        if number.is_none() {
            wrong(tree, "a whole number", problems);
        }
        number
    }

    /// A value that is passed on as it is.
    pub fn json(&mut self, key: &'static str, problems: &mut Problems) -> Option<Value> {
        let tree = self.get(key)?;
        json(tree, problems)
    }

    /// The items of a list that may be there.
    pub fn list(&mut self, key: &'static str, problems: &mut Problems) -> &'t [Tree] {
        match self.get(key) {
            Some(tree) => list(tree, problems),
            None => &[],
        }
    }

    /// Complains of each key that nobody has asked for.
    pub fn end(self, unknown: Unknown, problems: &mut Problems) {
        for (key, value) in self.entries {
            if self.asked.iter().any(|asked| asked == key) {
                continue;
            }
            let known = self.asked.join(", ");
            let message = format!("the key {key:?} is not known here; known are {known}");
            match unknown {
                Unknown::Error => problems.error(&value.at, Code::UnknownKey, message),
                Unknown::Warning => problems.warning(&value.at, Code::UnknownKey, message),
            }
        }
    }
}

/// Notes that something is of the wrong kind.
pub(crate) fn wrong(tree: &Tree, wanted: &str, problems: &mut Problems) {
    let message = format!("it is {} and must be {wanted}", tree.what());
    problems.error(&tree.at, Code::WrongType, message);
}

/// A text of at most so many characters.
pub(crate) fn text(tree: &Tree, most: usize, problems: &mut Problems) -> Option<String> {
    let Some(text) = tree.text() else {
        wrong(tree, "a text", problems);
        return None;
    };
    if text.chars().nth(most).is_some() {
        let message = format!("it is longer than {most} characters");
        problems.error(&tree.at, Code::TooLarge, message);
        return None;
    }
    if text.contains('\0') {
        problems.error(&tree.at, Code::InvalidValue, "it has a zero byte in it");
        return None;
    }
    Some(text.to_owned())
}

/// Any value as JSON.
pub(crate) fn json(tree: &Tree, problems: &mut Problems) -> Option<Value> {
    let json = tree.json();
    if json.is_none() {
        problems.error(&tree.at, Code::TooLarge, "it is nested too deeply");
    }
    json
}

/// The items of a list.
pub(crate) fn list<'t>(tree: &'t Tree, problems: &mut Problems) -> &'t [Tree] {
    if let Kind::List(items) = &tree.kind {
        return items;
    }
    wrong(tree, "a list", problems);
    &[]
}

/// The path of a file.
pub(crate) fn file_path(tree: &Tree, problems: &mut Problems) -> Option<RelativePath> {
    path(tree, RelativePath::file, problems)
}

/// A path, by whichever rule.
pub(crate) fn path(
    tree: &Tree,
    rule: fn(&str) -> Result<RelativePath, PathError>,
    problems: &mut Problems,
) -> Option<RelativePath> {
    let text = text(tree, LONGEST_TEXT, problems)?;
    match rule(&text) {
        Ok(path) => Some(path),
        Err(error) => {
            let message = format!("{text:?}: {error}");
            problems.error(&tree.at, Code::UnsafePath, message);
            None
        }
    }
}
