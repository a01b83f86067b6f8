//! Values of parameters, checked.

use std::collections::BTreeMap;

use serde_json::{Number, Value as Json, json};

use crate::flows::template::action::Action;
use crate::flows::template::path::RelativePath;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A text.
    Text(String),
    /// A whole number.
    Int(i64),
    /// A number, maybe infinite.
    Float(f64),
    /// True or false.
    Bool(bool),
    /// A file.
    File(FileValue),
    /// Values in their order.
    List(Vec<Value>),
    /// Values by the names of their fields.
    Record(BTreeMap<String, Value>),
    /// A step.
    Actor(Box<Action>),
}

/// A file that is put into the working folder of a run.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FileValue {
    /// The id of the upload; none for a file that the template brings.
    pub upload: Option<String>,
    /// Where it is in the working folder.
    pub target: RelativePath,
    /// Whether it was the caller who said so.
    pub is_own_target: bool,
}

impl Value {
    /// As text, as flowserv writes it in a command: numbers and `True`, `False` as Python does, a file by its path; lists and
    /// records as JSON.
    pub fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Int(number) => number.to_string(),
            Self::Float(number) => float_text(*number),
            Self::Bool(true) => "True".to_owned(),
            Self::Bool(false) => "False".to_owned(),
            Self::File(file) => file.target.to_string(),
            Self::List(_) | Self::Record(_) => self.nested_text(),
            Self::Actor(_) => String::new(),
        }
    }

    fn nested_text(&self) -> String {
        match self {
            Self::List(values) => {
                let values: Vec<String> = values.iter().map(Self::nested_text).collect();
                format!("[{}]", values.join(", "))
            }
            Self::Record(fields) => {
                let field = |(name, value): (&String, &Self)| {
                    format!("{}: {}", Json::from(name.as_str()), value.nested_text())
                };
                let fields: Vec<String> = fields.iter().map(field).collect();
                format!("{{{}}}", fields.join(", "))
            }
            Self::Bool(flag) => flag.to_string(),
            Self::Int(_) => self.text(),
            Self::Float(number) if number.is_finite() => self.text(),
            Self::Text(_) | Self::Float(_) | Self::File(_) | Self::Actor(_) => {
                Json::from(self.text()).to_string()
            }
        }
    }

    /// As JSON that gives the same value when it is given again. Files that the template brings are left out.
    pub fn json(&self) -> Option<Json> {
        Some(match self {
            Self::Text(text) => Json::from(text.as_str()),
            Self::Int(number) => Json::from(*number),
            Self::Float(number) => Number::from_f64(*number)
                .map_or_else(|| Json::from(float_text(*number)), Json::Number),
            Self::Bool(flag) => Json::from(*flag),
            Self::File(file) => {
                let upload = file.upload.as_ref()?;
                let mut value = json!({"fileId": upload});
                if file.is_own_target
                    && let Some(value) = value.as_object_mut()
                {
                    value.insert("targetPath".into(), Json::from(file.target.as_str()));
                }
                json!({"type": "$file", "value": value})
            }
            Self::List(values) => values.iter().filter_map(Self::json).collect(),
            Self::Record(fields) => {
                let field = |(name, value): (&String, &Self)| Some((name.clone(), value.json()?));
                Json::Object(fields.iter().filter_map(field).collect())
            }
            Self::Actor(action) => action.json(),
        })
    }

    /// All files in it.
    pub fn files(&self) -> Vec<&FileValue> {
        match self {
            Self::File(file) => vec![file],
            Self::List(values) => values.iter().flat_map(Self::files).collect(),
            Self::Record(fields) => fields.values().flat_map(Self::files).collect(),
            _ => Vec::new(),
        }
    }
}

/// A number as Python's `repr` has it.
fn float_text(number: f64) -> String {
    if number.is_infinite() {
        let text = if number > 0.0 { "inf" } else { "-inf" };
        return text.to_owned();
    }
    let text = format!("{number:?}");
    match text.split_once('e') {
        // At least two digits of the exponent, and its sign.
        Some((digits, exponent)) => match exponent.strip_prefix('-') {
            Some(exponent) => format!("{digits}e-{exponent:0>2}"),
            None => format!("{digits}e+{exponent:0>2}"),
        },
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_python() {
        for (number, text) in [
            (0.0, "0.0"),
            (-1.5, "-1.5"),
            (10.0, "10.0"),
            (0.0001, "0.0001"),
            (0.000_01, "1e-05"),
            (1e16, "1e+16"),
            (1.5e300, "1.5e+300"),
            (123_456_789_012_345.0, "123456789012345.0"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(Value::Float(number).text(), text);
        }
    }

    #[test]
    fn nested_values_are_json() {
        let list = Value::List(vec![Value::Float(1.0), Value::Int(2), Value::Bool(true)]);
        assert_eq!(list.text(), "[1.0, 2, true]");
        let record = Value::Record([("a \"b".to_owned(), list)].into());
        assert_eq!(record.text(), r#"{"a \"b": [1.0, 2, true]}"#);
    }
}
