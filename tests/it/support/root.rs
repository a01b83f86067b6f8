//! Autosubmit roots for tests.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use chrono::{DateTime, Utc};
use labql::demo::autosubmit::{
    DetailsKey, ExperimentSpec, ExperimentSummary, Summary, create_central, write_experiment,
    write_root,
};

/// The moment at which the roots of tests were written.
pub fn now() -> DateTime<Utc> {
    "2026-09-21T12:00:00Z".parse().expect("a time")
}

/// The demo's root.
pub fn demo(root: &Path) -> Summary {
    write_root(root, now()).expect("a root")
}

/// A root with these experiments.
pub fn with(root: &Path, specs: &[ExperimentSpec]) -> Vec<ExperimentSummary> {
    create_central(root, DetailsKey::None).expect("central databases");
    specs.iter().map(|spec| write(root, spec)).collect()
}

/// Writes an experiment anew.
pub fn write(root: &Path, spec: &ExperimentSpec) -> ExperimentSummary {
    write_experiment(root, spec, now()).expect("an experiment")
}

/// Runs SQL in a database of the root.
pub fn sql(database: &Path, statements: &str) {
    let connection = rusqlite::Connection::open(database).expect("a database");
    connection.execute_batch(statements).expect("SQL");
}

/// Name, size and time of everything below a folder.
pub fn listing(folder: &Path) -> BTreeMap<PathBuf, (u64, SystemTime)> {
    let mut found = BTreeMap::new();
    list(folder, &mut found);
    found
}

fn list(folder: &Path, found: &mut BTreeMap<PathBuf, (u64, SystemTime)>) {
    // A folder that a test made unreadable has nothing to list.
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let entry = entry.expect("an entry");
        let metadata = fs::symlink_metadata(entry.path()).expect("metadata");
        let modified = metadata.modified().expect("a time");
        found.insert(entry.path(), (metadata.len(), modified));
        if metadata.is_dir() {
            list(&entry.path(), found);
        }
    }
}

/// Copies a folder with the times of its files.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        let metadata = entry.metadata().expect("metadata");
        if metadata.is_dir() {
            copy(&from, &to);
        } else {
            // Not `fs::copy`, which would keep a read-only mode.
            fs::write(&to, fs::read(&from).expect("a file")).expect("a file");
            set_modified(&to, metadata.modified().expect("a time"));
        }
    }
}

/// Sets the time of a file.
pub fn set_modified(path: &Path, time: SystemTime) {
    let file = fs::File::options().append(true).open(path).expect("a file");
    file.set_modified(time).expect("a new time");
}

/// The newest log of an experiment's runs.
pub fn run_log(root: &Path, expid: &str) -> PathBuf {
    let folder = root.join(expid).join("tmp/ASLOGS");
    fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.to_string_lossy().ends_with("_run.log"))
        .max()
        .expect("a log")
}

/// Lets those of the demo's experiments that run show a sign of life now.
pub fn show_life(root: &Path) {
    let live = labql::demo::autosubmit::laboratory();
    for spec in live.iter().filter(|spec| spec.progress.live) {
        set_modified(&run_log(root, &spec.expid), SystemTime::now());
    }
}
