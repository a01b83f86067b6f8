//! Dates that are none, and nights that never were.

use serde_json::json;

use super::super::site::kept;
use super::told_something;
use crate::support::Lab;
use crate::support::client::{get, json_of};

on_both_databases!(dates_that_are_none, a_night_that_was_left_out);

/// How each question that takes a date refuses one.
async fn dates_that_are_none(lab: Lab) {
    let (site, database) = told_something(lab).await;
    let before = kept(&database).await;
    let long = "2".repeat(100_000);
    let long_tag = format!("tag:{long}");
    for (date, code, says) in [
        (
            "yesterday",
            "BAD_INPUT",
            "not a date: \"yesterday\". A date is",
        ),
        ("20250230", "BAD_INPUT", "there is no such date"),
        ("2025-13-01", "BAD_INPUT", "there is no such date"),
        ("20250115T25:00:00", "BAD_INPUT", "there is no such date"),
        ("20250115T", "BAD_INPUT", "not a date"),
        ("2025", "BAD_INPUT", "not a date"),
        ("0", "BAD_INPUT", "not a date"),
        ("00000101", "BAD_INPUT", "there is no such date"),
        ("99991231", "BAD_INPUT", "there is no"),
        ("+2025-01-15", "BAD_INPUT", "not a date"),
        ("2025-01-15T04:12:33+99:00", "BAD_INPUT", "not a date"),
        ("\u{0}", "BAD_INPUT", "not a date"),
        ("２０２５０１１５", "BAD_INPUT", "not a date"),
        ("tag:", "BAD_INPUT", "not a date"),
        ("tag:nothing", "NOT_FOUND", "there is no tag \"nothing\""),
        ("tag:\u{0}", "NOT_FOUND", "there is no tag"),
        (long.as_str(), "BAD_INPUT", "not a date"),
        (long_tag.as_str(), "NOT_FOUND", "there is no tag"),
    ] {
        for query in [
            "query($d: String!) { fplane(at: $d) { at } }",
            "query($d: String!) { fplanes(at: [\"latest\", $d]) { at } }",
            "query($d: String!) { fplaneDiff(from: $d, to: \"latest\") { ifuslot } }",
            "query($d: String!) { fplaneDiff(from: \"latest\", to: $d) { ifuslot } }",
            "query($d: String!) { fplane { svg(since: $d) } }",
            "query($d: String!) { fplaneFileDiff(text: \"013 -450 150 401 241 043 0 1\", at: $d) { fplane { at } } }",
        ] {
            let (_, answer) = site.server.ask(query, json!({ "d": date })).await;
            let error = &answer["errors"][0];
            assert_eq!(error["extensions"]["code"], code, "{query}: {answer}");
            let message = error["message"].as_str().expect("a message");
            assert!(message.contains(says), "{query}: {message}, not {says}");
            assert!(message.chars().count() < 500 && !message.contains('\0'));
        }
        for (command, field, input) in [
            (
                "importFplane",
                "validFrom",
                json!({ "text": "013 -450 150 401 241 043 0 1", "validFrom": date }),
            ),
            (
                "importFplanePositions",
                "validFrom",
                json!({ "text": "013 -450 150", "validFrom": date }),
            ),
            (
                "correctFplane",
                "from",
                json!({ "ifuslot": "013", "from": date, "removed": ["MAPPING"], "reason": "" }),
            ),
            (
                "correctFplane",
                "until",
                json!({ "ifuslot": "013", "from": "20200101", "until": date, "removed": ["MAPPING"], "reason": "" }),
            ),
        ] {
            let answer = site.tell(command, input).await;
            let error = &answer["errors"][0];
            assert_eq!(
                (&error["code"], &error["field"]),
                (&json!(code), &json!(field)),
                "{command} {says}: {answer}"
            );
        }
    }
    let token = format!("Bearer {}", site.server.token());
    for (path, status) in [
        ("/fplane/yesterday", 400),
        ("/fplane/20250230", 400),
        ("/fplane/tag:nothing", 404),
        ("/fplane/%00", 400),
        ("/fplane/%ff", 400),
        ("/fplane/tag:%00", 404),
        ("/fplane/?actual_pos=2", 400),
        ("/fplane/20250115?full_fplane=perhaps", 400),
    ] {
        let answer = get(&site.server, path, &[("authorization", &token)]).await;
        assert_eq!(answer.status().as_u16(), status, "{path}");
        let answer = json_of(answer).await;
        assert!(answer["message"].is_string(), "{path}: {answer}");
    }
    for nights in [
        json!({ "first": "latest", "last": "20250101" }),
        json!({ "first": "20250101", "last": "tag:x" }),
        json!({ "first": "00010101", "last": "99980101" }),
    ] {
        let query = "query($nights: FplaneNights!) { fplanes(nights: $nights) { at } }";
        assert_eq!(
            site.server
                .refusal(query, json!({ "nights": nights }))
                .await,
            "BAD_INPUT"
        );
    }
    let query = "query($at: [String!]!) { fplanes(at: $at) { at } }";
    assert_eq!(
        site.server
            .refusal(query, json!({ "at": vec![""; 1_001] }))
            .await,
        "BAD_INPUT"
    );
    assert_eq!(
        site.server.refusal("{ fplanes { at } }", json!({})).await,
        "BAD_INPUT"
    );
    let nobody = site.server.data(query, json!({ "at": [] })).await;
    assert_eq!(nobody["fplanes"], json!([]));
    let backwards = "{ fplanes(nights: { first: \"20250110\", last: \"20250109\" }) { at } }";
    assert_eq!(
        site.server.data(backwards, json!({})).await["fplanes"],
        json!([])
    );
    assert_eq!(kept(&database).await, before);
}

/// Samoa went over the date line, and had no 30 December 2011.
async fn a_night_that_was_left_out(mut lab: Lab) {
    lab.set("LABQL_FPLANES__NIGHT_ZONE", "Pacific/Apia");
    let (site, database) = told_something(lab).await;
    let before = kept(&database).await;
    let says = "there is no night of 2011-12-30 in Pacific/Apia";
    let (_, answer) = site
        .server
        .ask("{ fplane(at: \"20111230\") { at } }", json!({}))
        .await;
    assert_eq!(
        answer["errors"][0]["extensions"]["code"], "BAD_INPUT",
        "{answer}"
    );
    assert!(
        answer["errors"][0]["message"]
            .as_str()
            .is_some_and(|it| it.contains(says)),
        "{answer}"
    );
    let csv = "date,specid,ifuslot,ifuid\n20111229,401,013,043\n20111230,402,013,043\n20111231,403,013,043\n";
    let text = "013 -450 150 401 241 043 0 1";
    let input = json!({ "text": text, "validFrom": "2011-12-30" });
    let answer = site.tell("importFplane", input).await;
    let error = &answer["errors"][0];
    assert_eq!(
        (&error["code"], &error["field"]),
        (&json!("BAD_INPUT"), &json!("validFrom")),
        "{answer}"
    );
    assert!(
        error["message"]
            .as_str()
            .is_some_and(|it| it.contains(says)),
        "{answer}"
    );
    assert_eq!(kept(&database).await, before);
    // Of a table the other nights are taken.
    let input = json!({ "text": csv });
    let answer = site.tell("importFplaneMapping", input).await;
    assert_eq!(answer["errors"], json!([]), "{answer}");
    assert_eq!(
        answer["problems"],
        json!([{ "line": 3, "code": "WRONG_DATE", "message": says }])
    );
    // The nights beside it are there, and one begins where the other ends.
    for (date, expected) in [
        ("20111229", "2011-12-30T10:00:00Z"),
        ("20111231", "2011-12-31T10:00:00Z"),
    ] {
        let plane = site.plane(date, "NOMINAL").await;
        assert_eq!(
            plane["at"]
                .as_str()
                .map(|at| at.replace("+00:00", "Z"))
                .as_deref(),
            Some(expected),
            "{date}"
        );
    }
}
