//! Real files of the focal plane: how they come back, what is odd in them, which facts they hold.

use std::collections::BTreeMap;

use labql::fplanes::grid;
use labql::fplanes::model::{Claims, Layer, Track, Value};
use labql::fplanes::readers::{
    FilePositions, FplaneFile, ProblemCode, read_mapping, read_positions,
};
use labql::fplanes::text::write;

use super::goldens::{Sample, samples, shared_text};
use crate::support::shared_data;

fn sample(name: &str) -> Option<Sample> {
    samples().into_iter().find(|sample| sample.name == name)
}

/// What is told of the file, without the sentences.
fn told(file: &FplaneFile) -> Vec<(u32, &'static str)> {
    let told = file.problems.iter().map(|it| (it.line, it.code.as_str()));
    told.collect()
}

#[test]
fn files_of_the_server_come_back_byte_for_byte() {
    let forms = [
        ("fplane_20190528_vdrp", false),
        ("fplane_20251017_panacea", true),
        ("fplaneall_virusflow", true),
    ];
    for (name, full) in forms {
        let Some(sample) = sample(name) else { return };
        assert_eq!(write(&sample.file.slots(), full), sample.text, "{name}");
    }
}

#[test]
fn rows_that_were_added_by_hand_are_the_only_ones_that_come_back_otherwise() {
    let Some(sample) = sample("fplane_20200707_karlspipe") else {
        return;
    };
    let written = write(&sample.file.slots(), false);
    let same: Vec<(&str, &str)> = written.lines().zip(sample.text.lines()).collect();
    assert_eq!(written.lines().count(), sample.text.lines().count());
    let others = same.iter().filter(|(written, read)| written != read);
    let slots: Vec<&str> = others.map(|(written, _)| &written[..3]).collect();
    assert_eq!(slots, ["040", "069", "079"]);
    let code = ProblemCode::OddSpacing;
    let odd = sample.file.problems.iter().filter(|it| it.code == code);
    let odd: Vec<u32> = odd.map(|problem| problem.line).collect();
    assert_eq!(odd, [27, 42, 51]);
}

#[test]
fn the_traps_of_each_file_are_told_with_their_lines() {
    const DROPPED: [u32; 16] = [
        80, 81, 82, 83, 84, 85, 86, 87, 90, 91, 92, 93, 94, 95, 96, 97,
    ];
    let dropped = DROPPED.map(|line| (line, "PLACE_OUTSIDE_GRID"));
    let traps: [(&str, &[(u32, &str)]); 11] = [
        (
            "fplane_20150424_pyhetdex",
            &[&[(0, "NO_BORESIGHT"), (1, "SIX_COLUMNS")], &dropped[..]].concat(),
        ),
        (
            "fplane_20160602_pyhetdex",
            &[
                (0, "NO_BORESIGHT"),
                (2, "OLD_EMPTY_CODE"),
                (2, "ACTIVE_WITHOUT_SPECTROGRAPH"),
            ],
        ),
        (
            "fplane_2017_apothecary",
            &[
                (2, "ODD_SPACING"),
                (2, "MIXED_DECIMALS"),
                (9, "LARGE_OFFSET"),
                (23, "ODD_SPACING"),
                (29, "LARGE_OFFSET"),
            ],
        ),
        (
            "fplane_20180720_vdrp",
            &[
                (2, "MIXED_DECIMALS"),
                (3, "MIXED_POSITIONS"),
                (7, "DUPLICATE_SPECID"),
                (11, "LARGE_OFFSET"),
                (15, "DUPLICATE_SPECSLOT"),
                (39, "LARGE_OFFSET"),
                (43, "DUPLICATE_SPECSLOT"),
                (47, "OLD_EMPTY_CODE"),
            ],
        ),
        (
            "fplane_20190101_karlspipe",
            &[(34, "MIXED_POSITIONS"), (59, "LARGE_OFFSET")],
        ),
        ("fplane_20190528_vdrp", &[(7, "MIXED_POSITIONS")]),
        (
            "fplane_20200707_karlspipe",
            &[
                (27, "ODD_SPACING"),
                (42, "ODD_SPACING"),
                (51, "DUPLICATE_SPECID"),
                (51, "DUPLICATE_SPECSLOT"),
                (51, "ODD_SPACING"),
            ],
        ),
        ("fplane_20251017_panacea", &[]),
        (
            "fplane_old_apothecary",
            &[
                (2, "MIXED_DECIMALS"),
                (3, "PLACEHOLDER_ID"),
                (4, "MIXED_POSITIONS"),
                (12, "LARGE_OFFSET"),
                (23, "DUPLICATE_SPECSLOT"),
                (25, "PLACEHOLDER_ID"),
                (40, "LARGE_OFFSET"),
                (44, "DUPLICATE_SPECSLOT"),
                (48, "OLD_EMPTY_CODE"),
            ],
        ),
        (
            "fplane_pre_apothecary",
            &[
                (3, "PLACEHOLDER_ID"),
                (4, "MIXED_POSITIONS"),
                (12, "LARGE_OFFSET"),
                (23, "DUPLICATE_SPECSLOT"),
                (25, "PLACEHOLDER_ID"),
                (40, "LARGE_OFFSET"),
                (44, "DUPLICATE_SPECSLOT"),
            ],
        ),
        ("fplaneall_virusflow", &[(7, "ACTIVE_WITHOUT_SPECTROGRAPH")]),
    ];
    let traps = BTreeMap::from(traps);
    for sample in samples() {
        assert_eq!(told(&sample.file), traps[&*sample.name], "{}", sample.name);
    }
}

#[test]
fn measured_positions_are_told_from_those_by_design() {
    let Some(sample) = sample("fplane_20190528_vdrp") else {
        return;
    };
    let claims = sample.file.claims(FilePositions::Auto, true);
    assert!(claims.is_whole);
    let count = |layer: Layer, there: bool| {
        let facts = claims.facts.iter();
        let facts = facts.filter(|(track, fact)| track.layer == layer && fact.is_some() == there);
        facts.count()
    };
    assert_eq!(count(Layer::Mapping, true), 45);
    assert_eq!(count(Layer::Special, true), 1);
    assert_eq!(
        (count(Layer::Nominal, true), count(Layer::Measured, true)),
        (25, 20)
    );
    assert_eq!(count(Layer::Measured, false), 25);
    let slots = sample.file.slots();
    assert_eq!(slots.iter().filter(|slot| slot.is_measured).count(), 20);
}

#[test]
fn a_file_by_design_says_nothing_of_measured_positions() {
    let Some(sample) = sample("fplane_20251017_panacea") else {
        return;
    };
    let claims = sample.file.claims(FilePositions::Auto, true);
    let in_layer = |layer: Layer| claims.facts.keys().filter(|it| it.layer == layer).count();
    assert_eq!(in_layer(Layer::Measured), 0);
    assert_eq!(in_layer(Layer::Nominal), 82);
    // The boresight, LRS2 and 13 more are special; nothing else is in them.
    let special = claims
        .facts
        .values()
        .filter(|it| matches!(it, Some(Value::Special(_))));
    assert_eq!(special.count(), 16);
    assert_eq!(in_layer(Layer::Mapping), 82 + 16);
}

#[test]
fn the_dated_mappings_are_those_of_48_nights() {
    let Some(shared) = shared_data() else { return };
    let text = shared_text(&shared, "ifu_mapping_dated_remedy.csv");
    let (nights, problems) = read_mapping(&text);
    assert_eq!(nights.len(), 48);
    assert!(nights.is_sorted_by_key(|(night, _)| *night));
    let told: Vec<(u32, &str)> = problems
        .iter()
        .map(|it| (it.line, it.code.as_str()))
        .collect();
    // Slot 106 twice on one night, with the same IFU.
    assert_eq!(told, [(19, "DUPLICATE_IFUSLOT")]);
    let slots = |claims: &Claims| {
        claims
            .facts
            .keys()
            .filter(|it| it.layer == Layer::Mapping)
            .count()
    };
    let all: usize = nights.iter().map(|(_, claims)| slots(claims)).sum();
    assert_eq!(all, 145 - 1);
    let (first, claims) = &nights[0];
    assert_eq!(first.to_string(), "2016-07-24");
    let track = Track {
        layer: Layer::Mapping,
        ifuslot: "056".into(),
    };
    let Some(Some(Value::Mapping(mapping))) = claims.facts.get(&track) else {
        panic!("no mapping of 056");
    };
    assert_eq!(mapping.ifuid.as_deref(), Some("7001"));
    assert_eq!(mapping.specid.as_deref(), Some("501"));
    assert!(mapping.active && !claims.is_whole);
    assert_eq!(
        claims.facts.get(&Track {
            layer: Layer::Special,
            ifuslot: "056".into()
        }),
        Some(&None)
    );
}

#[test]
fn the_list_of_measured_positions_has_slots_of_the_grid() {
    let Some(shared) = shared_data() else { return };
    let text = shared_text(&shared, "ifu_positions_apothecary.txt");
    let (claims, problems) = read_positions(&text);
    assert_eq!(claims.facts.len(), text.lines().count());
    assert!(!claims.is_whole);
    let told: Vec<(u32, &str)> = problems
        .iter()
        .map(|it| (it.line, it.code.as_str()))
        .collect();
    assert_eq!(told, [(62, "LARGE_OFFSET")]);
    for (track, fact) in &claims.facts {
        let Some(Value::Measured(position)) = fact else {
            panic!("not measured: {track:?}");
        };
        let design = grid::nominal(&track.ifuslot).expect("a place");
        assert!((position.x - design.x).hypot(position.y - design.y) < 5.0);
    }
}
