//! Tests of the text of a plane, with the reader as its opposite.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::fplanes::readers::{FilePositions, read_file};

const FULL: &str = "# $Id$
# $Revision$
# $Author$
# $Date$
# IFUSLOT X_FP   Y_FP   SPECID SPECSLOT IFUID IFUROT  PLATESC
000\t   0.000\t   0.000\t900\t900\t900\t0.000\t1.000
#013\t-450.000\t 150.000\t000\t241\t043\t0.000\t1.000
021\t-349.910\t 350.210\t315\t218\t073\t0.000\t1.000
#050\t -50.000\t 450.000\t000\t000\t000\t0.000\t1.000
056\t -50.000\t-150.000\t998\t998\t998\t0.000\t1.000
600\t -35.800\t  12.300\t902\t902\t902\t0.000\t1.000
#616\t -58.300\t  24.800\t913\t913\t913\t0.000\t1.000
";

fn slots(text: &str) -> Vec<Slot> {
    read_file(text).expect("a file").slots()
}

#[test]
fn the_full_file_has_all_slots_and_the_short_one_units_in_use() {
    let slots = slots(FULL);
    assert_eq!(write(&slots, true), FULL);
    let kept =
        |line: &&str| line.starts_with("# ") || line.starts_with("000") || line.starts_with("021");
    let expected: String = FULL
        .lines()
        .filter(kept)
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(write(&slots, false), expected);
}

#[test]
fn programs_that_skip_six_lines_lose_no_unit() {
    let mut without = slots(FULL);
    without.retain(|slot| slot.ifuslot != "000");
    assert_eq!(write(&without, true), FULL);
    for full in [true, false] {
        let empty = write(&[], full);
        assert_eq!(empty.lines().count(), 6);
        assert!(empty.ends_with("\n000\t   0.000\t   0.000\t900\t900\t900\t0.000\t1.000\n"));
    }
}

#[test]
fn slots_are_sorted_whatever_their_order() {
    let mut reversed = slots(FULL);
    reversed.reverse();
    assert_eq!(write(&reversed, true), FULL);
}

fn id() -> impl Strategy<Value = Option<String>> {
    proptest::option::of((1_u32..900).prop_map(|id| format!("{id:03}")))
}

/// A position as files have it, with three decimals.
fn position() -> impl Strategy<Value = Position> {
    let coordinate = || (-999_999_i32..=999_999).prop_map(|it| f64::from(it) / 1_000.0);
    (coordinate(), coordinate()).prop_map(|(x, y)| Position { x, y })
}

fn mapping() -> impl Strategy<Value = Mapping> {
    (id(), id(), id(), any::<bool>()).prop_map(|(ifuid, specid, specslot, active)| Mapping {
        ifuid,
        specid,
        specslot,
        cntlid: None,
        muxid: None,
        active,
        rotation: 0.0,
        plate_scale: 1.0,
    })
}

/// A plane with any slots of VIRUS and any special ones.
fn plane() -> impl Strategy<Value = Vec<Slot>> {
    let units = proptest::collection::btree_map(0_usize..82, (mapping(), position()), 0..82);
    let special = proptest::collection::btree_map(0_u32..14, (any::<bool>(), position()), 0..14);
    (units, special).prop_map(|(units, special)| {
        let names: Vec<String> = grid::slots().filter(|slot| grid::is_virus(slot)).collect();
        let units = units.into_iter().map(|(index, (mapping, position))| {
            let ifuslot = names[index].clone();
            let is_measured = !grid::is_nominal(&ifuslot, position);
            Slot {
                kind: SlotKind::Virus,
                name: None,
                mapping,
                position,
                is_measured,
                ifuslot,
            }
        });
        let special = special.into_iter().map(|(index, (active, position))| {
            let id = Some(format!("{}", 900 + index));
            let ifuslot = if index == 0 {
                "000".to_owned()
            } else {
                format!("{}", 599 + index)
            };
            let name = grid::special_name(&ifuslot).map(str::to_owned);
            let mapping = Mapping {
                active,
                ..super::boresight().mapping
            };
            let mapping = Mapping {
                ifuid: id.clone(),
                specid: id.clone(),
                specslot: id,
                ..mapping
            };
            Slot {
                kind: grid::kind(&ifuslot, true),
                name,
                mapping,
                position,
                is_measured: false,
                ifuslot,
            }
        });
        let all: BTreeMap<String, Slot> = units
            .chain(special)
            .map(|slot| (slot.ifuslot.clone(), slot))
            .collect();
        let mut all: Vec<Slot> = all.into_values().collect();
        grid::sort(&mut all);
        all
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(plane in plane()) {
        let text = write(&plane, true);
        let file = read_file(&text).unwrap();
        let mut expected = plane.clone();
        if !plane.iter().any(|slot| slot.kind == SlotKind::Boresight) {
            expected.insert(0, super::boresight());
        }
        prop_assert_eq!(file.slots(), expected);
        prop_assert_eq!(write(&file.slots(), true), text);
        let short = write(&plane, false);
        let units = plane.iter().filter(|slot| slot.kind == SlotKind::Virus && slot.mapping.active);
        prop_assert_eq!(short.lines().count(), 6 + units.count());
        for positions in [FilePositions::Auto, FilePositions::Nominal, FilePositions::Measured] {
            let claims = file.claims(positions, true);
            let claimed = |slot: &Slot| claims.facts.keys().any(|track| track.ifuslot == slot.ifuslot);
            let all = file.slots().iter().all(claimed);
            prop_assert!(all);
        }
    }

    #[test]
    fn no_file_is_too_odd(text in "[0-9 .#x\\-\n\t]{0,300}") {
        if let Ok(file) = read_file(&text) {
            let written = write(&file.slots(), true);
            prop_assert_eq!(write(&slots(&written), true), written);
            let _ = file.claims(FilePositions::Auto, true);
        }
    }
}
