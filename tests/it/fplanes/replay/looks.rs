//! Questions of all kinds, whose answers are compared with what was told.

use chrono::{DateTime, TimeDelta, Utc};
use labql::fplanes::model::{Layer, Value as Fact};
use rand::seq::IndexedRandom;
use serde_json::{Value, json};

use super::super::site::{SLOT, line, lines, micros, written};
use super::World;
use super::commands;
use super::model::{self, Naive};

impl World<'_> {
    /// Asks for the plane at all instants, with both kinds of positions.
    pub async fn look(&mut self, known_at: Option<DateTime<Utc>>, naive: &Naive) {
        let plane = format!("at fplane {{ validFrom validUntil knownAt slots {{ {SLOT} }} }}");
        let query = format!(
            "query($at: [String!]!, $knownAt: DateTime) {{
                nominal: fplanes(at: $at, knownAt: $knownAt) {{ {plane} }}
                measured: fplanes(at: $at, knownAt: $knownAt, positions: MEASURED) {{ {plane} }}
            }}"
        );
        let instants = commands::instants();
        let asked: Vec<String> = instants.iter().copied().map(written).collect();
        let variables = json!({ "at": asked, "knownAt": known_at.map(written) });
        let data = self.site.server.data(&query, variables).await;
        for (name, is_measured) in [("nominal", false), ("measured", true)] {
            let mut found: Vec<i64> = Vec::new();
            for state in data[name].as_array().expect("states") {
                let plane = &state["fplane"];
                assert_eq!(
                    micros(&plane["knownAt"]),
                    known_at.map(|at| at.timestamp_micros())
                );
                let range = (micros(&plane["validFrom"]), micros(&plane["validUntil"]));
                let lines = lines(plane);
                for at in state["at"].as_array().expect("instants") {
                    let at = micros(at).expect("an instant");
                    assert_eq!(
                        lines,
                        naive.lines(at, is_measured),
                        "{name} {at} {known_at:?}"
                    );
                    assert_eq!(
                        range,
                        naive.range(at, is_measured),
                        "{name} {at} {known_at:?}"
                    );
                    assert!(
                        range.0.is_none_or(|from| from <= at)
                            && range.1.is_none_or(|until| at < until)
                    );
                    found.push(at);
                }
            }
            found.sort_unstable();
            let all: Vec<i64> = instants.iter().map(DateTime::timestamp_micros).collect();
            assert_eq!(found, all);
            self.counts.compared += u32::try_from(found.len()).expect("a number");
        }
    }

    /// Asks for all planes again as they were known after each command, and before the next.
    pub async fn look_back(&mut self) {
        let known = self.known.clone();
        let mut before = Naive::default();
        for (known_at, naive) in &known {
            self.look(Some(*known_at - TimeDelta::microseconds(1)), &before)
                .await;
            self.look(Some(*known_at), naive).await;
            before.clone_from(naive);
        }
        for _ in 0..5 {
            let Some((known_at, naive)) = known.choose(&mut self.random) else {
                return;
            };
            self.look_at_one(*known_at, naive).await;
        }
    }

    /// Asks for one plane, and for what one slot holds over time.
    async fn look_at_one(&mut self, known_at: DateTime<Utc>, naive: &Naive) {
        let instants = commands::instants();
        let at = instants.choose(&mut self.random).expect("an instant");
        let ifuslot = *model::SLOTS.choose(&mut self.random).expect("a slot");
        let query = format!(
            "query($at: String!, $knownAt: DateTime!, $ifuslot: String!) {{
                fplane(at: $at, knownAt: $knownAt, positions: MEASURED) {{
                    validFrom validUntil slots {{ {SLOT} }} slot(ifuslot: $ifuslot) {{ {SLOT} }}
                }}
                fplaneHistory(ifuslot: $ifuslot, layers: [MAPPING, NOMINAL, MEASURED, SPECIAL], knownAt: $knownAt, first: 500) {{
                    nodes {{ layer validFrom validUntil recordedAt supersededAt ifuid specid x y }}
                }}
            }}"
        );
        let variables =
            json!({ "at": written(*at), "knownAt": written(known_at), "ifuslot": ifuslot });
        let data = self.site.server.data(&query, variables).await;
        let (plane, at) = (&data["fplane"], at.timestamp_micros());
        assert_eq!(lines(plane), naive.lines(at, true));
        let range = (micros(&plane["validFrom"]), micros(&plane["validUntil"]));
        assert_eq!(range, naive.range(at, true));
        let slot = Some(&plane["slot"])
            .filter(|slot| !slot.is_null())
            .map(line);
        let mut expected = naive.lines(at, true).into_iter();
        let expected = expected.find(|line| line.starts_with(ifuslot));
        assert_eq!(slot, expected);
        for layer in Layer::ALL {
            let name = format!("{layer:?}").to_ascii_uppercase();
            let records = data["fplaneHistory"]["nodes"].as_array().expect("records");
            let records: Vec<&Value> = records.iter().filter(|it| it["layer"] == name).collect();
            for instant in &instants {
                let at = instant.timestamp_micros();
                let holds = |it: &&&Value| {
                    micros(&it["validFrom"]) <= Some(at)
                        && micros(&it["validUntil"]).is_none_or(|until| at < until)
                };
                let holding: Vec<&&Value> = records.iter().filter(holds).collect();
                let value = naive.value(&model::track(layer, ifuslot), at);
                assert_eq!(
                    holding.len(),
                    usize::from(value.is_some()),
                    "{ifuslot} {name} {instant}"
                );
                let (Some(record), Some(value)) = (holding.first(), value) else {
                    continue;
                };
                assert!(micros(&record["recordedAt"]) <= Some(known_at.timestamp_micros()));
                assert!(
                    micros(&record["supersededAt"])
                        .is_none_or(|at| at > known_at.timestamp_micros())
                );
                match value {
                    Fact::Mapping(it) => assert_eq!(
                        (&record["ifuid"], &record["specid"]),
                        (&json!(it.ifuid), &json!(it.specid))
                    ),
                    Fact::Nominal(place) | Fact::Measured(place) => {
                        assert_eq!(
                            (record["x"].as_f64(), record["y"].as_f64()),
                            (Some(place.x), Some(place.y))
                        );
                    }
                    Fact::Special(it) => assert_eq!(record["ifuid"], json!(it.id)),
                }
            }
        }
    }
}
