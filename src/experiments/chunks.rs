//! The simulated time that a chunk covers.

use chrono::{DateTime, Duration, Months, Utc};

/// From when to when the chunk of this number (from 1) of a simulation that starts at `start` simulates. Months and years
/// are those of the calendar, as Autosubmit counts them. None if the unit is none, or if the time cannot be told.
pub fn bounds(
    start: DateTime<Utc>,
    chunk: i64,
    unit: &str,
    size: i64,
) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let after = |chunks: i64| after(start, chunks.checked_mul(size)?, unit);
    Some((after(chunk.checked_sub(1)?)?, after(chunk)?))
}

fn after(start: DateTime<Utc>, count: i64, unit: &str) -> Option<DateTime<Utc>> {
    let months = |count: i64| {
        let count = u32::try_from(count).ok()?;
        start.checked_add_months(Months::new(count))
    };
    match unit.to_ascii_lowercase().as_str() {
        "hour" => start.checked_add_signed(Duration::try_hours(count)?),
        "day" => start.checked_add_signed(Duration::try_days(count)?),
        "month" => months(count),
        "year" => months(count.checked_mul(12)?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn days(start: &str, chunk: i64, unit: &str, size: i64) -> Option<String> {
        let start = format!("{start}T00:00:00Z").parse().unwrap();
        let (from, to) = bounds(start, chunk, unit, size)?;
        Some(format!("{} {}", from.format("%F"), to.format("%F")))
    }

    #[test]
    fn chunks_follow_the_calendar() {
        for (chunk, unit, size, expected) in [
            (1, "month", 4, "2000-01-01 2000-05-01"),
            (4, "Month", 4, "2001-01-01 2001-05-01"),
            (2, "year", 1, "2001-01-01 2002-01-01"),
            (3, "day", 30, "2000-03-01 2000-03-31"),
            (2, "hour", 36, "2000-01-02 2000-01-04"),
        ] {
            let found = days("2000-01-01", chunk, unit, size);
            assert_eq!(found.as_deref(), Some(expected));
        }
        assert_eq!(days("2000-01-01", 1, "fortnight", 1), None);
        assert_eq!(days("2000-01-01", 0, "month", 1), None);
    }

    proptest! {
        #[test]
        fn any_chunk_ends_after_it_starts(
            chunk: i64, size in 0..i64::MAX, unit in "hour|day|month|year|decade",
        ) {
            if let Some((from, to)) = bounds(DateTime::UNIX_EPOCH, chunk, &unit, size) {
                prop_assert!(from <= to);
            }
        }
    }
}
