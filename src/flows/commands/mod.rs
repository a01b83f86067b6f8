//! The commands of a step, with the values of a run.
//!
//! Values are handed over in the environment: a variable of the workflow as `FLOW_<name>`, an argument as `ARG_<name>`. In a
//! command, `${name}` becomes the expansion of its variable. A value that somebody gave stays one word, whatever is in
//! it; a text of the template is split into words where the template does not quote it, as if it stood there.

mod environment;
pub(crate) mod shell;

use std::collections::BTreeMap;

pub use environment::argument_name;
use environment::{Entry, Environment};
use shell::{Insert, Piece, Quoting};

use super::arguments::Arguments;
use super::parameters::Value;
use super::template::action::Action;
use super::template::workflow::{Step, StepAction, Workflow};

/// The variables that every worker has: programs by the names that templates know them by.
pub const WORKER_VARIABLES: [(&str, &str); 2] = [("python", "python3"), ("java", "java")];

/// What a step does in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepCommands {
    /// The step.
    pub step: String,
    /// The image for its commands; none for a notebook, and for a step that is left out.
    pub image: Option<String>,
    /// Its commands; none at all if it is left out, since the run was not given what it does.
    pub commands: Option<Vec<Command>>,
}

/// A command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// What a shell reads. The values are in the environment.
    pub script: String,
    /// The same for people, with the values in it; where a value cannot be shown in its place, its variable stands.
    pub shown: String,
}

impl StepCommands {
    /// All commands as one text for a shell: each in a shell of its own, until one fails; it ends as that one does.
    pub fn script(&self) -> Option<String> {
        let line =
            |command: &Command| format!("/bin/sh -c {} || exit\n", shell::quote(&command.script));
        Some(self.commands.as_ref()?.iter().map(line).collect())
    }
}

/// What a run does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunCommands {
    /// The environment of all its commands.
    pub environment: BTreeMap<String, String>,
    /// Its steps, in their order.
    pub steps: Vec<StepCommands>,
}

/// The commands of a workflow with the arguments of a run: what is run, and what a dry run shows. `worker` has the variables
/// of the worker, which count for more than those of the workflow: [`WORKER_VARIABLES`], or others.
pub fn of_run(
    workflow: &Workflow,
    arguments: &Arguments,
    worker: &BTreeMap<String, String>,
) -> RunCommands {
    let environment = Environment::of(workflow, arguments, worker);
    let steps = workflow.steps.iter();
    let steps = steps.map(|step| of_step(step, arguments, &environment));
    RunCommands {
        steps: steps.collect(),
        environment: environment.into_values(),
    }
}

fn of_step(step: &Step, arguments: &Arguments, environment: &Environment) -> StepCommands {
    let action = match &step.action {
        StepAction::Own(action) => Some(action),
        StepAction::Parameter(name) => match arguments.get(name) {
            Some(Value::Actor(action)) => Some(action.as_ref()),
            _ => None,
        },
    };
    let image = match action {
        Some(Action::Container { environment, .. }) => Some(environment.clone()),
        _ => None,
    };
    let commands = action.map(Action::commands);
    let command = |command: &String| render(command, environment);
    StepCommands {
        step: step.name.clone(),
        image,
        commands: commands.map(|commands| commands.iter().map(command).collect()),
    }
}

fn render(command: &str, environment: &Environment) -> Command {
    let scan = shell::scan(command, &|name| environment.has_variable(name));
    let mut script = String::new();
    let mut shown = String::new();
    for piece in scan.pieces {
        match piece {
            Piece::Text(text) => {
                script.push_str(&text);
                shown.push_str(&text);
            }
            Piece::Insert { what, quoting } => {
                let value = match &what {
                    Insert::Variable(name) => environment.variable(name),
                    Insert::Reference(reference) => environment.reference(reference),
                };
                let (for_shell, for_people) = insert(&value, quoting);
                script.push_str(&for_shell);
                shown.push_str(&for_people);
            }
        }
    }
    Command { script, shown }
}

/// What stands in the place of a value: for the shell, and for people.
fn insert(value: &Entry, quoting: Quoting) -> (String, String) {
    let name = &value.name;
    let text = value.text.as_deref();
    if name.is_empty() {
        // A text of the template between which a parameter decides stands where the template has it.
        let text = text.unwrap_or_default();
        return (text.to_owned(), text.to_owned());
    }
    match quoting {
        Quoting::Double => (
            format!("${{{name}}}"),
            shell::escape_double(text.unwrap_or_default()),
        ),
        Quoting::Single => (
            format!("'\"${{{name}}}\"'"),
            text.unwrap_or_default().replace('\'', r"'\''"),
        ),
        Quoting::None if value.is_of_template => {
            (format!("${{{name}}}"), text.unwrap_or_default().to_owned())
        }
        // Nothing, not even an empty word, if there is no value.
        Quoting::None => (
            format!("${{{name}+\"${{{name}}}\"}}"),
            text.map(shell::quote).unwrap_or_default(),
        ),
    }
}

#[cfg(test)]
mod tests;
