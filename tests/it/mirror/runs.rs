//! Which experiments run is told by their signs of life: at once when one comes, and when the last one is too old.

use std::{fs, io::Write, time::SystemTime};

use chrono::{DateTime, TimeDelta, Utc};
use labql::{
    demo::autosubmit::DetailsKey,
    demo::autosubmit::{ExperimentSpec, JobListForm, Progress, create_central, write_experiment},
    experiments::sync::Scope,
};

use super::{Observed, kinds, small};
use crate::support::{Lab, client::PATIENCE, root};

on_both_databases!(
    a_run_begins_goes_on_and_ends,
    silence_is_told_when_it_comes,
    a_file_that_is_being_written_is_no_problem,
);

fn live(expid: &str) -> ExperimentSpec {
    let mut spec = small(expid, JobListForm::Dict);
    spec.progress = Progress::running(40);
    spec
}

/// A root with experiments that run at this moment.
fn running(lab: &Lab, specs: &[ExperimentSpec], now: DateTime<Utc>) {
    create_central(&lab.root(), DetailsKey::None).expect("central databases");
    for spec in specs {
        write_experiment(&lab.root(), spec, now).expect("an experiment");
    }
}

async fn a_run_begins_goes_on_and_ends(lab: Lab) {
    let begin = root::now();
    let at = |seconds: i64| begin + TimeDelta::seconds(seconds);
    running(&lab, &[live("a000")], begin);
    let log = root::run_log(&lab.root(), "a000");
    let touch = |seconds: i64| root::set_modified(&log, at(seconds).into());
    let mut observed = Observed::open(&lab).await;
    observed.pass(at(0), Scope::All).await;
    observed.news().await;
    let row = observed.row("a000").await;
    assert_eq!(row.status, 1);
    assert!(row.active_until.expect("a time") > at(299).timestamp_millis());

    // Its log is written: nothing is read, written or told.
    for seconds in [100, 200, 290] {
        touch(seconds);
        let report = observed.pass(at(seconds + 1), Scope::All).await;
        assert_eq!((report.read, report.rows.total()), (0, 0));
    }
    // The moment of silence that was noted has passed; it still runs.
    touch(650);
    let report = observed.pass(at(660), Scope::All).await;
    assert_eq!((report.read, report.rows.total()), (0, 1));
    assert_eq!(observed.news().await, []);
    assert_eq!(
        observed.row("a000").await.active_until,
        Some(at(950).timestamp_millis())
    );

    // It falls silent: an event that no file has caused. And wakes up again.
    observed.pass(at(950), Scope::Dirty).await;
    assert_eq!(kinds(&observed.news().await), [("experiment", "changed")]);
    let row = observed.row("a000").await;
    assert_eq!((row.status, row.active_until), (0, None));
    touch(1000);
    observed.pass(at(1001), Scope::All).await;
    assert_eq!(kinds(&observed.news().await), [("experiment", "changed")]);
    assert_eq!(observed.row("a000").await.status, 1);

    // Autosubmit says that it ends.
    let mut file = fs::File::options().append(true).open(&log).expect("a log");
    writeln!(file, "2026-09-21 12:17:00,000 No more jobs to run.").expect("a line");
    drop(file);
    touch(1020);
    observed.pass(at(1021), Scope::All).await;
    assert_eq!(kinds(&observed.news().await), [("experiment", "changed")]);
    assert_eq!(observed.row("a000").await.status, 0);

    // It is run again, and the history says that this run has finished.
    let next = log.with_file_name("20990101_000000_run.log");
    fs::write(&next, "running\n").expect("a log");
    root::set_modified(&next, at(1100).into());
    observed.pass(at(1101), Scope::All).await;
    assert_eq!(observed.row("a000").await.status, 1);
    observed.news().await;
    let finish = format!(
        "UPDATE experiment_run SET start = {}, finish = {}",
        at(1090).timestamp(),
        at(1110).timestamp()
    );
    root::sql(&lab.root().join("metadata/data/job_data_a000.db"), &finish);
    root::set_modified(&next, at(1112).into());
    observed.pass(at(1115), Scope::All).await;
    assert_eq!(kinds(&observed.news().await), [("experiment", "changed")]);
    assert_eq!(observed.row("a000").await.status, 0);
}

async fn silence_is_told_when_it_comes(lab: Lab) {
    let now = Utc::now();
    running(&lab, &[live("a000"), live("a001")], now);
    let observed = Observed::open(&lab).await;
    // To a mirror whose clock is behind, the files are of now: what it takes for the end has passed already.
    let before = now - TimeDelta::hours(2);
    observed.pass(before, Scope::All).await;
    let until = observed.row("a001").await.active_until.expect("a time");
    assert!(until < now.timestamp_millis());
    let wake = tokio::time::timeout(PATIENCE, observed.mirror.wake());
    wake.await.expect("a deadline that has passed");

    // A mirror that has just started finds in the database who is due.
    for expid in ["a000", "a001"] {
        let list = lab.root().join(format!("{expid}/pkl/job_list_{expid}.pkl"));
        for file in [list, root::run_log(&lab.root(), expid)] {
            root::set_modified(&file, SystemTime::UNIX_EPOCH);
        }
    }
    let mut restarted = Observed::open(&lab).await;
    restarted.news().await;
    let report = restarted.pass(now, Scope::Dirty).await;
    assert_eq!(report.experiments, 2);
    assert_eq!(restarted.row("a000").await.status, 0);
    assert_eq!(restarted.news().await.len(), 2);
    let report = restarted.pass(now, Scope::Dirty).await;
    assert_eq!(report.experiments, 0);
}

async fn a_file_that_is_being_written_is_no_problem(lab: Lab) {
    root::with(&lab.root(), &[small("a000", JobListForm::Dict)]);
    let observed = Observed::open(&lab).await;
    observed.pass(root::now(), Scope::All).await;
    let list = lab.root().join("a000/pkl/job_list_a000.pkl");
    let whole = fs::read(&list).expect("a list");
    let mut file = fs::File::create(&list).expect("a file");
    let (first, rest) = whole.split_at(whole.len() / 3);
    file.write_all(first).expect("a third");
    let rest = rest.to_vec();
    // A writer that takes its time.
    let writer = std::thread::spawn(move || {
        for part in rest.chunks(rest.len().div_ceil(3)) {
            std::thread::sleep(std::time::Duration::from_millis(60));
            file.write_all(part).expect("a part");
        }
    });
    let report = observed.pass(root::now(), Scope::All).await;
    writer.join().expect("a writer");
    assert_eq!((report.read, report.problems), (1, 0));
}
