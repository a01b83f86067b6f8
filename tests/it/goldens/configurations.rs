//! Configurations: of the files, of the newest run, and their differences.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{Comparison, list};

const CONFIGURATION: &str = "query($expid: String!) { experiment(expid: $expid) {
    configuration { filesystem currentRun isEqual differences { path filesystem currentRun } warnings }
    runs(first: 500) { nodes { number configuration } }
} }";

/// What the old API publishes of its server, and a helper of its own (`contains_nones`). The environment (`AS_ENV…`) is
/// left out too.
const LEFT_OUT: [&str; 28] = [
    "ALLOWED_HOSTS",
    "AS_TEMP",
    "AS_TIMES_DB",
    "AUTOSUBMIT_API_URL",
    "CONFIG_FILE_FOUND",
    "CUSTOM_PLATFORMS_PATH",
    "DATABASE_BACKEND",
    "DATABASE_CONN_URL",
    "DB_DIR",
    "DB_FILE",
    "DB_PATH",
    "DEFAULT_JOBS_CONF",
    "DEFAULT_OUTPUT_DIR",
    "DEFAULT_PLATFORMS_CONF",
    "DENIED_HOSTS",
    "GLOBAL_LOG_DIR",
    "HISTORICAL_LOG_DIR",
    "JOBDATA_DIR",
    "LOCAL_ASLOG_DIR",
    "LOCAL_PROJ_DIR",
    "LOCAL_ROOT_DIR",
    "LOCAL_TMP_DIR",
    "LOG_RECOVERY_TIMEOUT",
    "MAIL_FROM",
    "ROOTDIR",
    "SMTP_SERVER",
    "STRUCTURES_DIR",
    "contains_nones",
];

/// Whether the old API lists a difference only because one version of Autosubmit computes a key that another does not.
fn is_computed(path: &str) -> bool {
    path.starts_with("HPC")
        || ["AUTOSUBMIT", "PROJDIR", "STARTDATES", "DEFAULT.DESCRIPTION"].contains(&path)
}

/// PROJDIR differs by a slash at its end: that of older versions, which says nothing.
const SLASHES: [&str; 3] = ["a1ve", "a1vj", "a6zj"];

fn is_left_out(key: &str) -> bool {
    LEFT_OUT.contains(&key) || key.starts_with("AS_ENV")
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
        assert_eq!(expid, "aa6f");
        assert!(ours["differences"].is_array());
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
            let slash = path == "PROJDIR" && SLASHES.contains(&expid);
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
