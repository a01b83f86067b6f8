//! A small Autosubmit root made by the tests themselves.
#![allow(dead_code, reason = "each test file uses a part")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use labql::experiments::readers::{
    CentralExperiment, ExperimentRecord, Expid, Root, read_central, read_experiment,
};
use rusqlite::Connection;
use tempfile::TempDir;

pub const CENTRAL: &str = "
    CREATE TABLE experiment(id INTEGER PRIMARY KEY, name TEXT, description TEXT, autosubmit_version TEXT);
    CREATE TABLE details(exp_id INTEGER, user TEXT, created TEXT, model TEXT, branch TEXT, hpc TEXT);
    INSERT INTO experiment VALUES (1, 'a000', 'an experiment', '4.1.17');";
pub const STRUCTURE: &str = "
    CREATE TABLE experiment_structure(e_from TEXT, e_to TEXT, PRIMARY KEY (e_from, e_to));
    INSERT INTO experiment_structure VALUES ('a000_INI', 'a000_SIM'), ('a000_SIM', 'a000_POST');";

/// A root with one experiment, `a000`, of three jobs.
pub struct Fixture {
    folder: TempDir,
}

impl Fixture {
    pub fn new() -> Self {
        let fixture = Self {
            folder: tempfile::tempdir().expect("a folder"),
        };
        for folder in [
            "a000/pkl",
            "a000/conf",
            "a000/db",
            "a000/tmp/LOG_a000",
            "metadata/structures",
            "metadata/data",
        ] {
            fs::create_dir_all(fixture.path(folder)).expect("a folder");
        }
        fixture.database("autosubmit.db", CENTRAL);
        fixture.database("metadata/structures/structure_a000.db", STRUCTURE);
        fixture.write("a000/pkl/job_list_a000.pkl", &jobs());
        fixture.write(
            "a000/conf/minimal.yml",
            b"DEFAULT:\n  HPCARCH: local\nJOBS:\n  SIM:\n    PROCESSORS: 4\n",
        );
        fixture
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, content: &[u8]) {
        fs::write(self.path(name), content).expect("a file");
    }

    pub fn database(&self, name: &str, sql: &str) {
        let connection = Connection::open(self.path(name)).expect("a database");
        connection.execute_batch(sql).expect("SQL");
    }

    pub fn root(&self) -> Root {
        Root::new(self.folder.path()).expect("a root")
    }

    pub fn experiment(&self) -> CentralExperiment {
        read_central(&self.root())
            .expect("the central database")
            .experiments
            .remove(0)
    }

    pub fn read(&self) -> ExperimentRecord {
        let experiment = self.experiment();
        let version = experiment.autosubmit_version.as_deref();
        read_experiment(&self.root(), &experiment.expid, version)
    }

    /// The messages of all problems with a file.
    pub fn problems(&self, source: &str) -> Vec<String> {
        let record = self.read();
        record
            .problems
            .into_iter()
            .filter(|problem| problem.source == source)
            .map(|problem| problem.message)
            .collect()
    }

    /// Name, size and time of everything in the root.
    pub fn listing(&self) -> BTreeMap<PathBuf, (u64, std::time::SystemTime)> {
        let mut found = BTreeMap::new();
        list(self.folder.path(), &mut found);
        found
    }
}

fn list(folder: &Path, found: &mut BTreeMap<PathBuf, (u64, std::time::SystemTime)>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        let metadata = entry.metadata().expect("metadata");
        found.insert(
            entry.path(),
            (metadata.len(), metadata.modified().expect("a time")),
        );
        if metadata.is_dir() {
            list(&entry.path(), found);
        }
    }
}

pub fn a000() -> Expid {
    Expid::parse("a000").expect("an expid")
}

/// A protocol 2 pickle of a list of three 13-tuples.
pub fn jobs() -> Vec<u8> {
    let mut pickle = b"\x80\x02]q\x00(".to_vec();
    for (name, status, section) in [
        ("a000_INI", 5, "INI"),
        ("a000_SIM", 4, "SIM"),
        ("a000_POST", 0, "POST"),
    ] {
        pickle.extend(tuple(name, status, section));
    }
    pickle.extend(b"e.");
    pickle
}

pub fn tuple(name: &str, status: u8, section: &str) -> Vec<u8> {
    let mut pickle = b"(".to_vec();
    text(&mut pickle, name);
    pickle.extend([b'K', 7, b'K', status, b'K', 1]);
    text(&mut pickle, section);
    pickle.extend(b"NNN");
    for log in ["out", "err", "", ""] {
        text(&mut pickle, log);
    }
    text(&mut pickle, "none");
    pickle.push(b't');
    pickle
}

pub fn text(pickle: &mut Vec<u8>, text: &str) {
    pickle.push(b'X');
    pickle.extend(
        u32::try_from(text.len())
            .expect("a short text")
            .to_le_bytes(),
    );
    pickle.extend(text.as_bytes());
}

/// A Python that runs a script and then waits for a line; none if there is no Python.
pub fn python(script: &str, arguments: &[&Path]) -> Option<Child> {
    let child = Command::new("python3")
        .arg("-c")
        .arg(script)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    match child {
        Ok(child) => Some(child),
        Err(error) => {
            println!("skipped: no python3 ({error})");
            None
        }
    }
}

/// Waits until the script has printed a line.
pub fn wait_for_line(child: &mut Child) -> String {
    let mut line = String::new();
    let output = child.stdout.as_mut().expect("an output");
    let mut byte = [0];
    while std::io::Read::read(output, &mut byte).expect("output") == 1 && byte[0] != b'\n' {
        line.push(char::from(byte[0]));
    }
    line
}
