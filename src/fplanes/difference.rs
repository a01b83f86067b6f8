//! What differs between two planes, slot by slot.

use std::collections::BTreeMap;

use super::model::{Mapping, Position, Slot};

/// In which way a slot differs. The first that is true of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangeKind {
    /// It was not in the plane before.
    Added,
    /// It is no longer in the plane.
    Removed,
    /// It was out of use, and is in use. Anything else may differ, too.
    Activated,
    /// It was in use, and is out of use. Anything else may differ, too.
    Deactivated,
    /// Something else is in it, or something else is known of it. Its position may differ, too.
    Changed,
    /// It is the same, at another position.
    Moved,
}

/// How a slot differs between two planes.
#[derive(Clone, Debug, PartialEq)]
pub struct SlotChange {
    /// The slot: three digits.
    pub ifuslot: String,
    /// In which way.
    pub kind: ChangeKind,
    /// How it was; none: it was not there.
    pub before: Option<Slot>,
    /// How it is; none: it is not there.
    pub after: Option<Slot>,
}

/// What became of each slot that differs, by slots ascending. Of a slot that is there more than once, the last counts.
///
/// Numbers are compared as they are, not as files write them: a hundredth of a milliarcsecond is a difference.
pub fn between(before: &[Slot], after: &[Slot]) -> Vec<SlotChange> {
    let mut pairs: BTreeMap<&str, (Option<&Slot>, Option<&Slot>)> = BTreeMap::new();
    for slot in before {
        pairs.entry(&slot.ifuslot).or_default().0 = Some(slot);
    }
    for slot in after {
        pairs.entry(&slot.ifuslot).or_default().1 = Some(slot);
    }
    let changes = pairs.into_iter().filter_map(|(ifuslot, (before, after))| {
        Some(SlotChange {
            ifuslot: ifuslot.to_owned(),
            kind: kind(before, after)?,
            before: before.cloned(),
            after: after.cloned(),
        })
    });
    changes.collect()
}

fn kind(before: Option<&Slot>, after: Option<&Slot>) -> Option<ChangeKind> {
    let (before, after) = match (before, after) {
        (None, None) => return None,
        (None, Some(_)) => return Some(ChangeKind::Added),
        (Some(_), None) => return Some(ChangeKind::Removed),
        (Some(before), Some(after)) => (before, after),
    };
    match (before.mapping.active, after.mapping.active) {
        (false, true) => return Some(ChangeKind::Activated),
        (true, false) => return Some(ChangeKind::Deactivated),
        (true, true) | (false, false) => {}
    }
    let moved = !is_same_place(before.position, after.position);
    // Without a new position: it was found by measurement where it was thought to be, or the measurement was withdrawn.
    let only_known_otherwise = !moved && before.is_measured != after.is_measured;
    if only_known_otherwise || !is_same_content(before, after) {
        Some(ChangeKind::Changed)
    } else if moved {
        Some(ChangeKind::Moved)
    } else {
        None
    }
}

fn is_same_content(before: &Slot, after: &Slot) -> bool {
    before.kind == after.kind
        && before.name == after.name
        && is_same_mapping(&before.mapping, &after.mapping)
}

fn is_same_mapping(before: &Mapping, after: &Mapping) -> bool {
    before.ifuid == after.ifuid
        && before.specid == after.specid
        && before.specslot == after.specslot
        && before.cntlid == after.cntlid
        && before.muxid == after.muxid
        && before.active == after.active
        && is_same(before.rotation, after.rotation)
        && is_same(before.plate_scale, after.plate_scale)
}

fn is_same_place(before: Position, after: Position) -> bool {
    is_same(before.x, after.x) && is_same(before.y, after.y)
}

/// Equal as numbers, or both no number: so that nothing differs from itself.
#[allow(clippy::float_cmp)] // What was stored comes back as it was.
fn is_same(before: f64, after: f64) -> bool {
    before == after || (before.is_nan() && after.is_nan())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fplanes::model::SlotKind;

    fn slot(ifuslot: &str) -> Slot {
        Slot {
            ifuslot: ifuslot.to_owned(),
            kind: SlotKind::Virus,
            name: None,
            mapping: Mapping {
                ifuid: Some("073".to_owned()),
                specid: Some("315".to_owned()),
                specslot: Some("218".to_owned()),
                cntlid: None,
                muxid: None,
                active: true,
                rotation: 0.0,
                plate_scale: 1.0,
            },
            position: Position {
                x: -350.0,
                y: 350.0,
            },
            is_measured: false,
        }
    }

    fn changed(change: impl FnOnce(&mut Slot)) -> Option<ChangeKind> {
        let before = slot("021");
        let mut after = before.clone();
        change(&mut after);
        let changes = between(&[before], &[after]);
        changes.first().map(|change| change.kind)
    }

    #[test]
    fn each_kind() {
        assert_eq!(changed(|_| ()), None);
        assert_eq!(
            changed(|it| it.position.x = -349.91),
            Some(ChangeKind::Moved)
        );
        let moved_by_measurement = changed(|it| {
            it.position.x = -349.91;
            it.is_measured = true;
        });
        assert_eq!(moved_by_measurement, Some(ChangeKind::Moved));
        assert_eq!(
            changed(|it| it.is_measured = true),
            Some(ChangeKind::Changed)
        );
        let other = changed(|it| {
            it.position.x = -349.91;
            it.mapping.cntlid = Some("1042".to_owned());
        });
        assert_eq!(other, Some(ChangeKind::Changed));
        let off = changed(|it| {
            it.mapping.active = false;
            it.mapping.specid = None;
        });
        assert_eq!(off, Some(ChangeKind::Deactivated));
    }

    #[test]
    fn slots_come_and_go() {
        let kinds = |before: &[Slot], after: &[Slot]| -> Vec<(String, ChangeKind)> {
            let changes = between(before, after).into_iter();
            changes.map(|it| (it.ifuslot, it.kind)).collect()
        };
        let (mut first, second, third) = (slot("106"), slot("013"), slot("056"));
        first.mapping.active = false;
        let before = [first.clone(), second.clone()];
        first.mapping.active = true;
        assert_eq!(
            kinds(&before, &[third, first]),
            [
                ("013".to_owned(), ChangeKind::Removed),
                ("056".to_owned(), ChangeKind::Added),
                ("106".to_owned(), ChangeKind::Activated),
            ]
        );
    }

    prop_compose! {
        fn any_slot()(
            number in 0..12_u8, ifuid in proptest::option::of("[0-2]{3}"), active in any::<bool>(),
            x in prop_oneof![Just(0.0), Just(-0.0), Just(f64::NAN), Just(100.0)], is_measured in any::<bool>(),
        ) -> Slot {
            let mut it = slot(&format!("{number:03}"));
            it.mapping.ifuid = ifuid;
            it.mapping.active = active;
            it.position.x = x;
            it.is_measured = is_measured;
            it
        }
    }

    /// Each slot once.
    fn plane() -> impl Strategy<Value = Vec<Slot>> {
        proptest::collection::vec(any_slot(), 0..12).prop_map(|mut slots| {
            slots.sort_by(|one, other| one.ifuslot.cmp(&other.ifuslot));
            slots.dedup_by(|one, other| one.ifuslot == other.ifuslot);
            slots
        })
    }

    proptest! {
        #[test]
        fn nothing_differs_from_itself(slots in plane()) {
            prop_assert_eq!(between(&slots, &slots), []);
        }

        #[test]
        fn the_changes_lead_from_one_plane_to_the_other(before in plane(), after in plane()) {
            let mut slots: BTreeMap<String, Slot> =
                before.iter().map(|it| (it.ifuslot.clone(), it.clone())).collect();
            for change in between(&before, &after) {
                prop_assert_eq!(change.before.is_none(), change.kind == ChangeKind::Added);
                match change.after {
                    Some(slot) => slots.insert(change.ifuslot, slot),
                    None => slots.remove(&change.ifuslot),
                };
            }
            let slots: Vec<Slot> = slots.into_values().collect();
            prop_assert_eq!(between(&slots, &after), []);
        }

        #[test]
        fn backwards_is_the_mirror_image(before in plane(), after in plane()) {
            let mirrored = between(&after, &before).into_iter().map(|change| SlotChange {
                ifuslot: change.ifuslot,
                kind: match change.kind {
                    ChangeKind::Added => ChangeKind::Removed,
                    ChangeKind::Removed => ChangeKind::Added,
                    ChangeKind::Activated => ChangeKind::Deactivated,
                    ChangeKind::Deactivated => ChangeKind::Activated,
                    same => same,
                },
                before: change.after,
                after: change.before,
            });
            // As texts: no number equals itself.
            let mirrored: Vec<SlotChange> = mirrored.collect();
            prop_assert_eq!(format!("{mirrored:?}"), format!("{:?}", between(&before, &after)));
        }
    }
}
