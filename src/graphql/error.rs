//! Every failure that a client sees has a code from one fixed list.
//!
//! Resolvers make their errors with [`ErrorCode::error`] or [`internal`]. What still has no code when
//! an answer leaves the executor gets one in [`finish`]:
//!
//! * An error without a path comes from before execution: the parser, the validation and the coercion
//!   of variables set none. It is the client's mistake: `BAD_INPUT`.
//! * An error with a path that async-graphql itself makes when an argument does not fit its type
//!   ([`is_coercion`]) is the client's mistake too.
//! * Anything else escaped a resolver by accident (an error type converted by `?` also keeps its
//!   `source`). Its text may tell about the inside: it goes to the log, and the client sees `INTERNAL`.

use std::any::Any;
use std::fmt::{self, Display};

use async_graphql::{Error, ErrorExtensions, Name, PathSegment, Response, ServerError, Value};
use uuid::Uuid;

/// The closed list of `extensions.code`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// A user is needed, and there is none: log in.
    Unauthenticated,
    /// The user may not do this.
    Forbidden,
    /// What a mutation or a subscription names does not exist, or is hidden from this user.
    NotFound,
    /// The document, its variables or an argument are wrong.
    BadInput,
    /// The state has changed meanwhile: read again.
    Conflict,
    /// The request is larger or deeper than the limits allow.
    TooComplex,
    /// Too many requests: wait.
    RateLimited,
    /// The events after this cursor are no longer kept: query again.
    CursorExpired,
    /// A file or service that the answer needs cannot be read.
    SourceBroken,
    /// The server is too busy, took too long or lacks a part: try again later.
    Unavailable,
    /// A fault of the server; `extensions.errorId` names it in the log.
    Internal,
}

impl ErrorCode {
    /// All codes, in the order of the documentation.
    pub const ALL: [Self; 11] = [
        Self::Unauthenticated,
        Self::Forbidden,
        Self::NotFound,
        Self::BadInput,
        Self::Conflict,
        Self::TooComplex,
        Self::RateLimited,
        Self::CursorExpired,
        Self::SourceBroken,
        Self::Unavailable,
        Self::Internal,
    ];

    /// The code as clients see it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::Forbidden => "FORBIDDEN",
            Self::NotFound => "NOT_FOUND",
            Self::BadInput => "BAD_INPUT",
            Self::Conflict => "CONFLICT",
            Self::TooComplex => "TOO_COMPLEX",
            Self::RateLimited => "RATE_LIMITED",
            Self::CursorExpired => "CURSOR_EXPIRED",
            Self::SourceBroken => "SOURCE_BROKEN",
            Self::Unavailable => "UNAVAILABLE",
            Self::Internal => "INTERNAL",
        }
    }

    /// An error of one field, for resolvers. The client sees the message.
    pub fn error(self, message: impl Into<String>) -> Error {
        Error::new(message).extend_with(|_, extensions| extensions.set("code", self.as_str()))
    }

    /// An error of the whole request. The client sees the message.
    pub fn server_error(self, message: impl Into<String>) -> ServerError {
        with_code(ServerError::new(message, None), self)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Logs a fault and hides it: the client sees `internal error` and an id that finds the log line.
pub fn internal(inside: impl Display) -> Error {
    let id = log(&inside);
    ErrorCode::Internal
        .error(HIDDEN)
        .extend_with(|_, extensions| extensions.set("errorId", id))
}

/// As [`internal`], for the whole request.
pub fn internal_server_error(inside: impl Display) -> ServerError {
    let mut error = ServerError::new(HIDDEN, None);
    hide(&mut error, log(&inside));
    error
}

/// As [`internal_server_error`], for what was thrown by somebody who panicked.
pub fn panicked(who: &str, thrown: &(dyn Any + Send)) -> ServerError {
    let text = thrown
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| thrown.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    internal_server_error(format_args!("{who} panicked: {text}"))
}

/// The code of an error, if it has one.
pub fn code_of(error: &ServerError) -> Option<&str> {
    match error.extensions.as_ref()?.get("code")? {
        Value::String(code) => Some(code),
        _ => None,
    }
}

/// The code as one of the known labels, so that a stray one cannot make new time series.
pub fn label(error: &ServerError) -> &'static str {
    let code = code_of(error).unwrap_or_default();
    let mut known = ErrorCode::ALL.into_iter().map(ErrorCode::as_str);
    known.find(|known| *known == code).unwrap_or("other")
}

/// Gives a code to every error that has none, and hides what escaped a resolver by accident.
pub fn finish(response: &mut Response) {
    for error in &mut response.errors {
        if code_of(error).is_some() {
            continue;
        }
        if error.source.is_none() && (error.path.is_empty() || is_coercion(&error.message)) {
            *error = with_code(error.clone(), ErrorCode::BadInput);
        } else {
            let id = log(&error.message);
            HIDDEN.clone_into(&mut error.message);
            error.source = None;
            hide(error, id);
        }
    }
    if is_refused(response) {
        response.data = Value::Null;
        for error in &mut response.errors {
            error.path.clear();
        }
    }
}

/// Nothing was allowed, because nobody has said who they are: then the whole operation is refused, as a request error,
/// and a client can answer one status by logging in.
fn is_refused(response: &Response) -> bool {
    let failed = |key: &Name| {
        response
            .errors
            .iter()
            .any(|error| match error.path.first() {
                Some(PathSegment::Field(field)) => field == key.as_str(),
                _ => false,
            })
    };
    let nothing = match &response.data {
        Value::Null => true,
        Value::Object(fields) => fields
            .iter()
            .all(|(key, value)| *value == Value::Null && failed(key)),
        _ => false,
    };
    let unauthenticated = Some(ErrorCode::Unauthenticated.as_str());
    nothing
        && !response.errors.is_empty()
        && response
            .errors
            .iter()
            .all(|error| code_of(error) == unauthenticated)
}

/// Whether execution never began (a "request error" of the GraphQL specification): there is no data,
/// and no error belongs to a field. Such an answer has no `data` entry.
pub fn is_request_error(response: &Response) -> bool {
    response.data == Value::Null
        && !response.errors.is_empty()
        && response.errors.iter().all(|error| error.path.is_empty())
}

const HIDDEN: &str = "internal error";

/// The forms of async-graphql's `InputValueError`, which is all that remains of an argument that does
/// not fit its type.
fn is_coercion(message: &str) -> bool {
    [
        "Failed to parse \"",
        "Expected input type \"",
        "Invalid value for argument ",
    ]
    .iter()
    .any(|form| message.starts_with(form))
}

fn with_code(mut error: ServerError, code: ErrorCode) -> ServerError {
    error
        .extensions
        .get_or_insert_default()
        .set("code", code.as_str());
    error
}

fn hide(error: &mut ServerError, id: String) {
    let extensions = error.extensions.get_or_insert_default();
    extensions.set("code", ErrorCode::Internal.as_str());
    extensions.set("errorId", id);
}

fn log(inside: &dyn Display) -> String {
    let id = Uuid::new_v4().simple().to_string();
    tracing::error!(error.id = %id, error = %inside, "internal error");
    id
}
