//! The readers on real files of the focal plane, against what pyhetdex and an independent parser read.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use labql::fplanes::readers::{FileForm, FileRow, FplaneFile, ProblemCode, read_file};
use serde_json::{Value as Json, json};

use crate::support::shared_data;

/// A file with its text and what others read of it.
pub(super) struct Sample {
    pub name: String,
    pub text: String,
    pub golden: Json,
    pub file: FplaneFile,
}

/// All of them; none without the folder of samples.
pub(super) fn samples() -> Vec<Sample> {
    let Some(shared) = shared_data() else {
        return Vec::new();
    };
    let mut samples = Vec::new();
    for entry in fs::read_dir(shared.join("fplane-golden")).expect("goldens") {
        let path = entry.expect("a golden").path();
        let name = path.file_stem().and_then(|name| name.to_str());
        let name = name.expect("a name").to_owned();
        if !name.starts_with("fplane") {
            continue;
        }
        let golden = serde_json::from_slice(&fs::read(&path).expect("a file")).expect("JSON");
        let text = shared_text(&shared, &format!("{name}.txt"));
        let file = read_file(&text).expect("a file of the focal plane");
        samples.push(Sample {
            name,
            text,
            golden,
            file,
        });
    }
    assert_eq!(samples.len(), 11);
    samples
}

/// The text of a sample.
pub(super) fn shared_text(shared: &Path, name: &str) -> String {
    fs::read_to_string(shared.join("fplane").join(name)).expect("a file")
}

#[test]
fn every_token_is_read() {
    for sample in samples() {
        let golden = &sample.golden["independent_parse"];
        let rows = |is_commented: bool| -> Json {
            let rows = sample.file.rows.iter();
            let rows = rows.filter(|row| row.is_commented == is_commented);
            rows.map(|row| json!({"line": row.line, "tokens": row.tokens}))
                .collect()
        };
        let active = golden["active_rows"].as_array().expect("rows");
        let commented = golden["commented_rows"].as_array().expect("rows");
        if sample.file.form == FileForm::EightColumns {
            assert_eq!(rows(false), golden["active_rows"], "{}", sample.name);
            assert_eq!(rows(true), golden["commented_rows"], "{}", sample.name);
        }
        // Rows of places that the grid does not have are told of instead.
        let code = ProblemCode::PlaceOutsideGrid;
        let outside = sample.file.problems.iter().filter(|it| it.code == code);
        assert_eq!(
            sample.file.rows.len() + outside.count(),
            active.len() + commented.len(),
            "{}",
            sample.name
        );
        for row in &sample.file.rows {
            let same = |it: &&Json| it["line"] == row.line;
            let found = active.iter().chain(commented).find(same);
            assert_eq!(found.expect("a row")["tokens"], json!(row.tokens));
            agrees(row, sample.file.form);
        }
        let columns = golden["columns"].as_array().expect("columns").len();
        let expected = match sample.file.form {
            FileForm::SixColumns => 6,
            FileForm::EightColumns => 8,
        };
        assert_eq!(columns, expected);
    }
}

/// The values of a row are those of its tokens.
fn agrees(row: &FileRow, form: FileForm) {
    let number = |at: usize| row.tokens[at].parse::<f64>().expect("a number");
    let id = |at: usize| match row.tokens[at].trim_start_matches('0') {
        "" => None,
        id => Some(format!("{id:0>3}")),
    };
    assert_eq!((row.x, row.y), (number(1), number(2)));
    match form {
        FileForm::EightColumns => {
            assert_eq!(row.ifuslot, row.tokens[0]);
            assert_eq!(
                (&row.specid, &row.specslot, &row.ifuid),
                (&id(3), &id(4), &id(5))
            );
            assert_eq!((row.rotation, row.plate_scale), (number(6), number(7)));
        }
        FileForm::SixColumns => {
            assert_eq!(
                row.ifuslot,
                format!("{:0>2}{}", row.tokens[3], row.tokens[4])
            );
            assert_eq!((&row.specid, &row.ifuid), (&id(5), &id(0)));
            assert_eq!(row.specslot, None);
        }
    }
}

/// How pyhetdex is told to take what is empty, and what it leaves out.
#[derive(Clone, Copy)]
struct Pyhetdex {
    key: &'static str,
    empty_specid: &'static str,
    skips_empty: bool,
    skips_special: bool,
}

const PYHETDEX: [Pyhetdex; 4] = [
    Pyhetdex {
        key: "pyhetdex_default",
        empty_specid: "00",
        skips_empty: false,
        skips_special: false,
    },
    Pyhetdex {
        key: "pyhetdex_skip_empty",
        empty_specid: "00",
        skips_empty: true,
        skips_special: false,
    },
    Pyhetdex {
        key: "pyhetdex_empty_specid_000",
        empty_specid: "000",
        skips_empty: false,
        skips_special: false,
    },
    Pyhetdex {
        key: "pyhetdex_exclude_special",
        empty_specid: "00",
        skips_empty: false,
        skips_special: true,
    },
];

impl Pyhetdex {
    /// Its indices, made of our rows: the last duplicate wins, and what is empty gets a name of its own.
    fn indices(self, file: &FplaneFile) -> Json {
        let mut slots = BTreeMap::new();
        let (mut by_ifuid, mut by_specid) = (BTreeMap::new(), BTreeMap::new());
        let mut empty = 0;
        for row in file.rows.iter().filter(|row| !row.is_commented) {
            if self.skips_special && row.special_id().is_some() {
                continue;
            }
            let number = |at: usize| row.tokens[at].parse::<i64>().expect("a number");
            let (mut ifuid, mut specid) = (row.tokens[5].clone(), number(3));
            let has_spectrograph = row.tokens[3] != self.empty_specid;
            if self.skips_empty && (!has_spectrograph || row.ifuid.is_none()) {
                continue;
            }
            if !has_spectrograph || row.ifuid.is_none() {
                empty += 1;
            }
            if !has_spectrograph {
                specid = -empty;
            }
            if row.ifuid.is_none() {
                ifuid = format!("N{empty:02}");
            }
            let (x, y) = (row.x, row.y);
            let slot = json!({
                "ifuslot": row.ifuslot, "x": x, "y": y, "specid": specid, "specslot": number(4),
                "ifuid": ifuid, "ifurot": row.rotation, "platescl": row.plate_scale,
                "xid": number(0) / 10, "yid": number(0) % 10,
            });
            slots.insert(row.ifuslot.clone(), slot);
            by_ifuid.insert(ifuid, row.ifuslot.clone());
            by_specid.insert(specid.to_string(), row.ifuslot.clone());
        }
        json!({
            "n_by_ifuslot": slots.len(), "n_by_ifuid": by_ifuid.len(), "n_by_specid": by_specid.len(),
            "ifus": slots.into_values().collect::<Vec<_>>(), "by_specid": by_specid, "by_ifuid": by_ifuid,
        })
    }
}

#[test]
fn the_indices_of_pyhetdex_follow_from_the_rows() {
    for sample in samples() {
        for way in PYHETDEX {
            let golden = &sample.golden[way.key];
            if sample.file.form == FileForm::SixColumns {
                let error = golden["error"].as_str().expect("an error");
                assert!(error.starts_with("ValueError"), "{error}");
                continue;
            }
            let mut golden = golden.clone();
            let ifus = golden["ifus"].as_array_mut().expect("a list");
            ifus.sort_by_key(|ifu| ifu["ifuslot"].to_string());
            assert_eq!(
                way.indices(&sample.file),
                golden,
                "{} {}",
                sample.name,
                way.key
            );
        }
    }
}

#[test]
fn ids_that_are_in_use_twice_are_those_that_others_found() {
    let columns = [
        ("specid", "DUPLICATE_SPECID"),
        ("specslot", "DUPLICATE_SPECSLOT"),
        ("ifuid", "DUPLICATE_IFUID"),
    ];
    for sample in samples() {
        let Some(golden) = sample.golden.get("duplicates_among_active") else {
            continue;
        };
        for (column, code) in columns {
            // That several slots are empty is no duplicate.
            let shared = golden[column].as_object().expect("a map");
            let shared = shared
                .iter()
                .filter(|(id, _)| !id.trim_matches('0').is_empty());
            let expected: BTreeSet<String> = shared
                .map(|(id, slots)| {
                    let slots: Vec<&str> = slots
                        .as_array()
                        .expect("slots")
                        .iter()
                        .filter_map(Json::as_str)
                        .collect();
                    format!(
                        "{} {id} is in use in slots {}",
                        column.to_uppercase(),
                        slots.join(", ")
                    )
                })
                .collect();
            let problems = sample.file.problems.iter();
            let found = problems.filter(|problem| problem.code.as_str() == code);
            let found: BTreeSet<String> = found.map(|problem| problem.message.clone()).collect();
            assert_eq!(found, expected, "{}", sample.name);
        }
        let seen = sample.golden["xy_decimals_seen"]
            .as_array()
            .expect("a list");
        let code = ProblemCode::MixedDecimals;
        let is_told = sample.file.problems.iter().any(|it| it.code == code);
        // Rows that are commented out count here, too.
        assert!(is_told || seen.len() == 1, "{}", sample.name);
    }
}
