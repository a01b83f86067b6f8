//! The Slurm of the tests, and one that a test ends and starts.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// The `slurm.conf` that `LABQL_TEST_SLURM` names; none without one, after saying so.
pub fn conf() -> Option<PathBuf> {
    let conf = std::env::var_os("LABQL_TEST_SLURM").filter(|conf| !conf.is_empty());
    if conf.is_none() {
        println!("skipped: LABQL_TEST_SLURM names no slurm.conf");
    }
    conf.map(Into::into)
}

/// A Slurm of its own, for a test that ends and starts its controller. Deleted when it goes out of scope.
pub struct TestSlurm {
    folder: TempDir,
}

impl TestSlurm {
    /// None where no Slurm is to be tested, after saying so.
    pub fn start() -> Option<Self> {
        conf()?;
        let folder = tempfile::tempdir().expect("a folder");
        let slurm = Self { folder };
        slurm.script("start");
        Some(slurm)
    }

    /// Its `slurm.conf`.
    pub fn conf(&self) -> PathBuf {
        self.path().join("slurm.conf")
    }

    /// Ends the controller as a crash would.
    pub fn halt(&self) {
        self.script("halt");
    }

    /// Starts it again.
    pub fn resume(&self) {
        self.script("resume");
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("slurm")
    }

    fn script(&self, command: &str) {
        assert!(script(command, &self.path()), "slurm.sh {command}");
    }
}

impl Drop for TestSlurm {
    fn drop(&mut self) {
        script("stop", &self.path());
    }
}

/// Its daemons would keep a pipe open.
fn script(command: &str, folder: &Path) -> bool {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/slurm.sh");
    let done = Command::new(script)
        .arg(command)
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .status();
    done.expect("bash").success()
}
