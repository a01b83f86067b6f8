//! What an experiment is configured to do, in its files and as its runs recorded it.

use std::fs;

use labql::demo::autosubmit::{ExperimentSpec, JobListForm};
use serde_json::{Value, json};

use crate::support::{Lab, Server, root};

on_both_databases!(
    files_and_runs_are_compared,
    nothing_secret_is_shown_or_kept,
    what_runs_recorded_outlives_the_files,
    not_every_file_of_a_laboratory_is_read_at_once,
);

const CONFIGURATION: &str = "query($expid: String!) { experiment(expid: $expid) {
    configuration { filesystem currentRun isEqual differences { path filesystem currentRun } warnings }
    runs { nodes { number configuration } }
    lastRun { configuration }
} }";

fn small(expid: &str) -> ExperimentSpec {
    let mut spec = ExperimentSpec::new(expid, JobListForm::Dict);
    spec.logged_jobs = 0;
    spec.chunks = 2;
    spec
}

async fn ask(server: &Server, expid: &str) -> Value {
    let mut data = server.data(CONFIGURATION, json!({ "expid": expid })).await;
    data["experiment"].take()
}

/// Has the newest run record this.
fn record(lab: &Lab, expid: &str, metadata: &str) {
    let database = format!("metadata/data/job_data_{expid}.db");
    let metadata = metadata.replace('\'', "''");
    let sql = format!(
        "UPDATE experiment_run SET metadata = '{metadata}'
         WHERE run_id = (SELECT max(run_id) FROM experiment_run)"
    );
    root::sql(&lab.root().join(database), &sql);
}

async fn files_and_runs_are_compared(lab: Lab) {
    root::with(&lab.root(), &[small("a000")]);
    lab.import();
    let server = lab.serve_signed_in().await;
    let before = ask(&server, "a000").await;
    let configuration = &before["configuration"];
    assert_eq!(configuration["warnings"], json!([]));
    assert_eq!(configuration["filesystem"]["DEFAULT"]["EXPID"], "a000");
    assert!(configuration["filesystem"]["JOBS"]["SIM"]["DEPENDENCIES"].is_object());
    assert_eq!(
        before["lastRun"]["configuration"],
        configuration["currentRun"]
    );
    let runs = before["runs"]["nodes"].as_array().expect("runs");
    assert_eq!(runs[0]["configuration"], configuration["currentRun"]);

    // The files are read when they are asked for: nothing is imported again.
    fs::write(
        lab.root().join("a000/conf/z.yml"),
        "JOBS: {SIM: {WALLCLOCK: '99:00', NEW: [1]}}\n",
    )
    .expect("a file");
    let after = ask(&server, "a000").await;
    let configuration = &after["configuration"];
    assert_eq!(configuration["isEqual"], false);
    let differences = configuration["differences"].as_array().expect("a list");
    let at = |path: &str| differences.iter().find(|it| it["path"] == path);
    let wallclock = at("JOBS.SIM.WALLCLOCK").expect("a difference");
    assert_eq!(wallclock["filesystem"], "99:00");
    assert_eq!(
        wallclock["currentRun"],
        before["configuration"]["currentRun"]["JOBS"]["SIM"]["WALLCLOCK"]
    );
    let new = at("JOBS.SIM.NEW").expect("a difference");
    assert_eq!(
        (&new["filesystem"], &new["currentRun"]),
        (&json!([1]), &Value::Null)
    );

    // A file that is broken is named, and the others count.
    fs::write(lab.root().join("a000/conf/y.yml"), "JOBS: [\n").expect("a file");
    let broken = ask(&server, "a000").await;
    let warning = &broken["configuration"]["warnings"][0];
    assert!(
        warning
            .as_str()
            .expect("text")
            .starts_with("a000/conf/y.yml: "),
        "{warning}"
    );
    assert_eq!(
        broken["configuration"]["filesystem"],
        configuration["filesystem"]
    );
}

async fn nothing_secret_is_shown_or_kept(lab: Lab) {
    const SECRET: &str = "hunter2secret";
    root::with(&lab.root(), &[small("a000")]);
    let home = lab.root().join("a000").display().to_string();
    fs::write(
        lab.root().join("a000/conf/secrets.yml"),
        format!(
            "GIT: {{ACCESS_TOKEN: {SECRET}, PROJECT_ORIGIN: 'https://ada:{SECRET}@git.example.org/x'}}
DATABASE_CONN_URL: 'postgres://{SECRET}'
AS_ENV_KEY: {SECRET}
HERE: '{home}/x'
"
        ),
    )
    .expect("a file");
    let recorded = json!({
        "ROOTDIR": "/srv/as/a000",
        "LOCAL_ROOT_DIR": "/srv/as",
        "HERE": "/srv/as/a000/x",
        "DATABASE_CONN_URL": format!("postgres://{SECRET}"),
        "AS_ENV_KEY": SECRET,
        "PLATFORMS": { "MN5": { "PASSWORD": SECRET, "USER": "ada" } },
        "JOBS": { "SIM": { "SCRIPT": format!("export TOKEN={SECRET}\nrun") } },
    });
    record(&lab, "a000", &recorded.to_string());
    lab.import();
    let server = lab.serve_signed_in().await;
    let answer = ask(&server, "a000").await;
    assert!(!answer.to_string().contains(SECRET), "{answer}");
    assert!(!answer.to_string().contains(&home), "{answer}");
    assert_eq!(
        answer["configuration"]["currentRun"],
        json!({
            "HERE": "%ROOTDIR%/x",
            "PLATFORMS": { "MN5": { "PASSWORD": "[hidden]", "USER": "ada" } },
            "JOBS": { "SIM": { "SCRIPT": "export TOKEN=[hidden]\nrun" } },
        })
    );
    let filesystem = &answer["configuration"]["filesystem"];
    assert_eq!(filesystem["GIT"]["ACCESS_TOKEN"], "[hidden]");
    assert_eq!(
        filesystem["GIT"]["PROJECT_ORIGIN"],
        "https://ada:[hidden]@git.example.org/x"
    );
    assert_eq!(filesystem["HERE"], "%ROOTDIR%/x");
    let differences = answer["configuration"]["differences"].as_array();
    let differences = differences.expect("a list");
    assert!(
        differences
            .iter()
            .all(|difference| difference["path"] != "HERE")
    );
}

async fn what_runs_recorded_outlives_the_files(lab: Lab) {
    root::with(&lab.root(), &[small("a000"), small("a001")]);
    record(&lab, "a001", "no JSON");
    lab.import();
    let before = {
        let server = lab.serve_signed_in().await;
        assert_eq!(
            ask(&server, "a001").await["configuration"]["currentRun"],
            Value::Null
        );
        ask(&server, "a000").await
    };
    // A new record takes the place of the old one, and one that is gone goes.
    record(&lab, "a001", "{\"X\": 1}");
    lab.import();
    fs::remove_dir_all(lab.root().join("a000")).expect("a folder");
    let server = lab.serve().await.signed_in(&lab.token("ada"));
    let after = ask(&server, "a000").await;
    assert_eq!(
        after["configuration"]["currentRun"],
        before["configuration"]["currentRun"]
    );
    assert_eq!(after["configuration"]["filesystem"], Value::Null);
    assert_eq!(after["configuration"]["isEqual"], Value::Null);
    assert_eq!(after["configuration"]["differences"], json!([]));
    let warning = &after["configuration"]["warnings"][0];
    assert_eq!(warning, "a000/conf: the file does not exist");
    let other = ask(&server, "a001").await;
    assert_eq!(other["configuration"]["currentRun"], json!({ "X": 1 }));
}

async fn not_every_file_of_a_laboratory_is_read_at_once(lab: Lab) {
    root::with(&lab.root(), &[small("a000"), small("a001")]);
    lab.import();
    let server = lab.serve_signed_in().await;
    let both = "{ experiments { nodes { expid configuration { filesystem currentRun } } } }";
    let data = server.data(both, json!({})).await;
    let nodes = data["experiments"]["nodes"].as_array().expect("nodes");
    for node in nodes {
        assert_eq!(
            node["configuration"]["filesystem"]["DEFAULT"]["EXPID"],
            node["expid"]
        );
        assert!(node["configuration"]["currentRun"].is_object());
    }
    let often: String = (0..101)
        .map(|n| format!("n{n}: configuration {{ warnings }} "))
        .collect();
    let query = format!("{{ experiment(expid: \"a000\") {{ {often} }} }}");
    let (_, answer) = server.send(json!({ "query": query })).await;
    let error = &answer["errors"][0];
    assert_eq!(error["extensions"]["code"], "TOO_COMPLEX", "{answer}");
    assert!(
        error["message"]
            .as_str()
            .expect("text")
            .contains("too many experiments"),
        "{error}"
    );
}
