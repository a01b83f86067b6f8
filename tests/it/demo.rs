//! The laboratory that labql writes: whole, the same each time, and readable by Python.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use chrono::{DateTime, Utc};
use labql::demo::{
    self, DemoError,
    autosubmit::{
        ExperimentSpec, ExperimentSummary, HistorySchema, JobListForm, JobStatus, MARKER, Summary,
        beat, laboratory, write_experiment, write_root,
    },
};
use rusqlite::Connection;
use tempfile::TempDir;

fn now() -> DateTime<Utc> {
    "2026-09-21T12:00:00Z".parse().unwrap()
}

/// A laboratory of the test's own: its folder, its root, and what was written.
fn written() -> (TempDir, PathBuf, Summary) {
    let folder = tempfile::tempdir().unwrap();
    let summary = demo::write(folder.path(), now()).unwrap().autosubmit;
    let root = folder.path().join("autosubmit");
    (folder, root, summary)
}

fn job_list(root: &Path, experiment: &ExperimentSummary) -> std::path::PathBuf {
    let folder = root.join(&experiment.expid);
    match experiment.form {
        JobListForm::Sqlite => folder.join("db/job_list.db"),
        _ => folder.join(format!("pkl/job_list_{}.pkl", experiment.expid)),
    }
}

fn count(path: &Path, query: &str) -> i64 {
    let database = Connection::open(path).unwrap();
    database
        .query_row(query, [], |row| row.get(0))
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_laboratory_shows_everything() {
    let (_folder, _, summary) = &written();
    let all = &summary.experiments;
    assert_eq!(all.len(), laboratory().len());
    for form in [
        JobListForm::Text,
        JobListForm::Tuples,
        JobListForm::Graph,
        JobListForm::Dict,
        JobListForm::Sqlite,
    ] {
        assert!(
            all.iter()
                .any(|experiment| experiment.form == form && !experiment.truncated),
            "{form:?}"
        );
    }
    let busy = summary.get("a3sf").unwrap();
    for status in [
        JobStatus::Running,
        JobStatus::Queuing,
        JobStatus::Submitted,
        JobStatus::Completed,
        JobStatus::Waiting,
        JobStatus::Failed,
    ] {
        assert!(busy.count(status) > 0, "{status:?}");
    }
    let completed = summary.get("a0sh").unwrap();
    assert_eq!(
        (completed.count(JobStatus::Completed), completed.runs),
        (completed.jobs, 3)
    );
    let stopped = summary.get("a1or").unwrap();
    assert_eq!(
        (
            stopped.count(JobStatus::Failed),
            stopped.count(JobStatus::Suspended)
        ),
        (2, 3)
    );
    assert!(stopped.attempts > stopped.jobs);
    let fresh = summary.get("t001").unwrap();
    assert_eq!((fresh.attempts, fresh.count(JobStatus::Ready)), (0, 1));
    assert_eq!(summary.get("a2dg").unwrap().stored_edges, None);
    assert!(summary.get("a4hr").unwrap().metrics > 0);
    assert!(summary.get("a5lg").unwrap().packages > 0);
    assert!((900..1100).contains(&summary.get("a7le").unwrap().jobs));
    assert!(summary.get("a8br").unwrap().truncated);
    for experiment in all {
        println!(
            "{} {:?} {} jobs {:?}, {} edges, {} runs, {} attempts",
            experiment.expid,
            experiment.form,
            experiment.jobs,
            experiment.statuses,
            experiment.edges,
            experiment.runs,
            experiment.attempts
        );
    }
}

#[test]
fn databases_hold_what_the_summary_tells() {
    let (_folder, root, summary) = &written();
    assert_eq!(
        count(
            &root.join("autosubmit.db"),
            "SELECT count(*) FROM experiment"
        ),
        i64::try_from(summary.experiments.len()).unwrap()
    );
    let live = summary
        .experiments
        .iter()
        .filter(|experiment| experiment.live)
        .count();
    assert_eq!(
        count(
            &root.join("as_times.db"),
            "SELECT count(*) FROM experiment_status WHERE status = 'RUNNING'"
        ),
        i64::try_from(live).unwrap()
    );
    for (experiment, spec) in summary.experiments.iter().zip(laboratory()) {
        let expid = &experiment.expid;
        let history = root.join(format!("metadata/data/job_data_{expid}.db"));
        let number = |count: usize| i64::try_from(count).unwrap();
        assert_eq!(
            count(&history, "PRAGMA user_version"),
            spec.history.user_version()
        );
        assert_eq!(
            count(&history, "SELECT count(*) FROM experiment_run"),
            number(experiment.runs)
        );
        assert_eq!(
            count(&history, "SELECT count(*) FROM job_data"),
            number(experiment.attempts)
        );
        assert_eq!(
            count(
                &history,
                "SELECT completed FROM experiment_run ORDER BY run_id DESC"
            ),
            number(experiment.count(JobStatus::Completed)),
        );
        assert_eq!(
            count(&history, "SELECT count(DISTINCT job_name) FROM job_data"),
            count(&history, "SELECT count(*) FROM job_data WHERE last = 1"),
        );
        if experiment.form == JobListForm::Sqlite {
            let list = job_list(root, experiment);
            assert_eq!(
                count(&list, "SELECT count(*) FROM experiment_structure"),
                number(experiment.stored_edges.unwrap())
            );
            for status in [
                JobStatus::Completed,
                JobStatus::Failed,
                JobStatus::Waiting,
                JobStatus::Running,
            ] {
                let query = format!(
                    "SELECT count(*) FROM jobs WHERE status = '{}'",
                    status.as_str()
                );
                assert_eq!(count(&list, &query), number(experiment.count(status)));
            }
        } else if let Some(edges) = experiment.stored_edges {
            let structure = root.join(format!("metadata/structures/structure_{expid}.db"));
            assert_eq!(
                count(&structure, "SELECT count(*) FROM experiment_structure"),
                number(edges)
            );
        }
        if experiment.metrics > 0 {
            let metrics = root.join(format!("{expid}/tmp/metrics_{expid}.db"));
            assert_eq!(
                count(&metrics, "SELECT count(*) FROM user_metrics"),
                number(experiment.metrics)
            );
        }
    }
}

#[test]
fn every_history_schema_can_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let schemas = [
        HistorySchema::V17,
        HistorySchema::V18,
        HistorySchema::V19,
        HistorySchema::V21,
    ];
    for (history, expid) in schemas.into_iter().zip(["a017", "a018", "a019", "a021"]) {
        let spec = ExperimentSpec {
            history,
            ..ExperimentSpec::new(expid, JobListForm::Dict)
        };
        let summary = write_experiment(folder.path(), &spec, now()).unwrap();
        let path = folder
            .path()
            .join(format!("metadata/data/job_data_{expid}.db"));
        let rows = count(
            &path,
            "SELECT count(*) FROM job_data WHERE run_id = 1 AND rowtype = 2 AND out LIKE '%.out'",
        );
        assert_eq!(rows, i64::try_from(summary.attempts).unwrap());
    }
}

#[test]
fn jobs_go_on_step_by_step_and_begin_anew() {
    let (_folder, root, _) = written();
    let list = root.join("a4hr/db/job_list.db");
    let jobs = count(&list, "SELECT count(*) FROM jobs");
    let failed = count(&list, "SELECT count(*) FROM jobs WHERE status = 'FAILED'");
    let mut turn = 0;
    while let Some((name, status)) = beat(&root, turn, now()).unwrap() {
        let status = status.as_str();
        let query =
            format!("SELECT count(*) FROM jobs WHERE name = '{name}' AND status = '{status}'");
        assert_eq!(count(&list, &query), 1);
        turn += 1;
    }
    // What failed needs somebody to look at it.
    let completed = count(&list, "SELECT count(*) FROM jobs WHERE status = 'WAITING'");
    assert_eq!((completed, failed > 0), (jobs, true));
    assert!(beat(&root, turn, now()).unwrap().is_some());
}

#[test]
fn the_same_moment_gives_the_same_lists() {
    let (_folder, one, summary) = &written();
    let other = tempfile::tempdir().unwrap();
    write_root(other.path(), now()).unwrap();
    for experiment in &summary.experiments {
        let lists =
            [one.as_path(), other.path()].map(|root| fs::read(job_list(root, experiment)).unwrap());
        assert!(lists[0] == lists[1], "{}", experiment.expid);
    }
}

#[test]
fn a_demo_is_replaced_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    write_root(&root, now()).unwrap();
    fs::write(root.join("notes.txt"), "mine").unwrap();
    write_root(&root, now()).unwrap();
    assert_eq!(fs::read_to_string(root.join("notes.txt")).unwrap(), "mine");

    fs::write(root.join(MARKER), "../victim\n/etc/victim\n").unwrap();
    fs::write(folder.path().join("victim"), "").unwrap();
    write_root(&root, now()).unwrap();
    assert!(folder.path().join("victim").exists());

    let foreign = folder.path().join("foreign");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("autosubmit.db"), "").unwrap();
    assert!(matches!(
        write_root(&foreign, now()),
        Err(DemoError::NotADemo { .. })
    ));
}

#[test]
fn thousands_of_jobs_are_written_and_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let spec = ExperimentSpec::sized("a6kj", JobListForm::Sqlite, 20, 60);
    let first = write_experiment(folder.path(), &spec, now()).unwrap();
    assert_eq!(first.jobs, 6021);
    let mut further = ExperimentSpec::sized("a6kj", JobListForm::Dict, 20, 60);
    further.progress.completed_percent = 80;
    let second = write_experiment(folder.path(), &further, now()).unwrap();
    assert_eq!(first.id, second.id);
    assert!(second.count(JobStatus::Completed) > first.count(JobStatus::Completed));
    assert!(!job_list(folder.path(), &first).exists());
}

#[test]
fn expids_cannot_leave_the_root() {
    let folder = tempfile::tempdir().unwrap();
    for expid in ["../x", "a/bc", "A000", "", "abc"] {
        let spec = ExperimentSpec::new(expid, JobListForm::Dict);
        let refused = write_experiment(folder.path(), &spec, now());
        assert!(matches!(refused, Err(DemoError::BadSpec { .. })), "{expid}");
    }
}

/// Loads each list with Python's own `pickle`, with stubs in place of networkx and Autosubmit, and prints what it found.
const LOADER: &str = r#"
import collections, datetime, enum, json, pathlib, pickle, pickletools, sys, types

def module(name, **members):
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        sys.modules.setdefault(".".join(parts[:end]), types.ModuleType(parts[end - 1]))
    for key, value in members.items():
        value.__module__ = name
        setattr(sys.modules[name], key, value)

class DiGraph: pass
class NodeView: pass
class Job: pass
class Language(enum.Enum):
    BASH = "bash"

module("networkx.classes.digraph", DiGraph=DiGraph)
module("networkx.classes.reportviews", NodeView=NodeView)
module("autosubmit.job.job", Job=Job)
module("autosubmit.job.template", Language=Language)

for path in sys.argv[1:]:
    data = open(path, "rb").read()
    protocols = {argument for opcode, argument, _ in pickletools.genops(data) if opcode.name == "PROTO"} if data[:1] == b"\x80" else {0}
    pickletools.dis(data, out=open("/dev/null", "w")) if data[:1] == b"\x80" else None
    top = pickle.loads(data, encoding="latin1")
    # The unpickler in Python checks the frames, the one in C does not.
    assert type(pickle._loads(data, encoding="latin1")) is type(top)
    edges = None
    if isinstance(top, list):
        assert {len(job) for job in top} <= {12, 13}
        statuses = [job[2] for job in top]
        dates = [job[5] for job in top]
    elif isinstance(top, dict):
        assert all(name == job["_name"] for name, job in top.items())
        assert all(isinstance(job["_log_path"], pathlib.PosixPath) for job in top.values())
        assert all(job["type"] is Language.BASH for job in top.values())
        statuses = [job["_status"] for job in top.values()]
        dates = [job["date"] for job in top.values()]
    else:
        assert isinstance(top, DiGraph) and top.nodes._nodes is top._node and top._succ is top._adj
        jobs = [node["job"] for node in top._node.values()]
        statuses = [job.status for job in jobs]
        dates = [job.date for job in jobs]
        edges = sum(len(children) for children in top._adj.values())
        for child, parents in top._pred.items():
            assert all(top._adj[parent][child] is edge for parent, edge in parents.items())
        assert edges == sum(len(parents) for parents in top._pred.values())
    assert all(date is None or isinstance(date, datetime.datetime) for date in dates)
    print(json.dumps({
        "protocol": max(protocols),
        "statuses": collections.Counter(statuses),
        "edges": edges,
        "dates": sorted({date.isoformat() for date in dates if date}),
    }))
"#;

#[test]
fn python_reads_every_pickle() {
    let (_folder, root, summary) = &written();
    let mut read = Vec::new();
    let mut python = Command::new("python3");
    python.args(["-c", LOADER]);
    for (experiment, spec) in summary.experiments.iter().zip(laboratory()) {
        if experiment.form != JobListForm::Sqlite && !experiment.truncated {
            python.arg(job_list(root, experiment));
            read.push((experiment, spec));
        }
    }
    let Ok(output) = python.output() else {
        println!("skipped: there is no python3");
        return;
    };
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let lines = String::from_utf8(output.stdout).unwrap();
    assert_eq!(lines.lines().count(), read.len());
    for (line, (experiment, spec)) in lines.lines().zip(read) {
        let found: serde_json::Value = serde_json::from_str(line).unwrap();
        let expected = match experiment.form {
            JobListForm::Text => 0,
            JobListForm::Tuples => 2,
            _ => 5,
        };
        assert_eq!(found["protocol"], expected, "{}", experiment.expid);
        let statuses = found["statuses"].as_object().unwrap();
        let statuses = statuses
            .iter()
            .map(|(code, count)| (code.parse::<i16>().unwrap(), count.as_u64().unwrap()));
        let expected = experiment
            .statuses
            .iter()
            .map(|(status, &count)| (status.code(), count as u64));
        assert_eq!(
            statuses.collect::<BTreeMap<_, _>>(),
            expected.collect(),
            "{}",
            experiment.expid
        );
        if experiment.form == JobListForm::Graph {
            assert_eq!(found["edges"], experiment.edges);
        }
        let dates = found["dates"]
            .as_array()
            .unwrap()
            .iter()
            .map(|date| date.as_str().unwrap().to_owned());
        let expected = spec
            .start_dates
            .iter()
            .map(|date| date.format("%Y-%m-%dT%H:%M:%S").to_string());
        assert_eq!(
            dates.collect::<Vec<_>>(),
            expected.collect::<Vec<_>>(),
            "{}",
            experiment.expid
        );
    }
}
