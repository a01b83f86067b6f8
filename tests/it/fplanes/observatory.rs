//! An observatory: a laboratory that serves focal planes, and whoever tells it of them.

#[path = "../../../bench/generate_fplanes.rs"]
pub mod generate;

use chrono::{DateTime, SecondsFormat, SubsecRound, TimeDelta, Utc};
use labql::fplanes::text;
use serde_json::{Value, json};

use crate::support::client::{get, header};
use crate::support::{Lab, Server};

/// What all payloads of commands that tell something are asked for here.
const TOLD: &str = "committed isRepeated warnings warningDetails { code } fplane { validFrom }
    changes { ifuslot change } source { id } errors { code field message }";

/// Serves focal planes; `ada` has a token.
pub struct Observatory {
    pub lab: Lab,
    pub server: Server,
}

impl Observatory {
    pub async fn open(mut lab: Lab) -> Self {
        lab.set("LABQL_WORKERS__ENABLED", "false");
        let server = lab.serve_signed_in().await;
        Self { lab, server }
    }

    /// The answer to a command, which may say why nothing was done.
    pub async fn answer(&self, command: &str, input: Value) -> Value {
        let (name, input_type) = (command, capitalized(command));
        let query = format!(
            "mutation($input: {input_type}Input!) {{ {name}(input: $input) {{ {TOLD} }} }}"
        );
        let mut data = self.server.data(&query, json!({ "input": input })).await;
        data[name].take()
    }

    /// The answer to a command that must be done.
    pub async fn tell(&self, command: &str, input: Value) -> Value {
        let answer = self.answer(command, input).await;
        assert_eq!(answer["errors"], json!([]), "{command}: {answer}");
        answer
    }

    /// Imports [`file`] as the whole plane since then.
    pub async fn import(&self, valid_from: &str) {
        let input = json!({ "text": file(), "validFrom": valid_from });
        self.tell("importFplane", input).await;
    }

    /// Takes in a message.
    pub async fn update(&self, config: &Value) -> Value {
        self.tell("updateFplane", json!({ "config": config })).await
    }

    /// A key of `ada`.
    pub async fn key(&self) -> String {
        let create = "mutation { createApiKey(input: { label: \"telescope\" }) { secret } }";
        let made = self.server.data(create, json!({})).await;
        let key = made["createApiKey"]["secret"].as_str();
        key.expect("a key").to_owned()
    }

    /// The place in the log where it stands now: a subscription from here misses nothing that follows.
    pub async fn cursor(&self) -> String {
        let data = self.server.data("{ eventCursor }", json!({})).await;
        data["eventCursor"].as_str().expect("a cursor").to_owned()
    }

    /// Status, headers and text of a path, for `ada`.
    pub async fn get(&self, path: &str) -> Got {
        let token = format!("Bearer {}", self.server.token());
        self.get_with(path, &[("authorization", &token)]).await
    }

    /// The same for somebody who sends these headers.
    pub async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Got {
        Got::of(get(&self.server, path, headers).await).await
    }
}

/// An answer to a request for a file.
#[derive(Debug)]
pub struct Got {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Got {
    pub async fn of(response: reqwest::Response) -> Self {
        Self {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.text().await.expect("text"),
        }
    }

    /// A header; empty: there is none.
    pub fn header(&self, name: &str) -> &str {
        header(&self.headers, name)
    }

    /// The file that it must be.
    pub fn file(self) -> String {
        assert_eq!(self.status, 200, "{self:?}");
        self.text
    }

    /// What it says of a request that must be refused so.
    pub fn message(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/json", "{self:?}");
        let body: Value = serde_json::from_str(&self.text).expect("JSON");
        let fields = body.as_object().expect("an object").len();
        assert_eq!(fields, 1, "{body}");
        body["message"].as_str().expect("a message").to_owned()
    }
}

/// A file of a whole plane, as the old server made them.
pub fn file() -> String {
    text::write(&generate::slots(), true)
}

/// [`file`] with other spectrographs behind some slots.
pub fn file_with(changed: &[(&str, &str)]) -> String {
    let mut slots = generate::slots();
    for slot in &mut slots {
        if let Some((_, specid)) = changed.iter().find(|(ifuslot, _)| *ifuslot == slot.ifuslot) {
            slot.mapping.specid = Some((*specid).to_owned());
        }
    }
    text::write(&slots, true)
}

/// A message of the telescope about these units.
pub fn message(at: DateTime<Utc>, hardware: &[Value]) -> Value {
    json!({ "__data_time": at.to_rfc3339(), "__source": "tcs", "hardware": hardware })
}

/// A unit of a message: the one of [`file`] with another spectrograph.
pub fn unit(ifuslot: &str, specid: &str) -> Value {
    let of_file = generate::slots();
    let of_file = of_file.iter().find(|slot| slot.ifuslot == ifuslot);
    let mapping = &of_file.expect("a slot").mapping;
    json!({
        "ifuslot": ifuslot, "ifuid": mapping.ifuid, "specslot": mapping.specslot,
        "specid": specid, "active": true,
    })
}

/// So many minutes ago, to the second.
pub fn minutes_ago(minutes: i64) -> DateTime<Utc> {
    (Utc::now() - TimeDelta::minutes(minutes)).trunc_subsecs(0)
}

/// An instant as the API writes it.
pub fn written(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

fn capitalized(name: &str) -> String {
    let (first, rest) = name.split_at(1);
    first.to_uppercase() + rest
}
