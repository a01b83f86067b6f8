//! A database of its own for a test, on the server that `LABQL_TEST_POSTGRES` names; or a whole server.

use std::{path::PathBuf, process::Command};

use sea_orm::{ConnectionTrait, Database, DatabaseConnection};

/// Dropped on the server when it goes out of scope.
pub struct TestDatabase {
    server: String,
    name: String,
}

impl TestDatabase {
    /// A new, empty database; none without a server.
    pub async fn create() -> Option<Self> {
        let Ok(server) = std::env::var("LABQL_TEST_POSTGRES") else {
            println!("skipped: LABQL_TEST_POSTGRES names no PostgreSQL server");
            return None;
        };
        let name = format!("test_{}", uuid::Uuid::now_v7().simple());
        let connection = connect(&server).await;
        connection
            .execute_unprepared(&format!("CREATE DATABASE {name}"))
            .await
            .expect("a new database");
        connection.close().await.expect("a closed connection");
        Some(Self { server, name })
    }

    pub fn url(&self) -> String {
        let (server, _) = self
            .server
            .rsplit_once('/')
            .expect("a URL with a database name");
        format!("{server}/{}", self.name)
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        // A test has a runtime already, which must not be blocked.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let connection = connect(&server).await;
                let statement = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
                if let Err(error) = connection.execute_unprepared(&statement).await {
                    eprintln!("{name} was not dropped: {error}");
                }
            });
        });
        let _ = dropping.join();
    }
}

async fn connect(url: &str) -> DatabaseConnection {
    Database::connect(url).await.expect("a PostgreSQL server")
}

/// A server of its own, for a test that ends and starts it. Deleted when it goes out of scope.
pub struct TestServer {
    folder: PathBuf,
    pub url: String,
}

impl TestServer {
    /// None where PostgreSQL is not installed, after saying so.
    pub async fn start() -> Option<Self> {
        let look = "source scripts/postgres-bin.sh; echo \"$postgres_bin\"";
        if said(bash(&["-c", look])).await.is_empty() {
            println!("skipped: PostgreSQL is not installed");
            return None;
        }
        // Not below a folder of the test, which the user that PostgreSQL runs as could not enter.
        let name = format!("labql-{}", uuid::Uuid::now_v7().simple());
        let mut server = Self {
            folder: std::env::temp_dir().join(name),
            url: String::new(),
        };
        server.url = said(server.script("start")).await;
        // What is committed has to outlive the server.
        let connection = connect(&server.url).await;
        connection
            .execute_unprepared("ALTER ROLE CURRENT_USER SET synchronous_commit = on")
            .await
            .expect("a setting");
        connection.close().await.expect("a closed connection");
        Some(server)
    }

    /// Ends it as a crash would.
    pub async fn halt(&self) {
        said(self.script("halt")).await;
    }

    /// Starts it again.
    pub async fn resume(&self) {
        said(self.script("resume")).await;
    }

    fn script(&self, command: &str) -> Command {
        let folder = self.folder.to_str().expect("UTF-8");
        bash(&["scripts/postgres.sh", command, folder])
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if let Err(error) = self.script("stop").status() {
            eprintln!("{} was not deleted: {error}", self.folder.display());
        }
    }
}

fn bash(arguments: &[&str]) -> Command {
    let mut command = Command::new("bash");
    command
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}

/// What a command prints that must succeed.
async fn said(command: Command) -> String {
    let output = tokio::process::Command::from(command).output().await;
    let output = output.expect("bash");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.trim().to_owned()
}
