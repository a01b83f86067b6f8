//! Configurations: of the files, of the newest run, and their differences.

use std::collections::BTreeSet;

use labql::experiments::configuration::OF_SERVER;
use serde_json::{Map, Value, json};

use super::{Comparison, list};

const CONFIGURATION: &str = "query($expid: String!) { experiment(expid: $expid) {
    configuration { filesystem currentRun isEqual differences { path filesystem currentRun } warnings }
    runs(first: 500) { nodes { number configuration } }
} }";

/// Whether the old API lists a difference only because one version of Autosubmit computes a key that another does not.
fn is_computed(path: &str) -> bool {
    path.starts_with("HPC")
        || ["AUTOSUBMIT", "PROJDIR", "STARTDATES", "DEFAULT.DESCRIPTION"].contains(&path)
}

/// What the old API publishes of its server and its environment, and a helper of its own.
fn is_left_out(key: &str) -> bool {
    OF_SERVER.contains(&key) || key.starts_with("AS_ENV") || key == "contains_nones"
}

pub async fn compare(comparison: &mut Comparison, expid: &str) {
    let data = comparison
        .data(CONFIGURATION, json!({ "expid": expid }))
        .await;
    let experiment = &data["experiment"];
    let ours = &experiment["configuration"];
    assert_eq!(ours["warnings"], json!([]), "{expid}");

    let theirs = &comparison.golden(expid, "v4_filesystem-config")["config"];
    sides(comparison, expid, "filesystem", theirs, &ours["filesystem"]);
    let golden = comparison.golden(expid, "v4_run_config");
    let theirs = &golden["config"];
    sides(comparison, expid, "currentRun", theirs, &ours["currentRun"]);
    let runs = list(&experiment["runs"]["nodes"]);
    let run = runs.iter().find(|run| run["number"] == golden["run_id"]);
    let run = run.expect("the run");
    sides(comparison, expid, "run", theirs, &run["configuration"]);

    let golden = comparison.golden(expid, "v3_cconfig");
    if golden["error"] == true {
        // A tag in a file is too much for the old API.
        assert!(ours["differences"].is_array(), "{expid}");
        return;
    }
    for (side, ours) in [
        ("configuration_filesystem", &ours["filesystem"]),
        ("configuration_current_run", &ours["currentRun"]),
    ] {
        let ours = without_repetitions(ours.clone());
        sides(comparison, expid, side, &golden[side], &ours);
    }
    differences(comparison, expid, &golden, ours);
}

/// Key by key.
fn sides(comparison: &mut Comparison, expid: &str, what: &str, theirs: &Value, ours: &Value) {
    let home = theirs["ROOTDIR"].as_str().unwrap_or_default();
    let (above, _) = home.rsplit_once('/').unwrap_or_default();
    let theirs = object(theirs);
    let ours = object(ours);
    assert!(ours.keys().all(|key| !is_left_out(key)), "{expid} {what}");
    let keys: BTreeSet<&String> = theirs.keys().chain(ours.keys()).collect();
    for key in keys.into_iter().filter(|key| !is_left_out(key)) {
        let mut theirs = theirs.get(key).cloned();
        if let (true, Some(Value::String(folder))) = (key == "PROJDIR", &mut theirs) {
            folder.truncate(folder.trim_end_matches('/').len());
        }
        let ours = ours.get(key).map(|ours| at(ours, home, above));
        let what = format!("configuration.{what}");
        let (theirs, ours) = (theirs.unwrap_or_default(), ours.unwrap_or_default());
        comparison.equal(expid, &what, key, &theirs, &ours);
    }
}

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

/// With the folders of theirs.
fn at(ours: &Value, home: &str, above: &str) -> Value {
    let ours = ours.to_string();
    let ours = ours
        .replace("%ROOTDIR%", home)
        .replace("%LOCAL_ROOT_DIR%", above);
    serde_json::from_str(&ours).expect("JSON")
}

/// The old comparison takes EXPID out of the sections of `exp` in which it stands by default.
fn without_repetitions(mut ours: Value) -> Value {
    if let Some(sections) = ours["exp"].as_object_mut() {
        for (name, section) in sections {
            if let (false, Some(section)) = (name == "experiment", section.as_object_mut()) {
                section.remove("EXPID");
            }
        }
    }
    ours
}

fn differences(comparison: &mut Comparison, expid: &str, golden: &Value, ours: &Value) {
    let theirs: Vec<String> = list(&golden["differences"])
        .iter()
        .map(|path| path.as_str().expect("a path").to_owned())
        .collect();
    let found = list(&ours["differences"]);
    let ours_at = |path: &str| found.iter().find(|difference| difference["path"] == path);
    for path in &theirs {
        let leads_on = theirs.iter().any(|other| {
            other
                .strip_prefix(path.as_str())
                .is_some_and(|rest| rest.starts_with('.'))
        });
        let top = path.split('.').next().unwrap_or_default();
        if leads_on || is_left_out(top) {
            continue;
        }
        if ours_at(path).is_none() {
            let one_side = |side: &str| {
                let mut value = &golden[side];
                for key in path.split('.') {
                    value = &value[key];
                }
                value.is_null() || *value == json!({})
            };
            let explained = is_computed(path)
                && (one_side("configuration_current_run") || one_side("configuration_filesystem"));
            // Another place of the root, and a slash at the end, which some versions write, say nothing.
            let folder = |side: &str| {
                let home = golden[side]["ROOTDIR"].as_str()?;
                let folder = golden[side][path].as_str()?.strip_prefix(home)?;
                Some(folder.trim_end_matches('/').to_owned())
            };
            let slash = path == "PROJDIR"
                && folder("configuration_current_run") == folder("configuration_filesystem");
            assert!(explained || slash, "{expid} {path} is a difference");
        }
    }
    for difference in &found {
        let path = difference["path"].as_str().expect("a path");
        // The old API does not look at what only the run has.
        let only_there = difference["filesystem"].is_null();
        assert!(
            only_there || theirs.iter().any(|known| known == path),
            "{expid} {path} is no difference"
        );
    }
    let mut paths: Vec<_> = found.iter().map(|it| it["path"].as_str()).collect();
    paths.sort_unstable();
    assert_eq!(
        paths,
        found
            .iter()
            .map(|it| it["path"].as_str())
            .collect::<Vec<_>>()
    );
    assert_eq!(ours["isEqual"], json!(found.is_empty()), "{expid}");
    if golden["are_equal"] == true {
        comparison.equal(
            expid,
            "configuration.isEqual",
            "v3_cconfig",
            &json!(true),
            &ours["isEqual"],
        );
    }
}
