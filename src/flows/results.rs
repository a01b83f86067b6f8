//! The results of a run: what its document says, by the schema of its template.

use serde_json::{Number, Value as Json};

use super::template::schema::{Column, ColumnType, ResultSchema};
use crate::text::shorten;
use crate::yaml::{self, Key, Node};

/// The largest document, in bytes.
pub const LARGEST_DOCUMENT: usize = 1 << 20;
/// The longest text of a result, in bytes.
const LONGEST_TEXT: usize = 64 << 10;
/// Whole numbers up to which double precision has them all.
const LARGEST_EXACT: f64 = 9_007_199_254_740_992.0;

/// A value of a result.
#[derive(Clone, Debug, PartialEq)]
pub enum ResultValue {
    /// A whole number.
    Int(i64),
    /// A number, never infinite.
    Float(f64),
    /// A text.
    Text(String),
}

impl ResultValue {
    /// As JSON.
    pub fn json(&self) -> Json {
        match self {
            Self::Int(number) => Json::from(*number),
            Self::Float(number) => Number::from_f64(*number).map_or(Json::Null, Json::Number),
            Self::Text(text) => Json::from(text.as_str()),
        }
    }
}

/// What is wrong with a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultProblem {
    /// The column, or none if it is the document.
    pub column: Option<String>,
    /// What is wrong, for people.
    pub message: String,
}

/// The values of the columns of a schema, in their order; none where the document has none, or null.
///
/// # Errors
/// All that is wrong: such a run has no result, and is not ranked.
pub fn read(
    schema: &ResultSchema,
    document: &[u8],
) -> Result<Vec<Option<ResultValue>>, Vec<ResultProblem>> {
    let tree = parse(schema, document).map_err(|message| {
        let column = None;
        vec![ResultProblem { column, message }]
    })?;
    let mut values = Vec::with_capacity(schema.columns.len());
    let mut problems = Vec::new();
    for column in &schema.columns {
        match value(column, &tree) {
            Ok(value) => values.push(value),
            Err(message) => problems.push(ResultProblem {
                column: Some(column.name.clone()),
                message,
            }),
        }
    }
    if problems.is_empty() {
        Ok(values)
    } else {
        Err(problems)
    }
}

fn parse(schema: &ResultSchema, document: &[u8]) -> Result<Node, String> {
    let file = &schema.file;
    if document.len() > LARGEST_DOCUMENT {
        return Err(format!("{file} is larger than {LARGEST_DOCUMENT} bytes"));
    }
    let text = std::str::from_utf8(document).map_err(|_| format!("{file} is no UTF-8"))?;
    let parsed = match file.extension().as_deref() {
        Some("yaml" | "yml") => yaml::parse(text),
        _ => yaml::parse_json(text),
    };
    parsed.map_err(|error| format!("{file}: {}", shorten(&error.message, 200)))
}

fn value(column: &Column, tree: &Node) -> Result<Option<ResultValue>, String> {
    let mut node = Some(tree);
    for key in column.keys() {
        node = match node {
            Some(Node::Map(entries)) => {
                let named = |entry: &&(Key, Node)| matches!(&entry.0, Key::Text(it) if it == key);
                entries.iter().rev().find(named).map(|(_, node)| node)
            }
            _ => None,
        };
    }
    let Some(node) = node.filter(|node| **node != Node::Null) else {
        if column.required {
            return Err(format!(
                "there is no value at {:?}",
                column.keys().join("/")
            ));
        }
        return Ok(None);
    };
    let value = match column.dtype {
        ColumnType::Int => int(node).map(ResultValue::Int),
        ColumnType::Float => float(node).map(ResultValue::Float),
        ColumnType::String => text(node).map(ResultValue::Text),
    };
    let wanted = match column.dtype {
        ColumnType::Int => "a whole number of 64 bits",
        ColumnType::Float => "a number",
        ColumnType::String => "a text",
    };
    let value = value.ok_or_else(|| format!("{} is not {wanted}", shown(node)))?;
    Ok(Some(value))
}

fn shown(node: &Node) -> String {
    match node {
        Node::List(_) => "a list".to_owned(),
        Node::Map(_) => "a mapping".to_owned(),
        Node::Text(text) => format!("{:?}", shorten(text, 80)),
        Node::Number(number) => number.to_string(),
        Node::Bool(flag) => flag.to_string(),
        Node::Null => "null".to_owned(),
    }
}

fn int(node: &Node) -> Option<i64> {
    match node {
        Node::Number(number) => number.as_i64().or_else(|| {
            let number = number.as_f64()?;
            let is_whole = number.fract() == 0.0 && number.abs() <= LARGEST_EXACT;
            is_whole.then(|| format!("{number:.0}").parse().ok())?
        }),
        Node::Text(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn float(node: &Node) -> Option<f64> {
    let number = match node {
        Node::Number(number) => number.as_f64(),
        Node::Text(text) => text.trim().parse().ok(),
        _ => None,
    };
    // What is no number has no place in a ranking, and infinity none in JSON.
    number.filter(|number| number.is_finite())
}

fn text(node: &Node) -> Option<String> {
    let text = match node {
        Node::Text(text) => text.clone(),
        Node::Number(number) => number.to_string(),
        Node::Bool(flag) => flag.to_string(),
        _ => return None,
    };
    (text.len() <= LONGEST_TEXT && !text.contains('\0')).then_some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::flows::template::path::RelativePath;

    fn schema(file: &str) -> ResultSchema {
        let column = |name: &str, dtype, path: Option<&str>, required| Column {
            name: name.into(),
            label: name.into(),
            dtype,
            path: path.map(Into::into),
            required,
        };
        ResultSchema {
            file: RelativePath::file(file).unwrap(),
            columns: vec![
                column("n", ColumnType::Int, Some("a/n"), true),
                column("loss", ColumnType::Float, None, false),
                column("name", ColumnType::String, None, false),
            ],
            order_by: Vec::new(),
        }
    }

    #[test]
    fn values_are_taken_by_their_paths() {
        let read = |text: &str| super::read(&schema("r.json"), text.as_bytes());
        let values = read(r#"{"a": {"n": 3.0}, "loss": "0.5", "name": 7}"#).unwrap();
        let expected = [
            Some(ResultValue::Int(3)),
            Some(ResultValue::Float(0.5)),
            Some(ResultValue::Text("7".into())),
        ];
        assert_eq!(values, expected);
        assert_eq!(read(r#"{"a": {"n": 1}, "loss": null}"#).unwrap()[1], None);
        let yaml = super::read(&schema("r.yaml"), b"a: {n: 4}\nname: x\n").unwrap();
        assert_eq!(yaml[0], Some(ResultValue::Int(4)));
    }

    #[test]
    fn what_is_wrong_is_told_for_each_column() {
        let read = |text: &str| {
            let problems = super::read(&schema("r.json"), text.as_bytes()).unwrap_err();
            problems
                .into_iter()
                .map(|it| it.message)
                .collect::<Vec<_>>()
                .join("; ")
        };
        assert!(read("").contains("r.json"));
        assert!(read("{\"a\": NaN}").contains("r.json"));
        assert!(read("[]").contains("no value at \"a/n\""));
        assert!(read(r#"{"a": {"n": null}}"#).contains("no value"));
        let both = read(r#"{"a": {"n": 1.5}, "loss": "nan", "name": []}"#);
        assert_eq!(
            both,
            "1.5 is not a whole number of 64 bits; \"nan\" is not a number; a list is not a text"
        );
        assert!(read(r#"{"a": {"n": true}}"#).contains("true is not"));
    }

    proptest! {
        #[test]
        fn any_document_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = super::read(&schema("r.json"), &bytes);
            let _ = super::read(&schema("r.yaml"), &bytes);
        }
    }
}
