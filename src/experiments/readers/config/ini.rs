//! INI files as Python's `configparser` reads them, with the case of keys kept.

use std::collections::BTreeMap;

use super::tree::Tree;

/// Keys and values of each section; those of `[DEFAULT]` show in every section.
#[derive(Debug, Clone, Default)]
pub(super) struct Ini {
    defaults: BTreeMap<String, String>,
    sections: BTreeMap<String, BTreeMap<String, String>>,
}

impl Ini {
    /// Parses a file. A line that is neither a section, an assignment nor the continuation of one is an error with
    /// its number.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut ini = Self::default();
        let mut section: Option<String> = None;
        let mut key: Option<String> = None;
        for (index, line) in text.lines().enumerate() {
            let number = index + 1;
            let trimmed = line.trim();
            if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
                continue;
            }
            if let (true, Some(key)) = (line.starts_with([' ', '\t']), &key) {
                let entries = ini.entries_mut(section.as_deref());
                let value = entries.entry(key.clone()).or_default();
                value.push('\n');
                value.push_str(trimmed);
            } else if let Some(name) = trimmed.strip_prefix('[') {
                let (name, _) = name
                    .split_once(']')
                    .ok_or_else(|| format!("line {number} opens no section"))?;
                section = Some(name.to_owned());
                ini.entries_mut(Some(name));
                key = None;
            } else {
                if section.is_none() {
                    return Err(format!("line {number} stands before the first section"));
                }
                let split = trimmed
                    .split_once(['=', ':'])
                    .map(|(name, value)| (name.trim(), value.trim()));
                let (name, value) = split.unwrap_or((trimmed, ""));
                if name.is_empty() {
                    return Err(format!("line {number} has no key"));
                }
                ini.entries_mut(section.as_deref())
                    .insert(name.to_owned(), value.to_owned());
                key = Some(name.to_owned());
            }
        }
        Ok(ini)
    }

    /// A value that says something.
    pub(super) fn get(&self, section: &str, key: &str) -> Option<String> {
        let own = self
            .sections
            .get(section)
            .and_then(|entries| entries.get(key));
        super::filled(own.or_else(|| self.defaults.get(key))?.as_str())
    }

    /// All sections with their entries, those of `[DEFAULT]` in each.
    pub(super) fn into_tree(self) -> Tree {
        let Self { defaults, sections } = self;
        let texts = |entries: BTreeMap<String, String>| {
            let texts = entries.into_iter();
            Tree::Map(texts.map(|(key, text)| (key, Tree::Text(text))).collect())
        };
        let sections = sections.into_iter().map(|(name, own)| {
            let mut entries = defaults.clone();
            entries.extend(own);
            (name, texts(entries))
        });
        Tree::Map(sections.collect())
    }

    /// The names of the sections.
    pub(super) fn sections(&self) -> impl Iterator<Item = &str> {
        self.sections.keys().map(String::as_str)
    }

    fn entries_mut(&mut self, section: Option<&str>) -> &mut BTreeMap<String, String> {
        match section {
            None | Some("DEFAULT") => &mut self.defaults,
            Some(name) => self.sections.entry(name.to_owned()).or_default(),
        }
    }
}
