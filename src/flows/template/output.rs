//! The files that a run gives, with what is shown of them.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::fields::{Fields, Unknown, wrong};
use super::path::RelativePath;
use super::problem::{Code, Problems};
use super::tree::{Kind, Position, Tree};
use super::workflow::read_output;

const MOST: usize = 1_000;

/// A file that a run gives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Output {
    /// Where it is in the working folder.
    pub source: RelativePath,
    /// Its name among the files of the run: its path, unless the template says otherwise.
    pub key: String,
    /// Its title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What stands below it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caption: Option<String>,
    /// What it is, for who shows it: an object with `type`, such as `csv`, `image`, `json` or `plaintext`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Json>,
    /// How it is shown, for who shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub widget: Option<Json>,
}

impl Output {
    /// A file of which nothing is said.
    pub fn plain(source: RelativePath) -> Self {
        Self {
            key: source.to_string(),
            source,
            title: None,
            caption: None,
            format: None,
            widget: None,
        }
    }
}

/// Reads outputs, each with where it is declared.
pub(crate) fn read_all<'t>(
    items: &'t [Tree],
    problems: &mut Problems,
) -> Vec<(&'t Position, Output)> {
    let mut outputs: Vec<(&Position, Output)> = Vec::new();
    if let Some(item) = items.get(MOST) {
        let message = format!("there are more than {MOST} outputs");
        problems.error(&item.at, Code::TooLarge, message);
    }
    for item in items.iter().take(MOST) {
        let Some(output) = read(item, problems) else {
            continue;
        };
        let twice = |(_, other): &(&Position, Output)| {
            other.key == output.key || other.source == output.source
        };
        if outputs.iter().any(twice) {
            let message = format!("the output {:?}, or its file, occurs twice", output.key);
            problems.error(&item.at, Code::Duplicate, message);
        } else {
            outputs.push((&item.at, output));
        }
    }
    outputs
}

fn read(tree: &Tree, problems: &mut Problems) -> Option<Output> {
    let mut fields = Fields::of(tree, problems)?;
    let source = fields.required("source", problems);
    let source = source.and_then(|source| read_output(source, problems));
    let key = match fields.get("key") {
        Some(_) => fields.name("key", problems),
        None => source.as_ref().map(ToString::to_string),
    };
    let title = fields.text("title", problems);
    let caption = fields.text("caption", problems);
    let format = fields.get("format");
    if let Some(tree) = format {
        check_format(tree, problems);
    }
    let format = fields.json("format", problems);
    let widget = fields.json("widget", problems);
    fields.end(Unknown::Error, problems);
    Some(Output {
        source: source?,
        key: key?,
        title,
        caption,
        format,
        widget,
    })
}

/// Formats are for who shows the file; but one has a type.
fn check_format(tree: &Tree, problems: &mut Problems) {
    let Kind::Map(entries) = &tree.kind else {
        wrong(tree, "a mapping with a type", problems);
        return;
    };
    match entries.iter().find(|(key, _)| key == "type") {
        None => {
            let message = "the key \"type\" is missing";
            problems.error(&tree.at, Code::MissingKey, message);
        }
        Some((_, kind)) if kind.text().is_none() => wrong(kind, "a text", problems),
        Some(_) => {}
    }
}
