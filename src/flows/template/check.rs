//! What can only be checked when all of a template is read: references, and which file comes from where.

use std::collections::BTreeSet;

use super::action::Action;
use super::output::Output;
use super::path::RelativePath;
use super::postprocessing::DraftPostProcessing;
use super::present::Files;
use super::problem::{Code, Problems};
use super::reference::Reference;
use super::schema::ResultSchema;
use super::tree::{Kind as TreeKind, Position, Tree};
use super::workflow::{Assigned, Draft, Input, InputPath, StepAction};
use super::{StaticFile, parameter};
use crate::flows::commands::WORKER_VARIABLES;
use crate::flows::commands::shell::{self, Insert, Piece};
use crate::flows::parameters::{Kind, Parameter, ParameterGroup};

/// A template that was read, part by part.
pub(crate) struct DraftTemplate<'d, 't> {
    pub files: &'d [StaticFile],
    pub parameters: &'d [(&'t Tree, Parameter)],
    pub groups: &'d [ParameterGroup],
    pub workflow: &'d Draft<'t>,
    /// What is declared under `outputs`, if that is there.
    pub outputs: Option<&'d [(&'t Position, Output)]>,
    pub results: Option<&'d (&'t Position, ResultSchema)>,
    pub post_processing: Option<(&'d DraftPostProcessing<'t>, &'t Position)>,
}

/// The parameter by which post-processing refers to the list of runs, as in flowserv.
const RUNS: &str = "runs";

/// Checks a template as a whole.
pub(crate) fn check(draft: &DraftTemplate<'_, '_>, problems: &mut Problems) {
    check_parameters(draft, problems);
    let parameters: Vec<&Parameter> = draft.parameters.iter().map(|(_, it)| it).collect();
    let mut files = Files::of(draft.files);
    for parameter in &parameters {
        if matches!(parameter.kind, Kind::File { .. }) {
            match parameter::target(parameter) {
                Some(target) => files.add(target),
                // Whoever starts a run says where it goes.
                None => files.is_complete = false,
            }
        }
    }
    let mut checker = Checker::new(&parameters, files, problems);
    checker.workflow(draft.workflow);
    let kept = kept(draft.workflow, draft.outputs);
    checker.kept(&kept);
    if let Some((at, schema)) = draft.results
        && !kept.iter().any(|(_, path, _)| *path == &schema.file)
    {
        let message = format!(
            "the results are in {}, which is not among the outputs",
            schema.file
        );
        checker.problems.error(at, Code::MissingOutput, message);
    }
    let used = checker.used;
    for (tree, parameter) in draft.parameters {
        if !used.contains(&parameter.name) && !matches!(parameter.kind, Kind::File { .. }) {
            let message = format!("nothing refers to the parameter {:?}", parameter.name);
            problems.warning(&tree.at, Code::UnusedParameter, message);
        }
    }
    if let Some((post, at)) = draft.post_processing {
        check_post_processing(draft, post, at, &kept, problems);
    }
}

fn check_parameters(draft: &DraftTemplate<'_, '_>, problems: &mut Problems) {
    let mut targets = BTreeSet::new();
    for (tree, parameter) in draft.parameters {
        if let Some(group) = &parameter.group
            && !draft.groups.iter().any(|known| known.name == *group)
        {
            let message = format!("there is no group {group:?}");
            problems.warning(&tree.at.key("group"), Code::UnknownGroup, message);
        }
        let Some(target) = parameter::target(parameter) else {
            continue;
        };
        if parameter.default_value.is_some() && !draft.files.iter().any(|it| it.target == target) {
            let message = format!("{target} is no file of the template, so it is no default");
            problems.warning(&tree.at.key("defaultValue"), Code::UnknownFile, message);
        }
        if !targets.insert(target.clone()) {
            let message = format!("two files are put at {target}");
            problems.error(&tree.at, Code::Duplicate, message);
        }
    }
}

fn check_post_processing(
    draft: &DraftTemplate<'_, '_>,
    post: &DraftPostProcessing<'_>,
    at: &Position,
    kept: &[Kept<'_>],
    problems: &mut Problems,
) {
    if draft.results.is_none() {
        let message = "there are no results by which runs are ranked, so this never runs";
        problems.warning(at, Code::MissingKey, message);
    }
    for (at, file) in &post.files {
        if !kept
            .iter()
            .any(|(_, path, key)| path.as_str() == file || key == file)
        {
            let message = format!("{file} is not among the outputs of a run");
            problems.error(at, Code::MissingOutput, message);
        }
    }
    let mut files = Files::of(draft.files);
    files.unknown = Some(post.folder.clone());
    let runs = Parameter {
        name: RUNS.to_owned(),
        kind: Kind::File {
            target: Some(post.list_path()),
        },
        index: 0,
        is_required: true,
        label: None,
        help: None,
        default_value: None,
        group: None,
    };
    let parameters = [&runs];
    let mut checker = Checker::new(&parameters, files, problems);
    checker.workflow(&post.draft);
    let outputs = (!post.outputs.is_empty()).then_some(post.outputs.as_slice());
    checker.kept(&self::kept(&post.draft, outputs));
}

/// A file that is kept: where that is said, its path, and its key.
type Kept<'d> = (&'d Position, &'d RelativePath, String);

fn kept<'d>(draft: &'d Draft<'_>, outputs: Option<&'d [(&Position, Output)]>) -> Vec<Kept<'d>> {
    match outputs {
        Some(outputs) => outputs
            .iter()
            .map(|(at, output)| (*at, &output.source, output.key.clone()))
            .collect(),
        None => draft
            .outputs_at
            .iter()
            .zip(&draft.workflow.outputs)
            .map(|(at, path)| (*at, path, path.to_string()))
            .collect(),
    }
}

struct Checker<'c> {
    parameters: &'c [&'c Parameter],
    files: Files,
    used: BTreeSet<String>,
    problems: &'c mut Problems,
}

impl<'c> Checker<'c> {
    fn new(parameters: &'c [&'c Parameter], files: Files, problems: &'c mut Problems) -> Self {
        Self {
            parameters,
            files,
            used: BTreeSet::new(),
            problems,
        }
    }

    fn workflow(&mut self, draft: &Draft<'_>) {
        for (variable, at) in draft.workflow.variables.iter().zip(&draft.variables_at) {
            if let Assigned::Reference(reference) = &variable.value {
                self.reference(reference, at);
            }
        }
        let variables = draft.workflow.variables.iter();
        let variables = variables.map(|variable| variable.name.as_str());
        let worker = WORKER_VARIABLES.iter().map(|(name, _)| *name);
        let variables = variables.chain(worker).collect();
        self.inputs(&draft.inputs);
        for (step, at) in draft.workflow.steps.iter().zip(&draft.steps) {
            self.inputs(&at.inputs);
            match &step.action {
                StepAction::Own(action) => self.action(action, at.action, &variables),
                StepAction::Parameter(name) => self.actor(name, &at.action.at),
            }
            if !at.tells_outputs {
                self.files.is_complete = false;
            }
            for output in &step.outputs {
                if self.files.clashes(output) {
                    let message = format!("{output} would be a file and a folder");
                    self.problems.error(at.at, Code::Duplicate, message);
                }
                self.files.add(output.clone());
            }
        }
    }

    fn parameter(&mut self, name: &str, at: &Position) -> Option<&'c Parameter> {
        let parameter = self.parameters.iter().find(|it| it.name == name).copied();
        self.used.insert(name.to_owned());
        if parameter.is_none() {
            let message = format!("there is no parameter {name:?}");
            self.problems.error(at, Code::UnknownParameter, message);
        }
        parameter
    }

    /// A reference whose value becomes text.
    fn reference(&mut self, reference: &Reference, at: &Position) {
        let Some(parameter) = self.parameter(&reference.parameter, at) else {
            return;
        };
        let decides = matches!(
            parameter.kind,
            Kind::Bool | Kind::String | Kind::Select { .. }
        );
        let message = if parameter.kind == Kind::Actor {
            format!("{:?} is a step, and no value", parameter.name)
        } else if reference.choice.is_some() && !decides {
            format!("{:?} is never true: it is no bool", parameter.name)
        } else {
            return;
        };
        self.problems.error(at, Code::InvalidReference, message);
    }

    fn actor(&mut self, name: &str, at: &Position) {
        if let Some(parameter) = self.parameter(name, at)
            && parameter.kind != Kind::Actor
        {
            let message = format!(
                "{name:?} is of the dtype {}, and must be an actor",
                parameter.kind.as_str()
            );
            self.problems.error(at, Code::InvalidReference, message);
        }
    }

    fn inputs(&mut self, inputs: &[Input<'_>]) {
        for input in inputs {
            let (path, is_there) = match &input.path {
                InputPath::File(path) => (path, self.files.has(path)),
                InputPath::Folder(path) => (path, self.files.has_folder(path)),
                InputPath::Parameter(name) => {
                    if let Some(parameter) = self.parameter(name, input.at)
                        && !matches!(parameter.kind, Kind::File { .. })
                    {
                        let message = format!("{name:?} is no file");
                        self.problems
                            .error(input.at, Code::InvalidReference, message);
                    }
                    continue;
                }
            };
            if self.files.is_complete && !is_there {
                let message = format!(
                    "{path} is no file of the template, no upload, and made by no step before"
                );
                self.problems.warning(input.at, Code::UnknownFile, message);
            }
        }
    }

    fn action(&mut self, action: &Action, tree: &Tree, variables: &BTreeSet<&str>) {
        let places = command_places(tree);
        for (index, command) in action.commands().iter().enumerate() {
            let at = places.get(index).copied().unwrap_or(&tree.at);
            let scan = shell::scan(command, &|name| variables.contains(name));
            for flaw in scan.flaws {
                self.problems.error(at, Code::InvalidReference, flaw);
            }
            for name in scan.unknown {
                if !is_of_shell(command, &name) {
                    let message =
                        format!("the workflow has no variable {name:?}: the shell is asked for it");
                    self.problems.warning(at, Code::UnknownVariable, message);
                }
            }
            for piece in scan.pieces {
                if let Piece::Insert {
                    what: Insert::Reference(reference),
                    ..
                } = piece
                {
                    self.reference(&reference, at);
                }
            }
        }
        if let Action::Notebook { notebook, .. } = action
            && self.files.is_complete
            && !self.files.has(notebook)
        {
            let message = format!("the notebook {notebook} is no file of the template");
            self.problems.error(&tree.at, Code::UnknownFile, message);
        }
        if let Action::Notebook { output, .. } = action {
            self.files.add(output.clone());
        }
    }

    fn kept(&mut self, kept: &[Kept<'_>]) {
        for (at, path, _) in kept {
            if self.files.is_complete && !self.files.has(path) {
                let message = format!("{path} is kept, but no step makes it");
                self.problems.error(at, Code::MissingOutput, message);
            }
        }
    }
}

/// Where each command of an action is written.
fn command_places(tree: &Tree) -> Vec<&Position> {
    let TreeKind::Map(entries) = &tree.kind else {
        return Vec::new();
    };
    let commands = entries.iter().find(|(key, _)| key == "commands");
    match commands.map(|(_, commands)| &commands.kind) {
        Some(TreeKind::List(items)) => items.iter().map(|item| &item.at).collect(),
        _ => Vec::new(),
    }
}

/// Is it a variable that the shell has, or that the command sets?
fn is_of_shell(command: &str, name: &str) -> bool {
    let is_environment = name
        .bytes()
        .all(|b| b.is_ascii_uppercase() || b == b'_' || b.is_ascii_digit());
    let sets = [
        format!("{name}="),
        format!("for {name} "),
        format!("read {name}"),
    ];
    is_environment || sets.iter().any(|set| command.contains(set.as_str()))
}
