//! Commands that make no sense, and what they say: messages, files, lists and corrections for few slots and few instants, so that
//! they meet.

use chrono::{DateTime, TimeDelta, Utc};
use labql::fplanes::model::{Claims, Layer, Mapping, Position, Special, Value};
use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde_json::{Value as Json, json};

use super::super::site::written;
use super::model::{GRID, UNITS, design, track};
use super::texts;

/// What a command says of one time.
#[derive(Clone, Debug)]
pub struct Told {
    /// Of two that have the same, the second says nothing.
    pub key: String,
    pub at: i64,
    /// Of corrections.
    pub until: Option<i64>,
    pub is_correction: bool,
    pub claims: Claims,
    /// What of slot 600 the message leaves as it is.
    pub unplaced: Option<Unplaced>,
}

/// A special slot that is, or is called, as it was.
#[derive(Clone, Debug)]
pub struct Unplaced {
    pub special: Special,
    pub has_position: bool,
}

/// A command.
#[derive(Clone, Debug)]
pub struct Command {
    pub mutation: &'static str,
    pub input: Json,
    pub told: Vec<Told>,
}

/// What is told lies within so many days.
pub const DAYS: i64 = 10;

pub fn start() -> DateTime<Utc> {
    "2024-01-01T00:00:00Z".parse().expect("a time")
}

/// All instants at which something can become otherwise, and those just beside them.
pub fn instants() -> Vec<DateTime<Utc>> {
    let beside = |day: i64| {
        (-1..=2).map(move |micros| start() + TimeDelta::days(day) + TimeDelta::microseconds(micros))
    };
    (0..=DAYS + 1).flat_map(beside).collect()
}

pub fn any<T: Clone>(random: &mut StdRng, of: &[T]) -> T {
    of.choose(random).expect("one").clone()
}

pub fn instant(random: &mut StdRng) -> DateTime<Utc> {
    let micros = any(random, &[0, 0, 0, 1]);
    start() + TimeDelta::days(random.random_range(0..DAYS)) + TimeDelta::microseconds(micros)
}

pub fn command(random: &mut StdRng) -> Command {
    match random.random_range(0..12) {
        0..=3 => status(random),
        4..=6 => texts::file(random),
        7 => texts::mapping(random),
        8 => texts::positions(random),
        _ => correction(random),
    }
}

pub fn fact(claims: &mut Claims, layer: Layer, ifuslot: &str, value: Option<Value>) {
    claims.facts.insert(track(layer, ifuslot), value);
}

/// Something is in a slot: it is not special then.
pub fn unit(claims: &mut Claims, ifuslot: &str, mapping: Mapping) {
    fact(
        claims,
        Layer::Mapping,
        ifuslot,
        Some(Value::Mapping(mapping)),
    );
    if ifuslot == "056" {
        fact(claims, Layer::Special, ifuslot, None);
    }
}

/// A slot is special: nothing else is in it then.
pub fn special(claims: &mut Claims, ifuslot: &str, special: Special) {
    fact(
        claims,
        Layer::Special,
        ifuslot,
        Some(Value::Special(special)),
    );
    fact(claims, Layer::Mapping, ifuslot, None);
}

pub fn some_mapping(random: &mut StdRng) -> Mapping {
    let mut id = |ids: &[Option<&str>]| any(random, ids).map(str::to_owned);
    let ifuid = id(&[None, Some("073"), Some("074"), Some("007")]);
    let specid = id(&[None, Some("315"), Some("316")]);
    Mapping {
        ifuid,
        specid,
        specslot: id(&[None, Some("218")]),
        cntlid: id(&[None, Some("1042")]),
        muxid: id(&[None, Some("007")]),
        active: random.random_bool(0.7),
        rotation: any(random, &[0.0, 0.0, 0.5]),
        plate_scale: 1.0,
    }
}

/// Near the place by design, or there.
pub fn some_position(random: &mut StdRng, ifuslot: &str) -> Position {
    let place = match ifuslot {
        "600" => Position { x: -39.0, y: 10.0 },
        grid => design(grid),
    };
    Position {
        x: place.x + any(random, &[0.0, 0.0, 0.25]),
        y: place.y + any(random, &[0.0, 0.5]),
    }
}

pub fn some_special(random: &mut StdRng, ifuslot: &str) -> Special {
    let (id, name) = match ifuslot {
        "056" => ("998", "LRS2-B"),
        _ => ("902", "HPFACAM"),
    };
    Special {
        id: id.to_owned(),
        name: Some(name.to_owned()),
        position: some_position(random, ifuslot),
        active: random.random_bool(0.8),
        rotation: 0.0,
        plate_scale: 1.0,
    }
}

/// As a text or as a number.
fn id(random: &mut StdRng, id: Option<&String>) -> Json {
    match id {
        None => any(random, &[Json::Null, json!("000"), json!(0)]),
        Some(id) if random.random_bool(0.5) => json!(id),
        Some(id) => json!(id.parse::<u32>().expect("a number")),
    }
}

fn status(random: &mut StdRng) -> Command {
    let at = instant(random);
    let mut claims = Claims::default();
    let (mut hardware, mut others) = (Vec::new(), Vec::new());
    let mut unplaced = None;
    for ifuslot in GRID {
        if !random.random_bool(0.4) {
            continue;
        }
        if ifuslot == "056" && random.random_bool(0.5) {
            let it = some_special(random, ifuslot);
            let (x, y) = (it.position.x, it.position.y);
            others.push(json!({ "ifuslot": 56, "id": 998, "name": it.name, "x_fp": x, "y_fp": y, "active": it.active }));
            special(&mut claims, ifuslot, it);
            continue;
        }
        let mut mapping = some_mapping(random);
        // A multiplexer may be the one of number zero.
        let muxid = mapping.muxid.as_ref().map(|_| "07");
        let mut entry = json!({
            "ifuslot": ifuslot, "ifuid": id(random, mapping.ifuid.as_ref()), "specid": id(random, mapping.specid.as_ref()),
            "specslot": id(random, mapping.specslot.as_ref()), "cntlid": mapping.cntlid, "muxid": muxid,
            "active": mapping.active, "ifurot": mapping.rotation, "x_fp": null, "temps": { "ccd": -110.2 },
        });
        if random.random_bool(0.3) {
            entry["active"] = Json::Null;
            mapping.active = mapping.specid.is_some();
        }
        unit(&mut claims, ifuslot, mapping);
        if random.random_bool(0.4) {
            let place = some_position(random, ifuslot);
            (entry["x_fp"], entry["y_fp"]) = (json!(place.x), json!(place.y));
            fact(
                &mut claims,
                Layer::Measured,
                ifuslot,
                Some(Value::Measured(place)),
            );
        }
        hardware.push(entry);
    }
    if (hardware.is_empty() && others.is_empty()) || random.random_bool(0.3) {
        let mut it = some_special(random, "600");
        let (has_position, has_name) = (random.random_bool(0.6), random.random_bool(0.6));
        it.name = has_name.then(|| any(random, &["HPFACAM", "a camera"]).to_owned());
        let mut entry =
            json!({ "ifuslot": "600", "id": "902", "name": it.name, "active": it.active });
        if has_position {
            (entry["x_fp"], entry["y_fp"]) = (json!(it.position.x), json!(it.position.y));
        }
        others.push(entry);
        if has_position && has_name {
            special(&mut claims, "600", it);
        } else {
            unplaced = Some(Unplaced {
                special: it,
                has_position,
            });
        }
    }
    let config = json!({
        "__data_time": written(at), "__source": "tcs", "hardware": hardware, "special": others, "seen": random.random_range(0..3),
    });
    let told = Told {
        key: format!("status {config}"),
        at: at.timestamp_micros(),
        until: None,
        is_correction: false,
        claims,
        unplaced,
    };
    Command {
        mutation: "updateFplane",
        input: json!({ "config": config }),
        told: vec![told],
    }
}

fn correction(random: &mut StdRng) -> Command {
    let from = instant(random);
    let long = random.random_range(1..5);
    let until = random
        .random_bool(0.7)
        .then(|| from + TimeDelta::days(long));
    let mut claims = Claims::default();
    let mut input = json!({ "from": written(from), "until": until.map(written), "reason": any(random, &["a", "b"]) });
    let ifuslot = any(random, &GRID);
    match random.random_range(0..5) {
        0 => {
            let ifuslot = any(random, &["056", "600"]);
            let it = some_special(random, ifuslot);
            input["ifuslot"] = json!(ifuslot);
            input["special"] = json!({
                "id": it.id, "name": it.name, "x": it.position.x, "y": it.position.y, "active": it.active,
            });
            special(&mut claims, ifuslot, it);
        }
        1 => {
            let (name, layer, ifuslot) = any(
                random,
                &[
                    ("MAPPING", Layer::Mapping, ifuslot),
                    ("NOMINAL", Layer::Nominal, ifuslot),
                    ("MEASURED", Layer::Measured, ifuslot),
                    ("SPECIAL", Layer::Special, "056"),
                    ("SPECIAL", Layer::Special, "600"),
                ],
            );
            input["ifuslot"] = json!(ifuslot);
            input["removed"] = json!([name]);
            fact(&mut claims, layer, ifuslot, None);
        }
        what => {
            // Where a special slot is, is told with what it is.
            let ifuslot = if what == 3 {
                ifuslot
            } else {
                any(random, &UNITS)
            };
            input["ifuslot"] = json!(ifuslot);
            if what != 2 {
                let it = some_mapping(random);
                input["mapping"] = json!({
                    "ifuid": it.ifuid, "specid": it.specid, "specslot": it.specslot, "cntlid": it.cntlid, "muxid": it.muxid,
                    "active": it.active, "rotation": it.rotation,
                });
                unit(&mut claims, ifuslot, it);
            }
            if what != 3 {
                let place = some_position(random, ifuslot);
                let (name, layer, value) = if random.random_bool(0.6) {
                    ("MEASURED", Layer::Measured, Value::Measured(place))
                } else {
                    ("NOMINAL", Layer::Nominal, Value::Nominal(place))
                };
                input["position"] = json!({ "x": place.x, "y": place.y, "positions": name });
                fact(&mut claims, layer, ifuslot, Some(value));
            }
        }
    }
    let told = Told {
        key: format!(
            "correction {from} {until:?} {} {:?}",
            input["reason"], claims.facts
        ),
        at: from.timestamp_micros(),
        until: until.map(|until| until.timestamp_micros()),
        is_correction: true,
        claims,
        unplaced: None,
    };
    Command {
        mutation: "correctFplane",
        input,
        told: vec![told],
    }
}
