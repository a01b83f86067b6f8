//! The manifest of a template, `flowserv.yaml`: its name, its documents, and the files that it brings.

use std::collections::BTreeMap;

use super::fields::{self, Fields, Unknown};
use super::folder::{Folder, ReadError};
use super::load::Loader;
use super::path::RelativePath;
use super::problem::{Code, Problems};
use super::tree::{Position, Tree};
use super::{Choices, StaticFile};

/// The names under which a manifest is looked for, in this order.
const NAMES: [&str; 3] = ["flowserv.json", DEFAULT, "flowserv.yml"];
const DEFAULT: &str = "flowserv.yaml";
/// The most entries, and the deepest inclusion and the longest text of instructions.
const MOST: usize = 1_000;
const DEEPEST: usize = 8;
const LONGEST: usize = 1 << 20;

/// What a manifest says.
pub(crate) struct Manifest {
    pub name: String,
    pub description: Option<String>,
    pub instructions: Option<String>,
    pub files: Vec<StaticFile>,
    pub specification: RelativePath,
    /// Where the specification is named.
    pub specification_at: Position,
}

/// Reads the manifest of a folder. What the caller has chosen counts for more than what it says.
pub(crate) fn read(
    folder: &Folder,
    loader: &mut Loader<'_>,
    choices: &Choices,
    problems: &mut Problems,
) -> Option<Manifest> {
    let tree = match find(folder, choices) {
        Some(path) => loader.document(&path, &Position::start(path.as_str()), problems)?,
        // All that a manifest must say has been chosen by the caller.
        None if choices.name.is_some() && choices.specification.is_some() => {
            Tree::of_json(&serde_json::json!({}), &Position::start(DEFAULT))?
        }
        None => {
            let message = format!("there is no manifest: {}", NAMES.join(", "));
            problems.error(&Position::start(DEFAULT), Code::UnreadableFile, message);
            return None;
        }
    };
    let mut fields = Fields::of(&tree, problems)?;
    let name = match &choices.name {
        Some(name) => {
            fields.raw("name");
            Some(name.clone())
        }
        None => fields.name("name", problems),
    };
    let described = fields.text("description", problems);
    let description = choices.description.clone().or(described);
    let chosen = |fields: &mut Fields<'_>, key, choice: &Option<RelativePath>, problems: &mut _| {
        let said = fields.get(key).map(|tree| {
            let path = fields::file_path(tree, problems);
            (tree.at.clone(), path)
        });
        match choice {
            Some(path) => Some((tree.at.clone(), Some(path.clone()))),
            None => said,
        }
    };
    let instructions = chosen(&mut fields, "instructions", &choices.instructions, problems);
    let specification = chosen(&mut fields, "specfile", &choices.specification, problems);
    let files = fields.get("files");
    let (at, listed) = match files {
        None => (tree.at.clone(), None),
        Some(tree) => (tree.at.clone(), Some(read_files(tree, problems))),
    };
    fields.end(Unknown::Error, problems);
    let files = collect(folder, &at, listed, problems);
    let instructions = match instructions {
        Some((at, Some(path))) => {
            let mut chain = Vec::new();
            read_instructions(loader, &path, &mut chain, &at, problems)
        }
        _ => None,
    };
    let Some((specification_at, specification)) = specification else {
        let message = "the key \"specfile\" is missing: the document with the workflow";
        problems.error(&tree.at, Code::MissingKey, message);
        return None;
    };
    Some(Manifest {
        name: name?,
        description,
        instructions,
        files,
        specification: specification?,
        specification_at,
    })
}

/// The path of the manifest, if there is one.
fn find(folder: &Folder, choices: &Choices) -> Option<RelativePath> {
    let paths = NAMES
        .iter()
        .filter_map(|name| RelativePath::file(name).ok());
    // Any fault but that is told when it is read as a document.
    let mut found = paths.filter(|path| !matches!(folder.read(path, 0), Err(ReadError::Missing)));
    choices.manifest.clone().or_else(|| found.next())
}

/// What is listed under `files`: where, from where in the folder of the template (none for all of it), and to where in the
/// working folder.
type Listed = Vec<(Position, Option<RelativePath>, Option<RelativePath>)>;

fn read_files(tree: &Tree, problems: &mut Problems) -> Listed {
    let mut listed = Vec::new();
    let items = fields::list(tree, problems);
    if items.len() > MOST {
        let message = format!("there are more than {MOST} entries");
        problems.error(&tree.at, Code::TooLarge, message);
    }
    for item in items.iter().take(MOST) {
        let Some(mut fields) = Fields::of(item, problems) else {
            continue;
        };
        let source = fields.required("source", problems);
        let target = fields.get("target");
        fields.end(Unknown::Error, problems);
        let Some(source) = source else {
            continue;
        };
        let source = match source.text() {
            Some("." | "./" | "") => None,
            _ => match fields::path(source, RelativePath::any, problems) {
                Some(source) => Some(source),
                None => continue,
            },
        };
        let target = match target {
            None => source.clone(),
            Some(target) => match target.text() {
                Some("." | "./" | "") => None,
                _ => match fields::path(target, RelativePath::any, problems) {
                    Some(target) => Some(target),
                    None => continue,
                },
            },
        };
        listed.push((item.at.clone(), source, target));
    }
    listed
}

/// The files that are listed; all, if nothing is.
fn collect(
    folder: &Folder,
    at: &Position,
    listed: Option<Listed>,
    problems: &mut Problems,
) -> Vec<StaticFile> {
    let listed = listed.unwrap_or_else(|| vec![(at.clone(), None, None)]);
    let mut files = BTreeMap::new();
    for (at, source, target) in listed {
        let found = match folder.files(source.as_ref()) {
            Ok(found) => found,
            Err(error) => {
                let code = match error {
                    ReadError::TooMany => Code::TooLarge,
                    _ => Code::UnreadableFile,
                };
                let what = source.map_or_else(|| "the folder".to_owned(), |it| it.to_string());
                problems.error(&at, code, format!("{what}: {error}"));
                continue;
            }
        };
        for found in found {
            let below = match &source {
                None => Some(found.path.clone()),
                Some(source) => found.path.below(source),
            };
            let path = match (&target, below) {
                (None, Some(below)) => Some(below),
                (Some(target), Some(below)) => Some(target.join(&below)),
                (Some(target), None) => Some(target.clone()),
                // A single file to the outermost folder.
                (None, None) => RelativePath::file(found.path.name()).ok(),
            };
            let path = path.and_then(|path| RelativePath::file(path.as_str()).ok());
            let Some(target) = path else {
                let message = format!("the target of {} is too long", found.path);
                problems.error(&at, Code::UnsafePath, message);
                continue;
            };
            let file = StaticFile {
                source: found.path,
                target: target.clone(),
                size_bytes: found.size_bytes,
            };
            if let Some(other) = files.insert(target, file.clone())
                && other.source != file.source
            {
                let message = format!("{} and {} have one target", other.source, file.source);
                problems.error(&at, Code::Duplicate, message);
            }
        }
    }
    let files: Vec<StaticFile> = files.into_values().collect();
    for pair in files.windows(2) {
        if let [one, other] = pair
            && other.target.is_within(&one.target)
        {
            let message = format!("{} would be a file and a folder", one.target);
            problems.error(at, Code::Duplicate, message);
        }
    }
    files
}

/// The text of instructions, in which `{{other.md}}` stands for the text of that file, found from where it is named.
fn read_instructions(
    loader: &mut Loader<'_>,
    path: &RelativePath,
    chain: &mut Vec<RelativePath>,
    at: &Position,
    problems: &mut Problems,
) -> Option<String> {
    if chain.contains(path) || chain.len() > DEEPEST {
        let message = format!("{path} includes itself, or too many files include each other");
        problems.error(at, Code::InvalidValue, message);
        return None;
    }
    let text = loader.text(path, at, problems)?;
    let here = Position::start(path.as_str());
    chain.push(path.clone());
    let mut whole = String::new();
    let mut rest = text.trim();
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((inside, after)) = after.split_once("}}").filter(|(it, _)| !it.contains('\n'))
        else {
            whole.push_str(before);
            whole.push_str("{{");
            rest = after;
            continue;
        };
        whole.push_str(before);
        match RelativePath::file(inside.trim()) {
            Ok(inside) => {
                let inside = path
                    .folder()
                    .map_or_else(|| inside.clone(), |it| it.join(&inside));
                whole.push_str(&read_instructions(loader, &inside, chain, &here, problems)?);
            }
            Err(error) => {
                problems.error(
                    &here,
                    Code::UnsafePath,
                    format!("{{{{{inside}}}}}: {error}"),
                );
            }
        }
        if whole.len() > LONGEST {
            problems.error(&here, Code::TooLarge, "the instructions are too long");
            return None;
        }
        rest = after;
    }
    whole.push_str(rest);
    chain.pop();
    Some(whole)
}
