//! Templates of workflows as flowserv has them, read from a folder that is not trusted.
//!
//! A template is a manifest, a document with the workflow, and files that every run is given. All of it is checked when it
//! is read: keys, types, paths, references, the variables of commands, and whether what is read is there and what is kept is
//! made. What is wrong is told as a list, each problem with its file, its path in the document, and its line.

pub mod action;
mod check;
mod fields;
pub(crate) mod folder;
pub mod limits;
mod load;
mod manifest;
pub mod output;
mod parameter;
pub mod path;
pub mod postprocessing;
mod present;
pub mod problem;
pub mod reference;
pub mod schema;
mod tree;
pub mod workflow;

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use self::fields::{Fields, Unknown};
use self::folder::Folder;
use self::load::Loader;
use self::manifest::Manifest;
use self::output::Output;
use self::path::RelativePath;
use self::postprocessing::PostProcessing;
use self::problem::{Code, Problem, Problems};
use self::schema::ResultSchema;
use self::tree::{Position, Tree};
use self::workflow::Workflow;
use super::parameters::{Parameter, ParameterGroup};

/// A template that was found to be right.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Template {
    /// Its name.
    pub name: String,
    /// What it is for, in a few words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// How it is used: Markdown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions: Option<String>,
    /// The files that every run is given, in the order of their targets.
    pub files: Vec<StaticFile>,
    /// What may be given to a run, in the order of declaration.
    pub parameters: Vec<Parameter>,
    /// Groups of parameters in forms.
    pub parameter_groups: Vec<ParameterGroup>,
    /// What a run does.
    pub workflow: Workflow,
    /// The files that a run gives.
    pub outputs: Vec<Output>,
    /// What its results look like; without it, runs are not ranked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub results: Option<ResultSchema>,
    /// What is made of the best runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post_processing: Option<PostProcessing>,
}

/// A file that every run is given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StaticFile {
    /// Where it is in the folder of the template.
    pub source: RelativePath,
    /// Where it is put in the working folder.
    pub target: RelativePath,
    /// Its size, in bytes.
    pub size_bytes: u64,
}

/// What whoever registers a template may choose; the manifest says the rest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choices {
    /// Its name.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// The file with instructions.
    pub instructions: Option<RelativePath>,
    /// The document with the workflow.
    pub specification: Option<RelativePath>,
    /// The manifest.
    pub manifest: Option<RelativePath>,
}

/// What became of reading a template.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The template, if there is no error among the problems.
    pub template: Option<Template>,
    /// What is wrong, in the order in which it was found.
    pub problems: Vec<Problem>,
    /// The documents and texts that were read, by their paths in the folder.
    pub documents: BTreeSet<RelativePath>,
}

/// Reads and checks the template in a folder.
pub fn read(folder: &Path, choices: &Choices) -> Reading {
    let mut problems = Problems::default();
    let folder = match Folder::open(folder) {
        Ok(folder) => folder,
        Err(error) => {
            let message = format!("the folder cannot be opened: {}", error.kind());
            let at = Position::start("");
            problems.error(&at, Code::UnreadableFile, message);
            return Reading {
                template: None,
                problems: problems.finish(|_| None),
                documents: BTreeSet::new(),
            };
        }
    };
    let mut loader = Loader::new(&folder);
    let template = manifest::read(&folder, &mut loader, choices, &mut problems)
        .and_then(|manifest| read_template(&mut loader, manifest, &mut problems));
    let template = template.filter(|_| problems.errors() == 0);
    let problems = problems.finish(|at| loader.place(at));
    Reading {
        template,
        problems,
        documents: loader.into_documents(),
    }
}

/// Reads parameters that are given as JSON and not in a template.
///
/// # Errors
/// What is wrong with them.
pub fn read_parameters(list: &Json) -> Result<Vec<Parameter>, Vec<Problem>> {
    let mut problems = Problems::default();
    let at = Position::start("parameters");
    let mut read = Vec::new();
    if let Some(tree) = Tree::of_json(list, &at) {
        let parameters = parameter::read_all(fields::list(&tree, &mut problems), &mut problems);
        read.extend(parameters.into_iter().map(|(_, it)| it));
    } else {
        problems.error(&at, Code::TooLarge, "they are nested too deeply");
    }
    if problems.errors() == 0 {
        Ok(read)
    } else {
        Err(problems.finish(|_| None))
    }
}

fn read_template(
    loader: &mut Loader<'_>,
    manifest: Manifest,
    problems: &mut Problems,
) -> Option<Template> {
    let path = &manifest.specification;
    let tree = loader.document(path, &manifest.specification_at, problems)?;
    let mut fields = Fields::of(&tree, problems)?;
    let list = fields.list("parameters", problems);
    let parameters = parameter::read_all(list, problems);
    let groups = parameter::read_groups(fields.list("parameterGroups", problems), problems);
    let workflow = fields.required("workflow", problems);
    let workflow = workflow.and_then(|tree| workflow::read(tree, problems));
    let outputs = fields.get("outputs");
    let declares_outputs = outputs.is_some();
    let outputs = outputs.map_or(&[][..], |tree| fields::list(tree, problems));
    let outputs = output::read_all(outputs, problems);
    let results = fields.get("results");
    let results = results.and_then(|tree| schema::read(tree, problems));
    let post_processing = fields.get("postproc");
    let post_processing_at = post_processing.map(|tree: &Tree| &tree.at);
    let post_processing = post_processing.and_then(|tree| postprocessing::read(tree, problems));
    fields.end(Unknown::Warning, problems);
    let workflow = workflow?;
    let draft = check::DraftTemplate {
        files: &manifest.files,
        parameters: &parameters,
        groups: &groups,
        workflow: &workflow,
        outputs: declares_outputs.then_some(outputs.as_slice()),
        results: results.as_ref(),
        post_processing: post_processing.as_ref().zip(post_processing_at),
    };
    check::check(&draft, problems);
    let kept = |declared: Vec<(&Position, Output)>, workflow: &Workflow, declares: bool| {
        if declares {
            declared.into_iter().map(|(_, output)| output).collect()
        } else {
            let plain = workflow.outputs.iter().cloned().map(Output::plain);
            plain.collect::<Vec<Output>>()
        }
    };
    let post_processing = post_processing.map(|post| PostProcessing {
        outputs: {
            let declares = !post.outputs.is_empty();
            kept(post.outputs, &post.draft.workflow, declares)
        },
        workflow: post.draft.workflow,
        files: post.files.into_iter().map(|(_, key)| key).collect(),
        folder: post.folder,
    });
    Some(Template {
        name: manifest.name,
        description: manifest.description,
        instructions: manifest.instructions,
        files: manifest.files,
        parameters: parameters
            .into_iter()
            .map(|(_, parameter)| parameter)
            .collect(),
        parameter_groups: groups,
        outputs: kept(outputs, &workflow.workflow, declares_outputs),
        workflow: workflow.workflow,
        results: results.map(|(_, schema)| schema),
        post_processing,
    })
}
