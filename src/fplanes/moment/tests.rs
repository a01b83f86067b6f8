//! Tests of dates.

use chrono_tz::{America, Asia, Pacific};
use proptest::prelude::*;

use super::*;

fn instant(text: &str) -> String {
    match parse(text) {
        Ok(AskedDate::Instant(instant)) => instant.to_rfc3339(),
        other => panic!("{text}: {other:?}"),
    }
}

fn night(text: &str) -> NaiveDate {
    match parse(text) {
        Ok(AskedDate::Night(night)) => night,
        other => panic!("{text}: {other:?}"),
    }
}

fn midnight_of(text: &str, zone: Tz) -> Option<String> {
    midnight(night(text), zone).map(|midnight| midnight.to_rfc3339())
}

#[test]
fn words_mean_now() {
    for text in ["", "  ", "latest", "current", "LATEST", "now", " current "] {
        assert_eq!(parse(text), Ok(AskedDate::Now), "{text}");
    }
    let now = DateTime::from_timestamp_micros(1_234_567).unwrap();
    assert_eq!(AskedDate::Now.instant(now, Tz::UTC), Ok(Some(now)));
}

#[test]
fn tags_keep_their_names() {
    assert_eq!(parse("tag:hdr3"), Ok(AskedDate::Tag("hdr3".into())));
    let spaced = AskedDate::Tag("Release 4: final".into());
    assert_eq!(parse("tag: Release 4: final "), Ok(spaced.clone()));
    assert_eq!(spaced.instant(DateTime::UNIX_EPOCH, Tz::UTC), Ok(None));
    assert!(parse("tag:").is_err());
    assert!(parse("Tag:x").is_err());
}

#[test]
fn instants_in_every_form() {
    let forms = [
        ("20250115T04:12:33", "2025-01-15T04:12:33+00:00"),
        ("20250115T04:12:33Z", "2025-01-15T04:12:33+00:00"),
        ("2025-01-15T04:12:33", "2025-01-15T04:12:33+00:00"),
        ("2025-01-15T04:12:33.5", "2025-01-15T04:12:33.500+00:00"),
        (
            "2025-01-15T04:12:33.123456789",
            "2025-01-15T04:12:33.123456+00:00",
        ),
        ("20250115T04:12:33.25", "2025-01-15T04:12:33.250+00:00"),
        ("2025-01-15T04:12:33Z", "2025-01-15T04:12:33+00:00"),
        ("2025-01-15t04:12:33z", "2025-01-15T04:12:33+00:00"),
        ("2025-01-15 04:12:33", "2025-01-15T04:12:33+00:00"),
        ("2025-01-14T22:12:33-06:00", "2025-01-15T04:12:33+00:00"),
        (
            "2025-01-15T09:42:33.5+05:30",
            "2025-01-15T04:12:33.500+00:00",
        ),
        ("2016-12-31T23:59:60", "2017-01-01T00:00:00+00:00"),
        ("2016-12-31T23:59:60.5Z", "2017-01-01T00:00:00.500+00:00"),
        ("2024-02-29T00:00:00", "2024-02-29T00:00:00+00:00"),
        ("0001-01-01T00:00:00", "0001-01-01T00:00:00+00:00"),
        (
            "9999-12-31T23:59:59.999999",
            "9999-12-31T23:59:59.999999+00:00",
        ),
    ];
    for (text, expected) in forms {
        assert_eq!(instant(text), expected, "{text}");
    }
}

#[test]
fn what_is_no_date_is_quoted() {
    let unreadable = [
        "yesterday",
        "2025",
        "2025011",
        "202501155",
        "2025-0115",
        "202501-15",
        "20250115T",
        "20250115T04",
        "20250115T04:12",
        "20250115T041233",
        "2025-01-15T04:12:33.",
        "2025-01-15T04:12:33+6",
        "2025-01-15T04:12:33+06:60",
        "2025-01-15T04:12:33+24:00",
        "2025-01-15T04:12:33 UT",
        "15/01/25",
        "1736914353",
        "２０２５０１１５",
        "-20250115",
        "+20250115",
        "2025-01-15T04:12:33Zz",
        "2025–01–15",
    ];
    for text in unreadable {
        assert_eq!(parse(text), Err(DateError::Unreadable(text.into())));
    }
    let missing = [
        "20250230",
        "20250229",
        "20251301",
        "20250100",
        "2025-02-30T00:00:00",
        "2025-01-15T24:00:00",
        "2025-01-15T04:60:00",
        "2025-01-15T04:12:61",
        "2025-01-15T04:12:60",
        "00000101",
        "9999-12-31T23:59:60",
        "0001-01-01T00:00:00+01:00",
    ];
    for text in missing {
        assert_eq!(parse(text), Err(DateError::Missing(text.into())));
    }
    let long = "x".repeat(1_000_000);
    let message = parse(&long).unwrap_err().to_string();
    assert!(message.len() < 400, "{}", message.len());
    assert!(message.contains("\"20250115\""), "{message}");
}

#[test]
fn only_instants_are_instants() {
    assert!(parse_instant("2025-01-15T04:12:33").is_ok());
    for text in ["", "latest", "20250115", "tag:x"] {
        assert!(parse_instant(text).is_err(), "{text}");
    }
}

#[test]
fn a_night_ends_in_the_zone_of_the_telescope() {
    let chicago = Tz::America__Chicago;
    let nights = [
        ("20250115", "2025-01-16T06:00:00+00:00"),
        ("2025-01-15", "2025-01-16T06:00:00+00:00"),
        ("20250715", "2025-07-16T05:00:00+00:00"),
        // Clocks change at two in the morning, after the midnight of the night.
        ("20250308", "2025-03-09T06:00:00+00:00"),
        ("20250309", "2025-03-10T05:00:00+00:00"),
        ("20251101", "2025-11-02T05:00:00+00:00"),
        ("20251102", "2025-11-03T06:00:00+00:00"),
        ("20241231", "2025-01-01T06:00:00+00:00"),
    ];
    for (text, expected) in nights {
        assert_eq!(
            midnight_of(text, chicago).as_deref(),
            Some(expected),
            "{text}"
        );
    }
    assert_eq!(
        midnight_of("20250115", Tz::UTC).unwrap(),
        "2025-01-16T00:00:00+00:00"
    );
}

#[test]
fn midnights_that_clocks_leave_out_or_repeat() {
    // Forward from 0:00 to 1:00.
    let sao_paulo = midnight_of("20181103", America::Sao_Paulo);
    assert_eq!(sao_paulo.unwrap(), "2018-11-04T03:00:00+00:00");
    let beirut = midnight_of("20240330", Asia::Beirut);
    assert_eq!(beirut.unwrap(), "2024-03-30T22:00:00+00:00");
    // Forward from 23:30 to 0:30.
    let toronto = midnight_of("19190330", America::Toronto);
    assert_eq!(toronto.unwrap(), "1919-03-31T04:30:00+00:00");
    // Back from 1:00 to 0:00, so that 0:00 comes twice.
    let havana = midnight_of("20241102", America::Havana);
    assert_eq!(havana.unwrap(), "2024-11-03T04:00:00+00:00");
    // Back from 0:00 to 23:00: the date begins when 23:00 has come a second time and gone.
    let back = midnight_of("20180217", America::Sao_Paulo);
    assert_eq!(back.unwrap(), "2018-02-18T03:00:00+00:00");
}

#[test]
fn a_night_that_a_zone_left_out_does_not_exist() {
    let apia = Pacific::Apia;
    assert_eq!(midnight_of("20111230", apia), None);
    // The night before ends where the date after it begins.
    assert_eq!(
        midnight_of("20111229", apia).unwrap(),
        "2011-12-30T10:00:00+00:00"
    );
    let asked = AskedDate::Night(night("20111230"));
    let message = asked
        .instant(DateTime::UNIX_EPOCH, apia)
        .unwrap_err()
        .to_string();
    assert_eq!(message, "there is no night of 2011-12-30 in Pacific/Apia");
}

#[test]
fn the_last_night_of_the_calendar_is_none() {
    for day in [NaiveDate::MIN, NaiveDate::MAX, night("99991231")] {
        assert_eq!(midnight(day, Tz::America__Chicago), None);
        assert_eq!(
            midnight(day, Asia::Tokyo).filter(|at| at.year() > 9_999),
            None
        );
    }
    assert!(midnight(night("00010101"), Tz::America__Chicago).is_some());
    assert!(midnight(night("99991230"), Pacific::Kiritimati).is_some());
}

proptest! {
    #[test]
    fn no_text_is_too_odd(text in "\\PC{0,40}") {
        let _ = parse(&text);
    }

    #[test]
    fn what_rfc_3339_writes_is_read(seconds in -2_208_988_800_i64..4_102_444_800, micros in 0_u32..1_000_000) {
        let instant = DateTime::from_timestamp(seconds, micros * 1_000).unwrap();
        prop_assert_eq!(parse_instant(&instant.to_rfc3339()), Ok(instant));
        let fits = instant.format("%Y-%m-%dT%H:%M:%S%.6f").to_string();
        prop_assert_eq!(parse_instant(&fits), Ok(instant));
        let basic = instant.format("%Y%m%dT%H:%M:%S").to_string();
        prop_assert_eq!(parse_instant(&basic).unwrap().timestamp(), seconds);
    }

    /// In every zone nights follow one another without gaps, and each has its date just before its midnight.
    #[test]
    fn nights_follow_one_another(zone in 0..chrono_tz::TZ_VARIANTS.len(), day in 0_u64..73_000) {
        let zone = chrono_tz::TZ_VARIANTS[zone];
        let night = NaiveDate::from_ymd_opt(1900, 1, 1).unwrap() + Days::new(day);
        if let Some(midnight) = midnight(night, zone) {
            let date = |instant: DateTime<Utc>| instant.with_timezone(&zone).date_naive();
            prop_assert!(date(midnight) > night);
            prop_assert!(date(midnight - TimeDelta::seconds(1)) <= night);
            let next = super::midnight(night + Days::new(1), zone);
            prop_assert!(next.is_none_or(|next| next > midnight));
        }
    }
}
