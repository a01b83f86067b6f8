//! What a domain function answers when it cannot do what it was asked to.

use std::fmt::Display;

use sea_orm::{DbErr, RuntimeErr};

/// A failure that the caller can do something about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Of which kind it is.
    pub code: RejectionCode,
    /// The input field at fault.
    pub field: Option<&'static str>,
    /// What is wrong, for a person.
    pub message: String,
}

/// The kinds of rejections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectionCode {
    /// A value cannot be accepted.
    BadInput,
    /// It contradicts what is there.
    Conflict,
    /// What it names does not exist, or not for this caller.
    NotFound,
    /// User name or password is wrong.
    Unauthenticated,
    /// Too many attempts.
    RateLimited,
}

/// Why a domain function failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The caller's fault.
    Rejected(Rejection),
    /// The database cannot be reached: told to the log; the caller may try again.
    Unavailable(String),
    /// Ours: told to the log, hidden from the caller.
    Internal(String),
}

impl Failure {
    /// A rejection.
    pub fn rejected(
        code: RejectionCode,
        field: Option<&'static str>,
        message: impl Into<String>,
    ) -> Self {
        Self::Rejected(Rejection {
            code,
            field,
            message: message.into(),
        })
    }

    /// A value that cannot be accepted.
    pub fn bad_input(field: &'static str, message: impl Into<String>) -> Self {
        Self::rejected(RejectionCode::BadInput, Some(field), message)
    }

    /// A failure of our own.
    pub fn internal(inside: impl Display) -> Self {
        Self::Internal(inside.to_string())
    }
}

impl From<tokio::task::JoinError> for Failure {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::internal(error)
    }
}

impl From<DbErr> for Failure {
    fn from(error: DbErr) -> Self {
        if is_unreachable(&error) {
            Self::Unavailable(error.to_string())
        } else {
            Self::internal(error)
        }
    }
}

/// No connection could be had, or it broke under the statement.
fn is_unreachable(error: &DbErr) -> bool {
    use sea_orm::sqlx::Error;
    match error {
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => true,
        DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error)) => {
            matches!(
                error.as_ref(),
                Error::Io(_) | Error::PoolTimedOut | Error::PoolClosed | Error::WorkerCrashed
            )
        }
        _ => false,
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rejected(rejection) => f.write_str(&rejection.message),
            Self::Unavailable(inside) | Self::Internal(inside) => f.write_str(inside),
        }
    }
}

impl std::error::Error for Failure {}
