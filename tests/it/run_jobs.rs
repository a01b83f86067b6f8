//! The jobs of runs, as each run left them.

use std::collections::BTreeSet;

use labql::demo::autosubmit::{ExperimentSpec, HistorySchema, JobListForm, Progress};
use serde_json::{Value, json};

use crate::{
    statements::cost,
    support::{Lab, root},
};

on_both_databases!(the_jobs_of_a_run, exchanged_columns_are_put_right);

const RUNS: &str = "query($first: Int, $jobs: Int, $after: String, $filter: JobFilter) {
    experiments { nodes { runs(first: $first) { nodes { number
        jobs(first: $jobs, after: $after, filter: $filter) {
            totalCount nodes { jobName section date member chunk split splits status number runNumber }
            pageInfo { hasNextPage endCursor }
        }
    } } } }
}";

fn spec(expid: &str) -> ExperimentSpec {
    let mut spec = ExperimentSpec::new(expid, JobListForm::Dict);
    spec.logged_jobs = 0;
    spec.progress = Progress {
        retried: 4,
        ..Progress::completed(3)
    };
    spec
}

async fn the_jobs_of_a_run(mut lab: Lab) {
    lab.set("LABQL_WORKERS__ENABLED", "false");
    root::with(&lab.root(), &[spec("a000"), spec("a001")]);
    lab.import();
    let server = lab.serve_signed_in().await;
    let data = server.data(RUNS, json!({ "first": 3, "jobs": 100 })).await;
    let runs = &data["experiments"]["nodes"][0]["runs"]["nodes"];
    assert_eq!(runs.as_array().map(Vec::len), Some(3));
    for run in runs.as_array().expect("runs") {
        let jobs = run["jobs"]["nodes"].as_array().expect("jobs");
        assert_eq!(run["jobs"]["totalCount"], jobs.len());
        let names: Vec<_> = jobs.iter().map(|job| job["jobName"].to_string()).collect();
        let distinct: BTreeSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), names.len(), "each job once");
        for job in jobs {
            assert_eq!(job["runNumber"], run["number"]);
            assert_eq!(
                job["status"], "COMPLETED",
                "the attempts that failed came before"
            );
            let name = job["jobName"].as_str().expect("a name");
            let section = job["section"].as_str().expect("a section");
            assert!(name.ends_with(section));
            if let Some(member) = job["member"].as_str() {
                assert!(name.contains(member));
                assert_eq!(job["date"], "2000-01-01T00:00:00+00:00");
            }
        }
    }

    // Page by page it is the same.
    let mut paged = Vec::new();
    let mut after = Value::Null;
    loop {
        let variables = json!({ "first": 1, "jobs": 7, "after": after });
        let data = server.data(RUNS, variables).await;
        let page = &data["experiments"]["nodes"][0]["runs"]["nodes"][0]["jobs"];
        paged.extend(page["nodes"].as_array().expect("jobs").iter().cloned());
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
    assert_eq!(json!(paged), runs[0]["jobs"]["nodes"]);

    let filter = json!({ "sections": ["SIM"], "members": ["fc01"], "name": "*_2_*" });
    let variables = json!({ "first": 3, "jobs": 100, "filter": filter });
    let data = server.data(RUNS, variables).await;
    for experiment in data["experiments"]["nodes"].as_array().expect("nodes") {
        for run in experiment["runs"]["nodes"].as_array().expect("runs") {
            assert_eq!(run["jobs"]["totalCount"], 1, "{run}");
            assert_eq!(run["jobs"]["nodes"][0]["chunk"], 2);
        }
    }

    // All runs of all experiments together cost what one costs.
    // The experiments, their runs, a page and a count of the jobs.
    for first in [1, 3] {
        let variables = json!({ "first": first, "jobs": 5 });
        let body = json!({ "query": RUNS, "variables": variables });
        assert_eq!(cost(&server, &body).await.0, 4);
    }
}

/// Old versions of Autosubmit wrote the section where the member belongs.
async fn exchanged_columns_are_put_right(mut lab: Lab) {
    lab.set("LABQL_WORKERS__ENABLED", "false");
    let mut spec = spec("a000");
    spec.history = HistorySchema::V17;
    root::with(&lab.root(), &[spec]);
    let history = lab.root().join("metadata/data/job_data_a000.db");
    root::sql(
        &history,
        "UPDATE job_data SET section = member, member = section WHERE run_id < 3",
    );
    lab.import();
    let server = lab.serve_signed_in().await;
    let filter = json!({ "sections": ["SIM"] });
    let variables = json!({ "first": 3, "jobs": 100, "filter": filter });
    let data = server.data(RUNS, variables).await;
    let runs = &data["experiments"]["nodes"][0]["runs"]["nodes"];
    for run in runs.as_array().expect("runs") {
        assert_eq!(run["jobs"]["totalCount"], 6, "{run}");
        for job in run["jobs"]["nodes"].as_array().expect("jobs") {
            assert_eq!(job["section"], "SIM");
            assert!(
                job["member"]
                    .as_str()
                    .is_some_and(|member| member.starts_with("fc"))
            );
        }
    }
}
