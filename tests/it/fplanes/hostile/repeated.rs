//! What is told twice is told once, and what is only tried is not told.

use serde_json::{Value, json};

use super::super::site::kept;
use super::{special, told_something, with};
use crate::support::Lab;

on_both_databases!(the_same_twice_is_once, a_dry_run_leaves_no_trace);

/// One of each kind of command.
pub fn commands() -> Vec<(&'static str, Value)> {
    vec![
        (
            "updateFplane",
            json!({ "config": with(json!({ "x_fp": -449.5, "y_fp": 150.5 })) }),
        ),
        ("updateFplane", json!({ "config": special(json!({})) })),
        (
            "importFplane",
            json!({ "text": "021 -350 350 315 218 073 0 1\n#074 150 50 000 000 000 0 1\n", "validFrom": "20240107" }),
        ),
        (
            "importFplane",
            json!({ "text": "021 -350 350 316 218 073 0 1\n", "validFrom": "20240103", "unlisted": "KEEP" }),
        ),
        (
            "importFplaneMapping",
            json!({ "text": "date,specid,ifuslot,ifuid\n20240104,401,021,073\n20240110,402,021,073\n" }),
        ),
        (
            "importFplanePositions",
            json!({ "text": "021 -349.910 350.210\n", "validFrom": "20240104" }),
        ),
        (
            "correctFplane",
            json!({ "ifuslot": "021", "from": "20240104", "until": "20240109", "mapping": { "specid": "7" }, "reason": "log" }),
        ),
    ]
}

async fn the_same_twice_is_once(lab: Lab) {
    let (site, database) = told_something(lab).await;
    for (command, input) in commands() {
        let first = site.told(command, input.clone()).await;
        assert_eq!(
            (&first["committed"], &first["isRepeated"]),
            (&json!(true), &json!(false)),
            "{command}"
        );
        let rows = kept(&database).await;
        for commit in [true, false, true] {
            let mut input = input.clone();
            input["commit"] = json!(commit);
            let again = site.told(command, input).await;
            assert_eq!(
                (&again["committed"], &again["isRepeated"]),
                (&json!(commit), &json!(true)),
                "{command}: {again}"
            );
            assert_eq!(again["changes"], json!([]));
            assert_eq!(again["warningDetails"][0]["code"], "REPEATED", "{again}");
            assert_eq!(again["source"]["id"], first["source"]["id"]);
            assert_eq!(again["fplane"]["text"], first["fplane"]["text"]);
        }
        assert_eq!(kept(&database).await, rows, "{command}");
    }
    // All but the corrections, of which something else was told since, are still the same in any order.
    let before = kept(&database).await;
    for (command, input) in commands()
        .into_iter()
        .rev()
        .filter(|(command, _)| *command != "correctFplane")
    {
        assert_eq!(
            site.told(command, input).await["isRepeated"],
            true,
            "{command}"
        );
    }
    assert_eq!(kept(&database).await, before);
    // Another instant makes it another message, of which nothing changes but that it was told.
    let mut config = with(json!({ "x_fp": -449.5, "y_fp": 150.5 }));
    config["__data_time"] = json!("2024-01-05T06:00:01Z");
    let again = site.update(config).await;
    assert_eq!(
        (&again["isRepeated"], &again["changes"]),
        (&json!(false), &json!([])),
        "{again}"
    );
}

async fn a_dry_run_leaves_no_trace(lab: Lab) {
    let (site, database) = told_something(lab).await;
    for (command, input) in commands() {
        let before = kept(&database).await;
        let plane = site.plane("20240111", "MEASURED").await;
        let mut dry = input.clone();
        dry["commit"] = json!(false);
        let tried = site.told(command, dry.clone()).await;
        let again = site.told(command, dry).await;
        assert_eq!(tried, again, "{command}");
        assert_eq!(
            (&tried["committed"], &tried["source"]),
            (&json!(false), &Value::Null),
            "{tried}"
        );
        assert!(
            tried["steps"]
                .as_array()
                .expect("steps")
                .iter()
                .all(|step| step["sourceId"].is_null())
        );
        assert_eq!(kept(&database).await, before, "{command}");
        assert_eq!(site.plane("20240111", "MEASURED").await, plane);
        // What it said is what comes.
        let done = site.told(command, input).await;
        for part in ["fplane", "changes", "warningDetails"] {
            assert_eq!(done[part], tried[part], "{command} {part}");
        }
        assert_eq!(done["committed"], true);
        assert_ne!(kept(&database).await, before);
    }
}
