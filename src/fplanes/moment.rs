//! Instants as people and programs of the observatory write them.
//!
//! Read are: nothing, `latest`, `current` and `now`; a night, `YYYYMMDD` or `YYYY-MM-DD`; an instant in UT,
//! `YYYYMMDDThh:mm:ss` or `YYYY-MM-DDThh:mm:ss` (the `DATE-OBS` of FITS), with or without a fraction; RFC 3339; and
//! `tag:NAME`.

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

use crate::text::shorten;

/// A date that somebody asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AskedDate {
    /// The present.
    Now,
    /// The midnight of the night that starts on this date, that is, the end of the date, where the telescope stands.
    Night(NaiveDate),
    /// An instant.
    Instant(DateTime<Utc>),
    /// What a tag stands for.
    Tag(String),
}

/// A date that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DateError {
    /// In no form that is read.
    #[error(
        "not a date: {0:?}. A date is \"latest\", a night such as \"20250115\", an instant in UT such as \
         \"20250115T04:12:33\" or \"2025-01-15T04:12:33.25\", RFC 3339, or \"tag:NAME\""
    )]
    Unreadable(String),
    /// In a form that is read, but the calendar or the clock has no such date.
    #[error("there is no such date: {0:?}")]
    Missing(String),
    /// The date was left out where the telescope stands.
    #[error("there is no night of {night} in {zone}")]
    NoNight {
        /// The night that was asked for.
        night: NaiveDate,
        /// The time zone of the telescope.
        zone: Tz,
    },
}

/// What a tag is asked for with.
const TAG: &str = "tag:";

/// How much of a date is quoted, in characters.
const QUOTED: usize = 60;

/// Reads a date in any of the forms.
pub fn parse(text: &str) -> Result<AskedDate, DateError> {
    let text = text.trim();
    let is_word = |word: &&str| text.eq_ignore_ascii_case(word);
    if ["", "latest", "current", "now"].iter().any(is_word) {
        return Ok(AskedDate::Now);
    }
    if let Some(name) = text.strip_prefix(TAG) {
        return match name.trim() {
            "" => Err(unreadable(text)),
            name => Ok(AskedDate::Tag(name.into())),
        };
    }
    match split(text).ok_or_else(|| unreadable(text))? {
        (date, None) => date
            .night()
            .map(AskedDate::Night)
            .ok_or_else(|| missing(text)),
        (date, Some(clock)) => date
            .at(&clock)
            .map(AskedDate::Instant)
            .ok_or_else(|| missing(text)),
    }
}

/// Reads an instant: no night, no word, no tag.
pub fn parse_instant(text: &str) -> Result<DateTime<Utc>, DateError> {
    match parse(text)? {
        AskedDate::Instant(instant) => Ok(instant),
        AskedDate::Now | AskedDate::Night(_) | AskedDate::Tag(_) => Err(unreadable(text)),
    }
}

impl AskedDate {
    /// The instant that it stands for, with `now` and the time zone of the telescope; none for a tag.
    pub fn instant(
        &self,
        now: DateTime<Utc>,
        zone: Tz,
    ) -> Result<Option<DateTime<Utc>>, DateError> {
        match self {
            Self::Now => Ok(Some(now)),
            Self::Instant(instant) => Ok(Some(*instant)),
            Self::Tag(_) => Ok(None),
            Self::Night(night) => {
                let none = DateError::NoNight {
                    night: *night,
                    zone,
                };
                midnight(*night, zone).map(Some).ok_or(none)
            }
        }
    }
}

/// The midnight of the night that starts on this date: the instant at which the next date begins in the zone. None: the
/// zone left the date out.
///
/// Where clocks are put forward over midnight the next date begins when that is done; where they are put back to midnight
/// it begins the first time.
pub fn midnight(night: NaiveDate, zone: Tz) -> Option<DateTime<Utc>> {
    let starts = start(night, zone)?;
    if zone.from_utc_datetime(&starts.naive_utc()).date_naive() != night {
        return None;
    }
    start(night.checked_add_days(Days::new(1))?, zone).filter(is_writable)
}

/// Can it be written in RFC 3339, which has four digits for the year?
fn is_writable(instant: &DateTime<Utc>) -> bool {
    (1..=9_999).contains(&instant.year())
}

/// The first instant at which a clock in the zone shows this date or a later one.
fn start(date: NaiveDate, zone: Tz) -> Option<DateTime<Utc>> {
    let midnight = date.and_time(NaiveTime::MIN);
    if let Some(found) = zone.from_local_datetime(&midnight).earliest() {
        return Some(found.to_utc());
    }
    // Clocks never showed it. No zone is further from UT than this, and none changes twice in this time.
    let reach = TimeDelta::hours(30);
    let is_over = |instant: DateTime<Utc>| {
        let offset = zone.offset_from_utc_datetime(&instant.naive_utc()).fix();
        let shown = instant
            .naive_utc()
            .checked_add_signed(TimeDelta::seconds(offset.local_minus_utc().into()));
        shown.is_none_or(|shown| shown >= midnight)
    };
    let mut before = midnight.and_utc().checked_sub_signed(reach)?;
    let mut after = midnight.and_utc().checked_add_signed(reach)?;
    while after - before > TimeDelta::seconds(1) {
        let middle = before + TimeDelta::seconds((after - before).num_seconds() / 2);
        if is_over(middle) {
            after = middle;
        } else {
            before = middle;
        }
    }
    Some(after)
}

/// The numbers of a date.
#[derive(Clone, Copy)]
struct Date {
    year: u32,
    month: u32,
    day: u32,
}

/// The numbers of a time, and how far its clock is ahead of UT.
struct Clock {
    hour: u32,
    minute: u32,
    second: u32,
    micros: u32,
    ahead: TimeDelta,
}

impl Date {
    fn night(self) -> Option<NaiveDate> {
        let year = i32::try_from(self.year).ok()?;
        NaiveDate::from_ymd_opt(year, self.month, self.day).filter(|_| year >= 1)
    }

    fn at(self, clock: &Clock) -> Option<DateTime<Utc>> {
        // A leap second, which FITS and RFC 3339 allow, is the second after it, as in every count of seconds since 1970.
        let is_leap = (clock.minute, clock.second) == (59, 60);
        let second = if is_leap { 59 } else { clock.second };
        let time = NaiveTime::from_hms_micro_opt(clock.hour, clock.minute, second, clock.micros)?;
        let shown = self.night()?.and_time(time);
        let extra = TimeDelta::seconds(i64::from(is_leap));
        let ut = shown
            .checked_sub_signed(clock.ahead)?
            .checked_add_signed(extra)?;
        Some(ut.and_utc()).filter(is_writable)
    }
}

/// The numbers in a date with or without a time; none: in no form that is read.
fn split(text: &str) -> Option<(Date, Option<Clock>)> {
    let mut rest = Rest(text.as_bytes());
    let year = rest.number(4)?;
    let has_dashes = rest.skip(b"-");
    let month = rest.number(2)?;
    if has_dashes && !rest.skip(b"-") {
        return None;
    }
    let day = rest.number(2)?;
    let date = Date { year, month, day };
    // Clients have read nights from tables as numbers with a fraction, and ask for `20190101.0`.
    if rest.0.is_empty() || (rest.0 == b".0" && !has_dashes) {
        return Some((date, None));
    }
    if !rest.skip(b"Tt ") {
        return None;
    }
    let hour = rest.number(2)?;
    let minute = rest.skip(b":").then(|| rest.number(2))??;
    let second = rest.skip(b":").then(|| rest.number(2))??;
    let micros = if rest.skip(b".") { rest.micros()? } else { 0 };
    let ahead = rest.zone()?;
    let clock = Clock {
        hour,
        minute,
        second,
        micros,
        ahead,
    };
    rest.0.is_empty().then_some((date, Some(clock)))
}

/// What is left of a text.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    /// Takes a byte, if it is one of these.
    fn skip(&mut self, one_of: &[u8]) -> bool {
        match self.0.split_first() {
            Some((first, rest)) if one_of.contains(first) => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    fn digit(&mut self) -> Option<u32> {
        let (first, rest) = self.0.split_first()?;
        let digit = char::from(*first).to_digit(10)?;
        self.0 = rest;
        Some(digit)
    }

    /// Takes a number of so many digits.
    fn number(&mut self, digits: usize) -> Option<u32> {
        (0..digits).try_fold(0, |number, _| Some(number * 10 + self.digit()?))
    }

    /// Takes the digits of a fraction. What is finer than a microsecond is left off.
    fn micros(&mut self) -> Option<u32> {
        let (mut micros, mut unit) = (self.digit()? * 100_000, 10_000);
        while let Some(digit) = self.digit() {
            micros += digit * unit;
            unit /= 10;
        }
        Some(micros)
    }

    /// Takes `Z`, an offset, or nothing, which is UT.
    fn zone(&mut self) -> Option<TimeDelta> {
        if self.0.is_empty() || self.skip(b"Zz") {
            return Some(TimeDelta::zero());
        }
        let is_behind = self.0.first() == Some(&b'-');
        if !self.skip(b"+-") {
            return None;
        }
        let hours = self.number(2)?;
        let minutes = self.skip(b":").then(|| self.number(2))??;
        if hours > 23 || minutes > 59 {
            return None;
        }
        let ahead = TimeDelta::minutes(i64::from(hours * 60 + minutes));
        Some(if is_behind { -ahead } else { ahead })
    }
}

fn unreadable(text: &str) -> DateError {
    DateError::Unreadable(shorten(text, QUOTED))
}

fn missing(text: &str) -> DateError {
    DateError::Missing(shorten(text, QUOTED))
}

#[cfg(test)]
mod tests;
