//! The real server in a process of its own, with a database of its own.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use sea_orm::ConnectionTrait;
use tokio::io::{AsyncBufReadExt, BufReader};

const PASSWORD: &str = "correct horse battery";

/// A database of its own.
pub async fn database(folder: &Path) -> String {
    let Ok(server) = std::env::var("LABQL_TEST_POSTGRES") else {
        return format!("sqlite:{}", folder.join("labql.db").display());
    };
    let name = format!("bench_{}", uuid::Uuid::now_v7().simple());
    let connection = sea_orm::Database::connect(&server).await.unwrap();
    let statement = format!("CREATE DATABASE {name}");
    connection.execute_unprepared(&statement).await.unwrap();
    let (server, _) = server.rsplit_once('/').unwrap();
    format!("{server}/{name}")
}

/// The real binary, with its data in this folder and settings of its own.
pub fn labql(folder: &Path, database: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_labql"));
    command
        .args(arguments)
        .current_dir(folder)
        .env("LABQL_DATA_DIR", folder)
        .env("LABQL_DATABASE__URL", database)
        .env("LABQL_HTTP__WEBSOCKET__MAX_SOCKETS", "20000")
        .env("LABQL_LOG__FILTER", "warn");
    command
}

/// The token of a new administrator.
pub fn administrator(folder: &Path, database: &str) -> String {
    let mut add = labql(folder, database, &["user", "add", "root", "--admin"]);
    let mut add = add
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = add.stdin.take().unwrap();
    stdin.write_all(format!("{PASSWORD}\n").as_bytes()).unwrap();
    drop(stdin);
    assert!(add.wait().unwrap().success());
    let token = labql(folder, database, &["token", "root"])
        .output()
        .unwrap();
    String::from_utf8(token.stdout).unwrap().trim().to_owned()
}

/// Starts it, and says where it listens.
pub async fn start(folder: &Path, database: &str) -> (tokio::process::Child, String) {
    let command = labql(folder, database, &["serve", "--listen", "127.0.0.1:0"]);
    let mut server = tokio::process::Command::from(command)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    loop {
        let line = lines
            .next_line()
            .await
            .unwrap()
            .expect("the server listens");
        if let Some(url) = line.strip_prefix("endpoint:") {
            let address = url.trim().trim_start_matches("http://");
            return (server, address.trim_end_matches("/graphql").to_owned());
        }
    }
}
