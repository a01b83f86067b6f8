//! What is wrong with a template, and where.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::tree::Position;
use crate::text::shorten;

/// The most problems that are told of one template.
const MOST: usize = 100;
/// The longest message, in characters.
const LONGEST: usize = 500;

/// Something that is wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Whether the template can be used all the same.
    pub severity: Severity,
    /// What kind of problem it is.
    pub code: Code,
    /// The file, by its path in the folder of the template.
    pub file: String,
    /// Where in the document: `workflow.steps[1].action`; empty for the whole of it.
    pub path: String,
    /// The line, counted from 1, where it is known.
    pub line: Option<u32>,
    /// The column in the line, counted from 1, where it is known.
    pub column: Option<u32>,
    /// What is wrong, for people.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
            if let Some(column) = self.column {
                write!(f, ":{column}")?;
            }
        }
        if !self.path.is_empty() {
            write!(f, ": {}", self.path)?;
        }
        write!(f, ": {}", self.message)
    }
}

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Severity {
    /// The template is refused.
    Error,
    /// The template can be used, but something in it may not be meant so.
    Warning,
}

/// The kinds of problems.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Code {
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

impl Code {
    /// The name that programs see: `UNKNOWN_PARAMETER`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnreadableFile => "UNREADABLE_FILE",
            Self::Syntax => "SYNTAX",
            Self::TooLarge => "TOO_LARGE",
            Self::UnsafePath => "UNSAFE_PATH",
            Self::UnknownFile => "UNKNOWN_FILE",
            Self::MissingKey => "MISSING_KEY",
            Self::UnknownKey => "UNKNOWN_KEY",
            Self::Duplicate => "DUPLICATE",
            Self::WrongType => "WRONG_TYPE",
            Self::InvalidValue => "INVALID_VALUE",
            Self::UnknownParameter => "UNKNOWN_PARAMETER",
            Self::InvalidReference => "INVALID_REFERENCE",
            Self::UnknownVariable => "UNKNOWN_VARIABLE",
            Self::UnusedParameter => "UNUSED_PARAMETER",
            Self::UnsupportedStep => "UNSUPPORTED_STEP",
            Self::MissingOutput => "MISSING_OUTPUT",
            Self::UnknownColumn => "UNKNOWN_COLUMN",
            Self::UnknownGroup => "UNKNOWN_GROUP",
            Self::TooManyProblems => "TOO_MANY_PROBLEMS",
        }
    }
}

/// Problems as they are found.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    noted: Vec<(Position, Problem)>,
    errors: usize,
    left_out: usize,
}

impl Problems {
    /// Notes an error.
    pub fn error(&mut self, at: &Position, code: Code, message: impl Into<String>) {
        self.errors += 1;
        self.note(at, Severity::Error, code, &message.into());
    }

    /// Notes a warning.
    pub fn warning(&mut self, at: &Position, code: Code, message: impl Into<String>) {
        self.note(at, Severity::Warning, code, &message.into());
    }

    /// Notes an error of a file whose place is known already.
    pub fn syntax(&mut self, at: &Position, place: Option<(usize, usize)>, message: &str) {
        self.errors += 1;
        self.note(at, Severity::Error, Code::Syntax, message);
        if let (Some((line, column)), Some((_, problem))) = (place, self.noted.last_mut()) {
            problem.line = u32::try_from(line).ok();
            problem.column = u32::try_from(column).ok();
        }
    }

    fn note(&mut self, at: &Position, severity: Severity, code: Code, message: &str) {
        if self.noted.len() >= MOST {
            self.left_out += 1;
            return;
        }
        let problem = Problem {
            severity,
            code,
            file: at.file().to_owned(),
            path: at.to_string(),
            line: None,
            column: None,
            message: shorten(message, LONGEST),
        };
        self.noted.push((at.clone(), problem));
    }

    /// How many errors were found so far.
    pub fn errors(&self) -> usize {
        self.errors
    }

    /// All problems, with their lines as `place` knows them.
    pub fn finish(
        self,
        mut place: impl FnMut(&Position) -> Option<(usize, usize)>,
    ) -> Vec<Problem> {
        let mut problems = Vec::with_capacity(self.noted.len());
        for (at, mut problem) in self.noted {
            if problem.line.is_none()
                && let Some((line, column)) = place(&at)
            {
                problem.line = u32::try_from(line).ok();
                problem.column = u32::try_from(column).ok();
            }
            problems.push(problem);
        }
        if self.left_out > 0
            && let Some(last) = problems.last()
        {
            // What is left out may hold errors even if nothing that is told does.
            let severity = if self.errors > 0 {
                Severity::Error
            } else {
                Severity::Warning
            };
            problems.push(Problem {
                severity,
                code: Code::TooManyProblems,
                file: last.file.clone(),
                path: String::new(),
                line: None,
                column: None,
                message: format!("{} more problems are not told", self.left_out),
            });
        }
        problems
    }
}
