//! The meaning of what was told, as plainly as it can be written down.
//!
//! Of each track there is a list of assertions: from an instant on it holds a value, or nothing. A claim adds an assertion to each
//! track that it names; a claim of the whole plane adds to all others of its layers that they hold nothing. A correction of a
//! stretch of time removes the assertions in it, adds its own at the beginning, and at the end, unless somebody said something
//! of that very instant, that the track holds what it held there before. At an instant a track holds what was asserted last.

use std::collections::{BTreeMap, BTreeSet};

use labql::fplanes::model::{Claims, Layer, Mapping, Position, Special, Track, Value};

/// All slots that the tests know, in the order of files.
pub const SLOTS: [&str; 5] = ["013", "021", "074", "056", "600"];

/// Those of VIRUS.
pub const UNITS: [&str; 3] = ["013", "021", "074"];

/// Those of the grid: the last is one of LRS2, and may be special or a unit.
pub const GRID: [&str; 4] = ["013", "021", "074", "056"];

pub fn track(layer: Layer, ifuslot: &str) -> Track {
    Track {
        layer,
        ifuslot: ifuslot.to_owned(),
    }
}

/// Where a slot of the grid is by design.
pub fn design(ifuslot: &str) -> Position {
    let (column, row) = ifuslot.split_at(2);
    let number = |text: &str| text.parse::<f64>().expect("a number");
    Position {
        x: (number(column) - 5.5) * 100.0,
        y: (4.5 - number(row)) * 100.0,
    }
}

type Assertions = BTreeMap<i64, Option<Value>>;

/// What was told so far.
#[derive(Clone, Debug, Default)]
pub struct Naive {
    tracks: BTreeMap<Track, Assertions>,
}

impl Naive {
    pub fn value(&self, track: &Track, at: i64) -> Option<&Value> {
        let assertions = self.tracks.get(track)?;
        assertions.range(..=at).next_back()?.1.as_ref()
    }

    /// What a special slot is.
    pub fn special(&self, ifuslot: &str, at: i64) -> Option<&Special> {
        match self.value(&track(Layer::Special, ifuslot), at)? {
            Value::Special(special) => Some(special),
            other => panic!("{other:?}"),
        }
    }

    /// Has a text that tells of no controllers, nor what special slots are called, say what was so while the spectrograph, or
    /// the special slot, stays the same. A table of mappings does not tell of places in enclosures and rotations, either.
    pub fn complete(&self, at: i64, claims: &mut Claims, is_table: bool) {
        for (track, fact) in &mut claims.facts {
            match (fact, self.value(track, at)) {
                (Some(Value::Special(fact)), Some(Value::Special(known)))
                    if fact.id == known.id && known.name.is_some() =>
                {
                    fact.name.clone_from(&known.name);
                }
                (Some(Value::Mapping(fact)), Some(Value::Mapping(known)))
                    if fact.specid.is_some() && fact.specid == known.specid =>
                {
                    (fact.cntlid, fact.muxid) = (known.cntlid.clone(), known.muxid.clone());
                    if is_table {
                        fact.specslot.clone_from(&known.specslot);
                        (fact.rotation, fact.plate_scale) = (known.rotation, known.plate_scale);
                    }
                }
                _ => {}
            }
        }
    }

    pub fn claim(&mut self, at: i64, claims: &Claims) {
        let mut facts = claims.facts.clone();
        if claims.is_whole {
            let layers: BTreeSet<Layer> = claims.facts.keys().map(|it| it.layer).collect();
            for (layer, ifuslot) in layers.iter().flat_map(|it| SLOTS.map(|slot| (*it, slot))) {
                facts.entry(track(layer, ifuslot)).or_insert(None);
            }
        }
        for (track, value) in facts {
            let value = kept(&track, value);
            self.tracks.entry(track).or_default().insert(at, value);
        }
    }

    pub fn correct(&mut self, from: i64, until: Option<i64>, claims: &Claims) {
        for (track, value) in &claims.facts {
            let held = until.and_then(|until| self.value(track, until).cloned());
            let assertions = self.tracks.entry(track.clone()).or_default();
            assertions.retain(|at, _| *at < from || until.is_some_and(|until| *at >= until));
            assertions.insert(from, kept(track, value.clone()));
            if let Some(until) = until {
                assertions.entry(until).or_insert(held);
            }
        }
    }

    /// Since when, and until when, the plane looks as it does at an instant.
    pub fn range(&self, at: i64, is_measured: bool) -> (Option<i64>, Option<i64>) {
        let told: BTreeSet<i64> = self
            .tracks
            .values()
            .flat_map(BTreeMap::keys)
            .copied()
            .collect();
        let is_seen = |instant: &i64| {
            self.lines(*instant, is_measured) != self.lines(*instant - 1, is_measured)
        };
        let mut seen = told.into_iter().filter(is_seen);
        let (mut from, mut until) = (None, None);
        for instant in seen.by_ref() {
            if instant > at {
                until = Some(instant);
                break;
            }
            from = Some(instant);
        }
        (from, until)
    }

    /// The plane at an instant, a line for each slot.
    pub fn lines(&self, at: i64, is_measured: bool) -> Vec<String> {
        let line = |slot: &&str| self.line(slot, at, is_measured);
        SLOTS.iter().filter_map(line).collect()
    }

    fn line(&self, ifuslot: &str, at: i64, is_measured: bool) -> Option<String> {
        let kind = match ifuslot {
            "056" => "LRS2",
            "600" => "OTHER",
            _ => "VIRUS",
        };
        if let Some(special) = self.special(ifuslot, at) {
            let id = &special.id;
            return Some(format!(
                "{ifuslot} {kind} {} {id} {id} {id} - - {} {:.3} {:.3} {:.4} {:.4} false",
                special.name.as_deref().unwrap_or("-"),
                special.active,
                special.rotation,
                special.plate_scale,
                special.position.x,
                special.position.y,
            ));
        }
        let Value::Mapping(mapping) = self.value(&track(Layer::Mapping, ifuslot), at)? else {
            panic!("no mapping");
        };
        let place = |layer| match self.value(&track(layer, ifuslot), at)? {
            Value::Nominal(place) | Value::Measured(place) => Some(*place),
            other => panic!("{other:?}"),
        };
        let measured = place(Layer::Measured).filter(|_| is_measured);
        let position = measured.or_else(|| place(Layer::Nominal));
        let position = position.unwrap_or_else(|| design(ifuslot));
        let Mapping {
            ifuid,
            specid,
            specslot,
            cntlid,
            muxid,
            ..
        } = mapping;
        let ids = [ifuid, specid, specslot, cntlid, muxid];
        Some(format!(
            "{ifuslot} {kind} - {} {} {:.3} {:.3} {:.4} {:.4} {}",
            ids.map(|id| id.as_deref().unwrap_or("-")).join(" "),
            mapping.active,
            mapping.rotation,
            mapping.plate_scale,
            position.x,
            position.y,
            measured.is_some(),
        ))
    }
}

/// That a slot is by design where the grid has it needs no record.
fn kept(track: &Track, value: Option<Value>) -> Option<Value> {
    let is_design =
        |value: &Value| matches!(value, Value::Nominal(place) if *place == design(&track.ifuslot));
    value.filter(|value| !is_design(value))
}
