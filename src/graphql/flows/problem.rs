//! What is wrong with a template.

use async_graphql::Enum;
use macros::row;

use crate::flows::template::problem::{Code, Problem, Severity};
use crate::graphql::json::json_enums;
use crate::graphql::number::count;

/// How bad a problem is.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq, Hash)]
#[graphql(remote = "Severity")]
pub enum TemplateProblemSeverity {
    /// The template is refused.
    Error,
    /// The template can be used, but something in it may not be meant so.
    Warning,
}

/// Of which kind a problem is.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq, Hash)]
#[graphql(remote = "Code")]
pub enum TemplateProblemCode {
    /// A file is not there, is a link, or cannot be read.
    UnreadableFile,
    /// A file is no YAML, no JSON or no UTF-8.
    Syntax,
    /// A file, or something in it, is larger than it may be.
    TooLarge,
    /// A path leads out of the folder, or cannot be one.
    UnsafePath,
    /// A path is one of no file that will be there.
    UnknownFile,
    /// Something that must be there is not.
    MissingKey,
    /// Nobody reads this key.
    UnknownKey,
    /// A name occurs twice where it may occur once.
    Duplicate,
    /// A value is of another kind than it must be.
    WrongType,
    /// A value is of the right kind and no good all the same.
    InvalidValue,
    /// A reference names no parameter.
    UnknownParameter,
    /// A reference cannot be read, or stands where none is replaced.
    InvalidReference,
    /// A command names a variable that the workflow does not have.
    UnknownVariable,
    /// A parameter that nothing refers to.
    UnusedParameter,
    /// A kind of step that is not run here.
    UnsupportedStep,
    /// No step makes this output, or it is not kept.
    MissingOutput,
    /// There is no such column in the schema of results.
    UnknownColumn,
    /// There is no such group of parameters.
    UnknownGroup,
    /// There are more problems than are told.
    TooManyProblems,
}

json_enums!(TemplateProblemSeverity, TemplateProblemCode);

/// Something that is wrong with a template, and where.
#[derive(Clone)]
pub struct TemplateProblem(pub Problem);

/// Something that is wrong with a template, and where.
#[row]
impl TemplateProblem {
    /// How bad it is.
    fn severity(&self) -> TemplateProblemSeverity {
        self.0.severity.into()
    }

    /// Of which kind it is.
    fn code(&self) -> TemplateProblemCode {
        self.0.code.into()
    }

    /// The file, by its path in the folder of the template.
    fn file(&self) -> &str {
        &self.0.file
    }

    /// Where in the document, such as `workflow.steps[1].action`; empty: the whole of it.
    fn path(&self) -> &str {
        &self.0.path
    }

    /// The line, counted from 1; null: not known.
    fn line(&self) -> Option<i32> {
        self.0.line.map(count)
    }

    /// The column in the line, counted from 1; null: not known.
    fn column(&self) -> Option<i32> {
        self.0.column.map(count)
    }

    /// What is wrong, for a person.
    fn message(&self) -> &str {
        &self.0.message
    }
}
