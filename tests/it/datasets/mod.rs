//! Datasets: read where dtool wrote them; registered, found, changed and told by those who may, and by nobody else.

mod base_uris;
mod bounds;
mod bucket;
mod buckets;
mod changes;
mod content;
mod contract;
mod costs;
mod demo;
mod dserver;
mod dtool;
mod expected;
mod extremes;
mod fixture;
mod folder;
mod found;
mod goldens;
mod grants;
mod hostile;
mod index;
mod lineage;
mod lists;
mod made;
mod plans;
mod properties;
mod races;
mod registered;
mod registration;
mod replay;
mod robust;
mod secrecy;
mod updates;
mod uris;
mod webhook;
mod write_back;

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::support::client::{GRAPHQL, post};
use crate::support::{Lab, Server};

/// The administrator of a register. Nothing is granted to them.
pub const ADMIN: &str = "root";

/// A laboratory that serves a register of datasets, and the tokens of its users.
pub struct Register {
    pub lab: Lab,
    pub server: Server,
    tokens: HashMap<String, String>,
}

impl Register {
    /// With an administrator and these users.
    pub async fn open(mut lab: Lab, users: &[&str]) -> Self {
        lab.set("LABQL_WORKERS__ENABLED", "false");
        Self::working(lab, users).await
    }

    /// As [`Self::open`], with what goes on in the background.
    pub async fn working(lab: Lab, users: &[&str]) -> Self {
        lab.done(&["user", "add", ADMIN, "--admin", "--no-password"]);
        let mut tokens = HashMap::from([(ADMIN.to_owned(), lab.token(ADMIN))]);
        for user in users {
            lab.done(&["user", "add", user, "--no-password"]);
            tokens.insert((*user).to_owned(), lab.token(user));
        }
        let server = lab.serve().await;
        Self {
            lab,
            server,
            tokens,
        }
    }

    /// Ends the server without a word, and serves anew with what goes on in the background.
    pub async fn crashed(self) -> Self {
        let Self {
            mut lab,
            server,
            tokens,
        } = self;
        server.kill().await;
        lab.set("LABQL_WORKERS__ENABLED", "true");
        let server = lab.serve().await;
        Self {
            lab,
            server,
            tokens,
        }
    }

    pub fn token(&self, who: &str) -> &str {
        &self.tokens[who]
    }

    /// The answer to an operation of somebody.
    pub async fn ask(&self, who: &str, query: &str, variables: Value) -> Value {
        let body = json!({ "query": query, "variables": variables });
        self.send(who, body).await.1
    }

    /// The answer to a request of somebody, and its status.
    pub async fn send(&self, who: &str, body: Value) -> (u16, Value) {
        let (status, text) = self.send_for_text(who, body).await;
        (status, serde_json::from_str(&text).expect("JSON"))
    }

    /// The answer to a request of somebody, as it was sent.
    pub async fn send_for_text(&self, who: &str, body: Value) -> (u16, String) {
        let token = format!("Bearer {}", self.tokens[who]);
        let headers = [("authorization", token.as_str())];
        let response = post(&self.server, GRAPHQL, &headers, body).await;
        let status = response.status().as_u16();
        (status, response.text().await.expect("text"))
    }

    /// The data of an operation of somebody that must not fail.
    pub async fn data(&self, who: &str, query: &str, variables: Value) -> Value {
        let mut answer = self.ask(who, query, variables).await;
        assert!(answer.get("errors").is_none(), "{answer}");
        answer["data"].take()
    }

    /// Makes a base URI with the grants of some users: to search, to register.
    pub async fn base_uri(&self, uri: &str, grants: &[(&str, bool, bool)]) {
        let query = "mutation($input: RegisterBaseUriInput!) {
            registerBaseUri(input: $input) { created errors { message } }
        }";
        let made = self
            .data(ADMIN, query, json!({ "input": { "uri": uri } }))
            .await;
        assert_eq!(made["registerBaseUri"]["errors"], json!([]));
        for (user, search, register) in grants {
            self.grant(user, uri, *search, *register).await;
        }
    }

    pub async fn grant(&self, user: &str, uri: &str, search: bool, register: bool) {
        let query = "mutation($input: GrantBaseUriInput!) {
            grantBaseUri(input: $input) { grant { username } errors { message } }
        }";
        let input = json!({
            "username": user, "baseUri": uri, "canSearch": search, "canRegister": register,
        });
        let set = self.data(ADMIN, query, json!({ "input": input })).await;
        assert_eq!(set["grantBaseUri"]["errors"], json!([]));
    }

    /// The answer to a registration.
    pub async fn register(&self, who: &str, info: &Value) -> Value {
        let query = "mutation($input: RegisterDatasetInput!) { registerDataset(input: $input) {
            dataset { uri uuid } created errors { code field message }
        } }";
        let variables = json!({ "input": { "info": info } });
        self.data(who, query, variables).await["registerDataset"].take()
    }

    /// Registers a dataset that must be accepted.
    pub async fn registered(&self, who: &str, info: &Value) {
        let answer = self.register(who, info).await;
        assert_eq!(answer["errors"], json!([]), "{answer}");
    }

    /// The answer to a deletion.
    pub async fn delete(&self, who: &str, uri: &str) -> Value {
        let query = "mutation($input: DeleteDatasetInput!) {
            deleteDataset(input: $input) { uri errors { code field } }
        }";
        let variables = json!({ "input": { "uri": uri } });
        self.data(who, query, variables).await["deleteDataset"].take()
    }

    /// The URIs of a page of datasets.
    pub async fn uris(&self, who: &str, filter: Value) -> Vec<String> {
        let query = "query($filter: DatasetFilter) {
            datasets(first: 500, filter: $filter) { totalCount nodes { uri } }
        }";
        let data = self.data(who, query, json!({ "filter": filter })).await;
        let uris = texts(&data["datasets"]["nodes"], "uri");
        assert_eq!(data["datasets"]["totalCount"], uris.len(), "{filter}");
        uris
    }
}

/// Of what a dataset is told that a socket has heard, and what of it.
pub fn kind_and_uri(heard: &Value) -> (String, String) {
    let update = &heard["payload"]["data"]["datasetUpdates"];
    let text = |value: &Value| match value.as_str() {
        Some(text) => text.to_owned(),
        None => panic!("{heard}"),
    };
    (text(&update["kind"]), text(&update["dataset"]["uri"]))
}

/// A text of each object of a list.
pub fn texts(list: &Value, name: &str) -> Vec<String> {
    let list = list.as_array().expect("a list");
    let text = |it: &Value| it[name].as_str().expect(name).to_owned();
    list.iter().map(text).collect()
}

/// A UUID that the number makes.
pub fn uuid(number: u64) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

/// A dataset with one item, as the client of dtool describes it.
pub fn info(base_uri: &str, name: &str, number: u64) -> Value {
    json!({
        "uuid": uuid(number),
        "base_uri": base_uri,
        "uri": format!("{base_uri}/{name}"),
        "name": name,
        "type": "dataset",
        "readme": format!("---\ndescription: about {name}\n"),
        "manifest": {
            "dtoolcore_version": "3.19.0",
            "hash_function": "md5sum_hexdigest",
            "items": {
                "7ad4af83b511907a1db3f4d18c33c63d9b6c4d9e": {
                    "hash": "900150983cd24fb0d6963f7d28e17f72",
                    "relpath": "f.txt",
                    "size_in_bytes": 3,
                    "utc_timestamp": 1_604_864_525.5,
                },
            },
        },
        "creator_username": "alice",
        "frozen_at": "1604864525.691",
        "created_at": "1604860720.736269",
        "annotations": {},
        "tags": [],
        "number_of_items": 1,
        "size_in_bytes": 3,
    })
}
