//! From the JSON that somebody gives to the value of a parameter.
//!
//! Text that says a number or a truth is as good as one, as in flowserv. What flowserv would change silently is refused: a
//! number with a fraction for an `int`, a list for a `string`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::{Choice, FileValue, Kind, Parameter, Range, Value};
use crate::flows::template::action;
use crate::flows::template::path::RelativePath;
use crate::text::shorten;

/// The longest text of a value, in bytes: a program cannot be given 128 KiB or more in one variable.
pub const LONGEST_TEXT: usize = 64 << 10;
/// The most items of a list.
const MOST_ITEMS: usize = 10_000;
/// The longest id of an upload.
const LONGEST_ID: usize = 200;
/// Whole numbers up to which double precision has them all.
const LARGEST_EXACT: f64 = 9_007_199_254_740_992.0;

/// What is wrong with a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// Where in the value: `[1]`, `.field`; empty for the whole of it.
    pub path: String,
    /// What is wrong, for people.
    pub message: String,
}

/// The value of a parameter of this kind.
///
/// # Errors
/// All that is wrong with it, at least one.
pub fn cast(kind: &Kind, given: &Json) -> Result<Value, Vec<Flaw>> {
    let mut flaws = Vec::new();
    match cast_at(kind, given, "", &mut flaws) {
        Some(value) if flaws.is_empty() => Ok(value),
        _ => Err(flaws),
    }
}

fn cast_at(kind: &Kind, given: &Json, path: &str, flaws: &mut Vec<Flaw>) -> Option<Value> {
    let cast = match kind {
        Kind::String => string(given),
        Kind::Int { range } => int(given).and_then(|number| {
            #[allow(
                clippy::cast_precision_loss,
                reason = "ends of ranges are no more exact"
            )]
            within(number as f64, range.as_ref(), given).map(|()| Value::Int(number))
        }),
        Kind::Float { range } => float(given).and_then(|number| {
            within(number, range.as_ref(), given).map(|()| Value::Float(number))
        }),
        Kind::Bool => bool(given),
        Kind::Select { values } => select(values, given),
        Kind::File { target } => file(target.as_ref(), given),
        Kind::List { para } => return list(para, given, path, flaws),
        Kind::Record { fields } => return record(fields, given, path, flaws),
        Kind::Actor => action::of_json(given).map(|action| Value::Actor(Box::new(action))),
    };
    match cast {
        Ok(value) => Some(value),
        Err(message) => {
            let path = path.to_owned();
            flaws.push(Flaw { path, message });
            None
        }
    }
}

/// The value as it is shown in a message.
fn shown(given: &Json) -> String {
    shorten(&given.to_string(), 80)
}

fn string(given: &Json) -> Result<Value, String> {
    let text = match given {
        Json::String(text) => text.clone(),
        Json::Number(number) => number.to_string(),
        Json::Bool(true) => "True".to_owned(),
        Json::Bool(false) => "False".to_owned(),
        _ => return Err(format!("{} is no text", shown(given))),
    };
    if text.len() > LONGEST_TEXT {
        return Err(format!("the text is longer than {LONGEST_TEXT} bytes"));
    }
    if text.contains('\0') {
        return Err("the text has a zero byte in it".to_owned());
    }
    Ok(Value::Text(text))
}

fn int(given: &Json) -> Result<i64, String> {
    let number = match given {
        Json::Number(number) => number.as_i64().or_else(|| {
            let number = number.as_f64()?;
            let is_whole = number.fract() == 0.0 && number.abs() <= LARGEST_EXACT;
            is_whole.then(|| format!("{number:.0}").parse().ok())?
        }),
        Json::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.ok_or_else(|| format!("{} is no whole number of 64 bits", shown(given)))
}

fn float(given: &Json) -> Result<f64, String> {
    let number = match given {
        Json::Number(number) => number.as_f64(),
        Json::String(text) => text.trim().parse::<f64>().ok().filter(|number| {
            let is_word = text.to_ascii_lowercase().contains("inf");
            !number.is_nan() && (number.is_finite() || is_word)
        }),
        _ => None,
    };
    number.ok_or_else(|| format!("{} is no number", shown(given)))
}

fn within(number: f64, range: Option<&Range>, given: &Json) -> Result<(), String> {
    match range {
        Some(range) if !range.contains(number) => {
            Err(format!("{} is not in {range}", shown(given)))
        }
        _ => Ok(()),
    }
}

fn bool(given: &Json) -> Result<Value, String> {
    let text = match given {
        Json::Null => "false".to_owned(),
        Json::Bool(flag) => flag.to_string(),
        Json::Number(number) => number.to_string(),
        Json::String(text) => text.to_ascii_lowercase(),
        _ => shown(given),
    };
    match text.as_str() {
        "1" | "t" | "true" => Ok(Value::Bool(true)),
        "" | "0" | "f" | "false" => Ok(Value::Bool(false)),
        _ => Err(format!("{} is neither true nor false", shown(given))),
    }
}

fn select(values: &[Choice], given: &Json) -> Result<Value, String> {
    let is_given = |choice: &&Choice| match (&choice.value, given) {
        (Json::Number(one), Json::Number(other)) => one == other || one.as_f64() == other.as_f64(),
        (one, other) => one == other,
    };
    let Some(choice) = values.iter().find(is_given) else {
        let values: Vec<String> = values.iter().map(|choice| shown(&choice.value)).collect();
        let values = shorten(&values.join(", "), 200);
        return Err(format!("{} is none of {values}", shown(given)));
    };
    match &choice.value {
        Json::Bool(flag) => Ok(Value::Bool(*flag)),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => Ok(Value::Int(number)),
            (None, Some(number)) => Ok(Value::Float(number)),
            (None, None) => string(given),
        },
        value => string(value),
    }
}

/// The id of an upload; or `{"fileId": …, "targetPath": …}`; or the same as the `value` of `{"type": "$file"}`.
fn file(target: Option<&RelativePath>, given: &Json) -> Result<Value, String> {
    let wrong = || format!("{} is no file: give the id of an upload", shown(given));
    let (id, own_target) = match given {
        Json::String(id) => (id.as_str(), None),
        Json::Object(object) => {
            let inner = match object.get("type") {
                Some(Json::String(kind)) if kind == "$file" => object
                    .get("value")
                    .and_then(Json::as_object)
                    .ok_or_else(wrong)?,
                Some(_) => return Err(wrong()),
                None => object,
            };
            let id = inner.get("fileId").and_then(Json::as_str);
            let own_target = match inner.get("targetPath") {
                None | Some(Json::Null) => None,
                Some(Json::String(target)) => Some(target.as_str()),
                Some(_) => return Err("targetPath is no text".to_owned()),
            };
            (id.ok_or_else(wrong)?, own_target)
        }
        _ => return Err(wrong()),
    };
    let is_id = (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic());
    if !is_id {
        return Err(wrong());
    }
    let is_own_target = own_target.is_some();
    // Programs take a path that begins so for an option.
    if own_target.is_some_and(|own| own.starts_with('-')) {
        return Err("a targetPath does not begin with `-`".to_owned());
    }
    let target = match (own_target, target) {
        (Some(own), _) => RelativePath::file(own).map_err(|error| format!("{own:?}: {error}"))?,
        (None, Some(declared)) => declared.clone(),
        (None, None) => return Err("it needs a targetPath: the workflow has none".to_owned()),
    };
    Ok(Value::File(FileValue {
        upload: Some(id.to_owned()),
        target,
        is_own_target,
    }))
}

fn list(para: &Parameter, given: &Json, path: &str, flaws: &mut Vec<Flaw>) -> Option<Value> {
    let wrong = match given {
        Json::Array(items) if items.len() > MOST_ITEMS => {
            format!("the list has more than {MOST_ITEMS} items")
        }
        Json::Array(items) => {
            let item =
                |(index, item)| cast_at(&para.kind, item, &format!("{path}[{index}]"), flaws);
            let values: Vec<_> = items.iter().enumerate().map(item).collect();
            return values.into_iter().collect::<Option<_>>().map(Value::List);
        }
        _ => format!("{} is no list", shown(given)),
    };
    flaws.push(Flaw {
        path: path.to_owned(),
        message: wrong,
    });
    None
}

/// A list of `{"name": …, "value": …}`, or an object.
fn record(fields: &[Parameter], given: &Json, path: &str, flaws: &mut Vec<Flaw>) -> Option<Value> {
    let entries = match entries(given) {
        Ok(entries) => entries,
        Err(message) => {
            let path = path.to_owned();
            flaws.push(Flaw { path, message });
            return None;
        }
    };
    let before = flaws.len();
    let mut flaw = |name: &str, message: &str| {
        flaws.push(Flaw {
            path: format!("{path}.{}", shorten(name, 80)),
            message: message.to_owned(),
        });
    };
    let mut seen = BTreeSet::new();
    for (name, _) in &entries {
        if !fields.iter().any(|field| field.name == *name) {
            flaw(name, "there is no such field");
        } else if !seen.insert(*name) {
            flaw(name, "the field is given twice");
        }
    }
    let mut values = BTreeMap::new();
    for field in fields {
        let given = entries.iter().find(|(name, _)| *name == field.name);
        let given = given.map(|(_, given)| *given);
        let at = format!("{path}.{}", field.name);
        let is_null = given.is_none_or(|given| given.is_null() && field.kind != Kind::Bool);
        let value = match (given, default(field)) {
            (Some(given), _) if !is_null => cast_at(&field.kind, given, &at, flaws),
            (_, Some(value)) => Some(value),
            (_, None) if field.is_required => {
                flaws.push(Flaw {
                    path: at,
                    message: "the field is missing".to_owned(),
                });
                None
            }
            (_, None) => None,
        };
        if let Some(value) = value {
            values.insert(field.name.clone(), value);
        }
    }
    (flaws.len() == before).then_some(Value::Record(values))
}

fn entries(given: &Json) -> Result<Vec<(&str, &Json)>, String> {
    match given {
        Json::Object(object) => Ok(object
            .iter()
            .map(|(name, value)| (name.as_str(), value))
            .collect()),
        Json::Array(items) => items
            .iter()
            .map(|item| {
                let name = item.get("name").and_then(Json::as_str);
                let value = item.get("value");
                name.zip(value)
                    .ok_or_else(|| format!("{} has no name and value", shown(item)))
            })
            .collect(),
        _ => Err(format!("{} is no record", shown(given))),
    }
}

/// What a parameter is if nothing is given.
pub(crate) fn default(parameter: &Parameter) -> Option<Value> {
    let default = parameter.default_value.as_ref()?;
    if let (Kind::File { .. }, Json::String(path)) = (&parameter.kind, default) {
        return Some(Value::File(FileValue {
            upload: None,
            target: RelativePath::file(path).ok()?,
            is_own_target: false,
        }));
    }
    cast(&parameter.kind, default).ok()
}

#[cfg(test)]
mod tests;
