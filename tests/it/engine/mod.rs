//! Programs are kept: whoever started them may die, and what became of them can be told.

mod ending;
mod local;
mod printing;
mod slurm;
mod starting;
mod steps;
mod surviving;

use std::ffi::OsString;
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use labql::engine::{self, End, EngineError, Launch, Look, bar, look, output, stop};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

/// How long something may take that is only waited for.
const PATIENCE: Duration = Duration::from_mins(1);

/// A folder for programs.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The folder of the one program of a test.
    fn program(&self) -> PathBuf {
        self.path("program")
    }

    /// Starts a text of the shell; `$PLACE` is this folder.
    async fn start(&self, text: &str) -> PathBuf {
        self.launch(&self.shell(text)).await
    }

    async fn launch(&self, launch: &Launch) -> PathBuf {
        let folder = self.program();
        start(launch, &folder).await.expect("a program");
        folder
    }

    fn shell(&self, text: &str) -> Launch {
        let mut launch = program("/bin/sh", &["-c", text]);
        launch
            .environment
            .push(("PLACE".into(), self.0.path().into()));
        launch
    }

    /// What a program wrote into a file, as soon as it has.
    async fn read(&self, name: &str) -> String {
        let path = self.path(name);
        until(|| {
            fs::read_to_string(&path)
                .ok()
                .filter(|text| text.ends_with('\n'))
        })
        .await
    }
}

fn program(program: &str, args: &[&str]) -> Launch {
    Launch {
        program: program.into(),
        args: args.iter().map(OsString::from).collect(),
        environment: vec![("PATH".into(), "/usr/bin:/bin".into())],
        stdin: Vec::new(),
        stop_word: None,
        working_dir: None,
        time_limit: None,
        output_limit: 100_000,
    }
}

async fn start(launch: &Launch, folder: &Path) -> Result<(), EngineError> {
    engine::start_with(Path::new(env!("CARGO_BIN_EXE_labql")), launch, folder).await
}

/// Waits until there is something.
async fn until<T>(mut something: impl FnMut() -> Option<T>) -> T {
    let waiting = async {
        loop {
            if let Some(something) = something() {
                return something;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting)
        .await
        .expect("it never came")
}

/// How the program ended, once it has.
async fn end(folder: &Path) -> End {
    tokio::time::timeout(PATIENCE, engine::ended(folder))
        .await
        .expect("an end");
    match look(folder).expect("a look") {
        Look::Ended { end, .. } => end,
        other => panic!("{other:?}"),
    }
}

fn printed(folder: &Path) -> String {
    String::from_utf8(output(folder, 0, usize::MAX).expect("output")).expect("text")
}

fn lives(pid: i32) -> bool {
    // A zombie that its parent has not waited for yet has ended.
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        !stat
            .rsplit(") ")
            .next()
            .unwrap_or_default()
            .starts_with('Z')
    })
}

/// A record in the folder of a program.
fn record(folder: &Path, name: &str) -> Value {
    serde_json::from_slice(&fs::read(folder.join(name)).expect("a record")).expect("JSON")
}

fn pid(folder: &Path, name: &str) -> i32 {
    let pid = record(folder, name)["pid"].as_i64().expect("a number");
    i32::try_from(pid).expect("a number of a process")
}

fn send(pid: i32, signal: Signal) {
    kill(Pid::from_raw(pid), signal).expect("a signal");
}

/// A keeper as it comes up, told its folder and these bytes by one that ends then.
fn keep(folder: &Path, told: &[u8]) {
    keep_told(
        folder,
        &[folder.as_os_str().as_bytes(), b"\0", told].concat(),
    );
}

/// The same of all that it is told.
fn keep_told(folder: &Path, told: &[u8]) {
    let mut keeper = Command::new(env!("CARGO_BIN_EXE_labql"))
        .arg("keep")
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("a keeper");
    let _ = keeper.stdin.take().expect("its input").write_all(told);
    keeper.wait().expect("an end");
}
