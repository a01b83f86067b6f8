//! The disk is full under SQLite: what cannot be written is refused with a plain word, all else goes on, and with room
//! all is well again.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tokio::time::timeout;

use super::writers::{check_told, pages, position};
use crate::support::client::PATIENCE;
use crate::support::subscriber::{BEGINNING, Field, LAST, Subscriber, Transport};
use crate::support::{Address, Lab, Server};

const ALL: Field = Field::Events(&["ACCOUNT", "EXPERIMENT", "JOB", "WORKER"]);
/// A folder becomes a small file system with what was in it, for a command alone.
const CONFINE: &str = r#"
folder=$1; shift
cp -a "$folder" "$folder.before" && mount -t tmpfs -o size=8m tmpfs "$folder" &&
cp -a "$folder.before/." "$folder" && exec "$@"
"#;

/// The command with a disk of its own; none where that is not allowed, after saying so.
fn confined(command: &Command, folder: &Path) -> Option<Command> {
    let unshare = || {
        let mut unshare = Command::new("unshare");
        // Root in a name space of its own may mount, where anybody may have one.
        unshare.args(["--mount", "--map-root-user"]);
        unshare
    };
    let mut trial = unshare();
    trial.args(["mount", "-t", "tmpfs", "tmpfs"]).arg(folder);
    if !trial.output().is_ok_and(|trial| trial.status.success()) {
        println!("skipped: a small disk cannot be mounted here");
        return None;
    }
    let mut confined = unshare();
    confined.args(["sh", "-c", CONFINE, "sh"]).arg(folder);
    confined.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => confined.env(name, value),
            None => confined.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        confined.current_dir(folder);
    }
    Some(confined)
}

/// Takes all the room that there is.
fn fill(path: &Path) {
    let file = File::options().create(true).append(true).open(path);
    let mut file = file.expect("a file");
    for size in [64 * 1024, 512, 1] {
        while file.write_all(&vec![1; size]).is_ok() {}
    }
}

/// The answer to a command that writes.
async fn create_user(server: &Server, name: &str) -> Value {
    let query = "mutation($i: CreateUserInput!) { createUser(input: $i) {
        user { username } errors { message }
    } }";
    let variables = json!({ "i": { "username": name } });
    server.ask(query, variables).await.1
}

#[tokio::test]
async fn a_full_disk_is_told_and_survived() {
    let mut lab = Lab::sqlite();
    // The signs of life of workers take what little room a refused command has left.
    lab.set("LABQL_WORKERS__LEASE", "1s");
    lab.user("ada", &["--admin"]);
    let token = lab.token("ada");
    let log = lab.path("serve.log");
    let command = lab.command(["serve", "--listen", "127.0.0.1:0"]);
    let Some(command) = confined(&command, &lab.data()) else {
        return;
    };
    let server = Server::start(command, &log).await.signed_in(&token);
    let filler: PathBuf = [
        Path::new(&format!("/proc/{}/root", server.id())),
        lab.data().strip_prefix("/").expect("an absolute path"),
        Path::new("filler"),
    ]
    .iter()
    .collect();

    let early = Subscriber::new(ALL, Transport::WebSocket, &token, BEGINNING);
    let mut progress = early.progress();
    let early = tokio::spawn(early.stay(server.address()));
    progress.further(1).await;
    let mut made = 0;
    let mut make = async || {
        let answer = create_user(&server, &format!("user{made}")).await;
        made += 1;
        answer
    };
    assert_eq!(make().await["data"]["createUser"]["errors"], json!([]));

    let mut refusals = Vec::new();
    // What is left of a file of SQLite may take a little more.
    while refusals.len() < 3 {
        fill(&filler);
        let answer = make().await;
        if answer["data"]["createUser"].is_null() {
            refusals.push(answer);
        }
    }
    for refused in refusals {
        let error = &refused["errors"][0];
        assert_eq!(error["extensions"]["code"], "UNAVAILABLE", "{refused}");
        assert_eq!(error["message"], "the database cannot be written just now");
    }
    let told = server.until_ready(503).await;
    assert_eq!(
        told,
        json!({ "status": "not ready", "check": "database", "reason": "cannot be written" })
    );
    // Queries and subscriptions go on.
    let viewer = server.data("{ viewer { username } }", json!({})).await;
    assert_eq!(viewer["viewer"]["username"], "ada");
    let late = Subscriber::new(ALL, Transport::ServerSentEvents, &token, BEGINNING);
    let mut progress = late.progress();
    let late = tokio::spawn(late.stay(server.address()));
    progress.further(2).await;

    fs::remove_file(&filler).expect("a file");
    server.until_ready(200).await;
    assert_eq!(make().await["data"]["createUser"]["errors"], json!([]));
    let last = create_user(&server, LAST).await;
    assert_eq!(last["data"]["createUser"]["user"]["username"], LAST);
    let logged = pages(&server, ALL, BEGINNING).await;
    for (client, following) in [early, late].into_iter().enumerate() {
        let told = timeout(PATIENCE, following).await.expect("the last event");
        check_told(client, &told.expect("a subscriber"), &logged);
    }
    let positions: Vec<i64> = logged.iter().map(position).collect();
    let gapless: Vec<i64> = (1..).take(logged.len()).collect();
    assert_eq!(positions, gapless);
    assert!(server.stop().await);
}
