//! Moments as people write them in queries.

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use serde_json::Value;

use super::values;

/// A moment in MongoDB's extended JSON: the value of `$date`.
pub(super) fn extended_moment(date: &Value) -> Option<i64> {
    match date {
        Value::String(text) => moment(text),
        Value::Number(number) => Some(microseconds(values::plain(number) / 1e3)),
        Value::Object(object) => {
            let long = object.get("$numberLong")?.as_str()?;
            long.parse::<i64>().ok()?.checked_mul(1_000)
        }
        _ => None,
    }
}

/// A moment in ISO 8601: a time with or without an offset (then UTC), or a day.
pub(super) fn moment(text: &str) -> Option<i64> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.timestamp_micros());
    }
    for format in [
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%d %H:%M:%S%.f",
        "%Y-%m-%dT%H:%M",
    ] {
        if let Ok(time) = NaiveDateTime::parse_from_str(text, format) {
            return Some(time.and_utc().timestamp_micros());
        }
    }
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    Some(day.and_hms_opt(0, 0, 0)?.and_utc().timestamp_micros())
}

/// Seconds as microseconds.
#[expect(
    clippy::cast_possible_truncation,
    reason = "what is out of range is the first or the last moment"
)]
pub(super) fn microseconds(seconds: f64) -> i64 {
    (seconds * 1e6).round() as i64
}
