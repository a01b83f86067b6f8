//! What a pass reads and writes.

use std::fs;

use labql::demo::autosubmit::JobListForm;
use serde_json::{Value, json};

use super::{experiment, expids, rows, small};
use crate::support::{Lab, root};

on_both_databases!(
    only_what_changed_is_read_and_written,
    what_is_gone_is_archived_and_comes_back,
    a_broken_list_keeps_what_it_told_before,
);

async fn only_what_changed_is_read_and_written(lab: Lab) {
    let summary = root::demo(&lab.root());
    let before = root::listing(&lab.root());
    let first = lab.import();
    let count = summary.experiments.len();
    assert_eq!(
        (&first["experiments"], &first["read"]),
        (&json!(count), &json!(count))
    );
    let second = lab.import();
    assert_eq!(
        (&second["experiments"], &second["read"], rows(&second)),
        (&json!(count), &json!(0), (0, 0, 0))
    );
    assert_eq!(second["problems"], first["problems"]);
    assert_eq!(
        root::listing(&lab.root()),
        before,
        "reading has changed the root"
    );

    // Touched, but not changed: read, and nothing written but when the list was saved.
    let list = lab.root().join("a0sh/pkl/job_list_a0sh.pkl");
    root::set_modified(&list, std::time::SystemTime::now());
    let touched = lab.import();
    assert_eq!((&touched["read"], rows(&touched)), (&json!(1), (0, 1, 0)));

    // Two jobs differ: these and the counts of their experiment are written.
    let list = lab.root().join("a4hr/db/job_list.db");
    root::sql(
        &list,
        "UPDATE jobs SET status = 'SUSPENDED' WHERE name IN
            (SELECT name FROM jobs WHERE status = 'WAITING' ORDER BY name LIMIT 2)",
    );
    let changed = lab.import();
    assert_eq!((&changed["read"], rows(&changed)), (&json!(1), (0, 3, 0)));

    // Written anew, further on.
    let mut spec = labql::demo::autosubmit::laboratory()
        .into_iter()
        .find(|spec| spec.expid == "a5lg")
        .expect("an experiment");
    spec.progress.completed_percent = 80;
    root::write(&lab.root(), &spec);
    let changed = lab.import();
    let (inserted, updated, _) = rows(&changed);
    assert_eq!(changed["read"], 1);
    assert!(inserted > 0 && updated > 0, "{changed}");
    assert_eq!(lab.import()["read"], 0);
}

async fn what_is_gone_is_archived_and_comes_back(lab: Lab) {
    let specs = [
        small("a000", JobListForm::Dict),
        small("a001", JobListForm::Text),
    ];
    root::with(&lab.root(), &specs);
    lab.import();
    let server = lab.serve_signed_in().await;
    let whole = experiment(&server, "a001").await;

    let central = lab.root().join("autosubmit.db");
    root::sql(
        &central,
        "CREATE TABLE kept AS SELECT * FROM experiment WHERE name = 'a001';
         DELETE FROM experiment WHERE name = 'a001'",
    );
    let report = lab.import();
    assert_eq!(
        (&report["experiments"], &report["archived"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(expids(&server, json!({})).await, ["a000"]);
    assert_eq!(
        expids(&server, json!({ "archived": false })).await,
        ["a000"]
    );
    assert_eq!(expids(&server, json!({ "archived": true })).await, ["a001"]);
    let mut archived = experiment(&server, "a001").await;
    assert!(archived["archivedAt"].is_string());
    // Its jobs and runs are still there.
    archived["archivedAt"] = Value::Null;
    assert_eq!(archived, whole);
    assert_eq!(lab.import()["archived"], 0);

    root::sql(
        &central,
        "INSERT INTO experiment SELECT * FROM kept; DROP TABLE kept",
    );
    lab.import();
    assert_eq!(expids(&server, json!({})).await, ["a000", "a001"]);
    assert_eq!(expids(&server, json!({ "archived": true })).await, [""; 0]);
    assert_eq!(experiment(&server, "a001").await, whole);
}

async fn a_broken_list_keeps_what_it_told_before(lab: Lab) {
    root::with(&lab.root(), &[small("a000", JobListForm::Dict)]);
    lab.import();
    let server = lab.serve_signed_in().await;
    let whole = experiment(&server, "a000").await;
    for (file, broken) in [
        ("a000/pkl/job_list_a000.pkl", &b""[..]),
        ("a000/pkl/job_list_a000.pkl", b"\x80\x05garbage"),
        (
            "metadata/data/job_data_a000.db",
            b"SQLite format 3\0 and then nothing of the kind",
        ),
        (
            "metadata/structures/structure_a000.db",
            b"not a database at all, but long enough to be one",
        ),
    ] {
        let path = lab.root().join(file);
        let good = fs::read(&path).expect("a file");
        fs::write(&path, broken).expect("a file");
        lab.import();
        let mut now = experiment(&server, "a000").await;
        let problem = now["sourceProblems"][0].take();
        assert_eq!(problem["source"], file, "{now}");
        now["sourceProblems"] = json!([]);
        assert_eq!(now, whole, "{file}");
        fs::write(&path, good).expect("a file");
        lab.import();
        assert_eq!(experiment(&server, "a000").await, whole, "{file}");
    }
    // The edges are still there, too.
    let query =
        "{ experiment(expid: \"a000\") { jobs(first: 100) { nodes { parents { name } } } } }";
    let jobs = server.data(query, json!({})).await;
    let nodes = jobs["experiment"]["jobs"]["nodes"]
        .as_array()
        .expect("nodes");
    assert!(nodes.iter().any(|job| job["parents"] != json!([])));
}
