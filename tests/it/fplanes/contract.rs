//! The operations on focal planes that clients rely on, as they send them.

use std::fs;

use async_graphql::parser::parse_query;
use serde_json::{Value, json};

use super::site::Site;
use crate::support::{Lab, Socket, shared_data};

const OPERATIONS: &str = include_str!("../../contract/fplanes.graphql");

on_both_databases!(every_operation_is_answered);

/// Two units and a special slot, in the form of the server.
const FILE: &str = "# $Id$
# $Revision$
# $Author$
# $Date$
# IFUSLOT X_FP   Y_FP   SPECID SPECSLOT IFUID IFUROT  PLATESC
000\t   0.000\t   0.000\t900\t900\t900\t0.000\t1.000
013\t-450.000\t 150.000\t401\t241\t043\t0.000\t1.000
#021\t-350.000\t 350.000\t000\t218\t073\t0.000\t1.000
600\t -35.800\t  12.300\t902\t902\t902\t0.000\t1.000
";

/// Runs one of the operations.
async fn run(site: &Site, operation: &str, variables: Value) -> Value {
    let body = json!({ "query": OPERATIONS, "operationName": operation, "variables": variables });
    let (status, mut answer) = site.server.send(body).await;
    assert_eq!(status, 200, "{answer}");
    assert!(answer.get("errors").is_none(), "{operation}: {answer}");
    answer["data"].take()
}

async fn every_operation_is_answered(lab: Lab) {
    let site = Site::of_any_age(lab).await;
    let mut socket = Socket::signed_in(&site.server, site.server.token()).await;
    let payload = json!({
        "query": OPERATIONS, "operationName": "FplaneUpdates", "variables": { "after": "beginning" },
    });
    socket
        .say(json!({ "type": "subscribe", "id": "1", "payload": payload }))
        .await;

    let input = json!({ "input": { "text": FILE, "validFrom": "20190527" } });
    let imported = run(&site, "ImportFplane", input).await;
    let imported = &imported["importFplane"];
    assert_eq!(imported["errors"], json!([]), "{imported}");
    assert_eq!(imported["problems"], json!([]));
    // Midnight at the end of the night, in Texas.
    let from = "2019-05-28T05:00:00";
    assert!(
        imported["fplane"]["validFrom"]
            .as_str()
            .is_some_and(|it| it.starts_with(from)),
        "{imported}"
    );
    assert_eq!(imported["fplane"]["validUntil"], Value::Null);
    let added = |slot: &str| json!({ "ifuslot": slot, "change": "ADDED" });
    assert_eq!(
        imported["changes"],
        json!([added("000"), added("013"), added("021"), added("600")])
    );
    let heard = socket.hear().await;
    let update = &heard["payload"]["data"]["fplaneUpdates"];
    assert_eq!(update["changes"], imported["changes"], "{heard}");
    assert_eq!(
        update["fplane"]["validFrom"],
        imported["fplane"]["validFrom"]
    );
    assert!(update["cursor"].is_string() && update["recordedAt"].is_string());

    let config = json!({
        "__data_time": "2026-03-25T05:58:12Z", "__source": "tcs",
        "hardware": [{
            "ifuslot": "021", "ifuid": "073", "specid": "315", "specslot": "218", "cntlid": "1042", "muxid": "07",
            "active": true, "x_fp": null, "y_fp": null, "ifurot": 0.0, "platesc": 1.0,
            "temps": { "ccd_left_c": -110.2, "ccd_right_c": -110.0, "cryo_c": -165.1 },
        }],
        "special": [{ "ifuslot": "600", "id": "902", "name": "HPFACAM", "x_fp": -39.1, "y_fp": 9.8 }],
    });
    for commit in [false, true, true] {
        let input = json!({ "input": { "config": config, "commit": commit } });
        let updated = run(&site, "UpdateFplane", input).await;
        let updated = &updated["updateFplane"];
        assert_eq!(updated["errors"], json!([]), "{updated}");
        assert_eq!(updated["committed"], commit);
        let text = updated["fplane"]["text"].as_str().expect("a text");
        assert!(
            text.contains("\n021\t-350.000\t 350.000\t315\t218\t073\t0.000\t1.000\n"),
            "{text}"
        );
        assert!(
            text.contains("\n600\t -39.100\t   9.800\t902\t902\t902\t0.000\t1.000\n"),
            "{text}"
        );
        assert!(!updated["warnings"].as_array().expect("warnings").is_empty());
    }
    let heard = socket.hear().await;
    let changes = json!([{ "ifuslot": "021", "change": "ACTIVATED" }, { "ifuslot": "600", "change": "MOVED" }]);
    assert_eq!(
        heard["payload"]["data"]["fplaneUpdates"]["changes"], changes,
        "{heard}"
    );

    for positions in ["NOMINAL", "MEASURED"] {
        let variables = json!({ "at": "20200101", "positions": positions, "knownAt": null });
        let plane = run(&site, "FplaneAt", variables).await;
        let plane = &plane["fplane"];
        assert_eq!(plane["text"], FILE, "{plane}");
        assert_eq!(plane["slots"].as_array().map(Vec::len), Some(4));
        assert!(
            plane["svg"]
                .as_str()
                .is_some_and(|svg| svg.starts_with("<svg") || svg.starts_with("<?xml"))
        );
        assert!(
            plane["validUntil"]
                .as_str()
                .is_some_and(|it| it.starts_with("2026-03-25T05:58:12"))
        );
    }
    let unknown = json!({ "at": "20200101", "knownAt": "2019-01-01T00:00:00Z" });
    let unknown = run(&site, "FplaneAt", unknown).await;
    assert_eq!(unknown["fplane"]["slots"], json!([]));
    assert_eq!(unknown["fplane"]["validUntil"], Value::Null);

    let history = run(&site, "SlotHistory", json!({ "specid": "315" })).await;
    let history = &history["fplaneHistory"];
    assert_eq!(
        (&history["totalCount"], &history["nodes"][0]["ifuslot"]),
        (&json!(1), &json!("021")),
        "{history}"
    );
    assert_eq!(
        history["nodes"][0]["recordedBy"],
        json!({ "username": "ada" })
    );
    let everything = run(&site, "SlotHistory", json!({})).await;
    let everything = &everything["fplaneHistory"];
    let nodes = everything["nodes"].as_array().expect("nodes");
    assert_eq!(everything["totalCount"], nodes.len());

    let diff = json!({ "from": "20200101", "to": "20260401" });
    let diff = run(&site, "FplaneDiff", diff).await;
    let diff = diff["fplaneDiff"].as_array().expect("changes");
    assert_eq!(diff.len(), 2, "{diff:?}");
    assert_eq!(
        (&diff[0]["before"]["specid"], &diff[0]["after"]["specid"]),
        (&Value::Null, &json!("315"))
    );
    assert_eq!(
        (&diff[0]["before"]["active"], &diff[0]["after"]["active"]),
        (&json!(false), &json!(true))
    );

    let pointing =
        r#"{ "at": "20200101", "ra": 205.543395821, "dec": 28.3792133418, "pa": 257.654951 }"#;
    let pointing = serde_json::from_str(pointing).expect("JSON");
    let sky = run(&site, "Sky", pointing).await;
    let sky = sky["fplane"]["sky"].as_array().expect("slots");
    let unit = sky
        .iter()
        .find(|it| it["ifuslot"] == "013")
        .expect("a slot");
    let near = |found: &Value, expected: &str| {
        let expected: f64 = expected.parse().expect("degrees");
        (found.as_f64().expect("degrees") - expected).abs() < 1e-8
    };
    assert!(
        near(&unit["ra"], "205.527527620") && near(&unit["dec"], "28.248194660"),
        "{unit}"
    );

    let input = json!({ "name": "release-1", "at": "20200101", "frozen": true, "description": "the first" });
    for _ in 0..2 {
        let tagged = run(&site, "TagFplane", json!({ "input": input })).await;
        let tagged = &tagged["tagFplane"];
        assert_eq!(tagged["errors"], json!([]), "{tagged}");
        assert_eq!(
            (&tagged["tag"]["name"], &tagged["tag"]["frozen"]),
            (&json!("release-1"), &json!(true))
        );
    }
    let moved = json!({ "input": { "name": "release-1", "at": "20200601", "frozen": true } });
    let moved = run(&site, "TagFplane", moved).await;
    assert_eq!(
        moved["tagFplane"]["errors"][0]["code"], "CONFLICT",
        "{moved}"
    );
}

#[test]
fn the_operations_are_those_that_clients_were_promised() {
    parse_query(OPERATIONS).expect("a document");
    let Some(shared) = shared_data() else { return };
    let Ok(promised) = fs::read_to_string(shared.join("../contract/fplanes.graphql")) else {
        println!("skipped: there are no promised operations");
        return;
    };
    assert_eq!(promised, OPERATIONS);
}
