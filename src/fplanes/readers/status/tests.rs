//! Tests of the reader of status messages.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::fplanes::model::{Layer, Track, Value};

fn message(hardware: &Json) -> Json {
    json!({ "__data_time": "2026-03-25T05:58:12Z", "hardware": [hardware] })
}

fn special(entry: &Json) -> Json {
    json!({ "__data_time": "2026-03-25T05:58:12Z", "special": [entry] })
}

fn unit(key: &str, value: Json) -> Json {
    let mut entry = json!({ "ifuslot": "021", "ifuid": "073", "specid": "315", "specslot": "218" });
    entry[key] = value;
    entry
}

fn fact<'a>(status: &'a Status, layer: Layer, slot: &str) -> Option<&'a Option<Value>> {
    let ifuslot = slot.to_owned();
    status.claims.facts.get(&Track { layer, ifuslot })
}

fn mapping(status: &Status, slot: &str) -> Mapping {
    match fact(status, Layer::Mapping, slot) {
        Some(Some(Value::Mapping(mapping))) => mapping.clone(),
        other => panic!("{other:?}"),
    }
}

fn refused(config: &Json) -> String {
    read_status(config).expect_err("refused").to_string()
}

fn codes(status: &Status) -> Vec<&'static str> {
    status.notes.iter().map(|note| note.code.as_str()).collect()
}

#[test]
fn a_whole_message() {
    let config = json!({
        "__data_time": "2026-03-25T05:58:12Z",
        "__source": " tcs ",
        "hardware": [
            { "ifuslot": "021", "ifuid": "073", "specid": "315", "specslot": "218", "cntlid": "1042", "muxid": "07",
              "active": true, "x_fp": null, "y_fp": null, "ifurot": 0.0, "platesc": 1.0,
              "temps": { "ccd_left_c": -110.2 } },
            { "ifuslot": 13, "ifuid": 43, "specid": 401, "specslot": 241, "x_fp": -449.939, "y_fp": "150.004" },
        ],
        "special": [ { "ifuslot": "600", "id": "902", "name": "HPFACAM", "x_fp": -39.1, "y_fp": 9.8 } ],
        "weather": "fine",
    });
    let status = read_status(&config).unwrap();
    assert_eq!(status.at.to_rfc3339(), "2026-03-25T05:58:12+00:00");
    assert_eq!(status.source.as_deref(), Some("tcs"));
    assert!(status.notes.is_empty() && status.unplaced.is_empty() && !status.claims.is_whole);
    let first = Mapping {
        ifuid: Some("073".into()),
        specid: Some("315".into()),
        specslot: Some("218".into()),
        cntlid: Some("1042".into()),
        muxid: Some("007".into()),
        active: true,
        rotation: 0.0,
        plate_scale: 1.0,
    };
    assert_eq!(mapping(&status, "021"), first);
    assert_eq!(fact(&status, Layer::Measured, "021"), None);
    assert_eq!(mapping(&status, "013").specid.as_deref(), Some("401"));
    let (x, y) = (-449.939, 150.004);
    let measured = Some(Value::Measured(Position { x, y }));
    assert_eq!(fact(&status, Layer::Measured, "013"), Some(&measured));
    let Some(Some(Value::Special(special))) = fact(&status, Layer::Special, "600") else {
        panic!("{status:?}");
    };
    assert_eq!((special.id.as_str(), special.active), ("902", true));
    assert_eq!(fact(&status, Layer::Mapping, "600"), Some(&None));
}

#[test]
fn times_in_every_form() {
    let at = |time: Json| {
        let config = json!({ "__data_time": time, "hardware": [] });
        read_status(&config).map(|status| status.at.to_rfc3339())
    };
    let forms = [
        (json!("2026-03-25T05:58:12Z"), "2026-03-25T05:58:12+00:00"),
        (json!("2026-03-25T05:58:12"), "2026-03-25T05:58:12+00:00"),
        (
            json!("2026-03-25T00:58:12-05:00"),
            "2026-03-25T05:58:12+00:00",
        ),
        (json!("20260325T05:58:12"), "2026-03-25T05:58:12+00:00"),
        (json!(1_774_418_292), "2026-03-25T05:58:12+00:00"),
        (json!(1_774_418_292.25), "2026-03-25T05:58:12.250+00:00"),
        (json!("1774418292.5"), "2026-03-25T05:58:12.500+00:00"),
    ];
    for (time, expected) in forms {
        assert_eq!(at(time.clone()).as_deref(), Ok(expected), "{time}");
    }
    let wrong = [
        json!(null),
        json!(""),
        json!("now"),
        json!("20260325"),
        json!("2026-03-25"),
        json!("tag:x"),
        json!("soon"),
        json!("NaN"),
        json!(-1),
        json!(1_774_418_292_000_i64),
        json!(1e300),
        json!(true),
        json!([1]),
    ];
    for time in wrong {
        let error = at(time.clone()).expect_err("refused");
        assert_eq!(error.field, "__data_time", "{time}");
    }
}

#[test]
fn a_slot_is_in_use_if_it_has_a_spectrograph_or_if_it_is_said() {
    let active = |entry: &Json| {
        let status = read_status(&message(entry)).unwrap();
        (mapping(&status, "021").active, codes(&status))
    };
    assert_eq!(active(&unit("active", json!(null))), (true, vec![]));
    assert_eq!(active(&unit("specid", json!("000"))), (false, vec![]));
    assert_eq!(active(&unit("active", json!(false))), (false, vec![]));
    for word in [json!("no"), json!(0), json!("F")] {
        assert_eq!(active(&unit("active", word)), (false, vec![]));
    }
    let empty = json!({ "ifuslot": "021", "active": "yes" });
    assert_eq!(active(&empty), (true, vec!["ACTIVE_WITHOUT_SPECTROGRAPH"]));
}

#[test]
fn one_wrong_value_refuses_the_message_and_is_named() {
    let values = [
        ("ifuslot", json!(null), "hardware[0].ifuslot: is missing"),
        ("ifuslot", json!(""), "hardware[0].ifuslot: is missing"),
        (
            "ifuslot",
            json!("x"),
            "hardware[0].ifuslot: no name of a slot: \"x\"",
        ),
        (
            "ifuslot",
            json!(-21),
            "hardware[0].ifuslot: no name of a slot: \"-21\"",
        ),
        (
            "ifuslot",
            json!(true),
            "hardware[0].ifuslot: is neither a text nor a number",
        ),
        ("specid", json!(31.5), "hardware[0].specid: no id: \"31.5\""),
        ("ifuid", json!("N01"), "hardware[0].ifuid: no id: \"N01\""),
        (
            "active",
            json!("maybe"),
            "hardware[0].active: neither yes nor no: \"maybe\"",
        ),
        (
            "x_fp",
            json!(1.0),
            "hardware[0].y_fp: is missing beside x_fp",
        ),
        (
            "y_fp",
            json!(1.0),
            "hardware[0].x_fp: is missing beside y_fp",
        ),
        ("x_fp", json!("NaN"), "hardware[0].x_fp: no number: \"NaN\""),
        ("x_fp", json!("inf"), "hardware[0].x_fp: no number: \"inf\""),
        ("x_fp", json!(1e4), "hardware[0].x_fp: cannot be 10000.0"),
        ("ifurot", json!(720), "hardware[0].ifurot: cannot be 720"),
        ("platesc", json!(0), "hardware[0].platesc: cannot be 0"),
    ];
    for (key, value, expected) in values {
        assert_eq!(refused(&message(&unit(key, value))), expected);
    }
    assert_eq!(refused(&message(&json!("021"))), "hardware[0]: is no map");
    assert_eq!(refused(&json!([])), "config: is no map");
    assert_eq!(
        refused(&json!({ "hardware": [] })),
        "__data_time: is missing"
    );
    let time = "2026-03-25T05:58:12Z";
    assert!(refused(&json!({ "__data_time": time, "slots": [] })).starts_with("hardware: "));
    assert_eq!(
        refused(&json!({ "__data_time": time, "hardware": {} })),
        "hardware: is no list"
    );
    assert_eq!(
        refused(&json!({ "__data_time": time, "hardware": [], "__source": 1 })),
        "__source: is no text"
    );
    let many = vec![json!({}); MAX_SLOTS + 1];
    assert_eq!(
        refused(&json!({ "__data_time": time, "hardware": many })),
        "hardware: more than 2000 slots"
    );
    let twice =
        json!({ "__data_time": time, "hardware": [{ "ifuslot": "021" }, { "ifuslot": 21 }] });
    assert_eq!(
        refused(&twice),
        "hardware[1].ifuslot: slot 021 is named twice"
    );
    let both = json!({ "__data_time": time, "hardware": [{ "ifuslot": "056" }], "special": [{ "ifuslot": "056" }] });
    assert_eq!(
        refused(&both),
        "special[0].ifuslot: slot 056 is named twice"
    );
}

#[test]
fn odd_units_are_taken_and_told() {
    let told = |entry: &Json| codes(&read_status(&message(entry)).unwrap());
    assert_eq!(told(&unit("specid", json!("901"))), ["PLACEHOLDER_ID"]);
    assert_eq!(told(&unit("ifuslot", json!("054"))), ["IFU_IN_CENTRE"]);
    let mut far = unit("x_fp", json!(-340));
    far["y_fp"] = json!(350);
    assert_eq!(told(&far), ["LARGE_OFFSET"]);
    let outside = read_status(&message(&unit("ifuslot", json!("107")))).unwrap();
    assert_eq!(codes(&outside), ["UNKNOWN_IFUSLOT"]);
    assert!(outside.claims.facts.is_empty());
    far["ifuslot"] = json!("107");
    let outside = read_status(&message(&far)).unwrap();
    assert!(matches!(
        fact(&outside, Layer::Nominal, "107"),
        Some(Some(Value::Nominal(_)))
    ));
    assert!(
        outside.notes[0]
            .to_string()
            .starts_with("UNKNOWN_IFUSLOT: hardware[0]: slot 107")
    );
}

#[test]
fn special_slots_stay_where_they_are_unless_it_is_said() {
    let mut status = read_status(&special(&json!({ "ifuslot": 600, "id": 902 }))).unwrap();
    assert!(status.claims.facts.is_empty());
    let present = Special {
        id: "777".into(),
        name: Some("camera".into()),
        position: Position { x: 1.0, y: 2.0 },
        active: false,
        rotation: 0.0,
        plate_scale: 1.0,
    };
    let unknown = status.clone().settle(|_| None).expect_err("nowhere");
    assert_eq!(
        unknown.to_string(),
        "special[0].x_fp: where slot 600 is, nobody said yet"
    );
    status
        .settle(|slot| (slot == "600").then(|| present.clone()))
        .unwrap();
    assert!(status.unplaced.is_empty());
    let expected = Special {
        id: "902".into(),
        active: true,
        ..present
    };
    assert_eq!(
        fact(&status, Layer::Special, "600"),
        Some(&Some(Value::Special(expected)))
    );

    let mut lrs2 = read_status(&special(&json!({ "ifuslot": "056", "id": "998" }))).unwrap();
    lrs2.settle(|_| None).unwrap();
    let Some(Some(Value::Special(lrs2))) = fact(&lrs2, Layer::Special, "056") else {
        panic!("{lrs2:?}");
    };
    assert_eq!(
        (lrs2.name.as_deref(), lrs2.position.x),
        (Some("LRS2-B"), -50.0)
    );

    let wrong = [
        (json!({ "ifuslot": "600" }), "special[0].id: is missing"),
        (
            json!({ "ifuslot": "600", "id": 315 }),
            "special[0].id: ids of special slots are from 900 to 999, not 315",
        ),
        (
            json!({ "ifuslot": "021", "id": 902 }),
            "special[0].ifuslot: slot 021 is one of VIRUS",
        ),
        (
            json!({ "ifuslot": "600", "id": 902, "name": 1 }),
            "special[0].name: is no text",
        ),
    ];
    for (entry, expected) in wrong {
        assert_eq!(refused(&special(&entry)), expected);
    }
    let named = json!({ "ifuslot": "600", "id": 902, "name": "a\u{0}b", "x_fp": 1, "y_fp": 2 });
    let named = read_status(&special(&named)).unwrap();
    let Some(Some(Value::Special(named))) = fact(&named, Layer::Special, "600") else {
        panic!("{named:?}");
    };
    assert_eq!(named.name.as_deref(), Some("a\u{fffd}b"));
}

/// Values of any kind, of which some are right.
fn anything() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|it| json!(it)),
        any::<i64>().prop_map(|it| json!(it)),
        (0..1_100_i64).prop_map(|it| json!(it)),
        any::<f64>().prop_map(|it| json!(it)),
        "\\PC{0,8}".prop_map(|it| json!(it)),
        Just(json!("2026-03-25T05:58:12Z")),
    ];
    let key = prop_oneof![
        Just("__data_time".to_owned()),
        Just("hardware".to_owned()),
        Just("special".to_owned()),
        Just("ifuslot".to_owned()),
        Just("id".to_owned()),
        Just("specid".to_owned()),
        Just("x_fp".to_owned()),
        Just("y_fp".to_owned()),
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(|it| json!(it)),
            proptest::collection::btree_map(key.clone(), inner, 0..6).prop_map(|it| json!(it)),
        ]
    })
}

proptest! {
    #[test]
    fn no_message_is_too_odd(config in anything(), hardware in anything(), special in anything()) {
        let _ = read_status(&config);
        let config = json!({ "__data_time": 1, "hardware": [hardware], "special": [special] });
        if let Ok(mut status) = read_status(&config) {
            let _ = status.settle(|_| None);
        }
    }
}
