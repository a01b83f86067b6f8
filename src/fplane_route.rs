//! The old paths: focal planes as the clients of the HETDEX fplaneserver ask for them.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /fplane`, `GET /fplane/` | the file of the plane as it is now |
//! | `GET /fplane/{date}` | the file of the plane as it was then |
//! | `POST /fplane`, `POST /fplane/` | the file of the plane after a message of the telescope |
//!
//! Everybody may get a file, or whoever may read (`fplanes.open_files`), by `?actual_pos=1` with measured positions, by
//! `?full_fplane=0` only of the units in use. To change the plane takes a key, most often as `Authorization: FPS_API APIKEY=KEY`. What is refused is told as
//! `{"message": …}`: 400 what is wrong with the request, 401 that no key was shown, 403 that a key is not good.

#![expect(clippy::result_large_err, reason = "what is refused is an answer too")]

use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::auth::policy::{self, Refusal};
use crate::auth::{AuthError, Viewer};
use crate::downloads::conditions::{self, Verdict};
use crate::failure::{Failure, RejectionCode};
use crate::fplanes::model::{Plane, Positions};
use crate::fplanes::read::{moments, planes};
use crate::fplanes::readers::read_bool;
use crate::fplanes::text;
use crate::fplanes::write::{Author, update};
use crate::graphql::context::Services;
use crate::graphql::error::internal_server_error;
use crate::http::{HttpState, read_body_or};
use crate::links;

/// The instant of which the file is.
const AT: HeaderName = HeaderName::from_static("x-fplane-at");
/// Since when the plane has been as in the file; missing: nothing is known of before.
const VALID_FROM: HeaderName = HeaderName::from_static("x-fplane-valid-from");
/// When the plane becomes another; missing: nothing is known of after.
const VALID_UNTIL: HeaderName = HeaderName::from_static("x-fplane-valid-until");
/// Was the message kept?
const COMMITTED: HeaderName = HeaderName::from_static("x-fplane-committed");
/// How many slots differ from before.
const CHANGES: HeaderName = HeaderName::from_static("x-fplane-changes");
/// What is odd about the message; once for each.
const WARNING: HeaderName = HeaderName::from_static("x-fplane-warning");
/// How many warnings are told: clients bound the headers of an answer.
const MOST_WARNINGS: usize = 20;
/// How many characters of a text are told in a header.
const LONGEST_HEADER: usize = 200;

/// What the handlers share.
struct Shared {
    http: HttpState,
    services: Services,
}

/// The routes.
pub fn router(http: HttpState, services: Services) -> Router {
    let shared = Arc::new(Shared { http, services });
    let all = || get(now).post(change);
    Router::new()
        .route(links::FPLANE, all())
        .route(links::FPLANE_SLASH, all())
        .route(links::FPLANE_AT, get(then))
        .with_state(shared)
}

async fn now(
    State(shared): State<Arc<Shared>>,
    query: RawQuery,
    headers: HeaderMap,
) -> Result<Response, Response> {
    shared.show(Ok(None), &query, &headers).await
}

async fn then(
    State(shared): State<Arc<Shared>>,
    date: Result<Path<String>, PathRejection>,
    query: RawQuery,
    headers: HeaderMap,
) -> Result<Response, Response> {
    let date = match date {
        Ok(Path(date)) => Ok(Some(date)),
        Err(_) => Err(bad_request("the date in the path cannot be read")),
    };
    shared.show(date, &query, &headers).await
}

async fn change(
    State(shared): State<Arc<Shared>>,
    query: RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Response> {
    shared.update(&query, &headers, body).await
}

impl Shared {
    /// The file of the plane at a date; without one, as it is now.
    async fn show(
        &self,
        date: Result<Option<String>, Response>,
        query: &RawQuery,
        headers: &HeaderMap,
    ) -> Result<Response, Response> {
        // Whoever may not read learns nothing more.
        self.check_read(headers).await?;
        let date = date?;
        let asked = Asked::of(query.0.as_deref().unwrap_or_default())?;
        let (database, zone) = (&self.services.database, self.services.fplanes.night_zone);
        let date = date.as_deref();
        let as_of = moments::resolve(database, "date", date, None, zone, Utc::now()).await;
        let plane = planes::at(database, as_of.map_err(failed)?, asked.positions).await;
        let plane = plane.map_err(failed)?;
        let text = text::write(&plane.slots, asked.full);
        let etag = etag(&text);
        let mut told = told(&plane);
        told.insert(CACHE_CONTROL, self.cache_control());
        // Weak: compression changes the bytes, and not what they say.
        told.insert(ETAG, header(&format!("W/{etag}")));
        Ok(match conditions::verdict(headers, &header(&etag)) {
            Verdict::NotModified => (StatusCode::NOT_MODIFIED, told).into_response(),
            Verdict::Failed => refused(StatusCode::PRECONDITION_FAILED, "the plane is another one"),
            Verdict::Send => (told, text).into_response(),
        })
    }

    /// The file of the plane after a message of the telescope, which is kept if the request says so.
    async fn update(
        &self,
        query: &RawQuery,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<Response, Response> {
        let viewer = self.viewer(headers).await?;
        let user = policy::signed_in(&viewer).map_err(denied)?;
        let body = read_body_or(&self.http, headers, body).await;
        let body = body.map_err(|(status, message)| refused(status, message))?;
        let shown = Asked::of(query.0.as_deref().unwrap_or_default())?;
        let asked = Message::of(&body)?;
        let (database, settings) = (&self.services.database, &self.services.fplanes);
        let author = Author::User(user);
        let now = Utc::now();
        let done = update::update(
            database,
            settings,
            &author,
            &asked.config,
            asked.commit,
            now,
            Some(shown.positions),
        );
        let done = done.await;
        self.services.feed.wake();
        let done = done.map_err(failed)?;
        let mut told = told(&done.plane);
        told.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        told.insert(COMMITTED, header(&done.committed.to_string()));
        told.insert(CHANGES, HeaderValue::from(done.changes().count()));
        for warning in done.warnings.iter().take(MOST_WARNINGS) {
            told.append(WARNING, header(&warning.message));
        }
        let text = text::write(&done.plane.slots, shown.full);
        Ok((told, text).into_response())
    }

    /// Who asks. As the fplaneserver told: a key that is not good is 403, no key at all is for the policy.
    async fn viewer(&self, headers: &HeaderMap) -> Result<Arc<Viewer>, Response> {
        match self.http.authenticate(headers).await {
            Ok(viewer) => Ok(viewer),
            Err(AuthError::Rejected) => Err(refused(
                StatusCode::FORBIDDEN,
                "the credentials are not valid",
            )),
            Err(AuthError::Unavailable) => Err(busy("credentials cannot be checked at the moment")),
        }
    }

    /// Refuses who may not read.
    async fn check_read(&self, headers: &HeaderMap) -> Result<(), Response> {
        let viewer = self.viewer(headers).await?;
        self.may_read(&viewer).map_err(denied)
    }

    /// Files are open to everybody, as the fplaneserver's were, unless the settings say otherwise.
    fn may_read(&self, viewer: &Viewer) -> Result<(), Refusal> {
        if self.services.fplanes.open_files {
            return Ok(());
        }
        self.services.protection.check_read(viewer)
    }

    /// A plane of the past may be corrected: it may be kept, and is asked for again before it is used. Where nobody may read
    /// without a key, no cache keeps it for others.
    fn cache_control(&self) -> HeaderValue {
        let open = self.may_read(&Viewer::anonymous());
        HeaderValue::from_static(match open {
            Ok(()) => "public, no-cache",
            Err(_) => "private, no-cache",
        })
    }
}

/// What the query of a request asks for.
struct Asked {
    positions: Positions,
    full: bool,
}

impl Asked {
    fn of(query: &str) -> Result<Self, Response> {
        let flag = |name: &str, default: bool| {
            let mut pairs = form_urlencoded::parse(query.as_bytes());
            let Some((_, value)) = pairs.find(|(key, _)| key == name) else {
                return Ok(default);
            };
            match value.trim() {
                "" => Ok(default),
                word => read_bool(word).ok_or_else(|| bad_request(format!("{name}: {NO_BOOLEAN}"))),
            }
        };
        Ok(Self {
            positions: if flag("actual_pos", false)? {
                Positions::Measured
            } else {
                Positions::Nominal
            },
            full: flag("full_fplane", true)?,
        })
    }
}

/// What the body of an update says.
struct Message {
    config: Value,
    commit: bool,
}

impl Message {
    fn of(body: &[u8]) -> Result<Self, Response> {
        let body = serde_json::from_slice(body);
        let body = body.map_err(|error| bad_request(format!("the body is not JSON: {error}")))?;
        let Value::Object(mut body) = body else {
            return Err(bad_request("the body is no JSON object"));
        };
        let commit = match body.get("commit") {
            None | Some(Value::Null) => Some(false),
            Some(Value::Bool(commit)) => Some(*commit),
            Some(Value::Number(number)) => read_bool(&number.to_string()),
            Some(Value::String(word)) => read_bool(word),
            Some(_) => None,
        };
        let commit = commit.ok_or_else(|| bad_request(format!("commit: {NO_BOOLEAN}")))?;
        match body.remove("config") {
            Some(config @ Value::Object(_)) => Ok(Self { config, commit }),
            Some(_) => Err(bad_request("config: it is no JSON object")),
            None => Err(bad_request("config: it is missing")),
        }
    }
}

const NO_BOOLEAN: &str = "neither true (1, yes, on, t, y) nor false (0, no, off, f, n)";

/// What the headers tell of a plane.
fn told(plane: &Plane) -> HeaderMap {
    let time = |time: DateTime<Utc>| header(&time.to_rfc3339_opts(SecondsFormat::AutoSi, true));
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, plain), (AT, time(plane.at))]);
    if let Some(from) = plane.valid_from {
        headers.insert(VALID_FROM, time(from));
    }
    if let Some(until) = plane.valid_until {
        headers.insert(VALID_UNTIL, time(until));
    }
    headers
}

/// What tells one file from another.
fn etag(text: &str) -> String {
    let digest = Sha256::digest(text);
    let short: Vec<u8> = digest.iter().copied().take(16).collect();
    format!("\"{}\"", BASE64_URL_SAFE_NO_PAD.encode(short))
}

/// A text as the value of a header: what is no visible ASCII is not told.
fn header(text: &str) -> HeaderValue {
    let visible = |c: char| if matches!(c, ' '..='~') { c } else { '?' };
    let text: String = text.chars().take(LONGEST_HEADER).map(visible).collect();
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("?"))
}

/// What is refused, in the form of the fplaneserver.
fn refused(status: StatusCode, message: impl Into<String>) -> Response {
    let message: String = message.into();
    let mut answer = (status, Json(json!({ "message": message }))).into_response();
    let no_store = HeaderValue::from_static("no-store");
    answer.headers_mut().insert(CACHE_CONTROL, no_store);
    answer
}

fn bad_request(message: impl Into<String>) -> Response {
    refused(StatusCode::BAD_REQUEST, message)
}

fn busy(message: &str) -> Response {
    let refused = refused(StatusCode::SERVICE_UNAVAILABLE, message);
    ([(RETRY_AFTER, "5")], refused).into_response()
}

fn denied(refusal: Refusal) -> Response {
    match refusal {
        Refusal::Unauthenticated => {
            let mut answer = refused(StatusCode::UNAUTHORIZED, refusal.to_string());
            let scheme = HeaderValue::from_static("FPS_API");
            answer.headers_mut().insert(WWW_AUTHENTICATE, scheme);
            answer
        }
        Refusal::Forbidden => refused(StatusCode::FORBIDDEN, refusal.to_string()),
    }
}

/// What the domain did not do.
fn failed(failure: Failure) -> Response {
    match failure {
        Failure::Rejected(rejection) => {
            let status = match rejection.code {
                RejectionCode::BadInput | RejectionCode::TooComplex => StatusCode::BAD_REQUEST,
                RejectionCode::NotFound => StatusCode::NOT_FOUND,
                RejectionCode::Conflict => StatusCode::CONFLICT,
                RejectionCode::Unauthenticated => StatusCode::UNAUTHORIZED,
                RejectionCode::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            };
            refused(
                status,
                match rejection.field {
                    Some(field) => format!("{field}: {}", rejection.message),
                    None => rejection.message,
                },
            )
        }
        Failure::TooSlow(inside) => {
            tracing::warn!(error = inside, "a statement was stopped");
            busy("the database took too long")
        }
        Failure::Unavailable(inside)
        | Failure::Unwritable(inside)
        | Failure::SourceUnavailable(inside) => {
            tracing::error!(error = inside, "the database cannot be reached");
            busy("the database cannot be reached just now")
        }
        Failure::Internal(inside) => {
            // It is told to the log, with an id that finds it.
            let error = internal_server_error(inside);
            let id = error.extensions.as_ref().and_then(|it| it.get("errorId"));
            let id = id.map(ToString::to_string).unwrap_or_default();
            let message = format!("{} {}", error.message, id.trim_matches('"'));
            refused(StatusCode::INTERNAL_SERVER_ERROR, message)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_read_as_people_write_them() {
        let asked = |query| Asked::of(query).map(|it| (it.positions, it.full)).ok();
        let (nominal, measured) = (Positions::Nominal, Positions::Measured);
        for (query, expected) in [
            ("", Some((nominal, true))),
            ("actual_pos=1&full_fplane=0", Some((measured, false))),
            ("full_fplane=No&actual_pos=%54RUE", Some((measured, false))),
            ("actual_pos=&other=x", Some((nominal, true))),
            ("actual_pos=0&actual_pos=1", Some((nominal, true))),
            ("actual_pos=2", None),
            ("full_fplane=%00", None),
        ] {
            assert_eq!(asked(query), expected, "{query}");
        }
    }

    #[test]
    fn a_message_is_kept_only_if_that_is_said() {
        let commit = |body: &str| Message::of(body.as_bytes()).map(|it| it.commit).ok();
        for (body, expected) in [
            (r#"{"config": {}}"#, Some(false)),
            (r#"{"config": {}, "commit": null}"#, Some(false)),
            (r#"{"config": {}, "commit": true}"#, Some(true)),
            (r#"{"config": {}, "commit": 1}"#, Some(true)),
            (r#"{"config": {}, "commit": " Yes "}"#, Some(true)),
            (r#"{"config": {}, "commit": "off"}"#, Some(false)),
            (r#"{"config": {}, "commit": 2}"#, None),
            (r#"{"config": {}, "commit": []}"#, None),
            (r#"{"config": "{}", "commit": true}"#, None),
            (r#"{"commit": true}"#, None),
            ("[]", None),
            ("", None),
            ("{\"config\": {}", None),
        ] {
            assert_eq!(commit(body), expected, "{body}");
        }
        let deep = "[".repeat(100_000);
        assert_eq!(commit(&deep), None);
        assert!(Message::of(b"{\"config\": \xff}").is_err());
    }

    #[test]
    fn headers_hold_visible_signs_alone() {
        assert_eq!(
            header("slot 021\r\nSet-Cookie: é"),
            "slot 021??Set-Cookie: ?"
        );
        assert_eq!(header(&"x".repeat(1_000)).len(), LONGEST_HEADER);
    }
}
