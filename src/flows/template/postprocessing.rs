//! What is made of the best runs of all groups.

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::fields::{self, Fields, Unknown};
use super::output::{self, Output};
use super::path::RelativePath;
use super::problem::{Code, Problems};
use super::tree::{Position, Tree};
use super::workflow::{self, Draft, Workflow};

/// The folder with the runs, and the list of them in it, unless the template names another folder.
const RUNS: &str = "runs";
const LIST: &str = "runs.json";
/// The most files that are taken from a run.
const MOST_FILES: usize = 1_000;

/// What is made of the best runs of all groups, whenever they are others than before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PostProcessing {
    /// How.
    pub workflow: Workflow,
    /// The files that are taken from each run, by their keys among the outputs of the run.
    pub files: Vec<String>,
    /// The folder in the working folder where they are put: `<folder>/<run>/<file>`, and a list of the runs.
    pub folder: RelativePath,
    /// The files that it gives.
    pub outputs: Vec<Output>,
}

impl PostProcessing {
    /// Where the list of the runs is put.
    pub fn list_path(&self) -> RelativePath {
        list_path(&self.folder)
    }

    /// The list of the runs, in the order of their ranks: `(run, group)`.
    pub fn list<'r>(&self, runs: impl IntoIterator<Item = (&'r str, &'r str)>) -> Json {
        let entry = |(run, group)| json!({"id": run, "name": group, "files": self.files});
        runs.into_iter().map(entry).collect()
    }
}

fn list_path(folder: &RelativePath) -> RelativePath {
    RelativePath::file(&format!("{folder}/{LIST}")).unwrap_or_else(|_| folder.clone())
}

/// Post-processing as it was read.
pub(crate) struct DraftPostProcessing<'t> {
    pub draft: Draft<'t>,
    pub files: Vec<(&'t Position, String)>,
    pub folder: RelativePath,
    pub outputs: Vec<(&'t Position, Output)>,
}

impl DraftPostProcessing<'_> {
    pub fn list_path(&self) -> RelativePath {
        list_path(&self.folder)
    }
}

/// Reads post-processing.
pub(crate) fn read<'t>(tree: &'t Tree, problems: &mut Problems) -> Option<DraftPostProcessing<'t>> {
    let mut fields = Fields::of(tree, problems)?;
    let draft = fields.required("workflow", problems);
    let draft = draft.and_then(|tree| workflow::read(tree, problems));
    let mut files = Vec::new();
    let mut folder = None;
    if let Some(mut inputs) = fields
        .get("inputs")
        .and_then(|tree| Fields::of(tree, problems))
    {
        if let Some(list) = inputs.required("files", problems) {
            let items = fields::list(list, problems);
            if let Some(item) = items.get(MOST_FILES) {
                let message = format!("there are more than {MOST_FILES} files");
                problems.error(&item.at, Code::TooLarge, message);
            }
            for item in items.iter().take(MOST_FILES) {
                if let Some(key) = fields::text(item, 1024, problems) {
                    files.push((&item.at, key));
                }
            }
        }
        let runs = inputs.get("runs");
        folder = runs.and_then(|runs| fields::path(runs, RelativePath::any, problems));
        inputs.end(Unknown::Error, problems);
    }
    let outputs = output::read_all(fields.list("outputs", problems), problems);
    fields.end(Unknown::Error, problems);
    let draft = draft?;
    if !draft.workflow.steps.is_empty() && files.is_empty() {
        let message = "no files are taken from the runs (inputs.files)";
        problems.warning(&tree.at, Code::MissingKey, message);
    }
    Some(DraftPostProcessing {
        draft,
        files,
        folder: match folder {
            Some(folder) => folder,
            None => RelativePath::any(RUNS).ok()?,
        },
        outputs,
    })
}
