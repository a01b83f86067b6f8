//! What dserver 0.22.0 with its MongoDB plugins 0.4 was asked about real datasets, asked again as operations of GraphQL: the
//! same sets, orders and counts, by the same people, in the same order of requests.
//!
//! Each family of requests has a file that says which operation is the counterpart. A request without one, or with an answer
//! that is a defect, is named in [`left_out`] with the reason; a name there that no request has is a failure.
//!
//! What was compared is summed up in the output (`cargo nextest run --no-capture`).

mod aggregate;
mod changes;
mod graph;
mod left_out;
mod lists;
mod metadata;
mod mongo;
mod request;
mod search;
mod users;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use chrono::{TimeDelta, Utc};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use self::left_out::LEFT_OUT;
use self::request::Request;
use super::texts;
use crate::support::{Lab, Server, shared_data};

on_both_databases!(the_answers_are_those_of_dserver);

/// Where the datasets were when dserver read them.
const STORAGE: &str = "file://storage.example.org/srv/dtool";
const SECRET: &str = "a secret of the replay, long enough to keep";
/// Users with what they may do in alloys and in polymers: search, register.
const GRANTS: [(&str, [(bool, bool); 2]); 4] = [
    ("admin", [(true, true), (true, true)]),
    ("alice", [(true, true), (true, false)]),
    ("bob", [(false, false), (true, false)]),
    ("carol", [(false, false), (false, false)]),
];

/// A server with the datasets and users of the recording, and the differences that were found.
pub struct Replay {
    server: Server,
    tokens: HashMap<&'static str, String>,
    /// How many values were compared.
    values: usize,
    differences: Vec<String>,
}

impl Replay {
    async fn open(lab: &mut Lab, shared: &Path) -> Self {
        let folder = shared.join("dtool");
        let folders = format!(r#"[{{uri="{STORAGE}",path="{}"}}]"#, folder.display());
        lab.set("LABQL_DATASETS__FOLDERS", folders);
        lab.set("LABQL_AUTH__SECRET", SECRET);
        lab.set("LABQL_WORKERS__ENABLED", "false");
        let bases = ["alloys", "polymers"].map(|name| format!("{STORAGE}/{name}"));
        for (base, count) in bases.iter().zip([14, 13]) {
            let report = lab.done(&["index", base, "--json"]);
            let report: Value = serde_json::from_str(&report).expect("a report");
            assert_eq!(report["registered"], count, "{report}");
        }
        let life = TimeDelta::hours(1);
        let mut tokens = HashMap::from([
            ("garbage", "garbage".to_owned()),
            ("expired", token("alice", -life)),
            // Nobody has made a user of this name.
            ("mallory", token("mallory", life)),
        ]);
        for (user, _) in GRANTS {
            let admin: &[_] = if user == "admin" { &["--admin"] } else { &[] };
            lab.done(&[&["user", "add", user, "--no-password"], admin].concat());
            tokens.insert(user, token(user, life));
        }
        let server = lab.serve().await;
        let replay = Self {
            server,
            tokens,
            values: 0,
            differences: Vec::new(),
        };
        let query = "mutation($input: GrantBaseUriInput!) {
            grantBaseUri(input: $input) { errors { message } }
        }";
        for (user, rights) in GRANTS {
            for (base, (search, register)) in bases.iter().zip(rights) {
                let input = json!({
                    "username": user, "baseUri": base, "canSearch": search, "canRegister": register,
                });
                let answer = replay.of(Some("admin"), query, json!({ "input": input }));
                let answer = answer.await;
                assert_eq!(
                    answer["data"]["grantBaseUri"]["errors"],
                    json!([]),
                    "{answer}"
                );
            }
        }
        replay
    }

    async fn of(&self, user: Option<&str>, query: &str, variables: Value) -> Value {
        let token = user.map(|user| format!("Bearer {}", self.tokens[user]));
        let headers: Vec<_> = token
            .iter()
            .map(|it| ("authorization", it.as_str()))
            .collect();
        self.server.ask_as(&headers, query, variables).await.1
    }

    /// The answer to an operation of whoever made the request.
    pub async fn ask(&self, request: &Request, query: &str, variables: Value) -> Value {
        self.of(request.user.as_deref(), query, variables).await
    }

    /// The data of an operation that must not fail.
    pub async fn data(&mut self, request: &Request, query: &str, variables: Value) -> Value {
        let mut answer = self.ask(request, query, variables).await;
        if answer.get("errors").is_some() {
            self.differ(request, &format!("refused: {}", answer["errors"]));
        }
        answer["data"].take()
    }

    /// The payload of a command that must not fail as a whole.
    pub async fn command(&mut self, request: &Request, query: &str, input: Value) -> Value {
        let mut data = self.data(request, query, json!({ "input": input })).await;
        let payload = data
            .as_object_mut()
            .and_then(|data| data.values_mut().next());
        payload.map_or(Value::Null, Value::take)
    }

    /// An operation that must be refused as a whole.
    pub async fn refused(&mut self, request: &Request, query: &str, variables: Value, code: &str) {
        let answer = self.ask(request, query, variables).await;
        let ours = &answer["errors"][0]["extensions"]["code"];
        self.equal(request, "refusal", &json!(code), ours);
    }

    pub fn equal(&mut self, request: &Request, what: &str, theirs: &Value, ours: &Value) {
        self.values += 1;
        if theirs != ours {
            self.differ(request, &format!("{what}: theirs {theirs}, ours {ours}"));
        }
    }

    pub fn differ(&mut self, request: &Request, how: &str) {
        let shown: String = how.chars().take(2_000).collect();
        self.differences.push(format!("{}: {shown}", request.file));
    }

    /// The request as its counterpart.
    async fn replay(&mut self, request: &Request) {
        match (request.method.as_str(), request.root()) {
            ("PUT" | "DELETE", _) => changes::compare(self, request).await,
            (_, "me" | "users" | "base-uris") => users::compare(self, request).await,
            ("GET", "uris") if !request.has_filter() => lists::compare(self, request).await,
            ("GET" | "POST", "uris") => search::compare(self, request).await,
            (_, "uuids") => lists::compare_copies(self, request).await,
            (_, "manifests" | "readmes" | "annotations" | "tags") => {
                metadata::compare(self, request).await;
            }
            (_, "mongo") if request.argument() == "query" => mongo::compare(self, request).await,
            (_, "mongo") => aggregate::compare(self, request).await,
            (_, "graph") => graph::compare(self, request).await,
            _ => self.differ(request, "there is no counterpart"),
        }
    }
}

/// A token that labql has signed, in effect.
fn token(name: &str, life: TimeDelta) -> String {
    let now = Utc::now();
    let claims = json!({
        "sub": name, "iss": "labql", "aud": "labql",
        "iat": now.timestamp(), "exp": (now + life).timestamp(),
    });
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    encode(&Header::new(Algorithm::HS256), &claims, &key).expect("a token")
}

async fn the_answers_are_those_of_dserver(mut lab: Lab) {
    let Some(shared) = shared_data() else { return };
    let requests = Request::recorded(&shared.join("dtool-golden/rest"));
    let mut replay = Replay::open(&mut lab, &shared).await;
    let mut compared: BTreeMap<&str, usize> = BTreeMap::new();
    let mut left: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut unknown: Vec<&str> = LEFT_OUT.iter().map(|(name, _)| *name).collect();
    for request in &requests {
        let known = LEFT_OUT.iter().find(|(name, _)| request.is_named(name));
        if let Some(&(name, why)) = known {
            unknown.retain(|it| *it != name);
            left.entry(why).or_default().push(&request.file);
        } else {
            *compared.entry(request.root()).or_default() += 1;
            replay.replay(request).await;
        }
    }
    println!(
        "{} requests: {} compared ({compared:?}), {} left out; {} values compared",
        requests.len(),
        compared.values().sum::<usize>(),
        left.values().map(Vec::len).sum::<usize>(),
        replay.values,
    );
    for (why, files) in &left {
        println!("left out ({}): {why}: {}", files.len(), files.join(", "));
    }
    assert_eq!(unknown, [""; 0], "no request has such a name");
    assert!(
        replay.differences.is_empty(),
        "{} differences:\n{}",
        replay.differences.len(),
        replay.differences.join("\n")
    );
}
