use proptest::prelude::*;

use super::*;
use crate::fplanes::difference::between;
use crate::fplanes::model::{Mapping, Positions};
use crate::fplanes::sky::Convention;

fn slot(ifuslot: &str, x: f64, y: f64) -> Slot {
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
        position: Position { x, y },
        is_measured: false,
    }
}

fn plane(slots: Vec<Slot>) -> Plane {
    Plane {
        at: "2025-01-16T06:00:00Z".parse().unwrap(),
        known_at: None,
        valid_from: Some("2024-12-08T05:58:12.25Z".parse().unwrap()),
        valid_until: None,
        positions: Positions::Nominal,
        slots,
    }
}

/// Every element that begins ends, in order, and no text is taken for one.
fn assert_well_formed(svg: &str) {
    let mut open = Vec::new();
    for (number, part) in svg.split('<').enumerate() {
        if number == 0 {
            assert_eq!(part, "");
            continue;
        }
        let (tag, text) = part.split_once('>').expect("the end of a tag");
        assert!(!text.contains('>'), "{text}");
        for reference in text.split('&').skip(1) {
            let name = reference.split(';').next();
            let known = ["amp", "lt", "gt", "quot", "#39"];
            assert!(name.is_some_and(|it| known.contains(&it)), "{reference}");
        }
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !tag.ends_with('/') {
            open.push(tag.split(' ').next().expect("a name"));
        }
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
    }
    assert_eq!(open, Vec::<&str>::new());
}

#[test]
fn slots_are_where_they_are() {
    let mut idle = slot("106", 450.0, -150.0);
    idle.mapping.specid = None;
    let svg = draw(&plane(vec![slot("021", -349.91, 350.21), idle]), None, None);
    assert_well_formed(&svg);
    // X to the right and Y up, around (36 + 516, 92 + 516).
    assert!(svg.contains(
        "<g class=\"on\" transform=\"translate(202.090,257.790)\"><title>Slot 021: in use\n"
    ));
    assert!(svg.contains("<g class=\"spare\" transform=\"translate(1002.000,758.000)\">"));
    assert!(svg.contains("Focal plane at 2025-01-16 06:00:00 UT"));
    assert!(svg.contains("holds from 2024-12-08 05:58:12.250 UT on · nominal positions"));
    assert!(svg.contains("x -349.910″, y 350.210″ (nominal)"));
    assert!(!svg.contains("c2\" x"), "no north without a rotation");
}

#[test]
fn changes_are_marked() {
    let before = [slot("021", -350.0, 350.0), slot("022", -350.0, 250.0)];
    let mut moved = slot("021", -349.0, 350.0);
    moved.mapping.ifuid = Some("052".to_owned());
    let after = plane(vec![
        moved,
        slot("074", 150.0, 50.0),
        slot("075", 150.0, -50.0),
    ]);
    let changes = between(&before, &after.slots);
    let svg = draw(&after, Some(&changes), None);
    assert_well_formed(&svg);
    assert!(svg.contains("UT: 4 slots changed"));
    assert!(svg.contains("changed\nIFU 073 → 052\nmoved by 1.000″, 0.000″"));
    assert!(svg.contains("way it moved, 20×"));
    // What is gone is drawn where it was.
    assert!(svg.contains("<g class=\"on gone\" transform=\"translate(202.000,358.000)\">"));
    let changes = &changes[..1];
    let one = draw(&after, Some(changes), None);
    assert!(one.contains("UT: 1 slot changed"));
    assert_eq!(one.matches("class=\"on back\"").count(), 2);
}

#[test]
fn an_empty_plane_says_so() {
    let mut empty = plane(Vec::new());
    (empty.valid_from, empty.valid_until) = (None, empty.valid_from);
    let svg = draw(&empty, Some(&[]), None);
    assert_well_formed(&svg);
    assert!(svg.contains("no slots") && svg.contains("holds until 2024-12-08"));
}

#[test]
fn what_has_no_place_is_counted() {
    let far = [1e9, f64::NAN, f64::INFINITY].map(|x| slot("013", x, 0.0));
    let svg = draw(&plane(far.to_vec()), None, None);
    assert_well_formed(&svg);
    assert!(svg.contains("3 beyond the picture") && !svg.contains("NaN") && !svg.contains("inf"));
}

prop_compose! {
    fn any_slot()(
        ifuslot in "\\PC{0,9}", name in proptest::option::of(".{0,20}"), id in proptest::option::of(".{0,9}"),
        kind in prop_oneof![
            Just(SlotKind::Virus), Just(SlotKind::Lrs2), Just(SlotKind::Boresight), Just(SlotKind::Other)
        ],
        x in any::<f64>(), near_x in -600.0..600.0_f64, y in -600.0..600.0_f64, is_near in any::<bool>(),
        active in any::<bool>(),
    ) -> Slot {
        let mut it = slot(&ifuslot, if is_near { near_x } else { x }, y);
        it.name = name;
        it.kind = kind;
        it.mapping.ifuid.clone_from(&id);
        it.mapping.specid = id;
        it.mapping.active = active;
        it
    }
}

proptest! {
    #[test]
    fn any_plane_is_well_formed(
        before in proptest::collection::vec(any_slot(), 0..12),
        after in proptest::collection::vec(any_slot(), 0..12),
        angle in any::<f64>(),
    ) {
        let changes = between(&before, &after);
        let rotation = Rotation::new(angle, Convention::Remedy, None).ok();
        let svg = draw(&plane(after), Some(&changes), rotation.as_ref());
        assert_well_formed(&svg);
        prop_assert!(!svg.contains("NaN\"") && !svg.contains("inf\""));
    }
}
