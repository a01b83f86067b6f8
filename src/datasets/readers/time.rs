//! Times of dtool: seconds since 1970-01-01 UTC, with a fraction.

use serde_json::Value;

/// The years 1 to 9999, in seconds: what both databases and GraphQL can show.
const FIRST: f64 = -62_135_596_800.0;
const LAST: f64 = 253_402_300_800.0;

/// Microseconds of what JSON says: a number, or a number as text, as it stands in the metadata of objects in buckets and
/// in what clients send.
pub(in crate::datasets) fn micros(value: &Value) -> Result<i64, String> {
    let seconds = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    let seconds = seconds.ok_or_else(|| format!("{value} is no time"))?;
    of_seconds(seconds).ok_or_else(|| format!("{value} lies outside the years 1 to 9999"))
}

/// Microseconds of seconds; none for what lies outside the years 1 to 9999 or is no number.
#[expect(
    clippy::cast_possible_truncation,
    reason = "what is cast has no fraction and lies within ±2.6e17"
)]
pub(super) fn of_seconds(seconds: f64) -> Option<i64> {
    (FIRST..LAST)
        .contains(&seconds)
        .then(|| (seconds * 1e6).round() as i64)
}
