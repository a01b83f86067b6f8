//! Focal planes by the command line, as the scripts around the old server did.

use std::fs;

use labql::fplanes::model::Position;
use labql::fplanes::text;
use serde_json::{Value, json};

use super::observatory::{file, file_with, generate, message, minutes_ago, unit, written};
use crate::support::Lab;

on_both_databases!(
    a_file_is_written,
    slots_are_listed,
    files_are_loaded_once,
    lists_are_loaded,
    a_message_is_taken_in,
    what_differs_and_what_was,
    names,
);

const FIRST: &str = "2025-01-11T06:00:00Z";
const SECOND: &str = "2025-01-16T06:00:00Z";

/// Loads a file as the whole plane.
fn load(lab: &Lab, text: &str, valid_from: &str) -> String {
    let import = ["fplane", "import", "-", "--valid-from", valid_from];
    let output = lab.run_with(&import, text);
    assert!(output.success, "{}", output.stderr);
    output.stdout
}

/// Two planes, one after the other.
fn two_planes(lab: &Lab) {
    load(lab, &file(), "20250110");
    load(lab, &file_with(&[("013", "321")]), SECOND);
}

/// Objects, one a line.
fn objects(text: &str) -> Vec<Value> {
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

fn refused(lab: &Lab, arguments: &[&str], word: &str) {
    let output = lab.run(arguments);
    assert!(!output.success, "{arguments:?}");
    let said = &output.stderr;
    assert!(said.contains(word), "{arguments:?}: {said}");
}

async fn a_file_is_written(lab: Lab) {
    two_planes(&lab);
    lab.set_positions();
    let second = file_with(&[("013", "321")]);
    let written = |name: &str| fs::read_to_string(lab.path(name)).expect("a file");
    // Where the old script wrote it.
    for (arguments, name, expected) in [
        (vec![], "fplane.txt", &second),
        (vec!["latest"], "fplanelatest.txt", &second),
        (vec!["20250115"], "fplane20250115.txt", &second),
        (vec!["20250114"], "fplane20250114.txt", &file()),
        (vec!["20250114", "-o", "plane"], "plane", &file()),
        (vec!["-o", "now"], "now", &second),
        (
            vec!["2025-01-16T00:00:00-06:00", "--output", "zone"],
            "zone",
            &second,
        ),
    ] {
        let all = [&["fplane", "get"], arguments.as_slice()].concat();
        let output = lab.run(&all);
        assert!(output.success, "{}", output.stderr);
        assert_eq!(output.stdout, "");
        assert!(output.stderr.contains(name), "{}", output.stderr);
        assert_eq!(written(name), *expected, "{arguments:?}");
    }
    let told = lab.run(&["fplane", "get", "20250114"]).stderr;
    for instant in ["2025-01-15T06:00:00Z", FIRST, SECOND] {
        assert!(told.contains(instant), "{told}");
    }
    // To standard output, short, with measured positions.
    let mut by_design = generate::slots();
    let mut moved = by_design.clone();
    for slots in [&mut by_design, &mut moved] {
        for slot in slots {
            if slot.ifuslot == "013" {
                slot.mapping.specid = Some("321".to_owned());
            }
        }
    }
    for slot in &mut moved {
        if slot.ifuslot == "014" {
            slot.position = Position {
                x: -450.25,
                y: 49.5,
            };
        }
    }
    for (flags, expected) in [
        (vec![], text::write(&by_design, true)),
        (vec!["-s"], text::write(&by_design, false)),
        (vec!["--short"], text::write(&by_design, false)),
        (vec!["-p"], text::write(&moved, true)),
        (vec!["-s", "-p"], text::write(&moved, false)),
        (vec!["--measured", "--short"], text::write(&moved, false)),
    ] {
        let all = [&["fplane", "get", "-o", "-"], flags.as_slice()].concat();
        assert_eq!(lab.done(&all), expected, "{flags:?}");
    }
    // Before anything was known.
    let never = ["fplane", "get", "-o", "-", "--known-at", FIRST];
    assert_eq!(lab.done(&never), text::write(&[], true));
    refused(&lab, &["fplane", "get", "20251345"], "20251345");
    refused(&lab, &["fplane", "get", "tag:nowhere"], "nowhere");
    let folder = ["fplane", "get", "-o", "nowhere/plane.txt"];
    refused(&lab, &folder, "nowhere/plane.txt");
    assert!(!lab.path("fplane20251345.txt").exists());
}

impl Lab {
    /// Slot 014 was measured.
    fn set_positions(&self) {
        let positions = ["fplane", "import-positions", "-", "--valid-from", SECOND];
        let output = self.run_with(&positions, "014 -450.25 49.5\n");
        assert!(output.success, "{}", output.stderr);
    }
}

async fn slots_are_listed(lab: Lab) {
    two_planes(&lab);
    let listed = lab.done(&["fplane", "slots", "20250115"]);
    assert_eq!(listed.lines().count(), generate::slots().len());
    let line = "013\tactive\t001\t321\t101\t-450.000\t150.000";
    assert!(listed.lines().any(|it| it == line), "{listed}");
    let line = "054\tinactive\t-\t-\t-\t-50.000\t50.000";
    assert!(listed.lines().any(|it| it == line), "{listed}");
    let shown = lab.done(&["fplane", "slots", "20250114", "--json"]);
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!(shown["at"], "2025-01-15T06:00:00Z");
    assert_eq!([&shown["validFrom"], &shown["validUntil"]], [FIRST, SECOND]);
    let slots = shown["slots"].as_array().expect("slots");
    let slot = slots.iter().find(|slot| slot["ifuslot"] == "013");
    let slot = slot.expect("a slot");
    assert_eq!([&slot["kind"], &slot["specid"]], ["VIRUS", "800"]);
    lab.set_positions();
    let measured = ["fplane", "slots", "--measured", "--json"];
    let shown: Value = serde_json::from_str(&lab.done(&measured)).expect("JSON");
    let slots = shown["slots"].as_array().expect("slots");
    let moved = slots.iter().filter(|slot| slot["isMeasured"] == true);
    let moved: Vec<&Value> = moved.map(|slot| &slot["ifuslot"]).collect();
    assert_eq!(moved, ["014"]);
}

async fn files_are_loaded_once(lab: Lab) {
    let path = lab.path("plane.txt");
    // A row that cannot be read is told and left out.
    fs::write(&path, file() + "what is this\n").expect("a file");
    let import = ["fplane", "import", "plane.txt", "--valid-from", "20250110"];
    let tried = lab.done(&[&import[..], &["--dry-run"]].concat());
    let changes = generate::slots().len();
    let last = |text: &str| text.lines().last().unwrap_or_default().to_owned();
    assert_eq!(
        last(&tried),
        format!("{changes} changes; dry run: nothing kept")
    );
    let number = file().lines().count() + 1;
    assert!(tried.starts_with(&format!("line {number}: ")), "{tried}");
    assert_eq!(lab.done(&["fplane", "history"]), "");

    let done = lab.done(&import);
    assert_eq!(last(&done), format!("{changes} changes; kept"));
    let change = format!("{FIRST}\t013\tADDED\t-\t001 800 101 -450.000 150.000");
    assert!(done.lines().any(|line| line == change), "{done}");
    let again = lab.done(&import);
    assert_eq!(last(&again), "0 changes; told before: nothing done");
    let get = ["fplane", "get", "20250110", "-o", "-"];
    assert_eq!(lab.done(&get), file());

    // What a file does not list leaves the plane, or stays.
    let row = file().lines().nth(6).expect("a row").to_owned() + "\n";
    assert!(row.starts_with("013"), "{row}");
    let row = row.replace("800", "321");
    fs::write(&path, &row).expect("a file");
    let kept = [
        "fplane",
        "import",
        "plane.txt",
        "--valid-from",
        SECOND,
        "--keep-unlisted",
        "--json",
    ];
    let told: Value = serde_json::from_str(&lab.done(&kept)).expect("JSON");
    assert_eq!(told["committed"], true);
    assert_eq!(told["steps"][0]["validFrom"], SECOND);
    let changes = told["steps"][0]["changes"].as_array().expect("changes");
    let told_of = |change: &Value| [change["ifuslot"].clone(), change["change"].clone()];
    let expected = [json!("013"), json!("CHANGED")];
    assert_eq!(changes.iter().map(told_of).collect::<Vec<_>>(), [expected]);
    let codes = told["problems"].as_array().expect("problems").iter();
    let codes: Vec<&Value> = codes.map(|problem| &problem["code"]).collect();
    assert!(codes.contains(&&json!("NO_BORESIGHT")), "{codes:?}");
    assert_eq!(
        lab.done(&["fplane", "get", "-o", "-"]),
        file_with(&[("013", "321")])
    );
    let alone = ["fplane", "import", "plane.txt", "--valid-from", "20250201"];
    lab.done(&alone);
    // It says nothing of special slots: the four of them stay.
    assert_eq!(lab.done(&["fplane", "slots"]).lines().count(), 1 + 4);

    refused(
        &lab,
        &["fplane", "import", "nothing", "--valid-from", "20250110"],
        "nothing",
    );
    refused(
        &lab,
        &["fplane", "import", "plane.txt", "--valid-from", "soon"],
        "soon",
    );
    fs::write(&path, "what is this\n").expect("a file");
    refused(&lab, &alone, "nothing in it");
    assert_eq!(lab.done(&["fplane", "slots"]).lines().count(), 1 + 4);
}

async fn lists_are_loaded(lab: Lab) {
    load(&lab, &file(), FIRST);
    let path = lab.path("list");
    let nights =
        "date,specid,ifuslot,ifuid\n20250115,321,013,001\n20250120,322,013,001\nsoon,1,1,1\n";
    fs::write(&path, nights).expect("a file");
    let tried = lab.done(&["fplane", "import-mapping", "list", "--dry-run"]);
    assert!(tried.contains("2 changes; dry run"), "{tried}");
    let told = lab.done(&["fplane", "import-mapping", "list", "--json"]);
    let told: Value = serde_json::from_str(&told).expect("JSON");
    let steps = told["steps"].as_array().expect("steps").iter();
    let starts: Vec<&Value> = steps.map(|step| &step["validFrom"]).collect();
    assert_eq!(starts, [SECOND, "2025-01-21T06:00:00Z"]);
    assert_eq!(told["problems"][0]["line"], 4);
    let again = lab.done(&["fplane", "import-mapping", "list"]);
    assert!(again.contains("0 changes; told before"), "{again}");
    for (night, specid) in [
        ("20250114", "800"),
        ("20250115", "321"),
        ("20250119", "321"),
        ("20250120", "322"),
    ] {
        let listed = lab.done(&["fplane", "slots", night]);
        let line = listed.lines().find(|line| line.starts_with("013"));
        let found = line.and_then(|line| line.split('\t').nth(3));
        assert_eq!(found, Some(specid), "{night}");
    }

    fs::write(&path, "014 -450.25 49.5\n015 soon 1\n").expect("a file");
    let import = ["fplane", "import-positions", "list", "--valid-from", SECOND];
    let told = lab.done(&[&import[..], &["--json"]].concat());
    let told: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(told["steps"][0]["changes"][0]["ifuslot"], "014");
    assert_eq!(told["steps"][0]["changes"][0]["change"], "MOVED");
    assert_eq!(told["problems"][0]["line"], 2);
    let again = lab.done(&import);
    assert!(again.contains("0 changes; told before"), "{again}");
}

async fn a_message_is_taken_in(lab: Lab) {
    load(&lab, &file(), FIRST);
    let at = minutes_ago(10);
    let config = message(at, &[unit("013", "321")]).to_string();
    let update = |more: &[&str], text: &str| {
        let all = [&["fplane", "update", "-"], more].concat();
        lab.run_with(&all, text)
    };
    let tried = update(&["--dry-run"], &config).stdout;
    assert!(tried.contains("UNKNOWN_SPECID: "), "{tried}");
    let change = format!(
        "{}\t013\tCHANGED\t001 800 101 -450.000 150.000\t001 321 101 -450.000 150.000",
        written(at)
    );
    assert!(tried.lines().any(|line| line == change), "{tried}");
    assert!(
        tried.ends_with("1 changes; dry run: nothing kept\n"),
        "{tried}"
    );
    assert_eq!(lab.done(&["fplane", "get", "-o", "-"]), file());

    let done = update(&["--json"], &config).stdout;
    let done: Value = serde_json::from_str(&done).expect("JSON");
    assert_eq!([&done["committed"], &done["isRepeated"]], [true, false]);
    assert_eq!(done["warnings"][0]["code"], "UNKNOWN_SPECID");
    assert_eq!(done["steps"][0]["changes"][0]["after"]["specid"], "321");
    assert_eq!(
        lab.done(&["fplane", "get", "-o", "-"]),
        file_with(&[("013", "321")])
    );
    let again = update(&["--json"], &config).stdout;
    let again: Value = serde_json::from_str(&again).expect("JSON");
    assert_eq!(again["isRepeated"], true);
    assert_eq!(again["steps"][0]["changes"], json!([]));

    let old = message(minutes_ago(6 * 60 + 1), &[unit("013", "322")]).to_string();
    for (text, word) in [
        ("", ""),
        ("[1, 2", ""),
        ("{}", "__data_time"),
        (old.as_str(), "6h ago"),
    ] {
        let output = update(&[], text);
        assert!(!output.success && output.stdout.is_empty(), "{text}");
        assert!(output.stderr.contains(word), "{}", output.stderr);
    }
    let mut lab = lab;
    lab.set("LABQL_FPLANES__REFUSE_OLDER_THAN", "7h");
    let taken = lab.run_with(&["fplane", "update", "-"], &old);
    assert!(taken.success, "{}", taken.stderr);
    // What was told of later stays.
    assert!(taken.stdout.contains("LATE: "), "{}", taken.stdout);
    assert_eq!(
        lab.done(&["fplane", "get", "-o", "-"]),
        file_with(&[("013", "321")])
    );
}

async fn what_differs_and_what_was(lab: Lab) {
    two_planes(&lab);
    let between = ["fplane", "diff", "20250114", "20250115"];
    assert_eq!(
        lab.done(&between),
        "013\tCHANGED\t001 800 101 -450.000 150.000\t001 321 101 -450.000 150.000\n"
    );
    let told = objects(&lab.done(&[&between[..], &["--json"]].concat()));
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["before"]["specid"], "800");
    assert_eq!(told[0]["after"]["specid"], "321");
    assert_eq!(lab.done(&["fplane", "diff", "20250115", "latest"]), "");
    lab.set_positions();
    let moved = ["fplane", "diff", "20250114", "latest", "-p", "--json"];
    let told = objects(&lab.done(&moved));
    let told: Vec<_> = told
        .iter()
        .map(|it| (it["ifuslot"].as_str(), it["change"].as_str()))
        .collect();
    assert_eq!(
        told,
        [(Some("013"), Some("CHANGED")), (Some("014"), Some("MOVED"))]
    );
    refused(&lab, &["fplane", "diff", "20250114", "never"], "never");

    let history = ["fplane", "history", "13", "--layer", "mapping"];
    assert_eq!(
        lab.done(&history),
        format!(
            "013\tMAPPING\t{FIRST}\t{SECOND}\t001\t800\t101\ttrue\t-\t-\n\
             013\tMAPPING\t{SECOND}\t-\t001\t321\t101\ttrue\t-\t-\n"
        )
    );
    for (flags, slots) in [
        (["--ifuid", "1"], vec!["013", "013"]),
        (["--specid", "321"], vec!["013"]),
        (["--specslot", "102"], vec!["014"]),
        (["--layer", "measured"], vec!["014"]),
    ] {
        let all = [&["fplane", "history", "--json"][..], &flags].concat();
        let told = objects(&lab.done(&all));
        let found: Vec<_> = told.iter().map(|it| it["ifuslot"].as_str()).collect();
        let expected: Vec<_> = slots.into_iter().map(Some).collect();
        assert_eq!(found, expected, "{flags:?}");
    }
    let first = ["fplane", "history", "--first", "3"];
    assert_eq!(lab.done(&first).lines().count(), 3);
    // That the first held for good was known until the second came.
    let all = ["fplane", "history", "013", "--layer", "mapping"];
    let all = [&all[..], &["--superseded", "--json"]].concat();
    let told = objects(&lab.done(&all));
    let superseded = told.iter().filter(|it| !it["supersededAt"].is_null());
    let superseded: Vec<_> = superseded.map(|it| &it["validUntil"]).collect();
    assert_eq!((told.len(), superseded), (3, vec![&Value::Null]));
    assert_eq!(lab.done(&["fplane", "history", "--ifuid", "987"]), "");
}

async fn names(lab: Lab) {
    two_planes(&lab);
    assert_eq!(lab.done(&["fplane", "tags"]), "");
    let tag = [
        "fplane",
        "tag",
        "release-1",
        "--at",
        "20250114",
        "--frozen",
        "--description",
        "the first",
    ];
    let at = "2025-01-15T06:00:00Z";
    assert_eq!(lab.done(&tag), format!("release-1 stands for {at}\n"));
    let alias = ["fplane", "tag", "observing", "--at", "20250114", "--json"];
    let told: Value = serde_json::from_str(&lab.done(&alias)).expect("JSON");
    assert_eq!([&told["name"], &told["at"]], ["observing", at]);
    assert_eq!(
        [&told["frozen"], &told["knownAt"]],
        [&json!(false), &Value::Null]
    );
    let move_alias = ["fplane", "tag", "observing", "--at", "20250115"];
    lab.done(&move_alias);
    refused(
        &lab,
        &["fplane", "tag", "release-1", "--at", "20250115", "--frozen"],
        "frozen",
    );
    refused(&lab, &["fplane", "tag", "no name"], "name");
    assert_eq!(
        lab.done(&["fplane", "tags"]),
        format!("observing\t{SECOND}\talias\nrelease-1\t{at}\tfrozen\n")
    );
    let told = objects(&lab.done(&["fplane", "tags", "--json"]));
    assert_eq!(told[1]["description"], "the first");
    assert!(told[1]["knownAt"].is_string());
    for (name, expected) in [
        ("tag:release-1", file()),
        ("tag:observing", file_with(&[("013", "321")])),
    ] {
        assert_eq!(lab.done(&["fplane", "get", name, "-o", "-"]), expected);
    }
    // A name with what parts folders is a file all the same.
    lab.done(&["fplane", "tag", "a/b"]);
    lab.done(&["fplane", "get", "tag:a/b"]);
    assert!(lab.path("fplanetag:a_b.txt").exists());
}
