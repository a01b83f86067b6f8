//! The workflow of a template: its variables, its steps, and what it keeps.

use serde::{Deserialize, Serialize};

use super::action::{self, Action};
use super::fields::{self, Fields, Unknown, wrong};
use super::limits::{Limits, Retry};
use super::path::RelativePath;
use super::problem::{Code, Problems};
use super::reference::{Piece, Reference, pieces};
use super::tree::{Kind, Position, Tree};
use crate::flows::commands::shell;

/// The most steps, variables and files in one list.
const MOST: usize = 1_000;
/// The longest time of a run: a year, in seconds.
const LONGEST_RUN: u64 = 366 * 86_400;

/// A workflow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Workflow {
    /// The variables of its commands.
    pub variables: Vec<Variable>,
    /// Its steps, in the order in which they run.
    pub steps: Vec<Step>,
    /// The files that it keeps, unless the template says so otherwise.
    pub outputs: Vec<RelativePath>,
    /// The longest time of a run, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u64>,
}

/// A variable: `${name}` in a command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Assigned,
}

/// Where the value of a variable comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Assigned {
    /// The template.
    Text(String),
    /// A parameter.
    Reference(Reference),
}

/// A step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Its name, unique in the workflow.
    pub name: String,
    /// What it does.
    pub action: StepAction,
    /// The files that it makes, as far as it says so. Their folders are made before it runs, and they must be there when it
    /// has ended well.
    pub outputs: Vec<RelativePath>,
    /// Whether it may run more than once: its effects are the same then.
    pub is_repeatable: bool,
    /// How often it runs again when it has failed.
    pub retry: Retry,
    /// What it may use.
    pub limits: Limits,
}

/// What a step does, or who says so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StepAction {
    /// The template says it.
    Own(Action),
    /// The run is given it, as the value of this parameter. Without a value the step is left out.
    Parameter(String),
}

/// A path that a workflow reads, as it was written.
#[derive(Debug)]
pub(crate) struct Input<'t> {
    pub at: &'t Position,
    pub path: InputPath,
}

#[derive(Debug)]
pub(crate) enum InputPath {
    File(RelativePath),
    /// All files whose paths begin so.
    Folder(RelativePath),
    /// The file that a parameter is.
    Parameter(String),
}

/// A workflow as it was read, with what is needed to check it.
#[derive(Debug)]
pub(crate) struct Draft<'t> {
    pub workflow: Workflow,
    pub inputs: Vec<Input<'t>>,
    /// Where each output of the workflow is declared.
    pub outputs_at: Vec<&'t Position>,
    /// The same of each step: inputs, outputs, the step, and its action.
    pub steps: Vec<DraftStep<'t>>,
    /// Where each variable is declared.
    pub variables_at: Vec<&'t Position>,
}

#[derive(Debug)]
pub(crate) struct DraftStep<'t> {
    pub at: &'t Position,
    pub action: &'t Tree,
    pub inputs: Vec<Input<'t>>,
    /// Whether it says which files it makes.
    pub tells_outputs: bool,
}

/// Reads a workflow.
pub(crate) fn read<'t>(tree: &'t Tree, problems: &mut Problems) -> Option<Draft<'t>> {
    let mut fields = Fields::of(tree, problems)?;
    let (inputs, outputs, _) = read_files(fields.get("files"), problems);
    let (variables, variables_at) = read_variables(fields.get("parameters"), problems);
    let timeout_seconds = fields.count("timeoutSeconds", LONGEST_RUN, problems);
    let limits = Limits::read(fields.get("limits"), Limits::default(), problems);
    let retry = Retry::read(fields.get("retry"), Retry::default(), problems);
    let is_repeatable = fields.flag("repeatable", problems).unwrap_or(false);
    let list = fields.required("steps", problems);
    fields.end(Unknown::Warning, problems);
    let list = list?;
    let items = fields::list(list, problems);
    if items.is_empty() || items.len() > MOST {
        let message = format!("a workflow has from 1 to {MOST} steps");
        problems.error(&list.at, Code::InvalidValue, message);
    }
    let mut steps: Vec<Step> = Vec::new();
    let mut drafts = Vec::new();
    for item in items.iter().take(MOST) {
        let Some((step, draft)) = read_step(item, is_repeatable, &retry, &limits, problems) else {
            continue;
        };
        if steps.iter().any(|other| other.name == step.name) {
            let message = format!("there is a step {:?} already", step.name);
            problems.error(&item.at, Code::Duplicate, message);
            continue;
        }
        steps.push(step);
        drafts.push(draft);
    }
    let (outputs_at, outputs) = outputs.into_iter().unzip();
    Some(Draft {
        workflow: Workflow {
            variables,
            steps,
            outputs,
            timeout_seconds,
        },
        inputs,
        outputs_at,
        steps: drafts,
        variables_at,
    })
}

fn read_step<'t>(
    tree: &'t Tree,
    is_repeatable: bool,
    retry: &Retry,
    limits: &Limits,
    problems: &mut Problems,
) -> Option<(Step, DraftStep<'t>)> {
    let mut fields = Fields::of(tree, problems)?;
    let name = fields.name("name", problems);
    let (inputs, outputs, tells_outputs) = read_files(fields.get("files"), problems);
    let is_repeatable = fields.flag("repeatable", problems).unwrap_or(is_repeatable);
    let retry_tree = fields.get("retry");
    let retry = Retry::read(retry_tree, retry.clone(), problems);
    let limits = Limits::read(fields.get("limits"), limits.clone(), problems);
    let action_tree = fields.required("action", problems);
    fields.end(Unknown::Warning, problems);
    if retry.limit > 0 && !is_repeatable {
        let message = "a step that runs again when it fails must say so: repeatable: true";
        let at = retry_tree.map_or(&tree.at, |retry| &retry.at);
        problems.error(at, Code::InvalidValue, message);
    }
    let action_tree = action_tree?;
    let action = match action_tree.text() {
        None => StepAction::Own(action::read(action_tree, problems)?),
        Some(text) => match Reference::whole(text) {
            Some(reference) if reference.choice.is_none() => {
                StepAction::Parameter(reference.parameter)
            }
            _ => {
                let message = "an action that is a text is a reference to a parameter: $[[name]]";
                problems.error(&action_tree.at, Code::InvalidReference, message);
                return None;
            }
        },
    };
    let step = Step {
        name: name?,
        action,
        outputs: outputs.into_iter().map(|(_, path)| path).collect(),
        is_repeatable,
        retry,
        limits,
    };
    let draft = DraftStep {
        at: &tree.at,
        action: action_tree,
        inputs,
        tells_outputs,
    };
    Some((step, draft))
}

type Files<'t> = (Vec<Input<'t>>, Vec<(&'t Position, RelativePath)>, bool);

/// The `files` of a workflow or a step: what it reads, what it makes, and whether it says what it makes.
fn read_files<'t>(tree: Option<&'t Tree>, problems: &mut Problems) -> Files<'t> {
    let mut files: Files<'_> = (Vec::new(), Vec::new(), false);
    let Some(mut fields) = tree.and_then(|tree| Fields::of(tree, problems)) else {
        return files;
    };
    let inputs = fields.list("inputs", problems);
    let outputs = fields.get("outputs");
    files.2 = outputs.is_some();
    let outputs = outputs.map_or(&[][..], |outputs| fields::list(outputs, problems));
    fields.end(Unknown::Warning, problems);
    for list in [inputs, outputs] {
        if let Some(item) = list.get(MOST) {
            let message = format!("there are more than {MOST} files");
            problems.error(&item.at, Code::TooLarge, message);
        }
    }
    for item in inputs.iter().take(MOST) {
        if let Some(path) = read_input(item, problems) {
            files.0.push(Input { at: &item.at, path });
        }
    }
    for item in outputs.iter().take(MOST) {
        if let Some(path) = read_output(item, problems) {
            if files.1.iter().any(|(_, other)| *other == path) {
                problems.error(&item.at, Code::Duplicate, format!("{path} occurs twice"));
            } else {
                files.1.push((&item.at, path));
            }
        }
    }
    files
}

/// The path of a file that a workflow makes: no reference is replaced in it.
pub(crate) fn read_output(tree: &Tree, problems: &mut Problems) -> Option<RelativePath> {
    if tree.text().is_some_and(|text| text.contains("$[[")) {
        let message = "references are not replaced in the paths of outputs";
        problems.error(&tree.at, Code::InvalidReference, message);
        return None;
    }
    fields::file_path(tree, problems)
}

fn read_input(tree: &Tree, problems: &mut Problems) -> Option<InputPath> {
    let Some(text) = tree.text() else {
        wrong(tree, "a path", problems);
        return None;
    };
    if let Some(reference) = Reference::whole(text)
        && reference.choice.is_none()
    {
        return Some(InputPath::Parameter(reference.parameter));
    }
    if text.contains("$[[") {
        let message = "a reference is replaced only if it is the whole path: $[[name]]";
        problems.error(&tree.at, Code::InvalidReference, message);
        return None;
    }
    let is_folder = text.ends_with('/');
    let path = fields::path(tree, RelativePath::any, problems)?;
    Some(if is_folder {
        InputPath::Folder(path)
    } else {
        InputPath::File(path)
    })
}

fn read_variables<'t>(
    tree: Option<&'t Tree>,
    problems: &mut Problems,
) -> (Vec<Variable>, Vec<&'t Position>) {
    let mut variables = Vec::new();
    let mut places = Vec::new();
    let Some(tree) = tree else {
        return (variables, places);
    };
    // Only for the keys that occur twice.
    if Fields::of(tree, problems).is_none() {
        return (variables, places);
    }
    let Kind::Map(entries) = &tree.kind else {
        return (variables, places);
    };
    if entries.len() > MOST {
        let message = format!("there are more than {MOST} variables");
        problems.error(&tree.at, Code::TooLarge, message);
        return (variables, places);
    }
    for (name, value) in entries {
        if !shell::is_name(name) || name.len() > 100 {
            let message = format!(
                "{name:?} cannot be used as ${{name}}: it has to have letters, digits and _ only, and no digit first"
            );
            problems.error(&value.at, Code::InvalidValue, message);
            continue;
        }
        if let Some(assigned) = read_value(value, problems) {
            let name = name.clone();
            variables.push(Variable {
                name,
                value: assigned,
            });
            places.push(&value.at);
        }
    }
    (variables, places)
}

fn read_value(tree: &Tree, problems: &mut Problems) -> Option<Assigned> {
    let text = match &tree.kind {
        Kind::Null => String::new(),
        Kind::Bool(true) => "True".to_owned(),
        Kind::Bool(false) => "False".to_owned(),
        Kind::Number(number) => number.to_string(),
        Kind::Text(_) => fields::text(tree, 10_000, problems)?,
        Kind::List(_) | Kind::Map(_) => {
            wrong(tree, "a text or a number", problems);
            return None;
        }
    };
    if let Some(reference) = Reference::whole(&text) {
        return Some(Assigned::Reference(reference));
    }
    match pieces(&text)
        .into_iter()
        .find(|piece| !matches!(piece, Piece::Text(_)))
    {
        None => Some(Assigned::Text(text)),
        Some(Piece::Broken(why)) => {
            problems.error(&tree.at, Code::InvalidReference, why);
            None
        }
        Some(_) => {
            let message = "a reference is replaced only if it is the whole value";
            problems.error(&tree.at, Code::InvalidReference, message);
            None
        }
    }
}
