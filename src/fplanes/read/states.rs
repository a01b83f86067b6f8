//! Slots put together from the facts of their layers.

use std::collections::BTreeMap;

use crate::fplanes::grid;
use crate::fplanes::model::{Mapping, Position, Positions, Slot, Special, Value};

/// What is known of a slot.
#[derive(Default)]
struct Facts {
    mapping: Option<Mapping>,
    nominal: Option<Position>,
    measured: Option<Position>,
    special: Option<Special>,
}

/// The slots of these facts, each with the name of its slot, in the order of files.
///
/// In the plane are the slots that have something in them: to know only where a slot is does not bring it there. One of which
/// nobody said where it is by design is where the grid has it.
pub fn slots(facts: impl IntoIterator<Item = (String, Value)>, positions: Positions) -> Vec<Slot> {
    let mut known: BTreeMap<String, Facts> = BTreeMap::new();
    for (ifuslot, value) in facts {
        let of_slot = known.entry(ifuslot).or_default();
        match value {
            Value::Mapping(mapping) => of_slot.mapping = Some(mapping),
            Value::Nominal(position) => of_slot.nominal = Some(position),
            Value::Measured(position) => of_slot.measured = Some(position),
            Value::Special(special) => of_slot.special = Some(special),
        }
    }
    let mut slots: Vec<Slot> = known
        .into_iter()
        .filter_map(|(ifuslot, facts)| slot(ifuslot, facts, positions))
        .collect();
    grid::sort(&mut slots);
    slots
}

fn slot(ifuslot: String, facts: Facts, positions: Positions) -> Option<Slot> {
    if let Some(special) = facts.special {
        return Some(special_slot(ifuslot, special));
    }
    let mapping = facts.mapping?;
    let design = facts.nominal.or_else(|| grid::nominal(&ifuslot));
    let measured = facts.measured.filter(|_| positions == Positions::Measured);
    Some(Slot {
        kind: grid::kind(&ifuslot, false),
        name: None,
        mapping,
        position: measured.or(design)?,
        is_measured: measured.is_some(),
        ifuslot,
    })
}

fn special_slot(ifuslot: String, special: Special) -> Slot {
    Slot {
        kind: grid::kind(&ifuslot, true),
        name: special.name,
        mapping: Mapping {
            ifuid: Some(special.id.clone()),
            specid: Some(special.id.clone()),
            specslot: Some(special.id),
            cntlid: None,
            muxid: None,
            active: special.active,
            rotation: special.rotation,
            plate_scale: special.plate_scale,
        },
        position: special.position,
        is_measured: false,
        ifuslot,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping() -> Value {
        Value::Mapping(Mapping {
            ifuid: Some("073".into()),
            specid: Some("315".into()),
            specslot: None,
            cntlid: None,
            muxid: None,
            active: true,
            rotation: 0.0,
            plate_scale: 1.0,
        })
    }

    fn of(facts: Vec<(&str, Value)>, positions: Positions) -> Vec<(String, f64, bool)> {
        let facts = facts
            .into_iter()
            .map(|(ifuslot, value)| (ifuslot.to_owned(), value));
        let slots = slots(facts, positions).into_iter();
        slots
            .map(|slot| (slot.ifuslot, slot.position.x, slot.is_measured))
            .collect()
    }

    #[test]
    fn a_slot_is_where_it_was_measured_if_that_is_asked_for() {
        let facts = || {
            let measured = Value::Measured(Position {
                x: -449.5,
                y: 150.0,
            });
            vec![("013", mapping()), ("013", measured), ("021", mapping())]
        };
        let nominal = [
            ("013".to_owned(), -450.0, false),
            ("021".to_owned(), -350.0, false),
        ];
        assert_eq!(of(facts(), Positions::Nominal), nominal);
        let measured = [
            ("013".to_owned(), -449.5, true),
            ("021".to_owned(), -350.0, false),
        ];
        assert_eq!(of(facts(), Positions::Measured), measured);
    }

    #[test]
    fn a_place_alone_is_no_slot_and_a_slot_needs_a_place() {
        let position = Position { x: 1.0, y: 2.0 };
        let place = vec![("013", Value::Nominal(position))];
        assert_eq!(of(place, Positions::Nominal), []);
        assert_eq!(of(vec![("777", mapping())], Positions::Nominal), []);
        let placed = vec![("777", mapping()), ("777", Value::Nominal(position))];
        let expected = [("777".to_owned(), 1.0, false)];
        assert_eq!(of(placed, Positions::Nominal), expected);
    }
}
