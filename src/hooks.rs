//! What other services tell labql over HTTP.
//!
//! | path | |
//! | --- | --- |
//! | `POST /hooks/datasets/s3` | storage tells of changes in buckets |
//!
//! Whoever tells has no account: they come from an allowed address and show a secret. What is accepted is in the database
//! before it is answered, so nobody has to tell it again.

#![expect(clippy::result_large_err, reason = "what is refused is an answer too")]

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use crate::datasets::notifications::{self, Inbox, Message, Noted, Record, Webhook};
use crate::datasets::readers::{DatasetUri, Place, Storage};
use crate::graphql::error::ErrorCode;
use crate::http::{self, HttpState, failed, read_body, refusal};
use crate::links;

/// How many of the events that are refused are told of.
const MOST_TOLD: usize = 5;

/// What the handler needs.
struct Hook {
    http: HttpState,
    webhook: Webhook,
    inbox: Inbox,
    storage: Arc<Storage>,
}

/// The routes.
pub fn router(http: HttpState, webhook: Webhook, inbox: Inbox, storage: Arc<Storage>) -> Router {
    let hook = Hook {
        http,
        webhook,
        inbox,
        storage,
    };
    Router::new()
        .route(links::S3_NOTIFICATIONS, post(s3))
        .with_state(Arc::new(hook))
}

async fn s3(
    State(hook): State<Arc<Hook>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let answer = async {
        hook.check(peer.ip(), &headers)?;
        let body = read_body(&hook.http, &headers, body).await?;
        let message = notifications::read(&body, is_form(&headers));
        let message = message.map_err(|problem| {
            told(peer.ip(), &problem);
            bad_input(problem)
        })?;
        match message {
            Message::Events(events) => hook.note(peer.ip(), events).await,
            Message::Confirmation { topic, url } => {
                // labql opens no address that it is told: it could lead anywhere.
                tracing::warn!(topic, url, "to be told by this topic, open this URL");
                Ok(accepted(0, 0))
            }
            Message::Nothing => Ok(accepted(0, 0)),
        }
    };
    answer.await.unwrap_or_else(|refused| refused)
}

impl Hook {
    /// Refuses who is not allowed to tell.
    fn check(&self, peer: IpAddr, headers: &HeaderMap) -> Result<(), Response> {
        let peer = peer.to_canonical();
        if !self.webhook.allows(peer) {
            let message = format!("nothing is taken from {peer}: see datasets.webhook.allow_from");
            told(peer, &message);
            return Err(refusal(
                StatusCode::FORBIDDEN,
                ErrorCode::Forbidden,
                message,
            ));
        }
        if shown(headers).is_some_and(|shown| self.webhook.is_secret(&shown)) {
            return Ok(());
        }
        let message = "the secret of the webhook is missing or wrong";
        told(peer, message);
        let (status, code) = (StatusCode::UNAUTHORIZED, ErrorCode::Unauthenticated);
        let mut refused = refusal(status, code, message);
        let basic = HeaderValue::from_static("Basic realm=\"labql\"");
        refused.headers_mut().append(WWW_AUTHENTICATE, basic);
        Err(refused)
    }

    /// Notes which datasets are to be read anew. One event that is refused keeps no other from being noted.
    async fn note(
        &self,
        peer: IpAddr,
        events: Vec<Result<Record, String>>,
    ) -> Result<Response, Response> {
        let mut datasets: BTreeSet<DatasetUri> = BTreeSet::new();
        let mut problems: BTreeSet<String> = BTreeSet::new();
        let mut ignored = 0_u64;
        for event in events {
            match event {
                Ok(record) if record.datasets.is_empty() => ignored += 1,
                Ok(record) if self.may_read(&record) => datasets.extend(record.datasets),
                Ok(record) => {
                    let bucket = record.bucket;
                    problems.insert(format!("{bucket}: it is not among datasets.buckets"));
                }
                Err(problem) => {
                    problems.insert(problem);
                }
            }
        }
        let noted = self.inbox.note(&datasets, self.webhook.max_waiting).await;
        let Noted::All { unknown } = noted.map_err(failed)? else {
            told(peer, "too many datasets wait to be read");
            return Err(busy());
        };
        datasets.retain(|dataset| !unknown.contains(dataset.base()));
        let unknown = unknown.iter();
        problems.extend(unknown.map(|bucket| format!("{bucket}: it is no registered base URI")));
        let count = |outcome, number: usize| {
            metrics::counter!("labql_dataset_notifications_total", "outcome" => outcome)
                .increment(u64::try_from(number).unwrap_or(u64::MAX));
        };
        count("accepted", datasets.len());
        count("ignored", usize::try_from(ignored).unwrap_or(usize::MAX));
        count("refused", problems.len());
        if problems.is_empty() {
            tracing::debug!(%peer, accepted = datasets.len(), ignored, "told by storage");
            return Ok(accepted(datasets.len(), ignored));
        }
        let named: Vec<String> = problems.iter().take(MOST_TOLD).cloned().collect();
        let mut message = named.join("; ");
        if let more @ 1.. = problems.len() - named.len() {
            message = format!("{message}; and {more} more");
        }
        told(peer, &message);
        let rest = format!(
            "{message} (datasets accepted nevertheless: {})",
            datasets.len()
        );
        Err(bad_input(rest))
    }

    fn may_read(&self, record: &Record) -> bool {
        match record.bucket.place() {
            Place::Bucket(name) => self.storage.has_bucket(name),
            Place::Folder(_) => false,
        }
    }
}

/// The secret that a request shows: a bearer token (`MinIO`), or the password of basic authentication (SNS, Ceph,
/// `StorageGRID`), whatever the name.
fn shown(headers: &HeaderMap) -> Option<Vec<u8>> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let (scheme, rest) = value.to_str().ok()?.split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.into());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = BASE64_STANDARD.decode(rest).ok()?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    Some(pair.get(colon + 1..)?.to_owned())
}

fn is_form(headers: &HeaderMap) -> bool {
    let media = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let media = media.and_then(|it| it.split(';').next()).map(str::trim);
    media.is_some_and(|it| it.eq_ignore_ascii_case("application/x-www-form-urlencoded"))
}

/// The answer to what was accepted: so many datasets will be read, so many events are about nothing in the register.
fn accepted(datasets: usize, ignored: u64) -> Response {
    let counts = json!({ "accepted": datasets, "ignored": ignored });
    (StatusCode::ACCEPTED, Json(counts)).into_response()
}

fn bad_input(message: impl Into<String>) -> Response {
    refusal(StatusCode::BAD_REQUEST, ErrorCode::BadInput, message)
}

fn busy() -> Response {
    http::busy("too many datasets wait to be read: try again later")
}

/// Who tells gets an answer, and administrators a line in the log.
fn told(peer: IpAddr, problem: &str) {
    tracing::warn!(%peer, problem, "a notification of storage was refused");
}
