//! Times as the database keeps them: milliseconds since 1970-01-01 UTC, which both databases sort and compare alike; those
//! that dtool recorded and those of focal planes are microseconds.

use chrono::{DateTime, Utc};

/// A time that can be stored.
pub trait Millis {
    /// Milliseconds since 1970-01-01 UTC.
    fn millis(&self) -> i64;
}

impl Millis for DateTime<Utc> {
    fn millis(&self) -> i64 {
        self.timestamp_millis()
    }
}

/// A time that can be stored in microseconds.
pub trait Micros {
    /// Microseconds since 1970-01-01 UTC.
    fn micros(&self) -> i64;
}

impl Micros for DateTime<Utc> {
    fn micros(&self) -> i64 {
        self.timestamp_micros()
    }
}

/// The time that was stored; none when the number is no time.
pub fn from_millis(millis: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(millis)
}

/// The time that was stored in microseconds; none when the number is no time.
pub fn from_micros(micros: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_micros(micros)
}
