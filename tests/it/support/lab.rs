//! A laboratory: a data folder, a database, an Autosubmit root, and the binary that works on them.

use std::{
    ffi::OsStr,
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use labql::config::DatabaseConfig;
use labql::database::Database;
use sea_orm::ConnectionTrait;
use serde_json::Value;
use tempfile::TempDir;

use super::{Server, postgres::TestDatabase};

/// The password of every user that a test makes.
pub const PASSWORD: &str = "correct horse battery";

/// Goes away with its folder and its database.
pub struct Lab {
    folder: TempDir,
    database: Option<TestDatabase>,
    settings: Vec<(String, String)>,
}

/// What a command said.
#[derive(Debug)]
pub struct Output {
    pub success: bool,
    pub stdout: String,
    pub stderr: String,
}

impl Lab {
    pub fn sqlite() -> Self {
        Self::with(None)
    }

    /// None without a server, after saying so.
    pub async fn postgres() -> Option<Self> {
        Some(Self::with(Some(TestDatabase::create().await?)))
    }

    /// Another one, with the same kind of database.
    pub async fn another(&self) -> Self {
        match self.database {
            None => Self::sqlite(),
            Some(_) => Self::postgres().await.expect("a server"),
        }
    }

    fn with(database: Option<TestDatabase>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("autosubmit")).expect("a folder");
        let mut lab = Self {
            folder,
            database,
            settings: Vec::new(),
        };
        if let Some(database) = &lab.database {
            let url = database.url();
            lab.set("LABQL_DATABASE__URL", url);
        }
        lab
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The Autosubmit root.
    pub fn root(&self) -> PathBuf {
        self.path("autosubmit")
    }

    /// labql's own data.
    pub fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// Is its database PostgreSQL?
    pub fn is_postgres(&self) -> bool {
        self.database.is_some()
    }

    /// The address of the PostgreSQL database.
    pub fn database_url(&self) -> String {
        self.database.as_ref().expect("PostgreSQL").url()
    }

    /// A setting for all that follows, as a variable of the environment.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.settings.retain(|(known, _)| known != name);
        self.settings.push((name.to_owned(), value.into()));
    }

    /// The binary with this laboratory's settings and none of the caller's.
    pub fn command<I>(&self, arguments: I) -> Command
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        let mut command = Command::new(env!("CARGO_BIN_EXE_labql"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("LABQL_") {
                command.env_remove(name);
            }
        }
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("LABQL_DATA_DIR", self.data())
            .envs(self.settings.iter().map(|(name, value)| (name, value)));
        command
    }

    /// The database, for a test that looks at what is in it.
    pub async fn database(&self) -> Database {
        let config = self.database_config();
        fs::create_dir_all(self.data()).expect("a folder");
        let database = Database::connect(&config).await.expect("a database");
        database.ensure_schema(true).await.expect("a schema");
        database
    }

    /// Has the database count its tables, as it would by itself sooner or later: its plans follow from that.
    pub async fn count_tables(&self, database: &Database) {
        let count = if self.is_postgres() {
            "VACUUM (ANALYZE)"
        } else {
            "ANALYZE"
        };
        let counted = database.write().execute_unprepared(count).await;
        counted.expect("counts");
    }

    /// Where it is.
    pub fn database_config(&self) -> DatabaseConfig {
        let url = self
            .settings
            .iter()
            .find_map(|(name, value)| (name == "LABQL_DATABASE__URL").then(|| value.clone()));
        let file = format!("sqlite:{}", self.data().join("labql.db").display());
        DatabaseConfig {
            url: url.unwrap_or(file).into(),
            max_connections: 8,
            ..DatabaseConfig::default()
        }
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.run_with(arguments, "")
    }

    /// Runs a command to its end, with this on its standard input.
    pub fn run_with(&self, arguments: &[&str], input: &str) -> Output {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary");
        let mut stdin = child.stdin.take().expect("standard input");
        // A command that does not read may be gone already.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        let output = child.wait_with_output().expect("its end");
        Output {
            success: output.status.success(),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }

    /// Runs a command that must succeed, and gives what it printed.
    pub fn done(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.success, "{arguments:?}: {}", output.stderr);
        output.stdout
    }

    /// Makes a user with [`PASSWORD`].
    pub fn user(&self, name: &str, more: &[&str]) {
        let output = self.run_with(
            &[&["user", "add", name], more].concat(),
            &format!("{PASSWORD}\n"),
        );
        assert!(output.success, "{}", output.stderr);
    }

    /// A token for a user.
    pub fn token(&self, name: &str) -> String {
        self.done(&["token", name]).trim().to_owned()
    }

    /// Mirrors the root once and gives the report.
    pub fn import(&self) -> Value {
        self.import_from(&self.root())
    }

    pub fn import_from(&self, root: &Path) -> Value {
        let path = root.to_str().expect("UTF-8");
        let report = self.done(&["import", "autosubmit", path, "--json"]);
        serde_json::from_str(&report).expect("a report")
    }

    /// Serves without an Autosubmit root: nothing runs beside the requests.
    pub async fn serve(&self) -> Server {
        self.serve_with(&[]).await
    }

    /// Serves; the arguments follow `serve`.
    pub async fn serve_with(&self, arguments: &[&str]) -> Server {
        let log = self.path("serve.log");
        let arguments = [&["serve", "--listen", "127.0.0.1:0"], arguments].concat();
        Server::start(self.command(arguments), &log).await
    }

    /// Serves, and mirrors the root.
    pub async fn serve_mirroring(&self) -> Server {
        let root = self.root();
        let root = root.to_str().expect("UTF-8");
        self.serve_with(&["--autosubmit-root", root]).await
    }

    /// A server, and a token of an ordinary user.
    pub async fn serve_signed_in(&self) -> Server {
        self.user("ada", &[]);
        let token = self.token("ada");
        self.serve().await.signed_in(&token)
    }
}
