//! Somebody who hears what becomes of runs, as an event stream.

use reqwest::Response;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::caller::Caller;
use crate::support::client::{EVENTS, PATIENCE};

/// What a client wants that comes for the first time and has no cursor.
pub const BEGINNING: &str = "beginning";

const UPDATES: &str = "subscription($filter: RunUpdateFilter, $after: String) {
    it: runUpdates(filter: $filter, after: $after) {
        cursor kind recordedAt
        run { id kind state reason }
        step { name state attempt exitCode reason }
    }
}";

const LOG: &str = "subscription($run: ID!, $after: String) {
    it: runLog(run: $run, after: $after) { cursor step attempt stream text }
}";

/// What somebody who follows is told.
#[derive(Debug)]
pub enum Heard {
    /// Something that happened.
    Update(Value),
    /// Why they are told no more.
    Refused(String),
    /// All was told.
    Over,
    /// The server is not there any more.
    Gone,
}

/// Somebody who hears what becomes of runs.
pub struct Ear {
    response: Response,
    bytes: Vec<u8>,
}

impl Ear {
    /// Hears of changes of runs, from the beginning of the log.
    pub async fn of(caller: &Caller, filter: Value) -> Self {
        Self::from(caller, filter, BEGINNING).await
    }

    /// Hears of changes of runs behind a cursor.
    pub async fn from(caller: &Caller, filter: Value, after: &str) -> Self {
        let variables = json!({ "filter": filter, "after": after });
        let ear = Self::open(caller, UPDATES, variables).await;
        ear.expect("a server")
    }

    /// As [`Self::from`], of a server that may have gone.
    pub async fn try_from(caller: &Caller, filter: Value, after: &str) -> Option<Self> {
        let variables = json!({ "filter": filter, "after": after });
        Self::open(caller, UPDATES, variables).await
    }

    /// Hears what a run prints behind a cursor.
    pub async fn of_log(caller: &Caller, run: &str, after: &str) -> Self {
        let variables = json!({ "run": run, "after": after });
        let ear = Self::open(caller, LOG, variables).await;
        ear.expect("a server")
    }

    async fn open(caller: &Caller, query: &str, variables: Value) -> Option<Self> {
        let body = json!({ "query": query, "variables": variables });
        let sent = caller.post(EVENTS, &body);
        let response = timeout(PATIENCE, sent).await.expect("an answer").ok()?;
        assert_eq!(response.status(), 200);
        let bytes = Vec::new();
        Some(Self { response, bytes })
    }

    /// What is told next, whatever it is.
    pub async fn hear(&mut self) -> Heard {
        loop {
            let Some(event) = self.event().await else {
                return Heard::Gone;
            };
            if event.starts_with(':') {
                continue;
            }
            if event.starts_with("event: complete") {
                return Heard::Over;
            }
            let data = event.lines().find_map(|line| line.strip_prefix("data: "));
            let mut data: Value = serde_json::from_str(data.expect("data")).expect("JSON");
            if let Some(code) = data["errors"][0]["extensions"]["code"].as_str() {
                return Heard::Refused(code.to_owned());
            }
            let update = data["data"]["it"].take();
            assert!(update["cursor"].is_string(), "{event}");
            return Heard::Update(update);
        }
    }

    /// The next update.
    pub async fn next(&mut self) -> Value {
        match self.hear().await {
            Heard::Update(update) => update,
            other => panic!("{other:?}"),
        }
    }

    /// All that is told until it is over.
    pub async fn all(&mut self) -> Vec<Value> {
        let mut heard = Vec::new();
        loop {
            match self.hear().await {
                Heard::Update(update) => heard.push(update),
                Heard::Over => return heard,
                other => panic!("{other:?} after {heard:?}"),
            }
        }
    }

    /// All that is told until something, with it.
    pub async fn until(&mut self, is_it: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut heard = Vec::new();
        loop {
            let update = self.next().await;
            let found = is_it(&update);
            heard.push(update);
            if found {
                return heard;
            }
        }
    }

    /// All that is told until this run is in this state.
    pub async fn until_state(&mut self, run: &str, state: &str) -> Vec<Value> {
        let is_it = |update: &Value| update["run"]["id"] == run && update["run"]["state"] == state;
        self.until(is_it).await
    }

    /// All that is told until this step of the run is in this state.
    pub async fn until_step(&mut self, run: &str, step: &str, state: &str) -> Vec<Value> {
        self.until(|update| {
            let of = &update["step"];
            update["run"]["id"] == run && of["name"] == step && of["state"] == state
        })
        .await
    }

    /// All that is told until each of these runs has ended.
    pub async fn until_ended(&mut self, runs: &[String]) -> Vec<Value> {
        let mut open: Vec<&str> = runs.iter().map(String::as_str).collect();
        let mut heard = Vec::new();
        while !open.is_empty() {
            let update = self.next().await;
            if update["kind"] == "ENDED" {
                open.retain(|run| update["run"]["id"] != *run);
            }
            heard.push(update);
        }
        heard
    }

    /// The next event that has come as a whole; none if the server is gone.
    async fn event(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.bytes.windows(2).position(|pair| pair == b"\n\n") {
                let event = self.bytes.drain(..end + 2).collect();
                return Some(String::from_utf8(event).expect("UTF-8"));
            }
            let chunk = timeout(PATIENCE, self.response.chunk()).await;
            match chunk.expect("something to hear") {
                Ok(Some(chunk)) => self.bytes.extend(chunk),
                Ok(None) | Err(_) => return None,
            }
        }
    }
}

/// Does an update tell that something has been made of the best runs?
pub fn is_made_of_best(update: &Value) -> bool {
    update["kind"] == "ENDED" && update["run"]["kind"] == "POST_PROCESSING"
}

/// A field of the thing that each update tells of.
pub fn column<'u>(updates: &'u [Value], of: &str, field: &str) -> Vec<&'u str> {
    let text = |update: &'u Value| update[of][field].as_str();
    updates.iter().filter_map(text).collect()
}
