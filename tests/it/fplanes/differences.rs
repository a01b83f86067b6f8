//! What differs between two files of the focal plane, and where its slots are on the sky, against what others reckoned.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use labql::fplanes::difference::{ChangeKind, between};
use labql::fplanes::model::Slot;
use labql::fplanes::readers::read_file;
use labql::fplanes::sky::{Convention, Pointing, Rotation, Sky};
use serde_json::Value as Json;

use crate::support::shared_data;

fn slots(shared: &Path, name: &str) -> Vec<Slot> {
    let text = fs::read_to_string(shared.join("fplane").join(name)).expect("a file");
    read_file(&text).expect("a file of the focal plane").slots()
}

fn json(path: &Path) -> Json {
    serde_json::from_slice(&fs::read(path).expect("a golden")).expect("JSON")
}

/// The columns of a row as numbers, as the files name them.
fn columns(slot: &Slot) -> [(&'static str, f64); 7] {
    let id = |id: &Option<String>| {
        let number = id.as_ref().map(|id| id.parse().expect("a number"));
        number.unwrap_or(0.0)
    };
    let mapping = &slot.mapping;
    [
        ("x_fp", slot.position.x),
        ("y_fp", slot.position.y),
        ("specid", id(&mapping.specid)),
        ("specslot", id(&mapping.specslot)),
        ("ifuid", id(&mapping.ifuid)),
        ("ifurot", mapping.rotation),
        ("platesc", mapping.plate_scale),
    ]
}

/// The columns that differ, with both numbers.
type Columns = BTreeMap<String, [f64; 2]>;

#[allow(clippy::float_cmp)] // They are read from texts.
fn differing(before: &Slot, after: &Slot) -> Columns {
    let pairs = columns(before).into_iter().zip(columns(after));
    let pairs = pairs.map(|((name, before), (_, after))| (name.to_owned(), [before, after]));
    pairs
        .filter(|(_, [before, after])| before != after)
        .collect()
}

/// The same of a golden, where numbers are texts.
fn told(changed: &Json) -> BTreeMap<String, Columns> {
    let number = |text: &Json| {
        text.as_str()
            .and_then(|it| it.parse().ok())
            .expect("a number")
    };
    let columns = |columns: &Json| -> Columns {
        let columns = columns.as_object().expect("columns").iter();
        columns
            .map(|(name, pair)| (name.clone(), [number(&pair[0]), number(&pair[1])]))
            .collect()
    };
    let slots = changed.as_object().expect("slots").iter();
    slots
        .map(|(slot, it)| (slot.clone(), columns(it)))
        .collect()
}

fn set(list: &Json) -> BTreeSet<String> {
    let slots = list.as_array().expect("slots").iter();
    slots
        .map(|slot| slot.as_str().expect("a slot").to_owned())
        .collect()
}

#[test]
fn files_differ_as_others_found() {
    let Some(shared) = shared_data() else { return };
    let pairs = json(&shared.join("fplane-golden/diffs.json"));
    let pairs = pairs.as_array().expect("pairs");
    assert_eq!(pairs.len(), 5);
    for pair in pairs {
        let name = |side: &str| pair[side].as_str().expect("a name");
        let (before, after) = (slots(&shared, name("from")), slots(&shared, name("to")));
        let golden = &pair["diff"];
        let told_of = format!("{} to {}", name("from"), name("to"));

        // Others compared the rows that are not commented out.
        let in_use = |slots: &[Slot]| -> Vec<Slot> {
            let slots = slots.iter().filter(|slot| slot.mapping.active);
            slots.cloned().collect()
        };
        let mut changed = BTreeMap::new();
        let (mut added, mut removed) = (BTreeSet::new(), BTreeSet::new());
        for change in between(&in_use(&before), &in_use(&after)) {
            match (change.before, change.after) {
                (Some(before), Some(after)) => {
                    let columns = differing(&before, &after);
                    let is_moved = columns.keys().all(|it| it == "x_fp" || it == "y_fp");
                    assert_eq!(is_moved, change.kind == ChangeKind::Moved, "{told_of}");
                    changed.insert(change.ifuslot, columns);
                }
                (None, Some(_)) => _ = added.insert(change.ifuslot),
                (Some(_), None) => _ = removed.insert(change.ifuslot),
                (None, None) => panic!("{told_of}: a change of nothing"),
            }
        }
        assert_eq!(added, set(&golden["added"]), "{told_of}");
        assert_eq!(removed, set(&golden["removed"]), "{told_of}");
        assert_eq!(changed, told(&golden["changed"]), "{told_of}");

        // With those rows, a slot that is commented out is still there.
        let of_kind = |kind: ChangeKind| -> BTreeSet<String> {
            let changes = between(&before, &after).into_iter();
            let changes = changes.filter(|change| change.kind == kind);
            changes.map(|change| change.ifuslot).collect()
        };
        let activated = of_kind(ChangeKind::Activated);
        let deactivated = of_kind(ChangeKind::Deactivated);
        assert_eq!(activated, set(&golden["added_was_commented"]), "{told_of}");
        assert_eq!(
            deactivated,
            set(&golden["removed_now_commented"]),
            "{told_of}"
        );
    }
}

#[test]
fn every_slot_is_where_pyhetdex_has_it_on_the_sky() {
    let Some(shared) = shared_data() else { return };
    let mut compared = 0;
    for entry in fs::read_dir(shared.join("fplane-golden")).expect("goldens") {
        let path = entry.expect("a golden").path();
        if path.extension().is_none_or(|it| it != "json") {
            continue;
        }
        let golden = json(&path);
        let Some(example) = golden.get("sky_example").filter(|it| it.is_object()) else {
            continue;
        };
        let pointing = &example["pointing_deg"];
        let degrees = |name: &str| pointing[name].as_f64().expect("degrees");
        let center = Sky::new(degrees("ra0"), degrees("dec0")).expect("a place");
        let file = golden["file"].as_str().expect("a name");
        let slots: BTreeMap<String, Slot> = slots(&shared, file)
            .into_iter()
            .map(|slot| (slot.ifuslot.clone(), slot))
            .collect();
        for (convention, places) in example["radec_deg_by_ifuslot"]
            .as_object()
            .expect("conventions")
        {
            let convention = if convention.starts_with("pyhetdex") {
                Convention::Pyhetdex
            } else {
                Convention::Remedy
            };
            let rotation = Rotation::new(degrees("pa"), convention, None).expect("an angle");
            let pointing = Pointing::new(center, rotation);
            for (ifuslot, place) in places.as_object().expect("slots") {
                let position = slots[ifuslot].position;
                let sky = pointing.to_sky(position);
                let expected = [0, 1].map(|axis| place[axis].as_f64().expect("degrees"));
                for (found, expected) in [sky.ra, sky.dec].into_iter().zip(expected) {
                    assert!(
                        (found - expected).abs() < 1e-8,
                        "{file} {ifuslot}: {sky:?}, not {expected}"
                    );
                }
                let back = pointing.to_plane(sky).expect("a position");
                assert!(
                    (back.x - position.x).hypot(back.y - position.y) < 1e-6,
                    "{file} {ifuslot}: {back:?}"
                );
                compared += 1;
            }
        }
    }
    assert!(compared > 1_000, "{compared} places compared");
}
