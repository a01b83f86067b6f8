//! An event for each job that changed, and one of its experiment.

use std::{
    fs,
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};
use labql::{
    demo::autosubmit::JobListForm,
    events::Topic,
    experiments::{
        changes::{ExperimentChange, JobChange},
        readers::{Expid, JobList, Root, read_job_list},
        sync::Scope,
    },
};

use super::{Observed, kinds, small};
use crate::support::{Lab, root, shared_data};

on_both_databases!(
    each_job_that_changed_is_told_of,
    jobs_come_and_go,
    every_form_of_a_real_list_is_told_of,
    experiments_are_told_of_with_their_rows,
);

/// So late that nothing runs, whatever the clock says.
fn late() -> DateTime<Utc> {
    "2100-01-01T00:00:00Z".parse().expect("a time")
}

/// The status that jobs are given, and its name in databases.
const HELD: (i16, &str) = (6, "HELD");

fn list(folder: &Path, expid: &str) -> Option<JobList> {
    let root = Root::new(folder).expect("a root");
    read_job_list(&root, &Expid::parse(expid).expect("an expid"), None).ok()
}

fn pickle(folder: &Path, expid: &str) -> PathBuf {
    folder.join(format!("{expid}/pkl/job_list_{expid}.pkl"))
}

/// The one job that differs, with its status before, if it differs in nothing but being held.
fn held(before: &JobList, after: &JobList) -> Option<(String, i16)> {
    if before.jobs.len() != after.jobs.len() {
        return None;
    }
    let pairs = before.jobs.iter().zip(&after.jobs);
    let mut different = pairs.filter(|(old, new)| old != new);
    let (old, new) = different.next()?;
    let mut expected = old.clone();
    expected.status = new.status;
    (new.status.code() == HELD.0 && expected == *new && different.next().is_none())
        .then(|| (old.name.clone(), old.status.code()))
}

/// Holds one job as Autosubmit would, and gives its name and its status before. What of a pickle is the status of a job
/// shows when another number is put there.
fn hold_a_job(folder: &Path, expid: &str) -> (String, i16) {
    let before = list(folder, expid).expect("a list");
    let database = folder.join(expid).join("db/job_list.db");
    if database.exists() {
        let job = &before.jobs[0];
        let (name, status) = (&job.name, HELD.1);
        let sql = format!("UPDATE jobs SET status = '{status}' WHERE name = '{name}'");
        root::sql(&database, &sql);
        return (name.clone(), job.status.code());
    }
    let path = pickle(folder, expid);
    let bytes = fs::read(&path).expect("a list");
    let scratch = tempfile::tempdir().expect("a folder");
    let copy = pickle(scratch.path(), expid);
    fs::create_dir_all(copy.parent().expect("a folder")).expect("a folder");
    for code in 0..=5_u8 {
        for (old, new) in [
            (vec![b'K', code], vec![b'K', 6]),
            (format!("I{code}\n").into_bytes(), b"I6\n".to_vec()),
        ] {
            let places = (0..bytes.len()).filter(|place| bytes[*place..].starts_with(&old));
            for place in places.take(2000) {
                let mut changed = bytes.clone();
                changed.splice(place..place + old.len(), new.iter().copied());
                fs::write(&copy, &changed).expect("a file");
                let after = list(scratch.path(), expid);
                if let Some(held) = after.and_then(|after| held(&before, &after)) {
                    let draft = path.with_extension("pkl.tmp");
                    fs::write(&draft, changed).expect("a file");
                    fs::rename(draft, path).expect("a new list");
                    return held;
                }
            }
        }
    }
    panic!("{expid}: no job was found");
}

/// Holds a job and expects to be told of it alone.
async fn one_change(observed: &mut Observed, folder: &Path, expid: &str) {
    let (name, status) = hold_a_job(folder, expid);
    observed.pass(late(), Scope::All).await;
    let news = observed.news().await;
    assert_eq!(
        kinds(&news),
        [("job", "changed"), ("experiment", "changed")],
        "{expid}"
    );
    assert!(
        news.iter()
            .all(|event| event.subject == expid && event.actor.is_none())
    );
    let change = JobChange::of(&news[0]).expect("a change");
    assert_eq!(
        (change.job.name, change.previous_status),
        (name, Some(status))
    );
    assert_eq!(change.job.status, HELD.0);
    let change = ExperimentChange::of(&news[1]).expect("a change");
    assert_eq!(change.experiment, observed.row(expid).await);
    observed.pass(late(), Scope::All).await;
    assert_eq!(observed.news().await, []);
}

async fn each_job_that_changed_is_told_of(lab: Lab) {
    let forms = [
        ("a000", JobListForm::Text),
        ("a001", JobListForm::Tuples),
        ("a002", JobListForm::Graph),
        ("a003", JobListForm::Dict),
        ("a004", JobListForm::Sqlite),
    ];
    let specs = forms.map(|(expid, form)| small(expid, form));
    root::with(&lab.root(), &specs);
    let mut observed = Observed::open(&lab).await;
    observed.pass(late(), Scope::All).await;
    let first = observed.news().await;
    // What is read for the first time is no news of its jobs.
    assert!(
        first
            .iter()
            .all(|event| event.topic == Some(Topic::Experiment))
    );
    for (expid, _) in forms {
        one_change(&mut observed, &lab.root(), expid).await;
    }
}

async fn jobs_come_and_go(lab: Lab) {
    root::with(&lab.root(), &[small("a000", JobListForm::Sqlite)]);
    let mut observed = Observed::open(&lab).await;
    observed.pass(late(), Scope::All).await;
    observed.news().await;
    let jobs = list(&lab.root(), "a000").expect("a list").jobs;
    let (name, status) = (&jobs[0].name, jobs[0].status.code());
    let database = lab.root().join("a000/db/job_list.db");
    root::sql(
        &database,
        &format!("UPDATE jobs SET name = 'a000_NEW' WHERE name = '{name}'"),
    );
    observed.pass(late(), Scope::All).await;
    let news = observed.news().await;
    let expected = [
        ("job", "removed"),
        ("job", "added"),
        ("experiment", "changed"),
    ];
    assert_eq!(kinds(&news), expected);
    let removed = JobChange::of(&news[0]).expect("a change");
    assert_eq!(removed.job.name, *name);
    assert_eq!(
        (removed.job.status, removed.previous_status),
        (status, Some(status))
    );
    let added = JobChange::of(&news[1]).expect("a change");
    assert_eq!(
        (added.job.name.as_str(), added.previous_status),
        ("a000_NEW", None)
    );
    assert!(added.job.id > removed.job.id);
    assert_eq!(added.job.experiment_id, removed.job.experiment_id);

    // A history that is gone changes what is known of jobs, too.
    fs::remove_file(lab.root().join("metadata/data/job_data_a000.db")).expect("no file");
    observed.pass(late(), Scope::All).await;
    let news = observed.news().await;
    assert_eq!(
        news.last().and_then(|event| event.topic).map(Topic::as_str),
        Some("experiment")
    );
}

async fn every_form_of_a_real_list_is_told_of(lab: Lab) {
    let Some(shared) = shared_data() else { return };
    root::copy(&shared.join("autosubmit"), &lab.root());
    let mut observed = Observed::open(&lab).await;
    observed.pass(late(), Scope::All).await;
    observed.news().await;
    for expid in ["a3tb", "a003", "c000", "a1vj", "d000"] {
        one_change(&mut observed, &lab.root(), expid).await;
    }
}

async fn experiments_are_told_of_with_their_rows(lab: Lab) {
    root::with(&lab.root(), &[small("a000", JobListForm::Dict)]);
    let mut observed = Observed::open(&lab).await;
    observed.pass(late(), Scope::All).await;
    let news = observed.news().await;
    assert_eq!(
        kinds(&news),
        [("experiment", "added"), ("experiment", "changed")]
    );
    let added = ExperimentChange::of(&news[0]).expect("a change").experiment;
    assert_eq!((added.expid.as_str(), added.modified_at), ("a000", None));
    assert_eq!(added.id, observed.row("a000").await.id);

    fs::write(pickle(&lab.root(), "a000"), b"").expect("a file");
    observed.pass(late(), Scope::All).await;
    let news = observed.news().await;
    assert_eq!(kinds(&news), [("experiment", "changed")]);
    let broken = ExperimentChange::of(&news[0]).expect("a change").experiment;
    assert_eq!(broken, observed.row("a000").await);

    root::sql(&lab.root().join("autosubmit.db"), "DELETE FROM experiment");
    observed.pass(late(), Scope::All).await;
    let news = observed.news().await;
    assert_eq!(kinds(&news), [("experiment", "archived")]);
    let archived = ExperimentChange::of(&news[0]).expect("a change").experiment;
    assert!(archived.archived_at.is_some());
}
