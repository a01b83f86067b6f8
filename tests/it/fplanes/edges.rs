//! For how long a plane is as it is: to the microsecond, and no shorter than it looks the same.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::site::{Site, lines, micros, written};
use crate::support::Lab;

on_both_databases!(
    a_plane_holds_to_the_microsecond,
    what_is_not_seen_ends_no_plane
);

fn unit(specid: &str) -> Value {
    json!([{ "ifuslot": "013", "ifuid": "043", "specid": specid }])
}

async fn plane(site: &Site, at: DateTime<Utc>, positions: &str) -> Value {
    site.plane(&written(at), positions).await
}

async fn a_plane_holds_to_the_microsecond(lab: Lab) {
    let site = Site::of_any_age(lab).await;
    let first: DateTime<Utc> = "2024-01-05T06:00:00.000001Z".parse().expect("a time");
    let second: DateTime<Utc> = "2024-01-05T06:00:00.000003Z".parse().expect("a time");
    for (at, specid) in [(second, "402"), (first, "401")] {
        site.update(json!({ "__data_time": written(at), "hardware": unit(specid) }))
            .await;
    }
    let micro = TimeDelta::microseconds(1);
    for (at, from, until, specid) in [
        (first - micro, None, Some(first), None),
        (first, Some(first), Some(second), Some("401")),
        (second - micro, Some(first), Some(second), Some("401")),
        (second, Some(second), None, Some("402")),
        (
            second + TimeDelta::days(9_000),
            Some(second),
            None,
            Some("402"),
        ),
    ] {
        let found = plane(&site, at, "NOMINAL").await;
        assert_eq!(micros(&found["at"]), Some(at.timestamp_micros()));
        let range = (micros(&found["validFrom"]), micros(&found["validUntil"]));
        let expected = (
            from.map(|it| it.timestamp_micros()),
            until.map(|it| it.timestamp_micros()),
        );
        assert_eq!(range, expected, "{at}");
        assert_eq!(found["slots"][0]["specid"], json!(specid), "{at}");
    }
}

/// Facts that a plane does not show: where a slot is in which nothing is, and that a slot is where the grid has it anyway.
async fn what_is_not_seen_ends_no_plane(lab: Lab) {
    let site = Site::of_any_age(lab).await;
    let start: DateTime<Utc> = "2024-01-05T00:00:00Z".parse().expect("a time");
    let day = |days: i64| start + TimeDelta::days(days);
    site.update(json!({ "__data_time": written(day(0)), "hardware": unit("401") }))
        .await;
    let list = json!({ "text": "021 -349.910 350.210\n", "validFrom": written(day(1)) });
    site.told("importFplanePositions", list).await;
    let file = json!({
        "text": "013 -450.000 150.000 401 000 043 0.000 1.000\n", "validFrom": written(day(2)), "unlisted": "KEEP",
    });
    site.told("importFplane", file).await;
    site.update(json!({ "__data_time": written(day(3)), "hardware": unit("402") }))
        .await;
    for positions in ["NOMINAL", "MEASURED"] {
        let mut at = day(0);
        loop {
            let here = plane(&site, at, positions).await;
            let Some(until) = micros(&here["validUntil"]) else {
                break;
            };
            let until = DateTime::from_timestamp_micros(until).expect("a time");
            let before = plane(&site, until - TimeDelta::microseconds(1), positions).await;
            let there = plane(&site, until, positions).await;
            assert_eq!(lines(&before), lines(&here), "{positions} {at}");
            assert_ne!(
                lines(&there),
                lines(&here),
                "{positions}: nothing is seen to change at {until}"
            );
            assert_eq!(there["validFrom"], here["validUntil"]);
            at = until;
        }
        assert_eq!(at, day(3), "{positions}");
    }
}
