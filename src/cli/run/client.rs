//! The API of a server, asked over HTTP.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use futures_util::TryStreamExt;
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE};
use reqwest::{Body, RequestBuilder, Response, StatusCode, redirect};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::time::timeout;
use tokio_util::io::ReaderStream;

use super::stream::Reader;
use crate::config::Secret;
use crate::links;

/// How long a connection may take, how long an answer, and how long an event stream may be silent: the server says much more
/// often that it lives.
const CONNECT: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_mins(1);
const SILENCE: Duration = Duration::from_mins(1);
/// What API keys begin with; anything else is a token.
const KEY_PREFIX: &str = "labql_";
/// A file that is smaller needs no display of how far it is, in bytes.
const LARGE: u64 = 8 << 20;

/// Why the server does not do what it was asked to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// It may do so at another time.
    #[error("{0}")]
    Passing(String),
    /// What happened after the cursor is kept no longer.
    #[error("the events after the cursor are kept no longer")]
    CursorExpired,
    /// It will not.
    #[error("{0}")]
    Lasting(String),
}

/// A server, and who asks it.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    /// Its URL without a path, or with that of the proxy before it.
    base: String,
    token: Option<Secret>,
}

impl Client {
    /// Of the server at this URL. Nothing is asked of it yet.
    ///
    /// # Errors
    /// If there can be none.
    pub fn new(server: &str, token: Option<Secret>) -> Result<Self, Trouble> {
        // Whoever installed a provider before has done what is needed.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let base = server.trim_end_matches('/');
        let base = base.strip_suffix("/graphql").unwrap_or(base);
        let has_scheme = ["http://", "https://"]
            .iter()
            .any(|scheme| base.starts_with(scheme));
        if !has_scheme {
            let message = format!("{server} is no URL of a server: write http://HOST:PORT");
            return Err(Trouble::Lasting(message));
        }
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            // A token is shown to the server that was named, and to no other.
            .redirect(redirect::Policy::none())
            .user_agent(concat!("labql/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Trouble::Lasting(chain(&error)))?;
        Ok(Self {
            http,
            base: base.to_owned(),
            token,
        })
    }

    /// The URL of a path of the server.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// The data of an operation.
    ///
    /// # Errors
    /// If there is none, or only a part of it.
    pub async fn ask(&self, query: &str, variables: Value) -> Result<Value, Trouble> {
        let request = self.operation("application/graphql-response+json", query, &variables);
        let response = request.timeout(ANSWER).send().await;
        read(response.map_err(|error| unreachable(&error))?).await
    }

    /// What a subscription tells; each event is that of the field `it`.
    ///
    /// # Errors
    /// If it tells nothing.
    pub async fn subscribe(&self, query: &str, variables: &Value) -> Result<Events, Trouble> {
        let request = self.operation("text/event-stream", query, variables);
        let response = match timeout(ANSWER, request.send()).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(unreachable(&error)),
            Err(_) => return Err(Trouble::Passing("the server does not answer".into())),
        };
        let is_stream = response
            .headers()
            .get(CONTENT_TYPE)
            .is_some_and(|it| it.as_bytes().starts_with(b"text/event-stream"));
        if !is_stream {
            read(response).await?;
            return Err(Trouble::Lasting("the server opens no event stream".into()));
        }
        Ok(Events {
            response,
            reader: Reader::default(),
        })
    }

    /// Brings a file, to a group or for oneself; gives the id of the upload.
    ///
    /// # Errors
    /// If it cannot be read or is not taken.
    pub async fn bring(&self, path: &Path, group: Option<&str>) -> Result<String, Trouble> {
        let broken = |error| Trouble::Lasting(format!("{}: {error}", path.display()));
        let file = tokio::fs::File::open(path).await.map_err(broken)?;
        let about = file.metadata().await.map_err(broken)?;
        if !about.is_file() {
            // The length of a pipe is not known before its end.
            let message = format!("{}: is no regular file", path.display());
            return Err(Trouble::Lasting(message));
        }
        let size = about.len();
        let name = path.file_name().map(|name| name.to_string_lossy());
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("name", name.as_deref().unwrap_or("file"));
        if let Some(group) = group {
            query.append_pair("group", group);
        }
        let bar = bar(size, path);
        // What is appended meanwhile is left out: the server was told a length.
        let pieces = ReaderStream::with_capacity(file.take(size), 64 << 10);
        let shown = bar.clone();
        let pieces = pieces.inspect_ok(move |piece| shown.inc(piece.len() as u64));
        let url = format!("{}?{}", self.url(links::UPLOADS), query.finish());
        let request = self.signed(self.http.post(url));
        let request = request.header(CONTENT_LENGTH, size);
        let sent = request.body(Body::wrap_stream(pieces)).send().await;
        bar.finish_and_clear();
        let response = sent.map_err(|error| unreachable(&error))?;
        let status = response.status();
        let answer = json_of(response).await?;
        match answer.get("id").and_then(Value::as_str) {
            Some(id) => Ok(id.to_owned()),
            None => Err(refused(status, &answer)),
        }
    }

    fn operation(&self, accept: &str, query: &str, variables: &Value) -> RequestBuilder {
        let body = json!({ "query": query, "variables": variables });
        self.signed(self.http.post(self.url("/graphql")))
            .header(ACCEPT, accept)
            .header(CONTENT_TYPE, "application/json")
            .body(body.to_string())
    }

    fn signed(&self, request: RequestBuilder) -> RequestBuilder {
        match self.token.as_ref().map(Secret::expose) {
            Some(key) if key.starts_with(KEY_PREFIX) => request.header("x-api-key", key),
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }
}

/// The events of a subscription.
pub struct Events {
    response: Response,
    reader: Reader,
}

impl Events {
    /// The next one; none: there will be no more.
    ///
    /// # Errors
    /// If the server refuses to go on, or is gone.
    pub async fn next(&mut self) -> Result<Option<Value>, Trouble> {
        loop {
            if let Some(event) = self.reader.event() {
                if event.kind == "complete" {
                    return Ok(None);
                }
                let answer: Value = serde_json::from_str(&event.data).map_err(|error| {
                    Trouble::Lasting(format!("an event of the server is no JSON: {error}"))
                })?;
                let mut data = data_of(StatusCode::OK, answer)?;
                return Ok(Some(data["it"].take()));
            }
            match timeout(SILENCE, self.response.chunk()).await {
                Ok(Ok(Some(bytes))) => self
                    .reader
                    .push(&bytes)
                    .map_err(|error| Trouble::Lasting(error.to_string()))?,
                Ok(Ok(None)) => {
                    return Err(Trouble::Passing("the server ended the connection".into()));
                }
                Ok(Err(error)) => return Err(Trouble::Passing(chain(&error))),
                Err(_) => return Err(Trouble::Passing("the server is silent".into())),
            }
        }
    }
}

async fn read(response: Response) -> Result<Value, Trouble> {
    let status = response.status();
    data_of(status, json_of(response).await?)
}

async fn json_of(response: Response) -> Result<Value, Trouble> {
    let status = response.status();
    let bytes = timeout(ANSWER, response.bytes()).await;
    let bytes = match bytes {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(error)) => return Err(Trouble::Passing(chain(&error))),
        Err(_) => return Err(Trouble::Passing("the answer does not come".into())),
    };
    // A proxy that finds no server behind it answers in words of its own.
    serde_json::from_slice(&bytes).map_err(|_| of_status(status, format!("it answers {status}")))
}

fn data_of(status: StatusCode, mut answer: Value) -> Result<Value, Trouble> {
    let is_whole = answer.get("errors").is_none() && answer.get("data").is_some();
    if is_whole {
        Ok(answer["data"].take())
    } else {
        Err(refused(status, &answer))
    }
}

/// Why an answer has no data.
fn refused(status: StatusCode, answer: &Value) -> Trouble {
    let error = &answer["errors"][0];
    let message = error["message"].as_str();
    let message = message.map_or_else(|| format!("it answers {status}"), str::to_owned);
    match error["extensions"]["code"].as_str() {
        Some("UNAVAILABLE" | "RATE_LIMITED") => Trouble::Passing(message),
        Some("CURSOR_EXPIRED") => Trouble::CursorExpired,
        Some("UNAUTHENTICATED") => {
            let advice = "set LABQL_TOKEN to a valid token or API key";
            Trouble::Lasting(format!("{message}: {advice}"))
        }
        Some(_) => Trouble::Lasting(message),
        None => of_status(status, message),
    }
}

fn of_status(status: StatusCode, message: String) -> Trouble {
    match status.as_u16() {
        429 | 502..=504 => Trouble::Passing(message),
        _ => Trouble::Lasting(message),
    }
}

fn unreachable(error: &reqwest::Error) -> Trouble {
    let message = chain(error);
    if error.is_builder() {
        Trouble::Lasting(message)
    } else {
        Trouble::Passing(message)
    }
}

/// An error with its causes: its own text says little.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.ends_with(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    text
}

/// How far a file is; nothing of a small one.
fn bar(size: u64, path: &Path) -> ProgressBar {
    if size < LARGE {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(size).with_message(path.display().to_string());
    let form = "{msg} {bar:40} {bytes}/{total_bytes}, {eta} left";
    match ProgressStyle::with_template(form) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_a_server_has_many_forms() {
        for server in [
            "http://h:8080",
            "http://h:8080/",
            "http://h:8080/graphql",
            "http://h:8080/graphql/",
        ] {
            let client = Client::new(server, None);
            assert_eq!(client.map(|it| it.url("/x")), Ok("http://h:8080/x".into()));
        }
        assert!(Client::new("h:8080", None).is_err());
    }

    #[test]
    fn what_passes_is_told_from_what_lasts() {
        let of = |status: u16, answer: Value| {
            let status = StatusCode::from_u16(status).unwrap_or_default();
            data_of(status, answer)
        };
        let error = |code: &str| {
            let error = json!({ "message": "no", "extensions": { "code": code } });
            json!({ "errors": [error], "data": null })
        };
        assert_eq!(
            of(200, json!({ "data": { "a": 1 } })),
            Ok(json!({ "a": 1 }))
        );
        let passing = Err(Trouble::Passing("no".into()));
        assert_eq!(of(503, error("UNAVAILABLE")), passing);
        assert_eq!(of(200, error("RATE_LIMITED")), passing);
        assert_eq!(
            of(200, error("CURSOR_EXPIRED")),
            Err(Trouble::CursorExpired)
        );
        assert_eq!(
            of(400, error("BAD_INPUT")),
            Err(Trouble::Lasting("no".into()))
        );
        assert!(matches!(of(502, json!({})), Err(Trouble::Passing(_))));
        assert!(matches!(of(404, json!({})), Err(Trouble::Lasting(_))));
    }
}
