//! Workflows, as folders that can be registered, and texts to give to one of them.
//!
//! Their steps need a shell, `awk` and `sort`, which every system has.

pub mod story;

use std::path::Path;

use chrono::{DateTime, Utc};

use super::{DemoError, files};

/// What was written, for comparison with what is read from it.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The names of the workflows, which are those of their folders.
    pub workflows: Vec<&'static str>,
    /// The names of the texts.
    pub texts: Vec<&'static str>,
}

/// The workflow that ranks texts, and compares the best of them.
pub const COUNT_WORDS: &str = "count-words";
/// The workflow with parameters of many kinds, tables and pictures.
pub const SKY_HISTOGRAM: &str = "sky-histogram";
/// The workflow that takes as long as it is told to, and tries again where it fails.
pub const SIMULATE: &str = "simulate";
/// The folder of the texts.
pub const TEXTS: &str = "texts";
/// A text with many different words.
pub const HARBOUR: &str = "harbour.txt";
/// A text with few of them.
pub const ORCHARD: &str = "orchard.txt";
/// A text from an observatory.
pub const LOGBOOK: &str = "logbook.txt";
/// What has no words at all.
pub const READINGS: &str = "readings.txt";

/// The files of a folder, by their paths in it.
type Files = &'static [(&'static str, &'static str)];

/// A file of a folder here.
macro_rules! files_of {
    ($folder:literal: $($path:literal),+ $(,)?) => {
        &[$(($path, include_str!(concat!($folder, "/", $path)))),+]
    };
}

const FOLDERS: [(&str, Files); 4] = [
    (
        COUNT_WORDS,
        files_of!("count-words": "flowserv.yaml", "instructions.md", "workflow.yaml", "code/count.sh", "code/count.awk",
            "code/score.awk", "code/compare.awk"),
    ),
    (
        SKY_HISTOGRAM,
        files_of!("sky-histogram": "flowserv.yaml", "workflow.yaml", "code/draw.awk", "code/count.awk"),
    ),
    (
        SIMULATE,
        files_of!("simulate": "flowserv.yaml", "workflow.yaml", "code/integrate.sh", "code/second.awk",
            "code/summarize.awk"),
    ),
    (
        TEXTS,
        files_of!("texts": "harbour.txt", "orchard.txt", "logbook.txt", "readings.txt"),
    ),
];

/// Writes the demo's workflows and texts, a folder for each workflow and one for the texts.
///
/// A demo that stands there already is replaced. A folder that holds anything else is left alone, with
/// [`DemoError::NotADemo`].
pub fn write_flows(path: &Path, now: DateTime<Utc>) -> Result<Summary, DemoError> {
    files::folder(path)?;
    files::clear(path)?;
    let names: Vec<&str> = FOLDERS.iter().map(|(name, _)| *name).collect();
    files::write(&path.join(files::MARKER), names.join("\n") + "\n", now)?;
    for (name, content) in FOLDERS {
        for (file, text) in content {
            let file = path.join(name).join(file);
            files::folder(file.parent().unwrap_or(path))?;
            files::write(&file, text, now)?;
        }
    }
    let texts = FOLDERS.iter().find(|(name, _)| *name == TEXTS);
    let texts = texts.map_or(&[][..], |(_, files)| files);
    Ok(Summary {
        workflows: vec![COUNT_WORDS, SKY_HISTOGRAM, SIMULATE],
        texts: texts.iter().map(|(name, _)| *name).collect(),
    })
}
