//! How a dataset stood in the register.

use chrono::Utc;

use crate::failure::{Failure, RejectionCode};
use crate::time::Millis;

/// How a dataset stood in the register when somebody began to look at it where it lies. What they saw is written only if it
/// still stands so: else somebody has looked since, and may have seen something newer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Before {
    /// It does not matter.
    Any,
    /// It was not registered.
    Absent,
    /// It was registered.
    Registered(Mark),
}

/// By what it is seen that a dataset in the register is the one of before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The fingerprint, if it had been read.
    pub fingerprint: Option<String>,
    /// When it was written, in milliseconds since 1970-01-01 UTC.
    pub updated_at: i64,
}

impl Mark {
    /// By what a row says.
    pub const fn new(fingerprint: Option<String>, updated_at: i64) -> Self {
        Self {
            fingerprint,
            updated_at,
        }
    }

    /// The time at which a row becomes another one, in milliseconds since 1970-01-01 UTC: no two states of a dataset have the
    /// same.
    pub(super) fn next(updated_at: Option<i64>) -> i64 {
        let since = updated_at.map_or(0, |before| before.saturating_add(1));
        Ord::max(Utc::now().millis(), since)
    }

    /// Was it read in the state that has this fingerprint?
    pub fn has(&self, fingerprint: &str) -> bool {
        self.fingerprint.as_deref() == Some(fingerprint)
    }
}

impl Before {
    /// By what a row says, if there is one.
    pub fn of(row: Option<Mark>) -> Self {
        row.map_or(Self::Absent, Self::Registered)
    }

    /// Was it read in the state that has this fingerprint?
    pub fn has(&self, fingerprint: &str) -> bool {
        matches!(self, Self::Registered(before) if before.has(fingerprint))
    }

    /// Fails unless it stands so now.
    ///
    /// # Errors
    /// A conflict.
    pub(super) fn check(&self, now: Option<Mark>) -> Result<(), Failure> {
        if *self == Self::Any || *self == Self::of(now) {
            return Ok(());
        }
        Err(Failure::rejected(
            RejectionCode::Conflict,
            None,
            "it has been changed meanwhile",
        ))
    }
}
