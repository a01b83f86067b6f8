//! Durations in configuration files as people write them: `"30s"`, `"5m"`, `"250ms"`.
//!
//! Use as `#[serde(with = "crate::human_duration")]` on a [`Duration`].

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

/// Writes the duration in the form that [`deserialize`] reads.
pub fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_duration(*value))
}

/// Reads a duration with its unit; a bare number is an error, because its unit would be a guess.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    humantime::parse_duration(&text).map_err(D::Error::custom)
}
