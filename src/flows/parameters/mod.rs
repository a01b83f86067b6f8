//! Parameters of a workflow: what may be given to a run.
//!
//! Written as JSON, a declaration has the keys that it has in a template of flowserv.

mod cast;
mod range;
mod value;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

pub(crate) use cast::default as default_value;
pub use cast::{Flaw, LONGEST_TEXT, cast};
pub use range::{Range, RangeError};
pub use value::{FileValue, Value};

use super::template::path::RelativePath;

/// A parameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Parameter {
    /// Its name, unique in the template.
    pub name: String,
    /// What it takes.
    #[serde(flatten)]
    pub kind: Kind,
    /// Where it stands among the others in a form.
    pub index: i64,
    /// Whether a run needs it; if not, it may also be without a value.
    pub is_required: bool,
    /// Its name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// What it means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// What it is if nothing is given; it has been found to be a value of its kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_value: Option<Json>,
    /// The group to which it belongs in a form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

/// The kinds of parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "dtype", rename_all = "lowercase")]
pub enum Kind {
    /// A text.
    String,
    /// A whole number.
    Int {
        /// The numbers that are allowed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        range: Option<Range>,
    },
    /// A number, infinity included.
    Float {
        /// The numbers that are allowed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        range: Option<Range>,
    },
    /// True or false.
    Bool,
    /// One of some values.
    Select {
        /// The values.
        values: Vec<Choice>,
    },
    /// A file that was uploaded.
    File {
        /// Where it is put in the working folder of a run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        target: Option<RelativePath>,
    },
    /// Any number of values of one kind.
    List {
        /// What each of them is.
        para: Box<Parameter>,
    },
    /// A value for each of some fields.
    Record {
        /// The fields.
        fields: Vec<Parameter>,
    },
    /// A step.
    Actor,
}

impl Kind {
    /// The word for it in templates.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Int { .. } => "int",
            Self::Float { .. } => "float",
            Self::Bool => "bool",
            Self::Select { .. } => "select",
            Self::File { .. } => "file",
            Self::List { .. } => "list",
            Self::Record { .. } => "record",
            Self::Actor => "actor",
        }
    }
}

/// A value that can be chosen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Choice {
    /// What people see.
    pub name: String,
    /// What it is: a text, a number, or true or false.
    pub value: Json,
    /// Whether a form shows it as chosen; it is no default of the run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_default: bool,
}

/// A group of parameters in a form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParameterGroup {
    /// Its name, unique in the template.
    pub name: String,
    /// What people see.
    pub title: String,
    /// Where it stands among the others.
    pub index: i64,
}
