//! The observatory's own examples, over HTTP: messages at the edges of what is believed, files byte for byte, and slots on the
//! sky.

use std::path::Path;

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};

use super::goldens::shared_text;
use super::site::{Site, written};
use crate::support::{Lab, shared_data};

on_both_databases!(
    messages_are_believed_for_six_hours,
    files_come_back_byte_for_byte,
    slots_are_on_the_sky_where_others_have_them,
);

/// The warnings of a message whose time lies so many seconds from now, or that it was refused; asked until the answer came while
/// the clock still said the same of it.
async fn believed(site: &Site, seconds: i64, specid: u32) -> Result<bool, String> {
    loop {
        let asked = Utc::now();
        let at = asked + TimeDelta::seconds(seconds);
        let config = json!({ "__data_time": written(at), "hardware": [{ "ifuslot": "013", "specid": specid }] });
        let input = json!({ "config": config, "commit": false });
        let answer = site.tell("updateFplane", input).await;
        if Utc::now() - asked > TimeDelta::milliseconds(900) {
            continue;
        }
        if let Some(message) = answer["errors"][0]["message"].as_str() {
            assert_eq!(answer["errors"][0]["code"], "BAD_INPUT");
            assert_eq!(answer["errors"][0]["field"], "config");
            assert_eq!(
                (&answer["committed"], &answer["fplane"]),
                (&json!(false), &Value::Null)
            );
            return Err(message.to_owned());
        }
        let warnings = answer["warningDetails"].as_array().expect("warnings");
        return Ok(warnings.iter().any(|it| it["code"] == "AHEAD"));
    }
}

async fn messages_are_believed_for_six_hours(mut lab: Lab) {
    let (hour, minute) = (3_600, 60);
    let site = Site::open(lab).await;
    assert_eq!(believed(&site, 1 - 6 * hour, 1).await, Ok(false));
    let refused = believed(&site, -6 * hour - 1, 1).await.expect_err("old");
    assert!(
        refused.starts_with("__data_time: ") && refused.ends_with("is more than 6h ago"),
        "{refused}"
    );
    assert_eq!(believed(&site, 0, 1).await, Ok(false));
    assert_eq!(believed(&site, 10 * minute - 1, 1).await, Ok(false));
    // Time passes until it is read: one second more would not be enough.
    assert_eq!(believed(&site, 10 * minute + 1, 1).await, Ok(true));
    assert_eq!(believed(&site, 9_000 * hour, 1).await, Ok(true));

    // The limits are settings.
    let Site { lab: old, server } = site;
    lab = old;
    assert!(server.stop().await);
    lab.set("LABQL_FPLANES__REFUSE_OLDER_THAN", "2m");
    lab.set("LABQL_FPLANES__WARN_AHEAD", "3m");
    let token = lab.token("ada");
    let server = lab.serve().await.signed_in(&token);
    let site = Site { lab, server };
    assert!(believed(&site, -2 * minute - 1, 1).await.is_err());
    assert_eq!(believed(&site, 1 - 2 * minute, 1).await, Ok(false));
    assert_eq!(believed(&site, 3 * minute - 1, 1).await, Ok(false));
    assert_eq!(believed(&site, 3 * minute + 1, 1).await, Ok(true));
}

/// The rows of a file that the short form has: the boresight, and the units of VIRUS in use.
fn short(text: &str) -> String {
    let specials = ["056", "066", "555", "60", "61"];
    let is_short = |line: &&str| {
        line.starts_with("# ")
            || !(line.starts_with('#') || specials.iter().any(|slot| line.starts_with(slot)))
    };
    text.lines()
        .filter(is_short)
        .flat_map(|line| [line, "\n"])
        .collect()
}

/// The same file with all positions where the grid has them.
fn by_design(text: &str) -> String {
    let row = |line: &str| {
        let mut columns: Vec<String> = line.split('\t').map(str::to_owned).collect();
        if let [slot, x, y, ..] = columns.as_mut_slice()
            && slot != "000"
            && let Ok(number) = slot.parse::<i32>()
        {
            *x = format!("{:>8}", format!("{}.000", (number / 10) * 100 - 550));
            *y = format!("{:>8}", format!("{}.000", 450 - (number % 10) * 100));
        }
        columns.join("\t") + "\n"
    };
    text.lines().map(row).collect()
}

async fn import(site: &Site, shared: &Path, name: &str, from: &str) -> String {
    let text = shared_text(shared, &format!("{name}.txt"));
    let input = json!({ "text": text, "validFrom": from, "name": name });
    let told = site.told("importFplane", input).await;
    assert_eq!(told["committed"], true, "{told}");
    text
}

async fn files_come_back_byte_for_byte(lab: Lab) {
    let Some(shared) = shared_data() else { return };
    let site = Site::open(lab).await;
    // In no order of time: each is the whole plane from its date on.
    let full = import(&site, &shared, "fplane_20251017_panacea", "20251017").await;
    let actual = import(&site, &shared, "fplane_20190528_vdrp", "20190528").await;
    let all = import(&site, &shared, "fplaneall_virusflow", "20200101").await;
    let by_hand = import(&site, &shared, "fplane_20200707_karlspipe", "20200707").await;

    for (date, text) in [("20251017", &full), ("20200101", &all)] {
        let plane = site.plane(date, "NOMINAL").await;
        assert_eq!(plane["text"], **text, "{date}");
        assert_eq!(plane["short"], short(text), "{date}");
    }
    let plane = site.plane("20190528", "MEASURED").await;
    assert_eq!(
        (&plane["text"], &plane["short"]),
        (&json!(actual), &json!(actual))
    );
    let plane = site.plane("20190528", "NOMINAL").await;
    assert_eq!(
        (&plane["text"], &plane["short"]),
        (&json!(by_design(&actual)), &json!(by_design(&actual)))
    );
    assert_ne!(by_design(&actual), actual);

    // Three rows were added by hand, with other blanks and in no place.
    let plane = site.plane("20200707", "NOMINAL").await;
    let text = plane["text"].as_str().expect("a text");
    let is_by_hand = |line: &&str| {
        ["040", "069", "079"]
            .iter()
            .any(|slot| line.starts_with(slot))
    };
    let others = |text: &str| -> Vec<String> {
        text.lines()
            .filter(|line| !is_by_hand(line))
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(others(text), others(&by_hand));
    let tokens = |text: &str| -> Vec<Vec<String>> {
        let rows = text.lines().filter(is_by_hand);
        rows.map(|row| row.split_whitespace().map(str::to_owned).collect())
            .collect()
    };
    assert_eq!(tokens(text), tokens(&by_hand));

    // Each came with its text, and whatever came later is between the others.
    let query = "{ fplaneSources(first: 10) { nodes { kind name content } } }";
    let data = site.server.data(query, json!({})).await;
    let contents = data["fplaneSources"]["nodes"]
        .as_array()
        .expect("sources")
        .iter()
        .map(|it| it["content"].clone());
    assert_eq!(
        contents.collect::<Vec<_>>(),
        [by_hand, all, actual, full].map(Value::from)
    );
}

async fn slots_are_on_the_sky_where_others_have_them(lab: Lab) {
    let site = Site::open(lab).await;
    let text = "000 0.000 0.000 900 900 900 0.000 1.000
013 -450.000 150.000 401 241 043 0.000 1.000
021 -349.910 350.210 315 218 073 0.000 1.000
106 450.000 -150.000 402 242 044 0.000 1.000
";
    let input = json!({ "text": text, "validFrom": "20190528" });
    site.told("importFplane", input).await;
    let pointing = "ra: 205.543395821, dec: 28.3792133418, positionAngle: 257.654951";
    let places = [
        (
            "000",
            ["205.543395821", "28.379213342"],
            ["205.543395821", "28.379213342"],
        ),
        (
            "013",
            ["205.527527620", "28.248194660"],
            ["205.523510286", "28.248620181"],
        ),
        (
            "021",
            ["205.459095055", "28.263439388"],
            ["205.455569516", "28.265487949"],
        ),
        (
            "106",
            ["205.559303276", "28.510230181"],
            ["205.563330387", "28.509803609"],
        ),
    ];
    for (place, convention) in ["PYHETDEX", "REMEDY"].into_iter().enumerate() {
        for (ifuslot, pyhetdex, remedy) in &places {
            let place = if place == 0 { pyhetdex } else { remedy };
            let [ra, dec] = place.map(|degrees| degrees.parse::<f64>().expect("degrees"));
            let query = format!(
                "{{ fplane(at: \"20190601\", positions: MEASURED) {{
                    sky({pointing}, convention: {convention}, filter: {{ ifuslot: \"{ifuslot}\" }}) {{ ifuslot ra dec slot {{ x y }} }}
                    covering({pointing}, convention: {convention}, targetRa: {ra}, targetDec: {dec}) {{ x y slots {{ ifuslot }} }}
                }} }}"
            );
            let data = site.server.data(&query, json!({})).await;
            let (sky, target) = (&data["fplane"]["sky"][0], &data["fplane"]["covering"]);
            let near = |found: &Value, expected: f64, by: f64| {
                (found.as_f64().expect("a number") - expected).abs() < by
            };
            assert!(
                near(&sky["ra"], ra, 1e-8) && near(&sky["dec"], dec, 1e-8),
                "{convention} {ifuslot}: {sky}"
            );
            for axis in ["x", "y"] {
                let expected = sky["slot"][axis].as_f64().expect("arcsec");
                assert!(near(&target[axis], expected, 1e-4), "{target}");
            }
            // The boresight is a point, which covers nothing.
            let covering = if *ifuslot == "000" {
                json!([])
            } else {
                json!([{ "ifuslot": ifuslot }])
            };
            assert_eq!(target["slots"], covering, "{convention}");
        }
    }
    let query = "{ fplane { sky(ra: 0, dec: 91, positionAngle: 0) { ra } } }";
    assert_eq!(site.server.refusal(query, json!({})).await, "BAD_INPUT");
    let query =
        format!("{{ fplane {{ covering({pointing}, targetRa: 25.5, targetDec: -28) {{ x }} }} }}");
    let data = site.server.data(&query, json!({})).await;
    assert_eq!(data["fplane"]["covering"], Value::Null);
}
