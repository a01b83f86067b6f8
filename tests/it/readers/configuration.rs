//! The whole configuration, as Autosubmit puts it together.

use std::fs;

use labql::experiments::readers::{Configuration, read_configuration};
use proptest::prelude::*;
use serde_json::json;

use super::fixture::{Fixture, a000};

fn read(fixture: &Fixture) -> Configuration {
    read_configuration(&fixture.root(), &a000(), "what it is").expect("a configuration")
}

fn one(text: &str) -> Configuration {
    let fixture = Fixture::new();
    fixture.write("a000/conf/minimal.yml", text.as_bytes());
    read(&fixture)
}

fn messages(configuration: &Configuration) -> Vec<String> {
    let problems = configuration.problems.iter();
    problems
        .map(|problem| format!("{}: {}", problem.source, problem.message))
        .collect()
}

#[test]
fn custom_files_lie_under_and_over_the_own_ones() {
    let fixture = Fixture::new();
    for folder in ["a000/proj/p/conf", "a000/deep"] {
        fs::create_dir_all(fixture.path(folder)).expect("a folder");
    }
    let write = |name: &str, text: &str| fixture.write(name, text.as_bytes());
    write(
        "a000/conf/minimal.yml",
        "DEFAULT: {EXPID: a000, HPCARCH: local, CUSTOM_CONFIG: {PRE: ['%PROJDIR%/conf', '%ROOTDIR%/none.yml'], POST: '%ROOTDIR%/post.yml'}}
PROJECT: {PROJECT_DESTINATION: p}
V: {MINIMAL: minimal, A: minimal, OWN: minimal, POST: minimal}
",
    );
    write(
        "a000/conf/own.yml",
        "V: {OWN: own, POST: own}\nDEFAULT: {EXPID: zzzz}\n",
    );
    write("a000/conf/as_misc.yml", "AS_MISC: true\nV: {MISC: there}\n");
    write(
        "a000/proj/p/conf/a.yml",
        "V: {A: a, OWN: a, POST: a}\nDEFAULT: {EXPID: b000, CUSTOM_CONFIG: {PRE: '%ROOTDIR%/deep/pre.yml', POST: '%ROOTDIR%/deep/post.yml'}}\n",
    );
    write("a000/proj/p/conf/b.yml", "HPCARCH: dropped\nV: {B: b}\n");
    write(
        "a000/deep/pre.yml",
        "V: {A: pre, PRE: pre}\nDEFAULT: {CUSTOM_CONFIG: '%PROJDIR%/conf/a.yml'}\n",
    );
    write("a000/deep/post.yml", "V: {A: post}\n");
    write("a000/post.yml", "V: {POST: post}\n");
    let found = read(&fixture);
    assert_eq!(messages(&found), Vec::<String>::new());
    assert_eq!(
        found.tree["V"],
        // What POST files of a file give does not reach the next file of the folder, as in Autosubmit.
        json!({ "MINIMAL": "minimal", "A": "a", "B": "b", "PRE": "pre", "OWN": "own", "POST": "post" })
    );
    assert_eq!(found.tree["DEFAULT"]["EXPID"], "zzzz");
    assert_eq!(found.tree["DEFAULT"]["DESCRIPTION"], "what it is");
    assert_eq!(found.tree["HPCARCH"], "LOCAL");
    assert_eq!(found.tree["PROJDIR"], "%ROOTDIR%/proj/p");
    assert_eq!(found.tree["HPCLOGDIR"], "%ROOTDIR%/tmp/LOG_a000");
}

#[test]
fn sections_get_their_normal_form() {
    let found = one("default: {hpcarch: mn5}
platforms: {mn5: {user: ada, scratch_dir: /gpfs, project: bsc}, MN5: {queue: q}}
wrappers: {w: {type: Vertical, jobs_in_wrapper: sim&post}, v: {jobs_in_wrapper: '[a, b]'}}
jobs:
  sim: {dependencies: ini sim-1, file: 'a.sh, b.sh', wallclock: '01:02:03', notify_on: failed completed, custom_directives: ['#a', \"b'c\"]}
  post: {dependencies: {sim: {status: failed?}, ini: {status: running}, x: {status: completed}}, NUMBER: 0o10, list: [1, 2.5, true, null]}
");
    assert_eq!(
        found.tree["JOBS"],
        json!({
            "SIM": {
                "DEPENDENCIES": { "INI": {}, "SIM-1": {} }, "FILE": "a.sh", "ADDITIONAL_FILES": ["b.sh"],
                "WALLCLOCK": "01:02", "NOTIFY_ON": ["FAILED", "COMPLETED"], "CUSTOM_DIRECTIVES": "['#a', \"b'c\"]",
            },
            "POST": {
                "DEPENDENCIES": {
                    "SIM": { "STATUS": "FAILED", "ANY_FINAL_STATUS_IS_VALID": true },
                    "INI": { "STATUS": "RUNNING", "ANY_FINAL_STATUS_IS_VALID": true },
                    "X": { "STATUS": "COMPLETED", "ANY_FINAL_STATUS_IS_VALID": false },
                },
                "FILE": "", "ADDITIONAL_FILES": [], "NUMBER": 8, "LIST": [1, 2.5, true, null],
            },
        })
    );
    assert_eq!(
        found.tree["WRAPPERS"],
        json!({ "W": { "TYPE": "vertical", "JOBS_IN_WRAPPER": ["SIM", "POST"] }, "V": { "JOBS_IN_WRAPPER": ["A", "B"] } })
    );
    assert_eq!(found.tree["AUTOSUBMIT"], json!({}));
}

#[test]
fn variables_and_loops() {
    let found = one("
DEFAULT: {HPCARCH: MN5}
PLATFORMS: {MN5: {USER: ada, SCRATCH_DIR: /gpfs, PROJECT: bsc, QUEUE: gp}}
NAMES: [a, b]
X: {ONE: 1, TWO: '%X.ONE%-%x.one%', THREE: '%X.TWO%!', UP: '%PLATFORMS.MN5.QUEUE^^%', LOW: '%DEFAULT.HPCARCH,,%', FLAG: '%X.YES%', YES: true}
LATE: {A: '%^LATE.B%', B: late}
KEPT: ['%d_%', '%UNKNOWN%', '%SAFE%', '50%', '%%', '%HPCQUEUE%', '%HPCLOGDIR%', '%ROOTDIR%/x', '%NAMES%']
D_: no
SAFE: no
CONFIG: {SAFE_PLACEHOLDERS: 'SAFE OTHER'}
JOBS:
  LOOP: {FOR: {NAME: '%NAMES%', SPLITS: [1, 2]}, FILE: '%NAME%.sh', RUNNING: once}
");
    assert_eq!(messages(&found), Vec::<String>::new());
    let tree = &found.tree;
    assert_eq!(
        tree["X"],
        json!({ "ONE": 1, "TWO": "1-1", "THREE": "1-1!", "UP": "GP", "LOW": "mn5", "FLAG": "True", "YES": true })
    );
    assert_eq!(tree["LATE"]["A"], "late");
    assert_eq!(
        tree["KEPT"],
        json!([
            "%d_%",
            "%UNKNOWN%",
            "%SAFE%",
            "50%",
            "%%",
            "gp",
            "/gpfs/bsc/ada/a000/LOG_a000",
            "%ROOTDIR%/x",
            "['a', 'b']"
        ])
    );
    let job = |name: &str, splits: &str| {
        json!({
            "NAME": name, "SPLITS": splits, "FILE": format!("{name}.sh"), "RUNNING": "once",
            "DEPENDENCIES": {}, "ADDITIONAL_FILES": [],
        })
    };
    assert_eq!(
        tree["JOBS"],
        json!({ "LOOP_A": job("a", "1"), "LOOP_B": job("b", "2") })
    );
}

#[test]
fn what_makes_no_sense_is_told_with_its_file() {
    let found = one("A: '%B%x'\nB: '%C%y'\nC: '%A%z'\nD: '%A%'\nE: fine\n");
    assert_eq!(found.tree["A"], "%B%x");
    assert_eq!(found.tree["E"], "fine");
    let circle = &messages(&found)[0];
    assert!(
        circle.starts_with("a000/conf: variables stand for one another in a circle"),
        "{circle}"
    );

    let found =
        one("JOBS: {A: {FOR: {SPLITS: [1]}, FILE: x}, B: {FOR: {NAME: [a, b], SPLITS: [1]}}}\n");
    let told = messages(&found);
    assert!(
        told.iter()
            .any(|it| it.contains("the loop of A has no list NAME")),
        "{told:?}"
    );
    assert!(
        told.iter()
            .any(|it| it.contains("too few values of SPLITS")),
        "{told:?}"
    );
    assert_eq!(found.tree["JOBS"]["A"]["FILE"], "x");

    // A thousand times a thousand copies, and a text that doubles thirty times.
    let names = (0..1000)
        .map(|n| n.to_string())
        .collect::<Vec<_>>()
        .join(",");
    let inner = format!("FOR: {{NAME: '{names}'}}");
    let found = one(&format!(
        "JOBS: {{A: {{{inner}, B: {{{inner}, C: {{D: 1}}}}}}}}\n"
    ));
    assert!(messages(&found).iter().any(|it| it.contains("too large")));
    // A thousand copies of a long text, and a thousand of one that variables make long.
    let long = "x".repeat(1 << 20);
    let found = one(&format!("JOBS: {{A: {{{inner}, SCRIPT: {long}}}}}\n"));
    assert!(messages(&found).iter().any(|it| it.contains("too large")));
    assert_eq!(found.tree["JOBS"]["A"]["SCRIPT"], long);
    let (word, many) = ("x".repeat(2000), "%B%".repeat(30));
    let found = one(&format!(
        "JOBS: {{A: {{{inner}, B: {word}, C: '{many}', D: '{many}'}}}}\n"
    ));
    assert!(messages(&found).iter().any(|it| it.contains("too large")));
    assert!(found.tree.to_string().len() < 1 << 20);
    let found = one(&format!(
        "JOBS: {{A: {{FOR: {{NAME: '{names}', S: [1]}}, B: 1}}}}\n"
    ));
    assert_eq!(messages(&found).len(), 1);
    let doubles: String = (0..30)
        .map(|n| format!("V{n}: '%V{}%%V{}%'\n", n + 1, n + 1))
        .collect();
    let found = one(&format!("{doubles}V30: abcdefghijklmnop\n"));
    assert!(found.tree.to_string().len() < 1 << 20);
    assert!(!found.problems.is_empty());
}

#[test]
fn files_that_name_one_another_end() {
    let fixture = Fixture::new();
    fixture.write(
        "a000/conf/minimal.yml",
        b"DEFAULT: {CUSTOM_CONFIG: '%ROOTDIR%/f0.yml'}\n",
    );
    for n in 0..100 {
        let text = format!(
            "DEFAULT: {{CUSTOM_CONFIG: {{PRE: '%ROOTDIR%/f{}.yml', POST: '%ROOTDIR%/f0.yml,%ROOTDIR%/f1.yml'}}}}\nN{n}: 1\n",
            n + 1
        );
        fixture.write(&format!("a000/f{n}.yml"), text.as_bytes());
    }
    let found = read(&fixture);
    assert_eq!(found.tree["N0"], 1);
    assert!(
        messages(&found)[0].contains("more than 30 times"),
        "{:?}",
        messages(&found)
    );
}

#[test]
fn a_broken_file_leaves_the_others() {
    let fixture = Fixture::new();
    fixture.write("a000/conf/minimal.yml", b"A: 1\nB: !tag {C: !other x}\n");
    fixture.write("a000/conf/jobs.yml", b"JOBS: {SIM: [\n");
    fixture.write("a000/conf/large.yml", &vec![b'#'; 5 << 20]);
    let found = read(&fixture);
    assert_eq!(
        (&found.tree["A"], &found.tree["B"]["C"]),
        (&json!(1), &json!("x"))
    );
    let told = messages(&found);
    assert!(told[0].starts_with("a000/conf/jobs.yml: "), "{told:?}");
    assert!(
        told[1].starts_with("a000/conf/large.yml: ") && told[1].contains("too large"),
        "{told:?}"
    );
}

#[test]
fn autosubmit_3_keeps_its_sections() {
    let fixture = Fixture::new();
    fixture.write(
        "a000/conf/expdef_a000.conf",
        b"[DEFAULT]\nEXPID = a000\n[experiment]\nChunkSize = 3\n[git]\nEXPID: other\n",
    );
    fixture.write("a000/conf/jobs_a000.conf", b"[SIM]\nA = 1\n  2\n");
    let found = read(&fixture);
    assert_eq!(
        found.tree,
        json!({
            "exp": { "experiment": { "EXPID": "a000", "ChunkSize": "3" }, "git": { "EXPID": "other" } },
            "jobs": { "SIM": { "A": "1\n2" } },
        })
    );
    // Two files are missing; that of the project need not be there.
    assert_eq!(found.problems.len(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_variables_end(texts in prop::collection::vec("(%[A-D]%|%\\^[A-D]%|%[A-D](\\^\\^|,,)%|%|x|\\^){0,6}", 4)) {
        let values: Vec<String> = ["A", "B", "C", "D"].iter().zip(&texts).map(|(key, text)| format!("{key}: '{text}'")).collect();
        let found = one(&values.join("\n"));
        for (key, text) in ["A", "B", "C", "D"].iter().zip(&texts) {
            prop_assert!(found.tree[key].is_string() || (text.is_empty() && found.tree[key] == ""));
        }
    }

    #[test]
    fn any_loop_ends(name in "(\\[a, b\\]|'a,b'|'%X%'|a|\\[\\]|\\{A: \\[b\\]\\}|null|\\[\\{A: b\\}\\])", more in "(\\[1\\]|\\[1, 2, 3\\]|x|null|\\{\\})") {
        let found = one(&format!("X: [p, q]\nJOBS: {{S: {{FOR: {{NAME: {name}, K: {more}}}, T: {{FOR: {{NAME: {name}}}}}}}}}\n"));
        prop_assert!(found.tree["JOBS"].is_object());
    }
}
