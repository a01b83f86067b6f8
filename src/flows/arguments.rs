//! What is given to a run, checked: each argument against its parameter.

mod placement;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::commands::shell;
use super::commands::{WORKER_VARIABLES, argument_name};
use super::parameters::{Kind, Parameter, Value, cast, default_value};
use super::template::Template;
use super::template::action::Action;
use super::template::path::RelativePath;
use crate::text::shorten;

/// The largest text of all arguments together, in bytes: a program cannot be given any amount of environment.
const LARGEST_SUM: usize = 256 << 10;
/// The most arguments that are looked at, and the longest message, in characters.
const MOST: usize = 1_000;
const LONGEST: usize = 1_000;

/// An argument as it is given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Argument {
    /// The name of its parameter.
    pub name: String,
    /// Its value. Null is as good as no argument, except for a `bool`, of which it is false.
    pub value: Json,
}

/// What is wrong with the argument of one parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArgumentProblem {
    /// The kind of problem.
    pub code: ArgumentCode,
    /// The parameter, as the argument names it.
    pub parameter: String,
    /// What is wrong, for people.
    pub message: String,
}

/// The kinds of problems of arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ArgumentCode {
    /// A parameter that has to have a value has none.
    MissingArgument,
    /// The value is none of its parameter.
    InvalidArgument,
    /// There is no such parameter.
    UnknownParameter,
    /// The parameter is given twice.
    DuplicateArgument,
}

impl ArgumentCode {
    /// The name that programs see: `MISSING_ARGUMENT`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MissingArgument => "MISSING_ARGUMENT",
            Self::InvalidArgument => "INVALID_ARGUMENT",
            Self::UnknownParameter => "UNKNOWN_PARAMETER",
            Self::DuplicateArgument => "DUPLICATE_ARGUMENT",
        }
    }
}

/// Arguments that were found to be right, with what is not given as its parameter has it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Arguments {
    values: BTreeMap<String, Value>,
    given: BTreeSet<String>,
}

/// An upload that a run needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadedFile {
    /// The parameter for which it is given.
    pub parameter: String,
    /// The id of the upload.
    pub upload: String,
    /// Where it is put in the working folder. It may take the place of a file of the template.
    pub target: RelativePath,
}

impl Arguments {
    /// The value of a parameter.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }

    /// All values, by the names of their parameters.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.values
            .iter()
            .map(|(name, value)| (name.as_str(), value))
    }

    /// What was given, as it was understood: checked again, it gives the same.
    pub fn given(&self) -> Vec<Argument> {
        let given = self.iter().filter(|(name, _)| self.given.contains(*name));
        let argument = |(name, value): (&str, &Value)| {
            let name = name.to_owned();
            let value = value.json()?;
            Some(Argument { name, value })
        };
        given.filter_map(argument).collect()
    }

    /// The uploads that are put into the working folder.
    pub fn uploads(&self) -> Vec<UploadedFile> {
        let files = self.iter().flat_map(|(name, value)| {
            let files = value.files().into_iter();
            files.map(move |file| (name, file))
        });
        let uploads = files.filter_map(|(name, file)| {
            Some(UploadedFile {
                parameter: name.to_owned(),
                upload: file.upload.clone()?,
                target: file.target.clone(),
            })
        });
        uploads.collect()
    }

    fn set(&mut self, name: &str, value: Value) {
        self.values.insert(name.to_owned(), value);
    }
}

/// Checks what is given to a run of a template. `own` are the parameters that its group has besides.
///
/// # Errors
/// What is wrong: one problem for each parameter, in the order of the parameters, then what names none.
pub fn check(
    template: &Template,
    own: &[Parameter],
    given: &[Argument],
) -> Result<Arguments, Vec<ArgumentProblem>> {
    let mut arguments = Arguments::default();
    let mut problems = Vec::new();
    let parameters: Vec<&Parameter> = template.parameters.iter().chain(own).collect();
    let mut sum = 0_usize;
    for parameter in &parameters {
        let mut of_it = given.iter().filter(|it| it.name == parameter.name);
        let (first, second) = (of_it.next(), of_it.next());
        let checked = match (first, second) {
            (_, Some(_)) => Err((
                ArgumentCode::DuplicateArgument,
                "the argument is given twice".to_owned(),
            )),
            (first, None) => value(template, parameter, first.map(|it| &it.value)),
        };
        let checked = checked.and_then(|value| {
            sum = sum.saturating_add(value.as_ref().map_or(0, size));
            if sum > LARGEST_SUM {
                let message = format!("all arguments together are larger than {LARGEST_SUM} bytes");
                return Err((ArgumentCode::InvalidArgument, message));
            }
            Ok(value)
        });
        match checked {
            Ok(Some(value)) => {
                if first.is_some_and(|it| !it.value.is_null() || parameter.kind == Kind::Bool) {
                    arguments.given.insert(parameter.name.clone());
                }
                arguments.set(&parameter.name, value);
            }
            Ok(None) => {}
            Err((code, message)) => problems.push(ArgumentProblem {
                code,
                parameter: parameter.name.clone(),
                message: shorten(&message, LONGEST),
            }),
        }
    }
    problems.extend(unknown(&parameters, given));
    if problems.is_empty() {
        problems.extend(placement::misplaced(template, &arguments));
    }
    if problems.is_empty() {
        Ok(arguments)
    } else {
        Err(problems)
    }
}

type Checked = Result<Option<Value>, (ArgumentCode, String)>;

fn value(template: &Template, parameter: &Parameter, given: Option<&Json>) -> Checked {
    let given = given.filter(|given| !given.is_null() || parameter.kind == Kind::Bool);
    let Some(given) = given else {
        let default = default_value(parameter).filter(|value| match value {
            // A default that is no file of the template only says where the upload goes.
            Value::File(file) => template.files.iter().any(|it| it.target == file.target),
            _ => true,
        });
        let is_file = matches!(parameter.kind, Kind::File { .. });
        let is_needed = parameter.is_required || (is_file && parameter.default_value.is_some());
        return match default {
            Some(value) => Ok(Some(value)),
            None if is_needed => Err((
                ArgumentCode::MissingArgument,
                format!("there is no argument for {:?}", parameter.name),
            )),
            None => Ok(None),
        };
    };
    let value = cast_to(parameter, given).and_then(|value| match &value {
        Value::Actor(action) => check_action(template, action).map(|()| value),
        _ => Ok(value),
    });
    match value {
        Ok(value) => Ok(Some(value)),
        Err(message) => Err((ArgumentCode::InvalidArgument, message)),
    }
}

/// One message of all that is wrong with a value.
fn cast_to(parameter: &Parameter, given: &Json) -> Result<Value, String> {
    let is_default_target = match (&parameter.kind, &parameter.default_value) {
        (Kind::File { target: None }, Some(Json::String(target))) => {
            RelativePath::file(target).ok()
        }
        _ => None,
    };
    let kind = match is_default_target {
        Some(target) => &Kind::File {
            target: Some(target),
        },
        None => &parameter.kind,
    };
    cast(kind, given).map_err(|flaws| {
        let flaw = |flaw: &super::parameters::Flaw| match flaw.path.as_str() {
            "" => flaw.message.clone(),
            path => format!("{path}: {}", flaw.message),
        };
        let flaws: Vec<String> = flaws.iter().take(10).map(flaw).collect();
        flaws.join("; ")
    })
}

/// A step that is given refers to what the workflow has.
fn check_action(template: &Template, action: &Action) -> Result<(), String> {
    let is_variable = |name: &str| {
        let own = &template.workflow.variables;
        own.iter().any(|variable| variable.name == name)
            || WORKER_VARIABLES.iter().any(|(known, _)| *known == name)
    };
    for (index, command) in action.commands().iter().enumerate() {
        let scan = shell::scan(command, &is_variable);
        let mut flaws = scan.flaws;
        for piece in scan.pieces {
            if let shell::Piece::Insert {
                what: shell::Insert::Reference(reference),
                ..
            } = piece
                && !template
                    .parameters
                    .iter()
                    .any(|it| it.name == reference.parameter && it.kind != Kind::Actor)
            {
                flaws.push(format!("there is no value {:?}", reference.parameter));
            }
        }
        if let Some(flaw) = flaws.first() {
            return Err(format!("commands[{index}]: {flaw}"));
        }
    }
    Ok(())
}

fn size(value: &Value) -> usize {
    match value {
        Value::Actor(action) => action.commands().iter().map(String::len).sum(),
        value => value.text().len(),
    }
}

fn unknown(parameters: &[&Parameter], given: &[Argument]) -> Vec<ArgumentProblem> {
    let mut told = BTreeSet::new();
    let mut problems = Vec::new();
    for argument in given.iter().take(MOST) {
        let is_known = parameters.iter().any(|it| it.name == argument.name);
        if !is_known && told.insert(&argument.name) {
            let name = shorten(&argument.name, 80);
            problems.push(ArgumentProblem {
                code: ArgumentCode::UnknownParameter,
                message: format!("there is no parameter {name:?}"),
                parameter: name,
            });
        }
    }
    if let Some(argument) = given.get(MOST) {
        problems.push(ArgumentProblem {
            code: ArgumentCode::UnknownParameter,
            parameter: shorten(&argument.name, 80),
            message: format!("there are more than {MOST} arguments"),
        });
    }
    problems
}

/// Checks the parameters that a group has besides those of its template: their names are others.
///
/// # Errors
/// The names that are there already.
pub fn check_own_parameters(template: &Template, own: &[Parameter]) -> Result<(), Vec<String>> {
    let mut seen: BTreeSet<String> = template
        .parameters
        .iter()
        .map(|it| argument_name(&it.name))
        .collect();
    let twice: Vec<String> = own
        .iter()
        .filter(|it| !seen.insert(argument_name(&it.name)))
        .map(|it| it.name.clone())
        .collect();
    if twice.is_empty() { Ok(()) } else { Err(twice) }
}

#[cfg(test)]
mod tests;
