//! What a domain function answers when it cannot do what it was asked to.

use std::fmt::Display;

use sea_orm::sqlx::{self, sqlite::SqliteError};
use sea_orm::{DbErr, RuntimeErr};

/// The error of a statement whose rows have too much of long texts; it comes as one of the database.
pub(crate) const TOO_LONG: &str =
    "the READMEs and annotations that are asked for have more than 64 MiB; ask for fewer";

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
    /// Too many attempts, or too much under way.
    RateLimited,
    /// It is more than an answer may have.
    TooComplex,
}

/// Why a domain function failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The caller's fault.
    Rejected(Rejection),
    /// The database cannot be reached: told to the log; the caller may try again.
    Unavailable(String),
    /// The database stopped a statement that took too long: told to the log; the caller may ask for less.
    TooSlow(String),
    /// A source that is mirrored cannot be reached: told to the log; the caller may try again.
    SourceUnavailable(String),
    /// The database takes nothing that is written, mostly because its disk is full: told to the log; the caller may try
    /// again.
    Unwritable(String),
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

    /// More is asked for than an answer may have.
    pub fn too_complex(message: impl Into<String>) -> Self {
        Self::rejected(RejectionCode::TooComplex, None, message)
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
        if matches!(&error, DbErr::Custom(message) if message == TOO_LONG) {
            return Self::too_complex(TOO_LONG);
        }
        match Outage::of(&error) {
            Some(Outage::Unreachable) => Self::Unavailable(error.to_string()),
            Some(Outage::Unwritable) => Self::Unwritable(error.to_string()),
            Some(Outage::Stopped) => Self::TooSlow(error.to_string()),
            None => Self::internal(error),
        }
    }
}

/// Why the same statement may go well at another time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outage {
    /// No connection could be had, it broke under the statement, or somebody else holds the database.
    Unreachable,
    /// Nothing can be written.
    Unwritable,
    /// The statement took longer than it may.
    Stopped,
}

impl Outage {
    fn of(error: &DbErr) -> Option<Self> {
        match error {
            DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => Some(Self::Unreachable),
            DbErr::Exec(RuntimeErr::SqlxError(error))
            | DbErr::Query(RuntimeErr::SqlxError(error)) => match error.as_ref() {
                sqlx::Error::Io(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed => Some(Self::Unreachable),
                sqlx::Error::Database(error) => {
                    let code = error.code()?;
                    if error.try_downcast_ref::<SqliteError>().is_some() {
                        Self::of_sqlite(code.parse().ok()?)
                    } else {
                        Self::of_sqlstate(&code)
                    }
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// By an extended result code of SQLite, whose last byte is the primary one
    /// (<https://www.sqlite.org/rescode.html>).
    const fn of_sqlite(code: u32) -> Option<Self> {
        match code & 0xff {
            // BUSY, IOERR, CANTOPEN
            5 | 10 | 14 => Some(Self::Unreachable),
            // READONLY, FULL
            8 | 13 => Some(Self::Unwritable),
            // INTERRUPT
            9 => Some(Self::Stopped),
            _ => None,
        }
    }

    /// By an error code of PostgreSQL (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
    fn of_sqlstate(code: &str) -> Option<Self> {
        match code {
            // too_many_connections, admin_shutdown, crash_shutdown, cannot_connect_now
            "53300" | "57P01" | "57P02" | "57P03" => Some(Self::Unreachable),
            // read_only_sql_transaction (a standby), disk_full
            "25006" | "53100" => Some(Self::Unwritable),
            // query_canceled
            "57014" => Some(Self::Stopped),
            // Connection exceptions.
            _ => code.starts_with("08").then_some(Self::Unreachable),
        }
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rejected(rejection) => f.write_str(&rejection.message),
            Self::Unavailable(inside)
            | Self::TooSlow(inside)
            | Self::SourceUnavailable(inside)
            | Self::Unwritable(inside)
            | Self::Internal(inside) => f.write_str(inside),
        }
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outages_are_told_from_faults() {
        // SQLITE_FULL, SQLITE_READONLY_DBMOVED
        for code in [13, 1032] {
            assert_eq!(Outage::of_sqlite(code), Some(Outage::Unwritable), "{code}");
        }
        // SQLITE_BUSY, SQLITE_IOERR_WRITE, SQLITE_IOERR_SHMSIZE
        for code in [5, 778, 4874] {
            assert_eq!(Outage::of_sqlite(code), Some(Outage::Unreachable), "{code}");
        }
        // SQLITE_ERROR, SQLITE_CONSTRAINT_UNIQUE
        for code in [1, 2067] {
            assert_eq!(Outage::of_sqlite(code), None, "{code}");
        }
        for code in ["08006", "53300", "57P01", "57P02", "57P03"] {
            assert_eq!(
                Outage::of_sqlstate(code),
                Some(Outage::Unreachable),
                "{code}"
            );
        }
        for code in ["25006", "53100"] {
            assert_eq!(
                Outage::of_sqlstate(code),
                Some(Outage::Unwritable),
                "{code}"
            );
        }
        assert_eq!(Outage::of_sqlite(9), Some(Outage::Stopped));
        assert_eq!(Outage::of_sqlstate("57014"), Some(Outage::Stopped));
        for code in ["23505", "42601"] {
            assert_eq!(Outage::of_sqlstate(code), None, "{code}");
        }
    }
}
