//! Declarations of parameters, read.

use serde_json::Value as Json;

use super::fields::{self, Fields, Unknown, wrong};
use super::path::RelativePath;
use super::problem::{Code, Problems};
use super::tree::{Kind as TreeKind, Tree};
use crate::flows::commands;
use crate::flows::parameters::{Choice, Kind, Parameter, ParameterGroup, cast};

/// The most parameters of a template or fields of a record, values of a selection, and the deepest nesting.
const MOST: usize = 500;
const MOST_CHOICES: usize = 1_000;
const DEEPEST: usize = 8;

/// Reads the parameters of a template or the fields of a record. Each comes with its tree.
pub(crate) fn read_all<'t>(
    items: &'t [Tree],
    problems: &mut Problems,
) -> Vec<(&'t Tree, Parameter)> {
    read_level(items, DEEPEST, problems)
}

fn read_level<'t>(
    items: &'t [Tree],
    room: usize,
    problems: &mut Problems,
) -> Vec<(&'t Tree, Parameter)> {
    let mut parameters: Vec<(&Tree, Parameter)> = Vec::new();
    let Some(room) = room.checked_sub(1).filter(|_| items.len() <= MOST) else {
        if let Some(first) = items.first() {
            let message = format!(
                "there are more than {MOST} parameters in a list, or more than {DEEPEST} in each other"
            );
            problems.error(&first.at, Code::TooLarge, message);
        }
        return parameters;
    };
    for (index, item) in items.iter().enumerate() {
        let Some(parameter) = read(item, index, room, problems) else {
            continue;
        };
        let variable = commands::argument_name(&parameter.name);
        let is_taken = |other: &Parameter| {
            other.name == parameter.name || commands::argument_name(&other.name) == variable
        };
        if parameters.iter().any(|(_, other)| is_taken(other)) {
            let message = format!(
                "there is a parameter {:?} already, or one that differs in signs only",
                parameter.name
            );
            problems.error(&item.at, Code::Duplicate, message);
            continue;
        }
        parameters.push((item, parameter));
    }
    parameters
}

fn read(tree: &Tree, index: usize, room: usize, problems: &mut Problems) -> Option<Parameter> {
    let mut fields = Fields::of(tree, problems)?;
    let name = fields.name("name", problems);
    if let Some(name) = &name
        && name.contains(['[', ']', '?', ':', '$'])
    {
        let message =
            "the name of a parameter has none of the signs [ ] ? : $, which references have";
        problems.error(&tree.at.key("name"), Code::InvalidValue, message);
        return None;
    }
    let kind = fields.name("dtype", problems);
    let default = fields.raw("defaultValue");
    let is_required = fields.flag("isRequired", problems);
    let default_value = match default.filter(|default| !default.is_null()) {
        Some(default) => Some((default, fields::json(default, problems)?)),
        None => None,
    };
    let position = fields.whole("index", problems);
    let label = fields.text("label", problems);
    let help = fields.text("help", problems);
    let group = fields.text("group", problems);
    let kind = read_kind(&kind?, &mut fields, room, problems);
    fields.end(Unknown::Error, problems);
    let parameter = Parameter {
        name: name?,
        kind: kind?,
        index: position.unwrap_or_else(|| i64::try_from(index).unwrap_or(i64::MAX)),
        is_required: is_required.unwrap_or(default.is_none()),
        label,
        help,
        default_value: default_value.as_ref().map(|(_, json)| json.clone()),
        group,
    };
    if let Some((tree, json)) = &default_value {
        check_default(&parameter.kind, tree, json, problems);
    }
    Some(parameter)
}

fn check_default(kind: &Kind, tree: &Tree, json: &Json, problems: &mut Problems) {
    if matches!(kind, Kind::File { .. }) {
        fields::file_path(tree, problems);
        return;
    }
    for flaw in cast(kind, json).err().unwrap_or_default() {
        let message = format!("the default is no value{}: {}", flaw.path, flaw.message);
        problems.error(&tree.at, Code::InvalidValue, message);
    }
}

fn read_kind(
    kind: &str,
    fields: &mut Fields<'_>,
    room: usize,
    problems: &mut Problems,
) -> Option<Kind> {
    Some(match kind {
        "string" => Kind::String,
        "bool" => Kind::Bool,
        "actor" => Kind::Actor,
        "int" => Kind::Int {
            range: read_range(fields, problems),
        },
        "float" => Kind::Float {
            range: read_range(fields, problems),
        },
        "select" => Kind::Select {
            values: read_choices(fields, problems)?,
        },
        "file" => {
            let target = fields.get("target");
            let target = target.and_then(|target| fields::file_path(target, problems));
            Kind::File { target }
        }
        "list" => {
            let para = fields.required("para", problems)?;
            let para = read_nested(std::slice::from_ref(para), room, problems).pop()?;
            Kind::List {
                para: Box::new(para),
            }
        }
        "record" => {
            let list = fields.required("fields", problems)?;
            let items = fields::list(list, problems);
            if items.is_empty() {
                problems.error(&list.at, Code::InvalidValue, "a record has fields");
            }
            Kind::Record {
                fields: read_nested(items, room, problems),
            }
        }
        other => {
            let message = format!(
                "there is no dtype {other:?}: it is one of string, int, float, bool, select, file, list, record, actor"
            );
            problems.error(&fields.at.key("dtype"), Code::InvalidValue, message);
            return None;
        }
    })
}

/// What stands in lists and records is data: a step would be run by nobody.
fn read_nested(items: &[Tree], room: usize, problems: &mut Problems) -> Vec<Parameter> {
    let mut parameters = Vec::new();
    for (tree, parameter) in read_level(items, room, problems) {
        if parameter.kind == Kind::Actor {
            let message = "an actor cannot stand in a list or record";
            problems.error(&tree.at, Code::InvalidValue, message);
        } else {
            parameters.push(parameter);
        }
    }
    parameters
}

fn read_range(
    fields: &mut Fields<'_>,
    problems: &mut Problems,
) -> Option<crate::flows::parameters::Range> {
    let tree = fields.get("range")?;
    let text = fields::text(tree, 200, problems)?;
    match text.parse() {
        Ok(range) => Some(range),
        Err(error) => {
            problems.error(&tree.at, Code::InvalidValue, format!("{text:?}: {error}"));
            None
        }
    }
}

fn read_choices(fields: &mut Fields<'_>, problems: &mut Problems) -> Option<Vec<Choice>> {
    let list = fields.required("values", problems)?;
    let items = fields::list(list, problems);
    if items.is_empty() || items.len() > MOST_CHOICES {
        let message = format!("a selection has from 1 to {MOST_CHOICES} values");
        problems.error(&list.at, Code::InvalidValue, message);
        return None;
    }
    let mut choices: Vec<Choice> = Vec::new();
    for item in items {
        let Some(mut fields) = Fields::of(item, problems) else {
            continue;
        };
        let name = fields.name("name", problems);
        let value = fields.required("value", problems);
        let is_default = fields.flag("isDefault", problems);
        fields.end(Unknown::Error, problems);
        let (Some(name), Some(tree)) = (name, value) else {
            continue;
        };
        if matches!(tree.kind, TreeKind::List(_) | TreeKind::Map(_)) {
            wrong(tree, "a text, a number, or true or false", problems);
            continue;
        }
        let Some(value) = fields::json(tree, problems) else {
            continue;
        };
        if choices.iter().any(|other| other.value == value) {
            let message = format!("the value {value} occurs twice");
            problems.error(&tree.at, Code::Duplicate, message);
            continue;
        }
        choices.push(Choice {
            name,
            value,
            is_default: is_default.unwrap_or(false),
        });
    }
    Some(choices)
}

/// Reads the groups of parameters.
pub(crate) fn read_groups(items: &[Tree], problems: &mut Problems) -> Vec<ParameterGroup> {
    let mut groups: Vec<ParameterGroup> = Vec::new();
    for (place, item) in items.iter().enumerate() {
        let Some(mut fields) = Fields::of(item, problems) else {
            continue;
        };
        let name = fields.name("name", problems);
        let title = fields.name("title", problems);
        let index = fields.whole("index", problems);
        fields.end(Unknown::Error, problems);
        let (Some(name), Some(title)) = (name, title) else {
            continue;
        };
        if groups.iter().any(|group| group.name == name) {
            let message = format!("there is a group {name:?} already");
            problems.error(&item.at, Code::Duplicate, message);
            continue;
        }
        let index = index.unwrap_or_else(|| i64::try_from(place).unwrap_or(i64::MAX));
        groups.push(ParameterGroup { name, title, index });
    }
    groups
}

/// The target of a file parameter, wherever the file comes from.
pub(crate) fn target(parameter: &Parameter) -> Option<RelativePath> {
    let Kind::File { target } = &parameter.kind else {
        return None;
    };
    let default = || {
        let default = parameter.default_value.as_ref()?.as_str()?;
        RelativePath::file(default).ok()
    };
    target.clone().or_else(default)
}
