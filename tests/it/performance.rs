//! Performance, statistics and what jobs report of themselves, where the data are not as they should be.

use std::fs;

use labql::demo::autosubmit::{ExperimentSpec, JobListForm, Progress, Wrappers};
use serde_json::{Value, json};

use crate::support::{Lab, client::code, root};

on_both_databases!(
    strange_histories_give_no_strange_numbers,
    outliers_are_named,
    jobs_on_their_way_have_the_times_of_their_files,
    statistics_of_a_section_and_of_the_last_hours,
    broken_files_are_errors_of_their_field,
);

const PERFORMANCE: &str = "query($expid: String!) { experiment(expid: $expid) {
    performance {
        sy sypd asypd rsypd psypd chsy jpsy parallelization totalEnergyJoules totalFootprint
        platform { name carbonFactor pue }
        considered { job { name section } sypd asypd chsy jpsy queueSeconds runSeconds energyJoules yearsPerChunk footprint }
        rejected { job { name } reason runSeconds }
        warnings
    }
    runs { nodes { number performance { sypd asypd psypd chsy parallelization } } }
    jobs(first: 1000) { nodes { name sypd asypd } }
    jobSummary { meanQueueSeconds meanRunSeconds simulation { count meanRunSeconds } }
    eta { seconds chunksTotal chunksRemaining averageSecondsPerChunk }
    nothing: eta(section: \"NOTHING\") { seconds }
} }";

fn spec(expid: &str) -> ExperimentSpec {
    let mut spec = ExperimentSpec::sized(expid, JobListForm::Dict, 2, 3);
    spec.logged_jobs = 0;
    spec.progress = Progress::completed(1);
    spec.wrappers = Wrappers::Real {
        section: "SIM".to_owned(),
    };
    spec
}

fn history(lab: &Lab, expid: &str, statements: &str) {
    let path = format!("metadata/data/job_data_{expid}.db");
    root::sql(&lab.root().join(path), statements);
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

async fn strange_histories_give_no_strange_numbers(mut lab: Lab) {
    lab.set("LABQL_WORKERS__ENABLED", "false");
    let strange = [
        ("a000", "UPDATE job_data SET finish = start"),
        (
            "a001",
            "UPDATE job_data SET start = finish + 1000, submit = finish + 5000",
        ),
        (
            "a002",
            "UPDATE job_data SET start = 1700000000, finish = 1700000100",
        ),
        (
            "a003",
            "UPDATE job_data SET energy = 9.9e307, ncpus = -5, splits = -3",
        ),
        (
            "a004",
            "UPDATE experiment_run SET chunk_size = -7, chunk_unit = 'fortnight'",
        ),
        (
            "a005",
            "UPDATE job_data SET submit = -1, start = 0, finish = 9223372036854775807",
        ),
        ("a006", "DELETE FROM job_data; DELETE FROM experiment_run"),
    ];
    let specs: Vec<_> = strange.iter().map(|(expid, _)| spec(expid)).collect();
    root::with(&lab.root(), &specs);
    for (expid, statements) in strange {
        history(&lab, expid, statements);
    }
    lab.import();
    let server = lab.serve_signed_in().await;
    for (expid, _) in strange {
        let data = server.data(PERFORMANCE, json!({ "expid": expid })).await;
        let experiment = &data["experiment"];
        assert_eq!(experiment["nothing"], Value::Null);
        assert_eq!(experiment["eta"]["chunksTotal"], 3, "{expid}: {experiment}");
        assert_eq!(experiment["jobSummary"]["simulation"]["count"], 6);
        let performance = &experiment["performance"];
        let jobs = list(&performance["considered"]).len() + list(&performance["rejected"]).len();
        assert_eq!(jobs, 6, "{expid}: {performance}");
    }
    // Without a run time none counts; with equal ones all do.
    let of = async |expid: &str| {
        let data = server.data(PERFORMANCE, json!({ "expid": expid })).await;
        data["experiment"]["performance"].clone()
    };
    for expid in ["a000", "a001", "a006"] {
        let performance = of(expid).await;
        assert_eq!(performance["sypd"], Value::Null, "{expid}: {performance}");
        let reasons = list(&performance["rejected"])
            .iter()
            .map(|job| &job["reason"]);
        assert!(reasons.into_iter().all(|reason| reason == "NO_RUN_TIME"));
    }
    let equal = of("a002").await;
    assert_eq!(list(&equal["considered"]).len(), 6);
    let years = equal["sy"].as_f64().expect("years");
    let sypd = equal["sypd"].as_f64().expect("a speed");
    assert!((sypd - years * 86_400.0 / 600.0).abs() < 1e-6, "{equal}");
}

async fn outliers_are_named(mut lab: Lab) {
    lab.set("LABQL_WORKERS__ENABLED", "false");
    root::with(&lab.root(), &[spec("a000")]);
    history(
        &lab,
        "a000",
        "UPDATE job_data SET start = 1700000000, finish = 1700000600 + chunk WHERE section = 'SIM';
         UPDATE job_data SET finish = start + 90000 WHERE job_name LIKE '%_1_3_SIM' OR job_name LIKE '%fc01_3_SIM'",
    );
    lab.import();
    let server = lab.serve_signed_in().await;
    let data = server.data(PERFORMANCE, json!({ "expid": "a000" })).await;
    let performance = &data["experiment"]["performance"];
    let rejected = list(&performance["rejected"]);
    assert_eq!(rejected.len(), 1, "{performance}");
    assert_eq!(rejected[0]["reason"], "OUTLIER");
    assert_eq!(rejected[0]["runSeconds"], 90_000);
    assert_eq!(list(&performance["considered"]).len(), 5);
}

async fn jobs_on_their_way_have_the_times_of_their_files(mut lab: Lab) {
    lab.set("LABQL_WORKERS__ENABLED", "false");
    let mut spec = spec("a000");
    spec.progress = Progress::stopped(50);
    spec.progress.failed = 1;
    root::with(&lab.root(), &[spec]);
    // The history says nothing of any job.
    history(&lab, "a000", "DELETE FROM job_data");
    lab.import();
    let server = lab.serve_signed_in().await;
    let query = "{ experiment(expid: \"a000\") { jobs(filter: { statuses: [FAILED] }) { nodes {
        name submittedAt startedAt finishedAt
    } } } }";
    let failed = async || {
        let data = server.data(query, json!({})).await;
        data["experiment"]["jobs"]["nodes"][0].clone()
    };
    let before = failed().await;
    let name = before["name"].as_str().expect("a failed job").to_owned();
    let stats = lab.root().join(format!("a000/tmp/{name}_TOTAL_STATS"));
    fs::write(
        &stats,
        "20260101000000\n20260101000000 20260101000100 20260101000300 FAILED",
    )
    .expect("a file");
    history(&lab, "a000", "UPDATE experiment_run SET modified = created");
    lab.import();
    let after = failed().await;
    let time = |field: &str| {
        let text = after[field].as_str().expect("a time");
        text.parse::<chrono::DateTime<chrono::Utc>>()
            .expect("a time")
    };
    assert_eq!((time("startedAt") - time("submittedAt")).num_seconds(), 60);
    assert_eq!((time("finishedAt") - time("startedAt")).num_seconds(), 120);
}

async fn statistics_of_a_section_and_of_the_last_hours(mut lab: Lab) {
    lab.set("LABQL_WORKERS__ENABLED", "false");
    root::with(&lab.root(), &[spec("a000")]);
    let tmp = lab.root().join("a000/tmp");
    for entry in fs::read_dir(&tmp).expect("a folder").flatten() {
        if entry
            .file_name()
            .to_string_lossy()
            .ends_with("_TOTAL_STATS")
        {
            fs::remove_file(entry.path()).expect("removed");
        }
    }
    let write = |job: &str, text: &[u8]| {
        fs::write(tmp.join(format!("{job}_TOTAL_STATS")), text).expect("a file");
    };
    let recent = chrono::Local::now().format("%Y%m%d%H%M%S").to_string();
    write("a000_20000101_fc00_1_SIM", b"20260101000000 20260101000100 20260101000200 FAILED\n20260101000300 20260101000310 20260101000410 COMPLETED");
    write(
        "a000_20000101_fc00_2_SIM",
        format!("{recent} {recent}").as_bytes(),
    );
    write(
        "a000_20000101_fc00_3_SIM",
        b"\xff\xfe 2026\n20269999000000 nonsense",
    );
    write(
        "a000_20000101_fc00_1_POST",
        b"20260101000500 20260101000510 20260101000610 COMPLETED",
    );
    write(
        "somebody_elses",
        b"20260101000500 20260101000510 20260101000610 COMPLETED",
    );
    lab.import();
    let server = lab.serve_signed_in().await;
    let query = "query($hours: Int!, $section: String) { experiment(expid: \"a000\") {
        statistics(lastHours: $hours, section: $section) {
            from to
            jobs { job { name parents { name } } submittedCount completedCount failedCount runSeconds failedRunSeconds }
            summary { submittedCount completedCount failedCount queueSeconds runSeconds cpuPercentage }
        }
    } }";
    let ask = async |hours: i32, section: Option<&str>| {
        let variables = json!({ "hours": hours, "section": section });
        let data = server.data(query, variables).await;
        data["experiment"]["statistics"].clone()
    };
    let names = |statistics: &Value| {
        let jobs = list(&statistics["jobs"]).iter();
        jobs.map(|job| job["job"]["name"].as_str().expect("a name").to_owned())
            .collect::<Vec<_>>()
    };
    let all = ask(0, None).await;
    assert_eq!(all["from"], Value::Null);
    assert_eq!(
        names(&all),
        [
            "a000_20000101_fc00_1_POST",
            "a000_20000101_fc00_1_SIM",
            "a000_20000101_fc00_2_SIM",
            "a000_20000101_fc00_3_SIM"
        ]
    );
    assert_eq!(all["summary"]["completedCount"], 2, "{all}");
    assert_eq!(all["summary"]["failedCount"], 1);
    assert_eq!(all["summary"]["runSeconds"], 120.0);
    let simulated = ask(0, Some("SIM")).await;
    assert_eq!(names(&simulated).len(), 3);
    assert_eq!(simulated["summary"]["runSeconds"], 60.0);
    let last = ask(1, None).await;
    assert_eq!(names(&last), ["a000_20000101_fc00_2_SIM"], "{last}");
    assert!(last["from"].is_string());
    assert_eq!(list(&ask(0, Some("NOTHING")).await["jobs"]).len(), 0);
    assert_eq!(list(&ask(0, Some("\u{0}")).await["jobs"]).len(), 0);
    let (_, refused) = server.ask(query, json!({ "hours": -1 })).await;
    assert_eq!(code(&refused), "BAD_INPUT", "{refused}");
}

async fn broken_files_are_errors_of_their_field(mut lab: Lab) {
    lab.set("LABQL_WORKERS__ENABLED", "false");
    root::with(&lab.root(), &[spec("a000"), spec("a001")]);
    lab.import();
    let server = lab.serve_signed_in().await;
    let metrics = |expid: &str| lab.root().join(format!("{expid}/tmp/metrics_{expid}.db"));
    let _ = fs::remove_file(metrics("a001"));
    fs::write(metrics("a000"), "no database").expect("a file");
    let query = "query($expid: String!) { experiment(expid: $expid) {
        expid userMetrics { run jobName name value modifiedAt } statistics { jobs { job { name } } }
    } }";
    let (_, broken) = server.ask(query, json!({ "expid": "a000" })).await;
    assert_eq!(code(&broken), "SOURCE_BROKEN", "{broken}");
    let none = server.data(query, json!({ "expid": "a001" })).await;
    assert_eq!(none["experiment"]["userMetrics"], json!([]));

    // A folder that leads out of the root, and one that is gone.
    let tmp = lab.root().join("a001/tmp");
    let elsewhere = lab.path("elsewhere");
    fs::create_dir_all(&elsewhere).expect("a folder");
    fs::rename(&tmp, elsewhere.join("tmp")).expect("moved");
    let gone = server.data(query, json!({ "expid": "a001" })).await;
    assert_eq!(gone["experiment"]["statistics"]["jobs"], json!([]));
    std::os::unix::fs::symlink(elsewhere.join("tmp"), &tmp).expect("a link");
    let (_, outside) = server.ask(query, json!({ "expid": "a001" })).await;
    assert_eq!(code(&outside), "SOURCE_BROKEN", "{outside}");
    assert!(!outside.to_string().contains("elsewhere"), "{outside}");
}
