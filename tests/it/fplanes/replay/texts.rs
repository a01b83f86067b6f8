//! Files, tables and lists that make no sense, and what they say.

use chrono::TimeDelta;
use labql::fplanes::model::{Claims, Layer, Mapping, Position, Value};
use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::json;

use super::super::site::written;
use super::commands::{
    Command, DAYS, Told, any, fact, instant, some_mapping, some_position, some_special, special,
    start, unit,
};
use super::model::{GRID, design};

fn row(ifuslot: &str, is_active: bool, position: Position, ids: [Option<&str>; 3]) -> String {
    let mark = if is_active { "" } else { "#" };
    let [specid, specslot, ifuid] = ids.map(|id| id.unwrap_or("000"));
    let Position { x, y } = position;
    format!("{mark}{ifuslot}\t{x:8.3}\t{y:8.3}\t{specid}\t{specslot}\t{ifuid}\t0.000\t1.000\n")
}

pub fn file(random: &mut StdRng) -> Command {
    let at = instant(random);
    let how = any(random, &["AUTO", "AUTO", "NOMINAL", "MEASURED"]);
    let is_whole = random.random_bool(0.5);
    let mut claims = Claims {
        is_whole,
        ..Claims::default()
    };
    let mut text = "# IFUSLOT X_FP   Y_FP   SPECID SPECSLOT IFUID IFUROT  PLATESC\n".to_owned();
    let mut units = Vec::new();
    for ifuslot in ["013", "021", "074"] {
        if random.random_bool(0.6) {
            units.push((ifuslot, some_position(random, ifuslot)));
        }
    }
    let has_measured = units
        .iter()
        .any(|(ifuslot, place)| *place != design(ifuslot));
    for (ifuslot, place) in &units {
        let mut mapping = some_mapping(random);
        (mapping.cntlid, mapping.muxid, mapping.rotation) = (None, None, 0.0);
        let ids = [&mapping.specid, &mapping.specslot, &mapping.ifuid];
        text += &row(ifuslot, mapping.active, *place, ids.map(Option::as_deref));
        unit(&mut claims, ifuslot, mapping);
        let is_exact = *place == design(ifuslot);
        if how == "NOMINAL" || (how == "AUTO" && is_exact) {
            fact(
                &mut claims,
                Layer::Nominal,
                ifuslot,
                Some(Value::Nominal(*place)),
            );
        } else {
            fact(
                &mut claims,
                Layer::Measured,
                ifuslot,
                Some(Value::Measured(*place)),
            );
        }
        if how == "AUTO" && is_exact && has_measured {
            fact(&mut claims, Layer::Measured, ifuslot, None);
        }
    }
    for ifuslot in ["056", "600"] {
        if random.random_bool(0.4) || (ifuslot == "600" && claims.facts.is_empty()) {
            let it = some_special(random, ifuslot);
            let id = Some(it.id.as_str());
            text += &row(ifuslot, it.active, it.position, [id, id, id]);
            special(&mut claims, ifuslot, it);
        }
    }
    let unlisted = if is_whole { "END" } else { "KEEP" };
    let told = Told {
        key: format!("file {at} {how} {unlisted} {text}"),
        at: at.timestamp_micros(),
        until: None,
        is_correction: false,
        claims,
        unplaced: None,
    };
    Command {
        mutation: "importFplane",
        input: json!({
            "text": text, "validFrom": written(at), "positions": how, "unlisted": unlisted, "name": "a file",
        }),
        told: vec![told],
    }
}

/// Nights of UT: they stand for the midnight at their end.
pub fn mapping(random: &mut StdRng) -> Command {
    let mut text = "date,specid,ifuslot,ifuid\n".to_owned();
    let mut told = Vec::new();
    let first = random.random_range(0..DAYS - 4);
    let second = first + random.random_range(1..4);
    for night in [first, second] {
        let mut claims = Claims::default();
        let date = (start() + TimeDelta::days(night)).format("%Y%m%d");
        for ifuslot in GRID {
            if !random.random_bool(0.5) {
                continue;
            }
            let (specid, ifuid) = (any(random, &["315", "316"]), any(random, &["073", "074"]));
            text += &format!("{date},{specid},{ifuslot},{ifuid}\n");
            let mapping = Mapping {
                ifuid: Some(ifuid.to_owned()),
                specid: Some(specid.to_owned()),
                specslot: None,
                cntlid: None,
                muxid: None,
                active: true,
                rotation: 0.0,
                plate_scale: 1.0,
            };
            unit(&mut claims, ifuslot, mapping);
        }
        if !claims.facts.is_empty() {
            told.push(Told {
                key: format!("night {date} {:?}", claims.facts),
                at: (start() + TimeDelta::days(night + 1)).timestamp_micros(),
                until: None,
                is_correction: false,
                claims,
                unplaced: None,
            });
        }
    }
    if told.is_empty() {
        return mapping(random);
    }
    Command {
        mutation: "importFplaneMapping",
        input: json!({ "text": text }),
        told,
    }
}

pub fn positions(random: &mut StdRng) -> Command {
    let at = instant(random);
    let mut claims = Claims::default();
    let mut text = String::new();
    for ifuslot in GRID {
        if random.random_bool(0.5) || (ifuslot == "056" && text.is_empty()) {
            let place = some_position(random, ifuslot);
            text += &format!("{ifuslot} {:.3} {:.3}\n", place.x, place.y);
            fact(
                &mut claims,
                Layer::Measured,
                ifuslot,
                Some(Value::Measured(place)),
            );
        }
    }
    let told = Told {
        key: format!("positions {at} {text}"),
        at: at.timestamp_micros(),
        until: None,
        is_correction: false,
        claims,
        unplaced: None,
    };
    Command {
        mutation: "importFplanePositions",
        input: json!({ "text": text, "validFrom": written(at) }),
        told: vec![told],
    }
}
