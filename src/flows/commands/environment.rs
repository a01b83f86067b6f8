//! The environment of the commands of a run.

use std::collections::BTreeMap;

use crate::flows::arguments::Arguments;
use crate::flows::parameters::Value;
use crate::flows::template::reference::{Choice, Reference};
use crate::flows::template::workflow::{Assigned, Workflow};

/// A value in the environment.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// The name of the variable in the environment; none for a text between which a parameter decides in a command.
    pub name: String,
    /// Its value, if it has one.
    pub text: Option<String>,
    /// Whether it is a text of the template, and not one that somebody gave.
    pub is_of_template: bool,
}

/// The environment of the commands of a run.
pub(super) struct Environment {
    /// By the names that commands use.
    variables: BTreeMap<String, Entry>,
    arguments: BTreeMap<String, Entry>,
    /// Which arguments are true, for references that decide by them.
    choices: BTreeMap<String, bool>,
}

/// The variable in the environment for an argument: `ARG_` and its name, in which anything but letters, digits and `_` is
/// written as `_` and its bytes in hexadecimal. Parameters whose names become one are refused.
pub fn argument_name(parameter: &str) -> String {
    let mut name = "ARG_".to_owned();
    for byte in parameter.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => name.push(char::from(byte)),
            byte => name.extend(['_', hex(byte >> 4), hex(byte & 15)]),
        }
    }
    name
}

fn hex(digit: u8) -> char {
    char::from_digit(digit.into(), 16)
        .unwrap_or('0')
        .to_ascii_uppercase()
}

fn variable_name(variable: &str) -> String {
    format!("FLOW_{variable}")
}

/// Is it what flowserv takes for true in a reference?
fn is_true(value: &Value) -> bool {
    value.text().eq_ignore_ascii_case("true")
}

impl Environment {
    pub fn of(
        workflow: &Workflow,
        arguments: &Arguments,
        worker: &BTreeMap<String, String>,
    ) -> Self {
        let mut environment = Self {
            variables: BTreeMap::new(),
            arguments: BTreeMap::new(),
            choices: BTreeMap::new(),
        };
        for (name, value) in arguments.iter() {
            environment.choices.insert(name.to_owned(), is_true(value));
            if matches!(value, Value::Actor(_)) {
                continue;
            }
            let entry = Entry {
                name: argument_name(name),
                text: Some(value.text()),
                is_of_template: false,
            };
            environment.arguments.insert(name.to_owned(), entry);
        }
        for variable in &workflow.variables {
            let value = match &variable.value {
                Assigned::Text(text) => Entry {
                    name: String::new(),
                    text: Some(text.clone()),
                    is_of_template: true,
                },
                Assigned::Reference(reference) => environment.reference(reference),
            };
            environment.set(&variable.name, value);
        }
        for (name, text) in worker {
            let value = Entry {
                name: String::new(),
                text: Some(text.clone()),
                is_of_template: true,
            };
            environment.set(name, value);
        }
        environment
    }

    fn set(&mut self, name: &str, value: Entry) {
        let entry = Entry {
            name: variable_name(name),
            ..value
        };
        self.variables.insert(name.to_owned(), entry);
    }

    pub fn has_variable(&self, name: &str) -> bool {
        self.variables.contains_key(name)
    }

    /// The value of a variable of the workflow or the worker.
    pub fn variable(&self, name: &str) -> Entry {
        self.variables.get(name).cloned().unwrap_or_else(|| Entry {
            name: variable_name(name),
            text: None,
            is_of_template: false,
        })
    }

    /// The value of a reference. A text that a parameter decides on is one of the template.
    pub fn reference(&self, reference: &Reference) -> Entry {
        let parameter = &reference.parameter;
        let Some(choice) = &reference.choice else {
            let entry = self.arguments.get(parameter).cloned();
            return entry.unwrap_or_else(|| Entry {
                name: argument_name(parameter),
                text: None,
                is_of_template: false,
            });
        };
        let Choice { then, otherwise } = choice;
        let is_true = self.choices.get(parameter).copied().unwrap_or(false);
        Entry {
            name: String::new(),
            text: if is_true {
                Some(then.clone())
            } else {
                otherwise.clone()
            },
            is_of_template: true,
        }
    }

    /// All variables that have a value, by their names in the environment.
    pub fn into_values(self) -> BTreeMap<String, String> {
        let entries = self.variables.into_values();
        let entries = entries.chain(self.arguments.into_values());
        entries
            .filter_map(|entry| Some((entry.name, entry.text?)))
            .collect()
    }
}
