//! Messages that cannot be used, and odd ones that can.

use serde_json::{Value, json};

use super::super::site::{Site, kept, lines};
use super::{AT, special, told_something, with};
use crate::support::Lab;
use crate::support::client::{Address, http, json_of};

on_both_databases!(messages_that_cannot_be, messages_that_are_odd);

async fn messages_that_cannot_be(lab: Lab) {
    let (site, database) = told_something(lab).await;
    let before = kept(&database).await;
    let many: Vec<Value> = (0..10_000)
        .map(|number| json!({ "ifuslot": number % 1_000 }))
        .collect();
    let no_time =
        |value: Value| json!({ "__data_time": value, "hardware": [{ "ifuslot": "013" }] });
    for (config, says) in [
        (json!({}), "__data_time: is missing"),
        (
            json!({ "hardware": [{ "ifuslot": "013" }] }),
            "__data_time: is missing",
        ),
        (no_time(Value::Null), "__data_time: is missing"),
        (
            no_time(json!("yesterday")),
            "__data_time: not a date: \"yesterday\"",
        ),
        (no_time(json!("")), "__data_time: "),
        (no_time(json!("latest")), "__data_time: no instant"),
        (no_time(json!("20240105")), "__data_time: no instant"),
        (
            no_time(json!("2024-02-30T00:00:00")),
            "__data_time: there is no such date",
        ),
        (no_time(json!("tag:x")), "__data_time: no instant"),
        (no_time(json!(true)), "__data_time: is no date"),
        (no_time(json!([AT])), "__data_time: is no date"),
        (no_time(json!(-1)), "__data_time: no seconds since 1970"),
        (no_time(json!(1e300)), "__data_time: no seconds since 1970"),
        (no_time(json!("NaN")), "__data_time: not a date"),
        (
            json!({ "__data_time": AT }),
            "hardware: the message has neither this nor",
        ),
        (
            json!({ "__data_time": AT, "hardware": [] }),
            "it tells of no slot",
        ),
        (
            json!({ "__data_time": AT, "hardware": {} }),
            "hardware: is no list",
        ),
        (
            json!({ "__data_time": AT, "special": "600" }),
            "special: is no list",
        ),
        (
            json!({ "__data_time": AT, "hardware": [7] }),
            "hardware[0]: is no map",
        ),
        (
            json!({ "__data_time": AT, "hardware": [{ "ifuid": "043" }] }),
            "hardware[0].ifuslot: is missing",
        ),
        (
            json!({ "__data_time": AT, "hardware": many }),
            "hardware: more than 2000 slots",
        ),
        (
            json!({ "__data_time": AT, "hardware": [{ "ifuslot": "013" }, { "ifuslot": 13 }] }),
            "hardware[1].ifuslot: slot 013 is named twice",
        ),
        (
            json!({ "__data_time": AT, "hardware": [{ "ifuslot": "056" }], "special": [{ "ifuslot": "056", "id": 998 }] }),
            "special[0].ifuslot: slot 056 is named twice",
        ),
        (
            json!({ "__data_time": AT, "__source": 7, "hardware": [{ "ifuslot": "013" }] }),
            "__source: is no text",
        ),
        (
            with(json!({ "ifuslot": "x" })),
            "hardware[0].ifuslot: no name of a slot: \"x\"",
        ),
        (
            with(json!({ "ifuslot": "0013" })),
            "hardware[0].ifuslot: no name of a slot",
        ),
        (
            with(json!({ "ifuslot": "01\u{0}" })),
            "hardware[0].ifuslot: no name of a slot",
        ),
        (
            with(json!({ "ifuslot": -13 })),
            "hardware[0].ifuslot: no name of a slot",
        ),
        (
            with(json!({ "ifuslot": "7".repeat(100_000) })),
            "hardware[0].ifuslot: no name of a slot",
        ),
        (
            with(json!({ "x_fp": "NaN", "y_fp": 1 })),
            "hardware[0].x_fp: no number: \"NaN\"",
        ),
        (
            with(json!({ "x_fp": 1, "y_fp": "-inf" })),
            "hardware[0].y_fp: no number: \"-inf\"",
        ),
        (
            with(json!({ "x_fp": 1e300, "y_fp": 1 })),
            "hardware[0].x_fp: cannot be",
        ),
        (
            with(json!({ "x_fp": "1e999", "y_fp": 1 })),
            "hardware[0].x_fp: no number",
        ),
        (
            with(json!({ "x_fp": 1 })),
            "hardware[0].y_fp: is missing beside x_fp",
        ),
        (
            with(json!({ "y_fp": 1 })),
            "hardware[0].x_fp: is missing beside y_fp",
        ),
        (
            with(json!({ "x_fp": {}, "y_fp": 1 })),
            "hardware[0].x_fp: is neither a text nor a number",
        ),
        (
            with(json!({ "ifurot": 361 })),
            "hardware[0].ifurot: cannot be 361",
        ),
        (
            with(json!({ "platesc": 0 })),
            "hardware[0].platesc: cannot be 0",
        ),
        (
            with(json!({ "platesc": "nan" })),
            "hardware[0].platesc: no number",
        ),
        (
            with(json!({ "active": "perhaps" })),
            "hardware[0].active: neither yes nor no",
        ),
        (
            with(json!({ "specid": "N01" })),
            "hardware[0].specid: no id: \"N01\"",
        ),
        (with(json!({ "specid": 1.5 })), "hardware[0].specid: no id"),
        (with(json!({ "specid": -1 })), "hardware[0].specid: no id"),
        (
            with(json!({ "ifuid": "1\u{0}2" })),
            "hardware[0].ifuid: no id",
        ),
        (
            with(json!({ "cntlid": "1".repeat(100_000) })),
            "hardware[0].cntlid: no id",
        ),
        (
            with(json!({ "muxid": [] })),
            "hardware[0].muxid: is neither a text nor a number",
        ),
        (
            special(json!({ "id": "315" })),
            "special[0].id: ids of special slots are from 900 to 999",
        ),
        (special(json!({ "id": null })), "special[0].id: is missing"),
        (
            special(json!({ "ifuslot": "013" })),
            "special[0].ifuslot: slot 013 is one of VIRUS",
        ),
        (special(json!({ "name": 7 })), "special[0].name: is no text"),
        (
            special(json!({ "x_fp": null, "y_fp": null })),
            "special[0].x_fp: where slot 600 is, nobody said yet",
        ),
        (json!([]), "config: is no map"),
        (json!("{}"), "config: is no map"),
        (json!(7), "config: is no map"),
    ] {
        for commit in [true, false] {
            let input = json!({ "config": config, "commit": commit });
            let answer = site.tell("updateFplane", input).await;
            let error = &answer["errors"][0];
            assert_eq!(
                (&error["code"], &error["field"]),
                (&json!("BAD_INPUT"), &json!("config")),
                "{says}: {answer}"
            );
            let message = error["message"].as_str().expect("a message");
            assert!(message.starts_with(says), "{message}, not {says}");
            assert!(
                message.len() < 1_000 && !message.contains('\0'),
                "{message}"
            );
            assert_eq!(
                (&answer["committed"], &answer["fplane"]),
                (&json!(false), &Value::Null)
            );
        }
        assert_eq!(kept(&database).await, before, "{says}");
    }
    // What is no JSON is not read at all.
    let deep = format!(
        "{{\"query\":\"{{ apiVersion }}\",\"variables\":{{\"x\":{}}}}}",
        "[".repeat(100_000)
    );
    for body in [
        "{\"query\": \"{ fplane { at } }\", \"variables\": {\"x\": NaN}}".to_owned(),
        deep,
    ] {
        let asked = http()
            .post(site.server.url("/graphql"))
            .header("content-type", "application/json")
            .body(body);
        let answer = asked.send().await.expect("an answer");
        assert_eq!(answer.status().as_u16(), 400);
    }
    for (body, says) in [
        (
            format!(
                "{{\"config\": {{\"__data_time\": \"{AT}\", \"hardware\": [{{\"ifuslot\": \"013\", \"x_fp\": NaN}}]}}, \"commit\": true}}"
            ),
            "the body is not JSON",
        ),
        (
            json!({ "config": with(json!({ "x_fp": 1 })), "commit": true }).to_string(),
            "config: hardware[0].y_fp: is missing",
        ),
        (
            json!({ "config": with(json!({})), "commit": "perhaps" }).to_string(),
            "commit: ",
        ),
    ] {
        let token = format!("Bearer {}", site.server.token());
        let asked = http()
            .post(site.server.url("/fplane"))
            .header("authorization", token)
            .body(body);
        let answer = asked.send().await.expect("an answer");
        assert_eq!(answer.status().as_u16(), 400);
        let answer = json_of(answer).await;
        assert!(
            answer["message"]
                .as_str()
                .is_some_and(|message| message.starts_with(says)),
            "{answer}"
        );
    }
    assert_eq!(kept(&database).await, before);
}

async fn messages_that_are_odd(lab: Lab) {
    let site = Site::of_any_age(lab).await;
    let mut config = with(json!({
        "ifuslot": 13, "specid": "0401", "ifuid": 43, "cntlid": 7, "x_fp": "-449.5", "y_fp": "150.25", "active": "Yes",
        "future": { "deep": [[[{}]]], "text": "\u{0}".repeat(10) },
    }));
    config["__source"] = json!(format!("tcs\u{0}{}", "x".repeat(100_000)));
    config["__data_time"] = json!(1_704_434_400.25);
    config["special"] = json!([{
        "ifuslot": "600", "id": 902, "name": format!("\u{0}\u{202e}{}", "y".repeat(1_000)), "x_fp": -39.1, "y_fp": 9.8,
    }]);
    let told = site.update(config).await;
    let expected = "013 VIRUS - 043 401 241 007 - true 0.000 1.000 -449.5000 150.2500 true";
    let plane = site.plane("2024-01-05T06:00:00.25", "MEASURED").await;
    assert_eq!(lines(&plane)[0], expected, "{told}");
    let name = plane["slots"][1]["name"].as_str().expect("a name");
    assert!(
        !name.contains('\0') && name.chars().count() <= 101,
        "{name}"
    );
    let query = "{ fplaneSources { nodes { name content validFrom } } }";
    let data = site.server.data(query, json!({})).await;
    let source = &data["fplaneSources"]["nodes"][0];
    assert!(
        source["name"]
            .as_str()
            .is_some_and(|name| name.starts_with("tcs") && name.len() < 200)
    );
    assert!(!source["content"].as_str().expect("a text").contains('\0'));
    let before = site.plane("2024-01-05T06:00:00.249999", "MEASURED").await;
    assert_eq!(before["slots"], json!([]));
    // Looked for with what cannot be stored: there is nothing such.
    let query =
        "{ fplaneHistory(ifuid: \"\\u0000\") { totalCount } fplaneTag(name: \"\\u0000\") { name }
        fplane { slot(ifuslot: \"\\u0000\") { ifuslot } } fplaneSource(id: \"\\u0000\") { id } }";
    let data = site.server.data(query, json!({})).await;
    assert_eq!(data["fplaneHistory"]["totalCount"], 0);
    assert_eq!(
        (&data["fplaneTag"], &data["fplaneSource"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(data["fplane"]["slot"], Value::Null);
}
