//! A program in place of `autosubmit` that tells what it was given.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use labql::engine::Launch;
use labql::experiments::actions::{Environment, FinalStatus, Place, Profile, SetStatus};
use tempfile::TempDir;

/// Prints a line for each argument, and one for the variable SECRET and for standard input, in hexadecimal digits.
const PROBE: &str = r#"#!/bin/sh
hex() { od -An -v -tx1 | tr -d ' \n'; echo; }
for argument in "$@"; do printf 'argument '; printf %s "$argument" | hex; done
printf 'secret '; printf %s "$SECRET" | hex
printf 'input '; hex
"#;

/// A folder with the program `autosubmit`, also in its `bin` and as what `conda` and `module` lead to.
pub struct Probe(TempDir);

/// What the program was given.
#[derive(Debug, PartialEq, Eq)]
pub struct Given {
    pub arguments: Vec<Vec<u8>>,
    pub secret: Vec<u8>,
    pub input: Vec<u8>,
}

impl Probe {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("bin")).expect("a folder");
        let probe = Self(folder);
        probe.write("autosubmit", PROBE);
        probe.write("bin/autosubmit", PROBE);
        probe
    }

    /// Writes a program.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        // Written elsewhere and moved: a program that is open for writing cannot be executed, and other tests fork.
        let new = path.with_extension("new");
        fs::write(&new, text).expect("a file");
        fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).expect("a mode");
        fs::rename(new, path).expect("a program");
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A profile that calls it here.
    pub fn profile(&self, environment: Environment) -> Profile {
        let mut profile = Profile {
            place: Place::Local,
            autosubmit: self.path("autosubmit").display().to_string(),
            environment,
            ..Profile::default()
        };
        if let Environment::Venv(_) = profile.environment {
            profile.autosubmit = "autosubmit".into();
        }
        profile
    }
}

/// Runs a program to its end.
pub fn run(launch: &Launch) -> Output {
    let mut child = Command::new(&launch.program)
        .args(&launch.args)
        .env_clear()
        .envs(launch.environment.iter().map(|(name, value)| (name, value)))
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a program");
    let mut stdin = child.stdin.take().expect("its input");
    let input = launch.stdin.clone();
    let stays_open = launch.stop_word.is_some();
    let feeding = std::thread::spawn(move || {
        let _ = stdin.write_all(&input);
        stays_open.then_some(stdin)
    });
    let output = child.wait_with_output().expect("its end");
    feeding.join().expect("all was written");
    output
}

/// What the probe says that it was given.
pub fn given(output: &Output) -> Given {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut given = Given {
        arguments: Vec::new(),
        secret: b"none".to_vec(),
        input: b"none".to_vec(),
    };
    for line in text.lines() {
        match line.split_once(' ') {
            Some(("argument", hex)) => given.arguments.push(bytes(hex)),
            Some(("secret", hex)) => given.secret = bytes(hex),
            Some(("input", hex)) => given.input = bytes(hex),
            _ => {}
        }
    }
    assert!(output.status.success(), "{output:?}");
    given
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal digits"))
        .collect()
}

/// A path as text.
pub fn text(path: &Path) -> String {
    path.display().to_string()
}

/// A change of the status of jobs, none of which are chosen yet.
pub fn set_status(expid: &str, final_status: FinalStatus) -> SetStatus {
    SetStatus {
        expid: expid.into(),
        jobs: Vec::new(),
        final_status,
        filter_chunks: None,
        filter_status: Vec::new(),
        filter_type: Vec::new(),
        filter_type_chunk: None,
        filter_type_chunk_split: None,
        check_wrapper: false,
        update_version: false,
    }
}
