//! A real Autosubmit, with an installation of its own: `scripts/setup-test.sh` puts it beside what was built.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use labql::experiments::actions::Profile;
use rusqlite::Connection;
use tempfile::TempDir;

/// Goes away with its folder.
pub struct Autosubmit {
    program: PathBuf,
    folder: TempDir,
}

impl Autosubmit {
    /// A new installation without experiments; none where there is no Autosubmit, after saying so. Each command takes
    /// some seconds.
    pub fn install() -> Option<Self> {
        let program = std::env::var_os("LABQL_TEST_AUTOSUBMIT").map_or_else(
            || {
                let built = Path::new(env!("CARGO_BIN_EXE_labql")).ancestors().nth(2);
                built
                    .expect("the target folder")
                    .join("venv-autosubmit/bin/autosubmit")
            },
            PathBuf::from,
        );
        if !program.exists() {
            println!("skipped: no Autosubmit at {}", program.display());
            return None;
        }
        let autosubmit = Self {
            program,
            folder: tempfile::tempdir().expect("a folder"),
        };
        fs::create_dir(autosubmit.path("home")).expect("a folder");
        let root = autosubmit.root().display().to_string();
        // As `autosubmit configure` writes it.
        let settings = format!(
            "[database]\nbackend = sqlite\npath = {root}\nfilename = autosubmit.db\n[local]\npath = {root}\n\
             [globallogs]\npath = {root}/logs\n[structures]\npath = {root}/metadata/structures\n\
             [historicdb]\npath = {root}/metadata/data\n[historiclog]\npath = {root}/metadata/logs\n"
        );
        fs::write(autosubmit.settings(), settings).expect("a file");
        autosubmit.run(&["install"]);
        Some(autosubmit)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Its root, to be mirrored.
    pub fn root(&self) -> PathBuf {
        self.path("root")
    }

    /// The program.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// What the variable `AUTOSUBMIT_CONFIGURATION` says.
    pub fn settings(&self) -> PathBuf {
        self.path("autosubmitrc")
    }

    /// The variables that lead to this installation.
    pub fn variables(&self) -> [(&'static str, String); 2] {
        [
            (
                "AUTOSUBMIT_CONFIGURATION",
                self.settings().display().to_string(),
            ),
            ("HOME", self.path("home").display().to_string()),
        ]
    }

    /// A profile that calls it here.
    pub fn profile(&self) -> Profile {
        Profile {
            autosubmit: self.program().display().to_string(),
            variables: self
                .variables()
                .map(|(name, value)| (name.to_owned(), value.into()))
                .into(),
            ..Profile::default()
        }
    }

    /// Runs a command that must succeed, and gives what it printed.
    pub fn run(&self, arguments: &[&str]) -> String {
        let output = Command::new(&self.program)
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .envs(self.variables())
            .current_dir(self.folder.path())
            .output()
            .expect("Autosubmit");
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Gives an experiment a workflow of jobs on this machine: INI, then SIM in two chunks, each running this text of the
    /// shell.
    pub fn give_workflow(&self, expid: &str, text: &str) {
        let conf = self.root().join(expid).join("conf");
        let job = |name: &str, depends: &str, runs: &str| {
            format!(
                "  {name}:\n    SCRIPT: {text:?}\n    PLATFORM: local\n    WALLCLOCK: 00:05\n    RUNNING: {runs}\n{depends}"
            )
        };
        let jobs = format!(
            "JOBS:\n{}{}",
            job("INI", "", "member"),
            job("SIM", "    DEPENDENCIES: INI SIM-1\n", "chunk")
        );
        fs::write(conf.join(format!("jobs_{expid}.yml")), jobs).expect("a file");
        let general = conf.join(format!("autosubmit_{expid}.yml"));
        let settings = fs::read_to_string(&general).expect("a file");
        fs::write(
            general,
            settings.replace("SAFETYSLEEPTIME: 10", "SAFETYSLEEPTIME: 1"),
        )
        .expect("a file");
    }

    /// The description in its database.
    pub fn description(&self, expid: &str) -> String {
        let database = Connection::open(self.root().join("autosubmit.db")).expect("its database");
        database
            .query_row(
                "SELECT description FROM experiment WHERE name = ?1",
                [expid],
                |row| row.get(0),
            )
            .expect("the experiment")
    }
}
