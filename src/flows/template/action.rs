//! What a step does.

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::fields::{self, Fields, Unknown};
use super::path::RelativePath;
use super::problem::{Code, Problems, Severity};
use super::tree::{Kind, Position, Tree};
use crate::flows::commands::shell;

/// The longest command, in characters, and the most of a step.
const LONGEST_COMMAND: usize = 64 << 10;
const MOST_COMMANDS: usize = 100;
const MOST_PARAMETERS: usize = 200;

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", untagged)]
pub enum Action {
    /// Runs commands in a shell, one after the other, until one fails.
    Container {
        /// The image that would have what the commands need. Runners without containers ignore it.
        environment: String,
        /// The commands, as they are written in the template.
        commands: Vec<String>,
    },
    /// Runs a notebook with `papermill`.
    Notebook {
        /// The notebook.
        notebook: RelativePath,
        /// The notebook with its results.
        output: RelativePath,
        /// Its parameters: their names, and the variables that they get.
        params: Vec<(String, String)>,
    },
}

impl Action {
    /// The commands, with `${…}` and `$[[…]]` still in them.
    pub fn commands(&self) -> Vec<String> {
        match self {
            Self::Container { commands, .. } => commands.clone(),
            Self::Notebook {
                notebook,
                output,
                params,
            } => {
                let literal = |path: &RelativePath| shell::quote(path.as_str()).replace('$', "$$");
                let mut command = format!(
                    "${{python}} -m papermill {} {}",
                    literal(notebook),
                    literal(output)
                );
                for (name, variable) in params {
                    for part in [" -p ", name, " \"${", variable, "}\""] {
                        command.push_str(part);
                    }
                }
                vec![command]
            }
        }
    }

    /// As JSON that [`of_json`] reads.
    pub fn json(&self) -> Json {
        match self {
            Self::Container {
                environment,
                commands,
            } => json!({"environment": environment, "commands": commands}),
            Self::Notebook {
                notebook,
                output,
                params,
            } => {
                let names: Vec<&str> = params.iter().map(|(name, _)| name.as_str()).collect();
                let variables: Vec<Json> = params
                    .iter()
                    .map(|(name, variable)| json!({"arg": name, "var": variable}))
                    .collect();
                json!({
                    "notebook": notebook, "output": output,
                    "params": names, "variables": variables,
                })
            }
        }
    }
}

/// The action that a run is given as the value of a parameter.
///
/// # Errors
/// What is wrong with it, for people.
pub(crate) fn of_json(given: &Json) -> Result<Action, String> {
    let at = Position::start("");
    let mut problems = Problems::default();
    let Some(tree) = Tree::of_json(given, &at) else {
        return Err("it is nested too deeply".to_owned());
    };
    if !matches!(tree.kind, Kind::Map(_)) {
        let given = crate::text::shorten(&given.to_string(), 80);
        return Err(format!(
            "{given} is no step: give its environment and commands"
        ));
    }
    let action = read(&tree, &mut problems);
    let problems = problems.finish(|_| None);
    let error = problems
        .into_iter()
        .find(|problem| problem.severity == Severity::Error);
    match (action, error) {
        (Some(action), None) => Ok(action),
        (_, Some(problem)) if problem.path.is_empty() => Err(problem.message),
        (_, Some(problem)) => Err(format!("{}: {}", problem.path, problem.message)),
        (None, None) => Err("it is no step".to_owned()),
    }
}

/// Reads an action.
pub(crate) fn read(tree: &Tree, problems: &mut Problems) -> Option<Action> {
    let mut fields = Fields::of(tree, problems)?;
    if fields.get("func").is_some() {
        let message = "steps of code would run inside the server, and are not run: write a step with commands";
        problems.error(&tree.at, Code::UnsupportedStep, message);
        return None;
    }
    let action = if fields.get("notebook").is_some() {
        notebook(&mut fields, problems)
    } else if fields.get("commands").is_some() || fields.get("environment").is_some() {
        container(&mut fields, problems)
    } else {
        let message =
            "a step has environment and commands, or a notebook, or is a reference to a parameter";
        problems.error(&tree.at, Code::MissingKey, message);
        return None;
    };
    fields.end(Unknown::Warning, problems);
    action
}

fn container(fields: &mut Fields<'_>, problems: &mut Problems) -> Option<Action> {
    let environment = fields.name("environment", problems);
    if environment.as_ref().is_some_and(|it| it.contains("$[[")) {
        let message = "references are not replaced in the name of an image";
        let at = fields.at.key("environment");
        problems.error(&at, Code::InvalidReference, message);
    }
    let list = fields.required("commands", problems)?;
    let items = fields::list(list, problems);
    if items.is_empty() || items.len() > MOST_COMMANDS {
        let message = format!("a step has from 1 to {MOST_COMMANDS} commands");
        problems.error(&list.at, Code::InvalidValue, message);
        return None;
    }
    let mut commands = Vec::with_capacity(items.len());
    for item in items {
        let command = fields::text(item, LONGEST_COMMAND, problems)?;
        if command.trim().is_empty() {
            problems.error(&item.at, Code::InvalidValue, "the command is empty");
            return None;
        }
        commands.push(command);
    }
    Some(Action::Container {
        environment: environment?,
        commands,
    })
}

fn notebook(fields: &mut Fields<'_>, problems: &mut Problems) -> Option<Action> {
    let notebook = fields::file_path(fields.get("notebook")?, problems)?;
    let output = match fields.get("output") {
        Some(output) => fields::file_path(output, problems)?,
        None => beside(&notebook),
    };
    if let Some(requirements) = fields.get("requirements") {
        let message =
            "requirements are not installed: the machine that runs the step must have them";
        problems.warning(&requirements.at, Code::UnsupportedStep, message);
    }
    let mut variables = Vec::new();
    for item in fields.list("variables", problems) {
        let mut pair = Fields::of(item, problems)?;
        let name = pair.name("arg", problems)?;
        let variable = pair.name("var", problems)?;
        pair.end(Unknown::Warning, problems);
        variables.push((name, variable));
    }
    let mut params = Vec::new();
    let items = fields.list("params", problems);
    if items.len() > MOST_PARAMETERS {
        let message = format!("there are more than {MOST_PARAMETERS} parameters");
        problems.error(fields.at, Code::TooLarge, message);
        return None;
    }
    for item in items {
        let name = fields::text(item, 100, problems)?;
        let variable = variables.iter().find(|(arg, _)| *arg == name);
        let variable = variable.map_or_else(|| name.clone(), |(_, variable)| variable.clone());
        if !shell::is_name(&name) || !shell::is_name(&variable) {
            let message = "names of parameters have letters, digits and _ only";
            problems.error(&item.at, Code::InvalidValue, message);
            return None;
        }
        params.push((name, variable));
    }
    Some(Action::Notebook {
        notebook,
        output,
        params,
    })
}

/// `a/b.ipynb` gives `a/b.out.ipynb`.
fn beside(notebook: &RelativePath) -> RelativePath {
    let path = notebook.as_str();
    let stem = path.strip_suffix(".ipynb").unwrap_or(path);
    RelativePath::file(&format!("{stem}.out.ipynb")).unwrap_or_else(|_| notebook.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_read_from_json() {
        let given = json!({"environment": "sh", "commands": ["echo $$HOME"]});
        let action = of_json(&given).unwrap();
        assert_eq!(action.json(), given);
        let given = json!({"notebook": "n/a's.ipynb", "params": ["x", "y"],
            "variables": [{"arg": "y", "var": "z"}]});
        let action = of_json(&given).unwrap();
        assert_eq!(
            action.commands(),
            [
                r#"${python} -m papermill 'n/a'\''s.ipynb' 'n/a'\''s.out.ipynb' -p x "${x}" -p y "${z}""#
            ]
        );
        assert_eq!(of_json(&action.json()), Ok(action));
    }

    #[test]
    fn what_is_no_step_is_refused() {
        for (given, said) in [
            (json!("rm -rf /"), "is no step"),
            (json!({}), "a step has"),
            (json!({"environment": "sh"}), "commands"),
            (json!({"commands": ["a"]}), "environment"),
            (json!({"environment": "sh", "commands": []}), "from 1"),
            (
                json!({"environment": "sh", "commands": "ls"}),
                "must be a list",
            ),
            (
                json!({"environment": "sh", "commands": [7]}),
                "commands[0]: it is a number",
            ),
            (json!({"func": "os.system"}), "inside the server"),
            (json!({"notebook": "../x.ipynb"}), "upwards"),
            (json!({"notebook": "x.ipynb", "params": ["a b"]}), "letters"),
        ] {
            let error = of_json(&given).unwrap_err();
            assert!(error.contains(said), "{given}: {error}");
        }
    }
}
