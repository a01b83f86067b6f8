//! The real server in a process of its own.

use std::{
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use reqwest::Response;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Child,
    time::{sleep, timeout},
};

use super::client::{Address, GRAPHQL, PATIENCE, get, json_of, post};

/// Killed when it goes out of scope.
pub struct Server {
    address: SocketAddr,
    child: Child,
    log: PathBuf,
    token: Option<String>,
}

impl Address for Server {
    fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Server {
    /// Starts the command and waits until it has said where it listens.
    pub async fn start(command: Command, log: &Path) -> Self {
        let mut command = tokio::process::Command::from(command);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(log).expect("a log"))
            .kill_on_drop(true)
            .spawn()
            .expect("the binary");
        let stdout = child.stdout.take().expect("standard output");
        let mut lines = BufReader::new(stdout).lines();
        let address = loop {
            let Some(line) = lines.next_line().await.expect("UTF-8") else {
                let log = fs::read_to_string(log).unwrap_or_default();
                panic!("the server ended before it listened: {log}");
            };
            if let Some(url) = line.strip_prefix("endpoint:") {
                let address = url.trim().trim_start_matches("http://");
                let address = address.trim_end_matches("/graphql");
                break address.parse().expect("an address");
            }
        };
        Self {
            address,
            child,
            log: log.to_owned(),
            token: None,
        }
    }

    /// The same server; requests carry this token.
    pub fn signed_in(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    pub fn token(&self) -> &str {
        self.token.as_deref().expect("a token")
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.child.id().expect("a running process")
    }

    /// Asks until it says that it is ready (200) or that it is not (503), and gives what it says.
    pub async fn until_ready(&self, status: u16) -> Value {
        let asked = async {
            loop {
                let answer = get(self, "/ready", &[]).await;
                if answer.status().as_u16() == status {
                    return json_of(answer).await;
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        let answer = timeout(PATIENCE, asked).await;
        answer.unwrap_or_else(|_| panic!("not {status} on /ready: {}", self.log()))
    }

    /// What the server has logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).expect("a log")
    }

    /// The answer to a request with this body, and its status.
    pub async fn send(&self, body: Value) -> (u16, Value) {
        let token = self.token.as_ref().map(|token| format!("Bearer {token}"));
        let headers: Vec<_> = token
            .iter()
            .map(|token| ("authorization", token.as_str()))
            .collect();
        let response: Response = post(self, GRAPHQL, &headers, body).await;
        let status = response.status().as_u16();
        (status, json_of(response).await)
    }

    /// The answer to an operation, and its status.
    pub async fn ask(&self, query: &str, variables: Value) -> (u16, Value) {
        self.send(json!({ "query": query, "variables": variables }))
            .await
    }

    /// The answer to an operation with these headers, and its status.
    pub async fn ask_as(
        &self,
        headers: &[(&str, &str)],
        query: &str,
        variables: Value,
    ) -> (u16, Value) {
        let body = json!({ "query": query, "variables": variables });
        let response: Response = post(self, GRAPHQL, headers, body).await;
        let status = response.status().as_u16();
        (status, json_of(response).await)
    }

    /// The data of an operation that must not fail.
    pub async fn data(&self, query: &str, variables: Value) -> Value {
        let (status, mut answer) = self.ask(query, variables).await;
        assert_eq!(status, 200, "{answer}");
        assert!(answer.get("errors").is_none(), "{answer}");
        answer["data"].take()
    }

    /// The code of the error of an operation that must fail.
    pub async fn refusal(&self, query: &str, variables: Value) -> String {
        let (_, answer) = self.ask(query, variables).await;
        super::client::code(&answer).to_owned()
    }

    /// The values of counters at one moment.
    pub async fn counters<const N: usize>(&self, names: [&str; N]) -> [i64; N] {
        let text = get(self, "/metrics", &[]).await.text().await.expect("text");
        names.map(|name| {
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.map_or(0, |value| value.parse().expect("a number"))
        })
    }

    /// How many statements it has sent so far, but for its looks whether there are new events.
    pub async fn statements(&self) -> i64 {
        let names = [
            "labql_sql_statements_total",
            "labql_event_log_look_statements_total",
        ];
        let [all, looks] = self.counters(names).await;
        all - looks
    }

    /// Takes it away without a word.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("its end");
    }

    /// Asks it to end and waits for that; true if it ended well.
    pub async fn stop(mut self) -> bool {
        self.signal("-TERM").await;
        self.child.wait().await.expect("its end").success()
    }

    /// Has it do nothing at all until [`Self::go_on`].
    pub async fn suspend(&self) {
        self.signal("-STOP").await;
    }

    /// Has it go on after [`Self::suspend`].
    pub async fn go_on(&self) {
        self.signal("-CONT").await;
    }

    async fn signal(&self, signal: &str) {
        let id = self.child.id().expect("a running process").to_string();
        let sent = tokio::process::Command::new("kill")
            .args([signal, &id])
            .status();
        assert!(sent.await.expect("kill").success());
    }
}
