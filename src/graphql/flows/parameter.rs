//! What may be given to runs.

use macros::row;
use serde_json::Value as Json;

use super::enums::ParameterKind;
use crate::flows::parameters::{self, Kind, Range};
use crate::flows::template::path::RelativePath;
use crate::graphql::json_text::JsonText;
use crate::graphql::number::count;
use crate::graphql::rows::Rows;

/// What may be given to a run, or a part of that.
#[derive(Clone)]
pub struct Parameter(pub parameters::Parameter);

/// What may be given to a run, or a part of that.
#[row]
impl Parameter {
    /// Its name, by which arguments name it.
    fn name(&self) -> &str {
        &self.0.name
    }

    /// What it takes.
    fn kind(&self) -> ParameterKind {
        (&self.0.kind).into()
    }

    /// Must a run be given it? If not, it may also be without a value.
    fn required(&self) -> bool {
        self.0.is_required
    }

    /// Its name for people.
    fn label(&self) -> Option<&str> {
        self.0.label.as_deref()
    }

    /// What it means.
    fn help(&self) -> Option<&str> {
        self.0.help.as_deref()
    }

    /// What it is if nothing is given; of a file a path among the files of the template, or where the upload is put. Null: there
    /// is no default.
    fn default_value(&self) -> Option<JsonText> {
        self.0.default_value.as_ref().map(Into::into)
    }

    /// The name of the group that it belongs to in a form; see `Workflow.parameterGroups`.
    fn group(&self) -> Option<&str> {
        self.0.group.as_deref()
    }

    /// Where it stands among the others in a form.
    fn index(&self) -> i32 {
        count(self.0.index)
    }

    /// Of a `SELECT`, the values that can be chosen; of others none.
    fn choices(&self) -> Rows<ParameterChoice> {
        let values = match &self.0.kind {
            Kind::Select { values } => values.as_slice(),
            _ => &[],
        };
        values.iter().cloned().map(ParameterChoice).collect()
    }

    /// Of an `INT` or a `FLOAT`, the numbers that are allowed; null: all are, or it is of another kind.
    fn range(&self) -> Option<ParameterRange> {
        match self.0.kind {
            Kind::Int { range } | Kind::Float { range } => range.map(ParameterRange),
            _ => None,
        }
    }

    /// Of a `FILE`, where it is put in the working folder; null: the argument or the default says so, or it is of another kind.
    fn target(&self) -> Option<&str> {
        match &self.0.kind {
            Kind::File { target } => target.as_ref().map(RelativePath::as_str),
            _ => None,
        }
    }

    /// Of a `LIST`, what each of its values is; null of other kinds.
    fn item(&self) -> Option<Parameter> {
        match &self.0.kind {
            Kind::List { para } => Some(Self(para.as_ref().clone())),
            _ => None,
        }
    }

    /// Of a `RECORD`, what it has; of others none.
    fn fields(&self) -> Rows<Parameter> {
        let fields = match &self.0.kind {
            Kind::Record { fields } => fields.as_slice(),
            _ => &[],
        };
        fields.iter().cloned().map(Self).collect()
    }
}

impl Parameter {
    /// How many objects there are below it: they stand in lists without pages.
    pub(super) fn parts(parameter: &parameters::Parameter) -> usize {
        match &parameter.kind {
            Kind::Select { values } => 1 + values.len(),
            Kind::List { para } => 1 + Self::parts(para),
            Kind::Record { fields } => 1 + fields.iter().map(Self::parts).sum::<usize>(),
            _ => 1,
        }
    }
}

/// A value that can be chosen.
#[derive(Clone)]
pub struct ParameterChoice(parameters::Choice);

/// A value that can be chosen.
#[row]
impl ParameterChoice {
    /// What people see.
    fn name(&self) -> &str {
        &self.0.name
    }

    /// What is given to the run: a text, a number, or true or false.
    fn value(&self) -> JsonText {
        (&self.0.value).into()
    }

    /// Does a form show it as chosen? It is no default of the run.
    fn is_default(&self) -> bool {
        self.0.is_default
    }
}

/// Numbers that are allowed.
pub struct ParameterRange(Range);

/// Numbers that are allowed.
#[row]
impl ParameterRange {
    /// The lower end; null: there is none.
    fn min(&self) -> Option<f64> {
        finite(self.0.low().0)
    }

    /// Is the lower end itself excluded?
    fn min_excluded(&self) -> bool {
        self.0.low().1
    }

    /// The upper end; null: there is none.
    fn max(&self) -> Option<f64> {
        finite(self.0.high().0)
    }

    /// Is the upper end itself excluded?
    fn max_excluded(&self) -> bool {
        self.0.high().1
    }
}

fn finite(number: f64) -> Option<f64> {
    number.is_finite().then_some(number)
}

/// A group of parameters in a form.
#[derive(Clone)]
pub struct ParameterGroup(pub parameters::ParameterGroup);

/// A group of parameters in a form.
#[row]
impl ParameterGroup {
    /// Its name, by which parameters name it.
    fn name(&self) -> &str {
        &self.0.name
    }

    /// What people see.
    fn title(&self) -> &str {
        &self.0.title
    }

    /// Where it stands among the others.
    fn index(&self) -> i32 {
        count(self.0.index)
    }
}

/// The parameters that are stored as a list in JSON: those that a group has of its own.
///
/// # Errors
/// If it is none.
pub(super) fn stored(json: &str) -> serde_json::Result<Vec<parameters::Parameter>> {
    if json.is_empty() {
        return Ok(Vec::new());
    }
    serde_json::from_str(json)
}

/// A value as JSON, if there is one.
pub(super) fn json(value: Option<&Json>) -> Option<JsonText> {
    value.map(Into::into)
}
