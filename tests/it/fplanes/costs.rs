//! What operations on focal planes cost in statements: the same for a slot and for all of them, for a night and for a year,
//! for the first page and for a large one.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::observatory::{Observatory, file_with, generate, message, minutes_ago, unit};
use crate::statements::cost;
use crate::support::{Lab, Socket};

on_both_databases!(
    a_plane_costs_the_same_whatever_of_it_is_asked_for,
    pages_of_history_do_not_cost_by_the_row,
    a_message_costs_the_same_for_one_slot_and_for_all,
    who_listens_costs_what_they_ask_for,
);

const FIRST: &str = "2025-01-11T06:00:00Z";

/// The statements of a plane, and of many planes by what was known at one time: what is where, and for how long.
pub const PLANE: i64 = 1;

impl Observatory {
    /// The statements of an operation, and its data.
    async fn costs(&self, query: &str, variables: Value) -> (i64, Value) {
        let body = json!({ "query": query, "variables": variables });
        cost(&self.server, &body).await
    }

    /// As many nights as that, from the first on, each with another plane.
    async fn nights(&self, count: u32) {
        let mut list = "date,specid,ifuslot,ifuid\n".to_owned();
        for number in 0..count {
            let night = chrono::NaiveDate::from_ymd_opt(2025, 2, 1).expect("a date");
            let night = night + TimeDelta::days(i64::from(number));
            let (night, specid) = (night.format("%Y%m%d"), 100 + number);
            list.push_str(&format!("{night},{specid},013,001\n"));
        }
        let input = json!({ "text": list });
        self.tell("importFplaneMapping", input).await;
    }

    async fn tag(&self, name: &str, at: &str) {
        let query =
            "mutation($input: TagFplaneInput!) { tagFplane(input: $input) { errors { message } } }";
        let input = json!({ "name": name, "at": at, "frozen": true });
        let data = self.server.data(query, json!({ "input": input })).await;
        assert_eq!(data["tagFplane"]["errors"], json!([]));
    }
}

async fn a_plane_costs_the_same_whatever_of_it_is_asked_for(lab: Lab) {
    let observatory = Observatory::open(lab).await;
    observatory.import(FIRST).await;
    observatory.nights(40).await;
    for (name, at) in [("a", "20250110"), ("b", "20250201"), ("c", "20250202")] {
        observatory.tag(name, at).await;
    }
    for below in [
        "at",
        "id validFrom validUntil slots { ifuslot specid x y }",
        "text",
        "text(full: false)",
        "svg",
        "svg(positionAngle: 20)",
        "sky(ra: 205.5, dec: 28.4, positionAngle: 257.6) { ifuslot ra dec }",
        "covering(ra: 205.5, dec: 28.4, positionAngle: 257.6, targetRa: 205.5, targetDec: 28.5) { x slots { ifuslot } }",
        "slot(ifuslot: \"013\") { specid }
         slots(filter: { active: true }) { ifuslot } text svg
         sky(ra: 205.5, dec: 28.4, positionAngle: 257.6, convention: REMEDY) { ra dec }",
    ] {
        for arguments in [
            "",
            "(at: \"20250110\")",
            "(at: \"20250204T04:12:33\", positions: MEASURED)",
            "(at: \"20250204\", knownAt: \"2026-01-01T00:00:00Z\")",
        ] {
            let query = format!("{{ fplane{arguments} {{ {below} }} }}");
            let (count, data) = observatory.costs(&query, json!({})).await;
            assert_eq!(count, PLANE, "{query} {data}");
        }
    }
    for (query, statements) in [
        // The tag, too.
        ("{ fplane(at: \"tag:a\") { text } }", PLANE + 1),
        // The other plane, too.
        (
            "{ fplane(at: \"20250205\") { svg(since: \"20250201\") } }",
            2 * PLANE,
        ),
        (
            "{ fplaneDiff(from: \"20250201\", to: \"20250210\") { ifuslot change } }",
            2 * PLANE,
        ),
        (
            "{ fplaneDiff(from: \"tag:a\", to: \"tag:b\") { ifuslot change } }",
            2 * (PLANE + 1),
        ),
        // The tags, and who made them.
        (
            "{ fplane(at: \"20250110\") { tags { name createdBy { username } } } }",
            PLANE + 2,
        ),
        ("{ fplaneTags { name createdBy { username } } }", 2),
        ("{ fplaneTag(name: \"a\") { name at } }", 2),
        ("{ fplaneIds(kind: SPECID) }", 1),
    ] {
        let (count, data) = observatory.costs(query, json!({})).await;
        assert_eq!(count, statements, "{query} {data}");
    }

    let nights =
        "query($nights: FplaneNights, $at: [String!]) { fplanes(nights: $nights, at: $at) {
        at fplane { validFrom validUntil slots { ifuslot specid } tags { name } }
    } }";
    for (last, states) in [("20250201", 1), ("20250210", 10), ("20260131", 40)] {
        let variables = json!({ "nights": { "first": "20250201", "last": last } });
        let (count, data) = observatory.costs(nights, variables).await;
        assert_eq!(data["fplanes"].as_array().expect("states").len(), states);
        // As for one plane, and two for all tags.
        assert_eq!(count, PLANE + 2, "{last}");
    }
    // What was known at different times are different questions; tags of one time are one.
    let tags: Vec<String> = ["a", "b", "c"].map(|name| format!("tag:{name}")).into();
    let (count, data) = observatory
        .costs(
            "query($at: [String!]) { fplanes(at: $at) { at fplane { text } } }",
            json!({ "at": tags }),
        )
        .await;
    assert_eq!(data["fplanes"].as_array().expect("states").len(), 3);
    assert_eq!(count, PLANE + 1);
}

async fn pages_of_history_do_not_cost_by_the_row(lab: Lab) {
    let observatory = Observatory::open(lab).await;
    observatory.import(FIRST).await;
    observatory.nights(200).await;
    // More than one brings something.
    observatory.lab.user("grace", &[]);
    let grace = observatory.lab.token("grace");
    let headers = [("authorization", format!("Bearer {grace}"))];
    let headers = headers
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let update = "mutation($input: UpdateFplaneInput!) { updateFplane(input: $input) { errors { message } } }";
    let config = message(minutes_ago(5), &[unit("013", "399")]);
    let input = json!({ "input": { "config": config } });
    let (_, answer) = observatory.server.ask_as(&headers, update, input).await;
    assert_eq!(answer["data"]["updateFplane"]["errors"], json!([]));

    let with_people =
        "query($first: Int) { fplaneHistory(ifuslot: \"013\", layers: [MAPPING], first: $first) {
        totalCount pageInfo { hasNextPage endCursor }
        nodes { validFrom validUntil ifuid specid x y active recordedAt recordedBy { username }
            source { kind name author content recordedBy { username displayName } } }
    } }";
    let edges = "query($first: Int) { fplaneHistory(withSuperseded: true, first: $first) {
        edges { cursor node { specid source { recordedBy { username } } } }
    } }";
    let bare = "query($first: Int) { fplaneHistory(ifuid: \"1\", first: $first) { nodes { specid recordedAt } } }";
    let backwards = "query($first: Int) { fplaneHistory(specid: \"399\", last: $first) {
        totalCount nodes { ifuslot recordedBy { username } }
    } }";
    let sources = "query($first: Int) { fplaneSources(first: $first) {
        totalCount nodes { kind author digest content recordedBy { username } }
    } }";
    let only_sources = "query($first: Int) { fplaneSources(first: $first, kinds: [STATUS, MAPPING]) { nodes { content } } }";
    for (query, statements) in [
        // The page, the total, its sources, who brought them.
        (with_people, 4),
        (edges, 3),
        (bare, 1),
        (backwards, 4),
        // The page, the total, who brought them.
        (sources, 3),
        (only_sources, 1),
    ] {
        for first in [1, 10, 200, 500] {
            let (count, data) = observatory.costs(query, json!({ "first": first })).await;
            assert_eq!(count, statements, "{first}: {query}\n{data}");
        }
    }
    let (_, data) = observatory
        .costs(with_people, json!({ "first": 500 }))
        .await;
    // The file, 200 nights, the message.
    assert_eq!(data["fplaneHistory"]["totalCount"], 202);
    let nodes = data["fplaneHistory"]["nodes"].as_array().expect("nodes");
    let people = |place: usize| nodes[place]["recordedBy"]["username"].clone();
    assert_eq!([people(0), people(201)], ["ada", "grace"]);
    let id = &observatory
        .server
        .data("{ fplaneSources(first: 1) { nodes { id } } }", json!({}))
        .await["fplaneSources"]["nodes"][0]["id"];
    let source = "query($id: ID!) { fplaneSource(id: $id) { content recordedBy { username } } }";
    let (count, data) = observatory.costs(source, json!({ "id": id })).await;
    assert_eq!(
        (count, &data["fplaneSource"]["recordedBy"]["username"]),
        (2, &json!("grace"))
    );
}

async fn a_message_costs_the_same_for_one_slot_and_for_all(lab: Lab) {
    let observatory = Observatory::open(lab).await;
    observatory.import(FIRST).await;
    let units = || generate::UNIT_SLOTS.iter().map(String::as_str);
    let all = |at, first: usize, count: usize| {
        let hardware = units().take(count).enumerate();
        let hardware = hardware.map(|(place, slot)| unit(slot, &format!("{}", first + place)));
        message(at, &hardware.collect::<Vec<Value>>())
    };
    let start = minutes_ago(300);
    // Every slot has been told of by a message once, so that nothing is new about its tracks.
    observatory.update(&all(start, 100, 78)).await;
    let mut told = 0;
    let mut costs = async |count: usize, commit: bool| {
        let mut least = i64::MAX;
        // An event may get its position meanwhile, and the least of some tries leaves that out.
        for _ in 0..5 {
            told += 1;
            let at = start + TimeDelta::minutes(told);
            let first = 100 + usize::try_from(told).expect("a few") * 7;
            let config = all(at, first, count);
            let before = observatory.server.statements().await;
            let input = json!({ "config": config, "commit": commit });
            let answer = observatory.tell("updateFplane", input).await;
            let after = observatory.server.statements().await;
            assert_eq!(answer["committed"], commit);
            let changes = answer["changes"].as_array().expect("changes").len();
            assert_eq!(changes, count);
            least = least.min(after - before);
        }
        least
    };
    let (one, many) = (costs(1, true).await, costs(78, true).await);
    // After a short one the event may have its position each time before it is counted, after a long one never.
    assert!((one - many).abs() <= 1, "{one} {many}");
    assert!(many <= 24, "{many}");
    let (one, many) = (costs(1, false).await, costs(78, false).await);
    assert_eq!(one, many);
    assert!(many <= 23, "{many}");

    // A whole plane, and one that comes late, cost little more.
    let import = async |text: String, valid_from: String| {
        let input = json!({ "text": text, "validFrom": valid_from });
        let before = observatory.server.statements().await;
        observatory.tell("importFplane", input).await;
        observatory.server.statements().await - before
    };
    let late = import(
        file_with(&[("013", "399")]),
        "2025-03-01T00:00:00".to_owned(),
    )
    .await;
    assert!(late <= 30, "{late}");
    let at = start + TimeDelta::minutes(290);
    let whole = import(file_with(&[("013", "398")]), at.to_rfc3339()).await;
    assert!(whole <= 26, "{whole}");
}

async fn who_listens_costs_what_they_ask_for(lab: Lab) {
    const UPDATES: i64 = 40;
    let observatory = Observatory::open(lab).await;
    observatory.import(FIRST).await;
    let after = observatory.cursor().await;
    let start = minutes_ago(60);
    for number in 0..UPDATES {
        let at = start + TimeDelta::minutes(number);
        let told = message(at, &[unit("013", &format!("{}", 100 + number))]);
        observatory.update(&told).await;
    }
    // What is told without a question, and with one: the same updates, by somebody who comes back.
    let costs = async |below: &str| {
        let query = format!(
            "subscription($after: String) {{ fplaneUpdates(after: $after) {{ {below} }} }}"
        );
        let mut least = i64::MAX;
        for _ in 0..3 {
            let token = observatory.server.token();
            let mut socket = Socket::signed_in(&observatory.server, token).await;
            let before = observatory.server.statements().await;
            let payload = json!({ "query": query, "variables": { "after": after } });
            let subscribe = json!({ "type": "subscribe", "id": "1", "payload": payload });
            socket.say(subscribe).await;
            for _ in 0..UPDATES {
                let heard = socket.hear().await;
                assert_eq!(heard["type"], "next", "{heard}");
            }
            least = least.min(observatory.server.statements().await - before);
        }
        least
    };
    let bare = costs("cursor kind validFrom changes { ifuslot change before { specid } }").await;
    assert!(bare <= 6, "{bare}");
    // A plane each, whatever of it; a source and who brought it; less where an answer is made for several.
    for below in [
        "fplane { validFrom }",
        "fplane { slots { ifuslot } text svg }",
        "source { kind recordedBy { username } }",
    ] {
        let count = costs(below).await;
        assert!(
            count <= bare + 2.max(PLANE) * UPDATES,
            "{below}: {count} and {bare}"
        );
    }
}
