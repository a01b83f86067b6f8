//! What the results of a run look like: a document, and the columns that are taken from it.

use serde::{Deserialize, Serialize};

use super::fields::{self, Fields, Unknown};
use super::path::RelativePath;
use super::problem::{Code, Problems};
use super::tree::{Position, Tree};
use super::workflow::read_output;

const MOST: usize = 200;
const LONGEST_PATH: usize = 32;

/// What the results of a run look like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResultSchema {
    /// The document with the results: JSON, or YAML if its name says so.
    pub file: RelativePath,
    /// The columns.
    #[serde(rename = "schema")]
    pub columns: Vec<Column>,
    /// By which of them runs are ranked; without any, by the first one, the largest first.
    pub order_by: Vec<SortColumn>,
}

/// A column of results.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name, unique in the schema.
    pub name: String,
    /// Its name for people, unique too.
    pub label: String,
    /// What its values are.
    pub dtype: ColumnType,
    /// The keys in the document that lead to the value, joined by slashes; without them, the name is the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Whether a result without it is none.
    pub required: bool,
}

impl Column {
    /// The keys in the document that lead to the value.
    pub fn keys(&self) -> Vec<&str> {
        match &self.path {
            Some(path) => path.split('/').collect(),
            None => vec![&self.name],
        }
    }
}

/// What the values of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnType {
    /// Whole numbers of 64 bits.
    Int,
    /// Numbers.
    Float,
    /// Texts.
    String,
}

/// A column by which runs are ranked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SortColumn {
    /// Its name.
    pub name: String,
    /// Whether the largest comes first.
    pub sort_desc: bool,
}

/// Reads a schema, with where its file is declared.
pub(crate) fn read<'t>(
    tree: &'t Tree,
    problems: &mut Problems,
) -> Option<(&'t Position, ResultSchema)> {
    let mut fields = Fields::of(tree, problems)?;
    let file_tree = fields.required("file", problems);
    let file = file_tree.and_then(|file| read_output(file, problems));
    let list = fields.required("schema", problems);
    let order = fields.list("orderBy", problems);
    fields.end(Unknown::Error, problems);
    let list = list?;
    let items = fields::list(list, problems);
    if items.is_empty() || items.len() > MOST || order.len() > MOST {
        let message = format!("a schema has from 1 to {MOST} columns");
        problems.error(&list.at, Code::InvalidValue, message);
        return None;
    }
    let mut columns: Vec<Column> = Vec::new();
    for item in items {
        let Some(column) = read_column(item, problems) else {
            continue;
        };
        let twice = |other: &Column| other.name == column.name || other.label == column.label;
        if columns.iter().any(twice) {
            let message = format!("the name or label of {:?} occurs twice", column.name);
            problems.error(&item.at, Code::Duplicate, message);
        } else {
            columns.push(column);
        }
    }
    let mut order_by: Vec<SortColumn> = Vec::new();
    for item in order {
        let Some(mut fields) = Fields::of(item, problems) else {
            continue;
        };
        let name = fields.name("name", problems);
        let sort_desc = fields.flag("sortDesc", problems).unwrap_or(true);
        fields.end(Unknown::Error, problems);
        let Some(name) = name else {
            continue;
        };
        if !columns.iter().any(|column| column.name == name) {
            let message = format!("there is no column {name:?}");
            problems.error(&item.at, Code::UnknownColumn, message);
        } else if order_by.iter().any(|other| other.name == name) {
            let message = format!("the column {name:?} occurs twice");
            problems.error(&item.at, Code::Duplicate, message);
        } else {
            order_by.push(SortColumn { name, sort_desc });
        }
    }
    let file = file?;
    if let Some("csv" | "txt" | "xml") = file.extension().as_deref() {
        let message = "results are read from JSON or YAML";
        problems.warning(&file_tree?.at, Code::InvalidValue, message);
    }
    let schema = ResultSchema {
        file,
        columns,
        order_by,
    };
    Some((&file_tree?.at, schema))
}

fn read_column(tree: &Tree, problems: &mut Problems) -> Option<Column> {
    let mut fields = Fields::of(tree, problems)?;
    let name = fields.name("name", problems);
    let label = fields.name("label", problems);
    let dtype = fields.name("dtype", problems);
    let path = fields.text("path", problems);
    let required = fields.flag("required", problems).unwrap_or(true);
    fields.end(Unknown::Error, problems);
    if let Some(path) = &path
        && (path.split('/').any(str::is_empty) || path.split('/').count() > LONGEST_PATH)
    {
        let message = format!("a path is from 1 to {LONGEST_PATH} keys, joined by slashes");
        problems.error(&tree.at.key("path"), Code::InvalidValue, message);
        return None;
    }
    let dtype = match dtype?.as_str() {
        "int" => ColumnType::Int,
        "float" => ColumnType::Float,
        "string" => ColumnType::String,
        other => {
            let message = format!("there is no dtype {other:?}: it is one of int, float, string");
            problems.error(&tree.at.key("dtype"), Code::InvalidValue, message);
            return None;
        }
    };
    Some(Column {
        name: name?,
        label: label?,
        dtype,
        path,
        required,
    })
}
