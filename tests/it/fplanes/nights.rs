//! Dates in all their forms, and what held from night to night.

use std::collections::BTreeMap;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::America::Chicago;
use serde_json::{Value, json};

use super::goldens::shared_text;
use super::site::{Site, lines, micros, written};
use crate::support::{Lab, shared_data};

on_both_databases!(
    a_dated_mapping_holds_from_night_to_night,
    dates_have_many_forms,
    nights_straddle_a_change,
);

/// The midnight at the end of the date, where the telescope stands.
fn midnight(night: NaiveDate) -> DateTime<Utc> {
    let next = night.checked_add_days(Days::new(1)).expect("a date");
    let midnight = Chicago.from_local_datetime(&next.and_time(NaiveTime::MIN));
    midnight.single().expect("a midnight").to_utc()
}

/// What is in the slots of a plane.
fn held(plane: &Value) -> BTreeMap<String, [Value; 2]> {
    let slots = plane["slots"].as_array().expect("slots").iter();
    let held = |slot: &Value| [slot["specid"].clone(), slot["ifuid"].clone()];
    slots
        .map(|slot| {
            (
                slot["ifuslot"].as_str().expect("a slot").to_owned(),
                held(slot),
            )
        })
        .collect()
}

async fn a_dated_mapping_holds_from_night_to_night(lab: Lab) {
    let Some(shared) = shared_data() else { return };
    let csv = shared_text(&shared, "ifu_mapping_dated_remedy.csv");
    // What is in each slot since each night, as the table has it.
    let mut nights: BTreeMap<NaiveDate, BTreeMap<String, [Value; 2]>> = BTreeMap::new();
    for row in csv.lines().skip(1) {
        let values: Vec<&str> = row.split(',').collect();
        let [date, specid, ifuslot, ifuid] = values.as_slice() else {
            panic!("{row}");
        };
        let night = NaiveDate::parse_from_str(date, "%Y%m%d").expect("a date");
        let slots = nights.entry(night).or_default();
        slots.insert((*ifuslot).to_owned(), [json!(specid), json!(ifuid)]);
    }
    assert_eq!(nights.len(), 48);

    let site = Site::open(lab).await;
    let input = json!({ "text": csv, "name": "ifu_mapping_dated_remedy.csv" });
    let told = site.told("importFplaneMapping", input.clone()).await;
    assert_eq!(
        (&told["committed"], &told["isRepeated"]),
        (&json!(true), &json!(false))
    );
    let steps = told["steps"].as_array().expect("steps");
    let at: Vec<Option<i64>> = steps
        .iter()
        .map(|step| micros(&step["validFrom"]))
        .collect();
    let expected = nights
        .keys()
        .map(|night| Some(midnight(*night).timestamp_micros()));
    assert_eq!(at, expected.collect::<Vec<_>>());

    // Each night, the instant just before it, and the nights and noons in between.
    let (first, last) = (nights.keys().next(), nights.keys().last());
    let (first, last) = (*first.expect("a night"), *last.expect("a night"));
    let before = first.checked_sub_days(Days::new(3)).expect("a date");
    let mut asked: Vec<(String, NaiveDate)> = Vec::new();
    for night in before
        .iter_days()
        .take_while(|night| *night <= last + Days::new(3))
    {
        let yesterday = night.checked_sub_days(Days::new(1)).expect("a date");
        if nights.contains_key(&night) {
            asked.push((
                written(midnight(night) - TimeDelta::microseconds(1)),
                yesterday,
            ));
            asked.push((night.format("%Y%m%d").to_string(), night));
            asked.push((night.format("%Y-%m-%d").to_string(), night));
        } else if night.format("%d").to_string() == "11" {
            asked.push((night.format("%Y%m%d").to_string(), night));
            asked.push((night.format("%Y%m%dT12:00:00").to_string(), yesterday));
        }
    }
    assert!(asked.len() > 200 && asked.len() <= 1_000, "{}", asked.len());
    let query = "query($at: [String!]!) { fplanes(at: $at) { at fplane { slots { ifuslot specid ifuid active } } } }";
    let dates: Vec<&str> = asked.iter().map(|(date, _)| date.as_str()).collect();
    let data = site.server.data(query, json!({ "at": dates })).await;
    let states = data["fplanes"].as_array().expect("states");
    // Two nights say nothing new: of each other there is one state, and one before all.
    assert!(states.len() <= nights.len() + 1, "{}", states.len());
    let mut planes: BTreeMap<&str, &Value> = BTreeMap::new();
    for state in states {
        for date in state["at"].as_array().expect("dates") {
            planes.insert(date.as_str().expect("a date"), &state["fplane"]);
        }
    }
    for (date, night) in &asked {
        let mut expected = BTreeMap::new();
        for (_, slots) in nights.range(..=*night) {
            expected.extend(slots.clone());
        }
        assert_eq!(held(planes[date.as_str()]), expected, "{date}");
    }

    let again = site.told("importFplaneMapping", input).await;
    assert_eq!(
        (&again["isRepeated"], &again["changes"]),
        (&json!(true), &json!([]))
    );
    assert_eq!(again["warningDetails"][0]["code"], "REPEATED");
}

async fn at(site: &Site, date: Value) -> DateTime<Utc> {
    let query = "query($at: String) { fplane(at: $at) { at } }";
    let data = site.server.data(query, json!({ "at": date })).await;
    data["fplane"]["at"]
        .as_str()
        .expect("a time")
        .parse()
        .expect("a time")
}

async fn dates_have_many_forms(lab: Lab) {
    let site = Site::open(lab).await;
    for (date, expected) in [
        ("20250115", "2025-01-16T06:00:00Z"),
        ("2025-01-15", "2025-01-16T06:00:00Z"),
        (" 20250115 ", "2025-01-16T06:00:00Z"),
        ("20250715", "2025-07-16T05:00:00Z"),
        // Clocks are put forward and back in these nights.
        ("20250308", "2025-03-09T06:00:00Z"),
        ("20250309", "2025-03-10T05:00:00Z"),
        ("20251101", "2025-11-02T05:00:00Z"),
        ("20251102", "2025-11-03T06:00:00Z"),
        ("20241231", "2025-01-01T06:00:00Z"),
        ("20240228", "2024-02-29T06:00:00Z"),
        ("20250115T04:12:33", "2025-01-15T04:12:33Z"),
        ("2025-01-15T04:12:33", "2025-01-15T04:12:33Z"),
        ("2025-01-15T04:12:33.25", "2025-01-15T04:12:33.250Z"),
        ("2025-01-15T04:12:33.123456", "2025-01-15T04:12:33.123456Z"),
        ("2025-01-15 04:12:33", "2025-01-15T04:12:33Z"),
        ("2025-01-15T04:12:33Z", "2025-01-15T04:12:33Z"),
        ("2025-01-14T22:12:33-06:00", "2025-01-15T04:12:33Z"),
    ] {
        let expected: DateTime<Utc> = expected.parse().expect("a time");
        assert_eq!(at(&site, json!(date)).await, expected, "{date}");
    }
    for date in [
        json!(""),
        json!("latest"),
        json!("Current"),
        json!("now"),
        Value::Null,
    ] {
        let before = Utc::now();
        let found = at(&site, date.clone()).await;
        let soon = Utc::now() + TimeDelta::milliseconds(1);
        assert!(
            before - TimeDelta::milliseconds(1) <= found && found <= soon,
            "{date}: {found}"
        );
    }

    let tag = async |name: &str, at: &str, frozen: bool| {
        let query = "mutation($input: TagFplaneInput!) {
            tagFplane(input: $input) { tag { name at frozen } errors { code message } }
        }";
        let input = json!({ "input": { "name": name, "at": at, "frozen": frozen } });
        let data = site.server.data(query, input).await;
        assert_eq!(data["tagFplane"]["errors"], json!([]));
    };
    tag("release-3", "20250115", true).await;
    tag("good", "tag:release-3", false).await;
    let first: DateTime<Utc> = "2025-01-16T06:00:00Z".parse().expect("a time");
    assert_eq!(at(&site, json!("tag:release-3")).await, first);
    assert_eq!(at(&site, json!("tag:good")).await, first);
    tag("good", "20250715", false).await;
    assert_eq!(
        at(&site, json!("tag:good")).await,
        "2025-07-16T05:00:00Z"
            .parse::<DateTime<Utc>>()
            .expect("a time")
    );
    assert_eq!(at(&site, json!("tag:release-3")).await, first);
}

async fn nights_straddle_a_change(lab: Lab) {
    let site = Site::of_any_age(lab).await;
    // Noon in Texas, between the nights of the 15th and the 16th.
    let config = json!({ "__data_time": "20250116T18:00:00", "hardware": [{ "ifuslot": "021", "specid": 315 }] });
    let told = site.update(config).await;
    let change = &told["fplane"]["at"];
    let before = site.plane("20250115", "NOMINAL").await;
    assert_eq!(
        (&before["slots"], &before["validFrom"]),
        (&json!([]), &Value::Null)
    );
    assert_eq!(micros(&before["validUntil"]), micros(change));
    let after = site.plane("20250116", "NOMINAL").await;
    assert_eq!(lines(&after).len(), 1, "{after}");
    assert_eq!(micros(&after["validFrom"]), micros(change));
    assert_eq!(after["validUntil"], Value::Null);
    let query = "{ fplanes(nights: { first: \"20250110\", last: \"20250120\" }) { at } }";
    let data = site.server.data(query, json!({})).await;
    let nights = |from: u32, to: u32| {
        (from..=to)
            .map(|day| format!("202501{day}"))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        data["fplanes"],
        json!([{ "at": nights(10, 15) }, { "at": nights(16, 20) }])
    );
}
