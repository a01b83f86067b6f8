//! What a run is given, as words of a command line.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Map, Value};

/// A parameter of a workflow or a group, as far as it says what a word means.
#[derive(Clone, Debug, Deserialize)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// What it takes: `STRING`, `FILE` and so on.
    pub kind: String,
    /// The values that it may have, if these are listed.
    #[serde(default)]
    pub choices: Vec<Choice>,
}

/// A value that can be chosen.
#[derive(Clone, Debug, Deserialize)]
pub struct Choice {
    /// The value.
    pub value: Value,
}

/// What a word stands for.
#[derive(Clone, Debug, PartialEq)]
pub enum Given {
    /// A value.
    Value(Value),
    /// A file that is to be brought.
    File(PathBuf),
}

/// The name and the text of `NAME=TEXT`.
///
/// # Errors
/// If it is none.
pub fn split(word: &str) -> Result<(String, String), String> {
    match word.split_once('=') {
        Some((name, text)) if !name.is_empty() => Ok((name.to_owned(), text.to_owned())),
        _ => Err("write NAME=VALUE, or NAME=@FILE".to_owned()),
    }
}

/// What a text stands for where it is given for this parameter; for none that is known, its own server says so.
pub fn understood(parameter: Option<&Parameter>, text: &str) -> Given {
    let as_text = || Value::from(text);
    let as_json = || serde_json::from_str(text).unwrap_or_else(|_| as_text());
    let value = match parameter.map(|parameter| parameter.kind.as_str()) {
        Some("STRING") => as_text(),
        Some("SELECT") => {
            let choices = parameter.map_or(&[][..], |parameter| &parameter.choices);
            let is_text = choices.iter().any(|choice| choice.value == text);
            if is_text { as_text() } else { as_json() }
        }
        Some("FILE") => match text.strip_prefix('@') {
            Some(path) => return Given::File(path.into()),
            // The id of an upload could be a number, too.
            None => match as_json() {
                value @ (Value::Object(_) | Value::Null) => value,
                _ => as_text(),
            },
        },
        _ => as_json(),
    };
    Given::Value(value)
}

/// The arguments in a document: an object, or a list of `name` and `value` as the API shows it.
///
/// # Errors
/// If it is neither.
pub fn listed(document: &str) -> Result<Vec<(String, Value)>, String> {
    #[derive(Deserialize)]
    struct Argument {
        name: String,
        value: Value,
    }
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Document {
        Object(Map<String, Value>),
        List(Vec<Argument>),
    }
    // Told first: of two forms, serde says only that it is none of them.
    let json: Value = serde_json::from_str(document).map_err(|error| error.to_string())?;
    match serde_json::from_value(json) {
        Ok(Document::Object(object)) => Ok(object.into_iter().collect()),
        Ok(Document::List(list)) => {
            let pair = |argument: Argument| (argument.name, argument.value);
            Ok(list.into_iter().map(pair).collect())
        }
        Err(_) => Err("it is neither an object nor a list of name and value".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of_kind(kind: &str, choices: &[Value]) -> Parameter {
        let choices = choices.iter().cloned();
        Parameter {
            name: "x".into(),
            kind: kind.into(),
            choices: choices.map(|value| Choice { value }).collect(),
        }
    }

    #[test]
    fn words_mean_what_their_parameter_takes() {
        let select = of_kind("SELECT", &[json!("1"), json!(2)]);
        for (parameter, text, value) in [
            (of_kind("INT", &[]), "12", json!(12)),
            (of_kind("INT", &[]), "twelve", json!("twelve")),
            (of_kind("STRING", &[]), "12", json!("12")),
            (of_kind("STRING", &[]), "@me", json!("@me")),
            (of_kind("STRING", &[]), "", json!("")),
            (of_kind("BOOL", &[]), "true", json!(true)),
            (of_kind("LIST", &[]), "[1, 2]", json!([1, 2])),
            (of_kind("RECORD", &[]), "{\"a\": 1}", json!({"a": 1})),
            (of_kind("RECORD", &[]), "{a: 1}", json!("{a: 1}")),
            (of_kind("FILE", &[]), "12", json!("12")),
            (
                of_kind("FILE", &[]),
                "{\"fileId\": \"a\"}",
                json!({"fileId": "a"}),
            ),
            (of_kind("FILE", &[]), "null", json!(null)),
            (select.clone(), "1", json!("1")),
            (select.clone(), "2", json!(2)),
            (select, "three", json!("three")),
        ] {
            let expected = Given::Value(value);
            assert_eq!(understood(Some(&parameter), text), expected, "{text}");
        }
        assert_eq!(understood(None, "1.5"), Given::Value(json!(1.5)));
        let file = understood(Some(&of_kind("FILE", &[])), "@a b/c.csv");
        assert_eq!(file, Given::File("a b/c.csv".into()));
    }

    #[test]
    fn words_have_a_name() {
        let pair = |name: &str, text: &str| Ok((name.to_owned(), text.to_owned()));
        assert_eq!(split("a=b=c"), pair("a", "b=c"));
        assert_eq!(split("a="), pair("a", ""));
        for wrong in ["a", "=b", ""] {
            assert!(split(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn documents_have_one_of_two_forms() {
        let pairs = Ok(vec![
            ("a".to_owned(), json!(1)),
            ("b".to_owned(), json!([2])),
        ]);
        assert_eq!(listed(r#"{"a": 1, "b": [2]}"#), pairs);
        assert_eq!(
            listed(r#"[{"name": "a", "value": 1}, {"name": "b", "value": [2]}]"#),
            pairs
        );
        for wrong in ["", "1", "[1]", r#"[{"name": "a"}]"#, "{"] {
            assert!(listed(wrong).is_err(), "{wrong}");
        }
    }
}
