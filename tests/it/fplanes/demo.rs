//! The focal planes of the demo: the readers read what was written, and what is told of it can be asked for.

use std::fs;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use labql::demo::fplanes::{PlaneSummary, Summary, write_planes};
use labql::fplanes::model::{Slot, SlotKind};
use labql::fplanes::readers::{
    FilePositions, FplaneFile, ProblemCode, read_file, read_mapping, read_positions, read_status,
};
use labql::fplanes::text;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Lab, Server};

fn written() -> (TempDir, Summary) {
    let folder = tempfile::tempdir().expect("a folder");
    let now = "2026-09-21T12:00:00Z".parse().expect("a time");
    let summary = write_planes(folder.path(), now).expect("focal planes");
    (folder, summary)
}

fn stamp(at: DateTime<Utc>) -> String {
    at.format("%Y%m%dT%H%M%S").to_string()
}

fn file(folder: &TempDir, name: &str) -> String {
    fs::read_to_string(folder.path().join(name)).expect("a file")
}

fn plane(folder: &TempDir, plane: &PlaneSummary) -> (String, FplaneFile) {
    let text = file(folder, &format!("fplane_{}.txt", stamp(plane.valid_from)));
    let read = read_file(&text).expect("a plane");
    (text, read)
}

/// Units in use, and those that wait for a spectrograph.
fn counts(slots: &[Slot]) -> (usize, usize) {
    let units = || slots.iter().filter(|slot| slot.kind == SlotKind::Virus);
    let in_use = units().filter(|slot| slot.mapping.active).count();
    let waiting =
        units().filter(|slot| slot.mapping.specid.is_none() && slot.mapping.ifuid.is_some());
    (in_use, waiting.count())
}

#[test]
fn the_readers_read_what_was_written() {
    let (folder, summary) = written();
    let (oldest, others) = summary.planes.split_first().expect("planes");
    let (_, old) = plane(&folder, oldest);
    assert_eq!(counts(&old.slots()), (oldest.in_use, 0));
    let codes: Vec<ProblemCode> = old.problems.iter().map(|problem| problem.code).collect();
    assert_eq!(
        codes,
        [ProblemCode::NoBoresight, ProblemCode::DuplicateSpecid]
    );
    for it in others {
        let (text, read) = plane(&folder, it);
        assert_eq!(read.problems, []);
        let slots = read.slots();
        assert_eq!(counts(&slots), (it.in_use, it.without_spectrograph));
        assert_eq!(text::write(&slots, true), text);
        let claims = read.claims(FilePositions::Auto, true);
        assert!(claims.is_whole && !slots.iter().any(|slot| slot.is_measured));
    }
    let (from, count) = summary.positions;
    let (claims, problems) =
        read_positions(&file(&folder, &format!("positions_{}.txt", stamp(from))));
    assert_eq!((claims.facts.len(), problems), (count, Vec::new()));
    let (nights, problems) = read_mapping(&file(&folder, "mapping.csv"));
    assert_eq!((nights.len(), problems), (3, Vec::new()));
    let slots = nights.iter().flat_map(|(_, claims)| claims.facts.keys());
    assert!(
        slots
            .into_iter()
            .all(|track| track.ifuslot == summary.exchanged)
    );
    let message = serde_json::from_str(&file(&folder, "status.json")).expect("JSON");
    let status = read_status(&message).expect("a message");
    assert_eq!((status.at, status.notes), (summary.status, Vec::new()));
}

#[test]
fn the_same_moment_gives_the_same_planes() {
    let names = |folder: &TempDir| -> Vec<PathBuf> {
        let entries = fs::read_dir(folder.path()).expect("a folder");
        let mut paths: Vec<_> = entries.map(|it| it.expect("an entry").path()).collect();
        paths.sort();
        paths
    };
    let ((one, _), (other, _)) = (written(), written());
    let (one, other) = (names(&one), names(&other));
    assert_eq!(one.len(), other.len());
    for (one, other) in one.iter().zip(&other) {
        assert_eq!(one.file_name(), other.file_name());
        assert_eq!(
            fs::read(one).expect("a file"),
            fs::read(other).expect("a file")
        );
    }
}

#[test]
fn a_folder_of_others_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("mine"), "").expect("a file");
    assert!(write_planes(folder.path(), Utc::now()).is_err());
}

/// Starts the demo, and logs in.
async fn demo(lab: &Lab) -> Server {
    let command = lab.command(["demo", "--dir", "demo", "--listen", "127.0.0.1:0"]);
    let server = Server::start(command, &lab.path("demo.log")).await;
    let password = fs::read_to_string(lab.path("demo/password")).expect("a password");
    let login = "mutation($input: LoginInput!) { login(input: $input) { token } }";
    let input = json!({ "input": { "username": "demo", "password": password.trim() } });
    let token = server.data(login, input).await;
    let token = token["login"]["token"].as_str().expect("a token");
    server.signed_in(token)
}

#[tokio::test]
async fn all_of_it_can_be_asked_for_and_is_told_once() {
    let lab = Lab::sqlite();
    let ask = "query($slot: String!, $at: String!) {
        fplaneSources { totalCount nodes { kind } }
        fplaneTags { name frozen }
        latest: fplane(at: \"tag:observing\", positions: MEASURED) {
            slots(filter: { kind: VIRUS, active: true }) { ifuslot isMeasured }
            slot(ifuslot: \"600\") { name x y }
        }
        right: fplane(at: $at) { slot(ifuslot: $slot) { specid } }
        released: fplane(at: \"tag:first-release\") { slot(ifuslot: $slot) { specid } }
    }";
    let mut answers: Vec<Value> = Vec::new();
    for _ in 0..2 {
        let server = demo(&lab).await;
        let wrong = fs::read(lab.path("demo/lab/fplanes/correction.json")).expect("a correction");
        let wrong: Value = serde_json::from_slice(&wrong).expect("JSON");
        let variables = json!({ "slot": wrong["ifuslot"], "at": wrong["from"] });
        let answer = server.data(ask, variables).await;
        // Five planes, three nights, a list of positions, a message and a correction.
        assert_eq!(answer["fplaneSources"]["totalCount"], 11, "{answer}");
        assert_eq!(answer["fplaneSources"]["nodes"][0]["kind"], "CORRECTION");
        let tags = json!([{ "name": "first-release", "frozen": true }, { "name": "observing", "frozen": false }]);
        assert_eq!(answer["fplaneTags"], tags);
        let slots = answer["latest"]["slots"].as_array().expect("slots");
        // One came into use since the newest file, and one went out of it.
        assert_eq!(slots.len(), 77);
        assert_eq!(
            answer["latest"]["slot"],
            json!({ "name": "HPFACAM", "x": -39.0, "y": 10.0 })
        );
        assert!(slots.iter().any(|slot| slot["isMeasured"] == true));
        assert_eq!(answer["right"]["slot"]["specid"], wrong["specid"]);
        assert_ne!(answer["released"]["slot"]["specid"], wrong["specid"]);
        answers.push(answer);
        // The next one finds all of it there.
        assert!(server.stop().await);
    }
    assert_eq!(answers[0], answers[1]);
}
