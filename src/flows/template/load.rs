//! The documents of a template, with what they include.
//!
//! `!include other.yaml` stands for the document of that file; in JSON, which has no tags, `{"!include": "other.json"}`
//! does. As in flowserv the path is one from the folder of the outermost document. A file that ends in `.txt` or `.md` is
//! included as a text. `<<` merges mappings, as YAML 1.1 has it.

use std::collections::{BTreeMap, BTreeSet};

use super::folder::Folder;
use super::path::RelativePath;
use super::problem::{Code, Problems};
use super::tree::{Kind, Position, Tree};
use crate::yaml::{self, Key, Node, Syntax};

/// The largest document and all documents together, in bytes.
const LARGEST: u64 = 256 << 10;
const LARGEST_SUM: usize = 1 << 20;
/// How much is parsed again to find places, in bytes.
const MOST_SOUGHT: usize = 4 << 20;
/// The most files that are included, and the deepest.
const MOST_INCLUDES: usize = 200;
const DEEPEST_INCLUDE: usize = 8;
/// The key by which an inclusion is known in a tree.
const INCLUDE: &str = "!include";

/// Reads documents, and remembers them for the places of problems.
pub(crate) struct Loader<'f> {
    folder: &'f Folder,
    texts: BTreeMap<String, (Syntax, String)>,
    documents: BTreeSet<RelativePath>,
    read_bytes: usize,
    includes: usize,
    sought_bytes: usize,
}

impl<'f> Loader<'f> {
    pub fn new(folder: &'f Folder) -> Self {
        Self {
            folder,
            texts: BTreeMap::new(),
            documents: BTreeSet::new(),
            read_bytes: 0,
            includes: 0,
            sought_bytes: 0,
        }
    }

    /// A document with all that it includes. `at` is where it is asked for.
    pub fn document(
        &mut self,
        path: &RelativePath,
        at: &Position,
        problems: &mut Problems,
    ) -> Option<Tree> {
        let base = path.folder();
        let mut chain = Vec::new();
        self.load(path, base.as_ref(), &mut chain, at, problems)
    }

    /// The text of a file.
    pub fn text(
        &mut self,
        path: &RelativePath,
        at: &Position,
        problems: &mut Problems,
    ) -> Option<String> {
        let bytes = match self.folder.read(path, LARGEST) {
            Ok(bytes) => bytes,
            Err(error) => {
                let code = match error {
                    super::folder::ReadError::TooLarge(_) => Code::TooLarge,
                    _ => Code::UnreadableFile,
                };
                problems.error(at, code, format!("{path}: {error}"));
                return None;
            }
        };
        self.documents.insert(path.clone());
        self.read_bytes = self.read_bytes.saturating_add(bytes.len());
        if self.read_bytes > LARGEST_SUM {
            problems.error(
                at,
                Code::TooLarge,
                format!("all documents together have more than {LARGEST_SUM} bytes"),
            );
            return None;
        }
        let text = String::from_utf8(bytes);
        if text.is_err() {
            problems.syntax(&Position::start(path.as_str()), None, "it is no UTF-8");
        }
        text.ok()
    }

    /// All files that were read.
    pub fn into_documents(self) -> BTreeSet<RelativePath> {
        self.documents
    }

    /// Line and column of a position. In large documents only so many are looked for: each costs as much as parsing.
    pub fn place(&mut self, at: &Position) -> Option<(usize, usize)> {
        let (syntax, text) = self.texts.get(at.file())?;
        self.sought_bytes = self.sought_bytes.saturating_add(text.len());
        if self.sought_bytes > MOST_SOUGHT {
            return None;
        }
        yaml::place(text, *syntax, &at.steps())
    }

    fn load(
        &mut self,
        path: &RelativePath,
        base: Option<&RelativePath>,
        chain: &mut Vec<RelativePath>,
        at: &Position,
        problems: &mut Problems,
    ) -> Option<Tree> {
        let start = Position::start(path.as_str());
        let syntax = match path.extension().as_deref() {
            Some("yaml" | "yml") => Syntax::Yaml,
            Some("json") => Syntax::Json,
            Some("txt" | "md") if !chain.is_empty() => {
                let text = self.text(path, at, problems)?;
                let kind = Kind::Text(text);
                return Some(Tree { at: start, kind });
            }
            _ => {
                let message =
                    format!("{path}: it must end in .yaml, .yml or .json (or .txt if included)");
                problems.error(at, Code::InvalidValue, message);
                return None;
            }
        };
        let text = self.text(path, at, problems)?;
        let parsed = match syntax {
            Syntax::Yaml => yaml::parse_tagged(&text, |tag, node| match tag {
                "include" => Node::Map(vec![(Key::Text(INCLUDE.to_owned()), node)]),
                _ => node,
            }),
            Syntax::Json => yaml::parse_json(&text),
        };
        self.texts.insert(path.as_str().to_owned(), (syntax, text));
        match parsed {
            Ok(node) => {
                chain.push(path.clone());
                let tree = self.grow(node, base, chain, start, problems);
                chain.pop();
                tree
            }
            Err(error) => {
                problems.syntax(&start, error.place, &error.message);
                None
            }
        }
    }

    fn grow(
        &mut self,
        node: Node,
        base: Option<&RelativePath>,
        chain: &mut Vec<RelativePath>,
        at: Position,
        problems: &mut Problems,
    ) -> Option<Tree> {
        let kind = match node {
            Node::Null => Kind::Null,
            Node::Bool(flag) => Kind::Bool(flag),
            Node::Number(number) => Kind::Number(number),
            Node::Text(text) => Kind::Text(text),
            Node::List(nodes) => {
                let mut items = Vec::with_capacity(nodes.len());
                for (index, node) in nodes.into_iter().enumerate() {
                    items.push(self.grow(node, base, chain, at.index(index), problems)?);
                }
                Kind::List(items)
            }
            Node::Map(entries) => {
                if let [(Key::Text(key), path)] = entries.as_slice()
                    && key == INCLUDE
                {
                    return self.include(path, base, chain, &at, problems);
                }
                let mut map = Vec::with_capacity(entries.len());
                let mut merged = Vec::new();
                for (key, node) in entries {
                    let Key::Text(key) = key else {
                        problems.error(&at, Code::InvalidValue, "a key is nothing");
                        return None;
                    };
                    let value = self.grow(node, base, chain, at.key(&key), problems)?;
                    if key == "<<" {
                        merged.push(value);
                    } else {
                        map.push((key, value));
                    }
                }
                if !merged.is_empty() {
                    let mut own = map.iter().map(|(key, _)| key.clone()).collect();
                    for value in merged {
                        merge(&mut map, &mut own, value, problems);
                    }
                }
                Kind::Map(map)
            }
        };
        Some(Tree { at, kind })
    }

    fn include(
        &mut self,
        path: &Node,
        base: Option<&RelativePath>,
        chain: &mut Vec<RelativePath>,
        at: &Position,
        problems: &mut Problems,
    ) -> Option<Tree> {
        let Node::Text(text) = path else {
            problems.error(at, Code::WrongType, "!include takes the path of a file");
            return None;
        };
        let path = match RelativePath::file(text) {
            Ok(path) => base.map_or_else(|| path.clone(), |base| base.join(&path)),
            Err(error) => {
                problems.error(at, Code::UnsafePath, format!("!include {text}: {error}"));
                return None;
            }
        };
        self.includes += 1;
        if self.includes > MOST_INCLUDES || chain.len() > DEEPEST_INCLUDE {
            let message = format!(
                "more than {MOST_INCLUDES} files are included, or more than {DEEPEST_INCLUDE} in each other"
            );
            problems.error(at, Code::TooLarge, message);
            return None;
        }
        if chain.contains(&path) {
            let message = format!("{path} includes itself");
            problems.error(at, Code::InvalidValue, message);
            return None;
        }
        self.load(&path, base, chain, at, problems)
    }
}

/// Takes over the entries of mappings whose keys are not there yet.
fn merge(
    map: &mut Vec<(String, Tree)>,
    own: &mut BTreeSet<String>,
    value: Tree,
    problems: &mut Problems,
) {
    let mappings = match value.kind {
        Kind::List(items) => items,
        _ => vec![value],
    };
    for mapping in mappings {
        let Kind::Map(entries) = mapping.kind else {
            problems.error(&mapping.at, Code::WrongType, "only mappings can be merged");
            continue;
        };
        for (key, value) in entries {
            if own.insert(key.clone()) {
                map.push((key, value));
            }
        }
    }
}
