//! The text forms of a moment that Autosubmit has used.

use chrono::{DateTime, FixedOffset, Local, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};

/// A moment in one of the forms that Autosubmit writes: date, one of `-`, `T` or a blank, time, perhaps a fraction,
/// perhaps a zone (`Z`, `+0000`, `+00:00`).
///
/// Old rows (`2024-04-12-13:00:40`) are in the local time of the machine that wrote them and do not say which: they
/// are taken as UTC.
pub(crate) fn parse_moment(text: &str) -> Option<DateTime<Utc>> {
    let (local, zone) = split_moment(text)?;
    if zone.is_empty() {
        return Some(local.and_utc());
    }
    let offset = parse_zone(zone)?;
    Some(local.checked_sub_offset(offset)?.and_utc())
}

/// A moment as [`parse_moment`] reads it; none if it does not say its zone.
pub(crate) fn parse_zoned_moment(text: &str) -> Option<DateTime<Utc>> {
    split_moment(text)
        .filter(|(_, zone)| !zone.is_empty())
        .and_then(|_| parse_moment(text))
}

/// A moment as [`parse_moment`] reads it; without a zone it is one on the clock of this machine, as with
/// [`parse_local_digits`].
pub(crate) fn parse_local_moment(text: &str) -> Option<DateTime<Utc>> {
    match split_moment(text)? {
        (local, "") => on_this_clock(local),
        _ => parse_moment(text),
    }
}

/// A start date: `YYYY-MM-DD`, with or without a time; `YYYYMMDD`, `YYYYMMDDHH`, `YYYYMMDDHHMM`. A zone is ignored:
/// model time has none.
pub(crate) fn parse_date(text: &str) -> Option<NaiveDateTime> {
    let text = text.trim();
    if let Some((date, _)) = split_moment(text) {
        return Some(date);
    }
    if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return date.and_hms_opt(0, 0, 0);
    }
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u32>().ok();
    let (hour, minute) = match text.len() {
        8 => (0, 0),
        10 => (number(8, 10)?, 0),
        12 => (number(8, 10)?, number(10, 12)?),
        _ => return None,
    };
    NaiveDate::from_ymd_opt(
        i32::try_from(number(0, 4)?).ok()?,
        number(4, 6)?,
        number(6, 8)?,
    )?
    .and_hms_opt(hour, minute, 0)
}

/// `YYYYMMDDHHMMSS` on the clock of this machine, which is taken to be that of the machine that wrote it. One that the
/// change to winter time makes ambiguous is the first of both.
pub(crate) fn parse_local_digits(digits: &str) -> Option<DateTime<Utc>> {
    on_this_clock(NaiveDateTime::parse_from_str(digits, "%Y%m%d%H%M%S").ok()?)
}

fn on_this_clock(local: NaiveDateTime) -> Option<DateTime<Utc>> {
    let moment = Local.from_local_datetime(&local).earliest()?;
    Some(moment.to_utc())
}

/// Seconds since 1970; 0 and less mean "not yet".
pub(crate) fn from_epoch(seconds: Option<i64>) -> Option<DateTime<Utc>> {
    seconds
        .filter(|seconds| *seconds > 0)
        .and_then(|seconds| DateTime::from_timestamp(seconds, 0))
}

fn split_moment(text: &str) -> Option<(NaiveDateTime, &str)> {
    let text = text.trim();
    let date = NaiveDate::parse_from_str(text.get(..10)?, "%Y-%m-%d").ok()?;
    if !matches!(text.as_bytes().get(10), Some(b'-' | b'T' | b't' | b' ')) {
        return None;
    }
    let time = NaiveTime::parse_from_str(text.get(11..19)?, "%H:%M:%S").ok()?;
    let mut rest = text.get(19..)?;
    if let Some(fraction) = rest.strip_prefix('.') {
        rest = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    Some((date.and_time(time), rest.trim()))
}

fn parse_zone(zone: &str) -> Option<FixedOffset> {
    if zone.eq_ignore_ascii_case("z") {
        return FixedOffset::east_opt(0);
    }
    let sign = match zone.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits: String = zone.get(1..)?.chars().filter(|c| *c != ':').collect();
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = |from: usize, to: usize| digits.get(from..to)?.parse::<i32>().ok();
    let minutes = match digits.len() {
        2 => 0,
        4 => number(2, 4)?,
        _ => return None,
    };
    FixedOffset::east_opt(sign * (number(0, 2)? * 3600 + minutes * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_without_a_zone_is_one_on_this_clock() {
        let now = Local::now();
        let written = now.format("%Y-%m-%d %H:%M:%S%.6f").to_string();
        let read = parse_local_moment(&written).unwrap();
        // The hour that the change to winter time repeats is told from none.
        assert_eq!(
            read.timestamp().rem_euclid(3600),
            now.timestamp().rem_euclid(3600)
        );
        let zoned = parse_local_moment("2026-10-01T10:00:00+02:00").unwrap();
        assert_eq!(zoned.to_rfc3339(), "2026-10-01T08:00:00+00:00");
        assert_eq!(parse_local_moment("yesterday"), None);
    }
}
