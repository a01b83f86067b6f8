//! What people have Autosubmit do, through the API, with a program in Autosubmit's place that does what the test wants.

mod asking;
mod bounds;
mod ending;
mod keepers;
mod places;
mod real;
mod rights;
mod seeing;
mod survival;

use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use labql::demo::autosubmit::{ExperimentSpec, JobListForm};
use serde_json::{Value, json};

use crate::support::{Lab, Server, Socket, root};

/// What the program in Autosubmit's place does first: it notes that it was started, and tells its arguments.
const PROGRAM: &str = r#"#!/bin/bash
here=$(dirname "$0")
echo $$ >> "$here/started"
printf 'argv'
for argument in "$@"; do printf ' %s' "$(printf '%s' "$argument" | od -An -v -tx1 | tr -d ' \n')"; done
echo
. "$here/deed"
"#;

/// Prints what the real one prints when all went well.
const WELL: &str = r#"
case "$1" in
    -v|--version) echo 4.1.15 ;;
    expid) echo 'Experiment a00z created' ;;
    *) echo "$1 done" ;;
esac
exit 0
"#;

/// Waits at a gate that the test opens.
const GATED: &str = r#"
echo before
read -r word < "$here/gate"
echo "after $word"
exit 0
"#;

const UPDATES: &str = "subscription($id: ID, $mine: Boolean, $after: String) {
    actionUpdates(id: $id, mine: $mine, after: $after) {
        cursor kind
        action { id number kind expid state exitCode reason message beganAt endedAt outputBytes host actor }
        output { offset bytes text }
    }
}";

const ALL_KINDS: &str = r#""RUN", "STOP", "CREATE", "CREATE_JOB_LIST", "SET_STATUS", "DESCRIBE""#;

/// A laboratory with experiments, users, and a program in Autosubmit's place.
struct Desk {
    lab: Lab,
}

impl Desk {
    /// Everything is enabled; `ada` has every right, `eva` is an administrator without any, `bob` has none.
    fn new(mut lab: Lab) -> Self {
        lab.set("LABQL_WORKERS__LEASE", "1s");
        let mut theirs = ExperimentSpec::new("a000", JobListForm::Sqlite);
        let mut own = ExperimentSpec::new("b000", JobListForm::Sqlite);
        for spec in [&mut theirs, &mut own] {
            spec.logged_jobs = 0;
            spec.chunks = 2;
            spec.members.truncate(1);
        }
        "carol".clone_into(&mut theirs.owner);
        "bob".clone_into(&mut own.owner);
        root::with(&lab.root(), &[theirs, own]);
        lab.import();
        lab.user("ada", &[]);
        lab.user("bob", &[]);
        lab.user("eva", &["--admin"]);
        for kind in ["RUN", "STOP", "CREATE_JOB_LIST", "SET_STATUS", "DESCRIBE"] {
            lab.done(&["user", "allow", "ada", kind, "--experiments", "*"]);
        }
        lab.done(&["user", "allow", "ada", "CREATE"]);
        let desk = Self { lab };
        fs::create_dir(desk.bin()).expect("a folder");
        let program = desk.bin().join("autosubmit");
        fs::write(&program, PROGRAM).expect("a program");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("a mode");
        desk.deed(WELL);
        desk.configure(ALL_KINDS, "");
        desk
    }

    fn bin(&self) -> PathBuf {
        self.lab.path("bin")
    }

    /// What is enabled, and more settings.
    fn configure(&self, enabled: &str, more: &str) {
        let program = self.bin().join("autosubmit");
        let settings = format!(
            "[actions]\nenabled = [{enabled}]\n{more}\n[actions.profiles.here]\nautosubmit = {:?}\n\
             variables = {{ PATH = \"/usr/bin:/bin\" }}\n",
            program.to_str().expect("UTF-8")
        );
        fs::write(self.lab.path("labql.toml"), settings).expect("a configuration");
    }

    /// What the program does from now on.
    fn deed(&self, script: &str) {
        let draft = self.bin().join("deed-draft");
        fs::write(&draft, script).expect("a script");
        fs::rename(draft, self.bin().join("deed")).expect("a script");
    }

    /// The program waits from now on until [`open_gate`].
    fn gate(&self) -> PathBuf {
        let gate = self.bin().join("gate");
        let made = std::process::Command::new("mkfifo").arg(&gate).status();
        assert!(made.expect("mkfifo").success());
        self.deed(GATED);
        gate
    }

    /// A run of a000 that has begun, and waits for [`open_gate`]; and whoever hears of it.
    async fn at_gate(&self) -> (PathBuf, Server, Ear, Value) {
        let gate = self.gate();
        let server = self.serve("ada").await;
        let mut ear = Ear::of(&server, json!({})).await;
        let run = asked(&server, "runExperiment", json!({ "expid": "a000" })).await;
        ear.until("OUTPUT", &run).await;
        (gate, server, ear, run)
    }

    /// How often the program was started.
    fn started(&self) -> usize {
        let started = fs::read_to_string(self.bin().join("started"));
        started.map_or(0, |text| text.lines().count())
    }

    async fn serve(&self, user: &str) -> Server {
        let token = self.lab.token(user);
        self.lab.serve().await.signed_in(&token)
    }

    /// A server that takes wishes and does nothing of them.
    async fn serve_idle(&mut self, user: &str) -> Server {
        self.lab.set("LABQL_WORKERS__ENABLED", "false");
        let server = self.serve(user).await;
        self.lab.set("LABQL_WORKERS__ENABLED", "true");
        server
    }
}

/// Lets the program that waits at a gate go on.
async fn open_gate(gate: &Path) {
    let gate = gate.to_owned();
    let opened = tokio::task::spawn_blocking(move || {
        // Waits until the program reads.
        let mut file = fs::OpenOptions::new().write(true).open(gate)?;
        file.write_all(b"open\n")
    });
    opened.await.expect("a thread").expect("a gate");
}

/// Asks for an action; gives the whole answer.
async fn ask(server: &Server, mutation: &str, input: Value) -> Value {
    let (_, answer) = server
        .ask(&document(mutation), json!({ "input": input }))
        .await;
    answer
}

fn document(mutation: &str) -> String {
    let mut input = mutation.to_owned();
    input[..1].make_ascii_uppercase();
    let argv = if mutation == "cancelAction" {
        ""
    } else {
        "argv"
    };
    format!(
        "mutation($input: {input}Input!) {{ {mutation}(input: $input) {{
            action {{ id number kind expid state profile actor arguments requestedAt }}
            {argv} errors {{ code field message }}
        }} }}"
    )
}

/// Asks for an action that must be taken; gives it.
async fn asked(server: &Server, mutation: &str, input: Value) -> Value {
    let mut answer = ask(server, mutation, input).await;
    let payload = answer["data"][mutation].take();
    assert!(payload["action"].is_object(), "{answer} {payload}");
    payload["action"].clone()
}

/// Asks for an action that must be refused; gives code and field of the first reason.
async fn refused(server: &Server, mutation: &str, input: Value) -> (String, Option<String>) {
    let answer = ask(server, mutation, input).await;
    if let Some(code) = answer["errors"][0]["extensions"]["code"].as_str() {
        return (code.to_owned(), None);
    }
    let payload = &answer["data"][mutation];
    assert!(payload["action"].is_null(), "{answer}");
    let error = &payload["errors"][0];
    let text = |field: &str| error[field].as_str().map(str::to_owned);
    (
        text("code").unwrap_or_else(|| panic!("{answer}")),
        text("field"),
    )
}

fn forbidden() -> (String, Option<String>) {
    ("FORBIDDEN".to_owned(), None)
}

fn because(code: &str, field: &str) -> (String, Option<String>) {
    (code.to_owned(), Some(field.to_owned()))
}

/// Somebody who hears of actions.
struct Ear(Socket);

impl Ear {
    /// Hears what was and what will be.
    async fn of(server: &Server, variables: Value) -> Self {
        let mut socket = Socket::signed_in(server, server.token()).await;
        let mut all = json!({ "after": "beginning" });
        all.as_object_mut()
            .expect("an object")
            .extend(variables.as_object().expect("an object").clone());
        let payload = json!({ "query": UPDATES, "variables": all });
        socket
            .say(json!({ "type": "subscribe", "id": "1", "payload": payload }))
            .await;
        Self(socket)
    }

    async fn next(&mut self) -> Value {
        let mut message = self.0.hear().await;
        let update = message["payload"]["data"]["actionUpdates"].take();
        assert!(update["cursor"].is_string(), "{message}");
        update
    }

    /// All that comes until this happens to the action, with it.
    async fn until(&mut self, kind: &str, action: &Value) -> Vec<Value> {
        let mut heard = Vec::new();
        loop {
            let update = self.next().await;
            let found = update["kind"] == kind && update["action"]["id"] == action["id"];
            heard.push(update);
            if found {
                return heard;
            }
        }
    }

    /// The action at its end, and what it printed.
    async fn ended(&mut self, action: &Value) -> (Value, String) {
        let heard = self.until("ENDED", action).await;
        let of_it: Vec<Value> = heard
            .into_iter()
            .filter(|update| update["action"]["id"] == action["id"])
            .collect();
        let text = printed(&of_it);
        (of_it.last().expect("an update")["action"].clone(), text)
    }
}

/// The output in updates, which has to be without gaps.
fn printed(updates: &[Value]) -> String {
    let mut text = String::new();
    let mut bytes = None;
    for output in updates.iter().map(|update| &update["output"]) {
        if let Some(piece) = output["text"].as_str() {
            let offset = output["offset"].as_i64().expect("an offset");
            assert!(bytes.is_none_or(|bytes| bytes == offset), "{output}");
            bytes = Some(offset + output["bytes"].as_i64().expect("bytes"));
            assert!(piece.len() <= 3 * 8192, "{output}");
            text.push_str(piece);
        }
    }
    text
}

fn kinds(updates: &[Value]) -> Vec<&str> {
    let mut kinds: Vec<&str> = updates
        .iter()
        .map(|update| update["kind"].as_str().expect("a kind"))
        .collect();
    // How output is cut in pieces is a matter of time.
    kinds.dedup();
    kinds
}

/// The arguments that the program was given, as its output tells them.
fn argv(output: &str) -> Vec<String> {
    let line = output.lines().find(|line| line.starts_with("argv"));
    let line = line.unwrap_or_else(|| panic!("no arguments in {output:?}"));
    let text = |hex: &str| {
        let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("a byte");
        let bytes = (0..hex.len()).step_by(2).map(digit).collect();
        String::from_utf8(bytes).expect("UTF-8")
    };
    line.split(' ').skip(1).map(text).collect()
}
