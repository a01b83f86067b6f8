//! A recorded request and its answer.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

/// Parameters that choose among datasets, and do not only page or sort.
const FILTERS: [&str; 5] = [
    "free_text",
    "creator_usernames",
    "base_uris",
    "uuids",
    "tags",
];

pub struct Request {
    /// Its number and name, such as `016-uris-list`.
    pub file: String,
    pub method: String,
    /// Whose token it had.
    pub user: Option<String>,
    pub body: Value,
    /// What follows the host, decoded, without parameters: `/uris/file://…`.
    path: String,
    parameters: Vec<(String, String)>,
    pub answer: Answer,
}

pub struct Answer {
    pub status: u64,
    pub body: Value,
    /// The header `X-Pagination`.
    pages: Value,
}

impl Request {
    /// All of them, in the order in which they were sent.
    pub fn recorded(folder: &Path) -> Vec<Self> {
        let index = fs::read(folder.join("index.json")).expect("an index");
        let index: Vec<Value> = serde_json::from_slice(&index).expect("JSON");
        let files = index
            .iter()
            .map(|entry| entry["file"].as_str().expect("a file"));
        files
            .map(|file| {
                let text = fs::read(folder.join(file)).expect("a request");
                let text = serde_json::from_slice(&text).expect("JSON");
                Self::new(file.trim_end_matches(".json"), text)
            })
            .collect()
    }

    fn new(file: &str, mut recorded: Value) -> Self {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let request = &recorded["request"];
        let sent = text(&request["path"]).expect("a path");
        let (path, parameters) = sent.split_once('?').unwrap_or((sent.as_str(), ""));
        let (method, user) = (text(&request["method"]), text(&request["user"]));
        let body = recorded["request"]["body"].take();
        let response = &mut recorded["response"];
        Self {
            file: file.to_owned(),
            method: method.expect("a method"),
            user,
            body,
            path: pairs(path).remove(0).0,
            parameters: pairs(parameters),
            answer: Answer {
                status: response["status"].as_u64().expect("a status"),
                pages: response["headers"]["X-Pagination"].take(),
                body: response["body"].take(),
            },
        }
    }

    /// Whether this is its name, with or without its number.
    pub fn is_named(&self, name: &str) -> bool {
        let own = self.file.split_once('-').map(|(_, name)| name);
        self.file == name || own == Some(name)
    }

    /// The name without the number, after a prefix.
    pub fn name_after(&self, prefix: &str) -> Option<&str> {
        self.file.split_once('-')?.1.strip_prefix(prefix)
    }

    /// The first part of the path.
    pub fn root(&self) -> &str {
        self.path.split('/').nth(1).unwrap_or_default()
    }

    /// What follows the first part of the path.
    pub fn argument(&self) -> &str {
        let start = 1 + self.root().len();
        self.path.get(start + 1..).unwrap_or_default()
    }

    /// The argument as a URI: dserver takes the first slash for `://`.
    pub fn uri(&self) -> String {
        let argument = self.argument();
        if argument.contains("://") {
            return argument.to_owned();
        }
        argument.replacen('/', "://", 1)
    }

    pub fn parameter(&self, name: &str) -> Option<&str> {
        let mut found = self.parameters.iter().filter(|(known, _)| known == name);
        found.next().map(|(_, value)| value.as_str())
    }

    pub fn has_filter(&self) -> bool {
        let is_filter = |(name, _): &(String, String)| FILTERS.contains(&name.as_str());
        !self.body.is_null() || self.parameters.iter().any(is_filter)
    }

    /// The filter, from the body or from the parameters, by the names of the schema.
    pub fn filter(&self) -> Value {
        let mut filter = json!({});
        for (name, value) in self.body.as_object().into_iter().flatten() {
            filter[ours(name)] = value.clone();
        }
        for (name, value) in &self.parameters {
            match name.as_str() {
                "free_text" => filter["text"] = json!(value),
                name if FILTERS.contains(&name) => match filter[ours(name)].as_array_mut() {
                    Some(list) => list.push(json!(value)),
                    None => filter[ours(name)] = json!([value]),
                },
                _ => {}
            }
        }
        filter
    }

    /// The order that `sort` asks for; null without.
    pub fn order(&self) -> Value {
        let Some(sort) = self.parameter("sort") else {
            return Value::Null;
        };
        let fields = sort.split(',').map(|field| {
            let (direction, field) = match field.strip_prefix('-') {
                Some(field) => ("DESC", field),
                None => ("ASC", field.strip_prefix('+').unwrap_or(field)),
            };
            json!({ "field": field.to_uppercase(), "direction": direction })
        });
        fields.collect()
    }

    /// The number of a parameter.
    pub fn number(&self, name: &str, otherwise: usize) -> usize {
        let value = self.parameter(name);
        value.map_or(otherwise, |value| value.parse().expect("a number"))
    }
}

impl Answer {
    /// How many there are on all pages.
    pub fn total(&self) -> i64 {
        self.pages["total"].as_i64().unwrap_or_default()
    }

    pub fn rows(&self) -> Vec<Value> {
        self.body.as_array().cloned().unwrap_or_default()
    }
}

/// A filter by its name in the schema.
fn ours(name: &str) -> &str {
    match name {
        "free_text" => "text",
        "creator_usernames" => "creatorUsernames",
        "base_uris" => "baseUris",
        "query" => "mongo",
        name => name,
    }
}

/// Names and values, decoded.
fn pairs(parameters: &str) -> Vec<(String, String)> {
    let url = format!("http://localhost/?{parameters}");
    let url = reqwest::Url::parse(&url).expect("a URL");
    url.query_pairs().into_owned().collect()
}
