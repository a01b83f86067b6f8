//! Files over HTTP, whole or in ranges, behind the same guard as everything else: logs of experiments, items of datasets, what
//! people bring for runs, and what runs give.
//!
//! | path | |
//! | --- | --- |
//! | `/files/experiments/{expid}/logs/{name}` | a log of a job |
//! | `/files/experiments/{expid}/aslogs/{name}` | a log of Autosubmit itself |
//! | `/files/datasets/{id}/items/{identifier}` | an item of a dataset, or where in a bucket it is |
//! | `/files/uploads` | takes a file for runs (`POST`) |
//! | `/files/uploads/{key}` | a file that was brought |
//! | `/files/runs/{run}/results/{name}` | a file that a run gave |
//! | `/files/runs/{run}/archive` | all of them |
//!
//! A file is sent as it is stored, in pieces: neither its size nor the speed of a client costs memory.

#![expect(clippy::result_large_err, reason = "what is refused is an answer too")]

mod archive;
mod body;
pub(crate) mod conditions;
mod items;
mod logs;
mod range;
mod runs;
mod uploads;

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRef, RawQuery, State};
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE,
    ETAG, RANGE, RETRY_AFTER,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;

use self::conditions::Verdict;
use self::range::Range;
use crate::beneath::Beneath;
use crate::failure::{Failure, RejectionCode};
use crate::graphql::context::Services;
use crate::graphql::error::ErrorCode;
use crate::http::{Authenticated, HttpState, busy, failed, fault, refusal};
use crate::links;

/// Files that are sent at once; each holds a file descriptor and a piece of its content.
const MOST_DOWNLOADS: usize = 256;
/// Files that are unpacked at once; each decoder may hold as much memory as the file asks for, up to 128 MiB.
const MOST_UNPACKED: usize = 4;
/// Archives that are made at once: compressing keeps a processor busy.
const MOST_PACKED: usize = 8;
/// Files that are brought at once.
const MOST_BROUGHT: usize = 64;

/// What the handlers share.
#[derive(Clone)]
struct Downloads {
    http: HttpState,
    services: Services,
    sent: Arc<Semaphore>,
    unpacked: Arc<Semaphore>,
    packed: Arc<Semaphore>,
    brought: Arc<Semaphore>,
}

impl FromRef<Downloads> for HttpState {
    fn from_ref(downloads: &Downloads) -> Self {
        downloads.http.clone()
    }
}

/// The routes of files.
pub fn router(http: HttpState, services: Services) -> Router {
    let downloads = Downloads {
        http,
        services,
        sent: Arc::new(Semaphore::new(MOST_DOWNLOADS)),
        unpacked: Arc::new(Semaphore::new(MOST_UNPACKED)),
        packed: Arc::new(Semaphore::new(MOST_PACKED)),
        brought: Arc::new(Semaphore::new(MOST_BROUGHT)),
    };
    Router::new()
        .route(links::JOB_LOG, get(logs::of_job))
        .route(links::AUTOSUBMIT_LOG, get(logs::of_autosubmit))
        .route(links::DATASET_ITEM, get(items::item))
        .route(links::UPLOADS, post(uploads::bring))
        .route(links::UPLOAD, get(uploads::upload))
        .route(links::RUN_RESULT, get(runs::result))
        .route(links::RUN_ARCHIVE, get(runs::archive))
        .route("/files/{*path}", get(nothing))
        .with_state(downloads)
}

/// Nobody learns which paths there are without a token.
async fn nothing(State(downloads): State<Downloads>, viewer: Authenticated) -> Response {
    downloads.check_read(&viewer).err().unwrap_or_else(no_file)
}

/// The parts of a request that decide on the form of the answer.
#[derive(axum::extract::FromRequestParts)]
struct Asked {
    method: Method,
    headers: HeaderMap,
    query: RawQuery,
}

impl Asked {
    /// `?decompress` or `?decompress=true`.
    fn decompress(&self) -> bool {
        let query = self.query.0.as_deref().unwrap_or_default();
        query
            .split('&')
            .any(|pair| matches!(pair, "decompress" | "decompress=" | "decompress=true"))
    }

    /// Ranges are defined for GET alone (RFC 9110, 14.2).
    fn range(&self, etag: &HeaderValue, size: u64) -> Range {
        let mut sent = self.headers.get_all(RANGE).iter();
        match (sent.next(), sent.next()) {
            (Some(value), None)
                if self.method == Method::GET && conditions::allow_range(&self.headers, etag) =>
            {
                range::parse(value.as_bytes(), size)
            }
            _ => Range::Whole,
        }
    }
}

impl Downloads {
    fn check_read(&self, viewer: &Authenticated) -> Result<(), Response> {
        let level = self.services.protection;
        level.check_read(&viewer.0).map_err(|refused| {
            let code = ErrorCode::Unauthenticated;
            refusal(StatusCode::UNAUTHORIZED, code, refused.to_string())
        })
    }
}

/// A file that is open, and what its headers say.
struct Stored {
    file: File,
    size: u64,
    etag: HeaderValue,
    headers: HeaderMap,
}

impl Stored {
    /// The file, or a range of it.
    async fn send(self, asked: &Asked, place: OwnedSemaphorePermit) -> Result<Response, Response> {
        let Self {
            file,
            size,
            etag,
            mut headers,
        } = self;
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        if let Some(answer) = decided(asked, &etag, &headers) {
            return Ok(answer);
        }
        let (status, from, length) = match asked.range(&etag, size) {
            Range::Whole => (StatusCode::OK, 0, size),
            Range::Part { first, last } => {
                headers.insert(CONTENT_RANGE, text(&format!("bytes {first}-{last}/{size}")));
                (StatusCode::PARTIAL_CONTENT, first, last - first + 1)
            }
            Range::Unsatisfiable => {
                let message = format!("the file has {size} bytes");
                let status = StatusCode::RANGE_NOT_SATISFIABLE;
                let mut refused = refusal(status, ErrorCode::BadInput, message);
                let of = text(&format!("bytes */{size}"));
                refused.headers_mut().insert(CONTENT_RANGE, of);
                return Err(refused);
            }
        };
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        let body = body::stored(file, from, length, place).await;
        let body = body.map_err(|error| logs::broken(&error.into()))?;
        Ok((status, headers, body).into_response())
    }
}

/// A file of labql's own: below a folder, and of this size.
async fn stored(folder: PathBuf, path: String, size: u64) -> Result<File, Response> {
    let open = move || {
        let folder = Beneath::open(&folder.canonicalize()?)?;
        archive::file_of_size(&folder, &path, size)
    };
    let opened: io::Result<File> = spawn_blocking(open).await.map_err(fault)?;
    opened.map_err(|error| logs::broken(&error.into()))
}

/// Why flows do not do what was asked of them. 413: it is too large.
fn refused(failure: Failure) -> Response {
    let Failure::Rejected(rejection) = failure else {
        return failed(failure);
    };
    let (status, code) = match rejection.code {
        RejectionCode::BadInput => (StatusCode::BAD_REQUEST, ErrorCode::BadInput),
        RejectionCode::Conflict => (StatusCode::CONFLICT, ErrorCode::Conflict),
        RejectionCode::NotFound => (StatusCode::NOT_FOUND, ErrorCode::NotFound),
        RejectionCode::Unauthenticated => (StatusCode::UNAUTHORIZED, ErrorCode::Unauthenticated),
        RejectionCode::RateLimited => (StatusCode::TOO_MANY_REQUESTS, ErrorCode::RateLimited),
        RejectionCode::TooComplex => (StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::TooComplex),
    };
    let refused = refusal(status, code, rejection.message);
    if status == StatusCode::TOO_MANY_REQUESTS {
        return ([(RETRY_AFTER, "60")], refused).into_response();
    }
    refused
}

/// The answer, if the conditions of the request decide on it without the file's content.
fn decided(asked: &Asked, etag: &HeaderValue, headers: &HeaderMap) -> Option<Response> {
    match conditions::verdict(&asked.headers, etag) {
        Verdict::Send => None,
        Verdict::NotModified => Some((StatusCode::NOT_MODIFIED, headers.clone()).into_response()),
        Verdict::Failed => Some(refusal(
            StatusCode::PRECONDITION_FAILED,
            ErrorCode::Conflict,
            "the file has changed",
        )),
    }
}

fn headers(media_type: &str, etag: &HeaderValue, name: &str) -> HeaderMap {
    const UNKNOWN: HeaderValue = HeaderValue::from_static("application/octet-stream");
    let disposition = format!("attachment; filename*=UTF-8''{}", links::segment(name));
    HeaderMap::from_iter([
        (
            CONTENT_TYPE,
            HeaderValue::from_str(media_type).unwrap_or(UNKNOWN),
        ),
        (CONTENT_DISPOSITION, text(&disposition)),
        // For who asked, and only after it was asked whether it is still the same.
        (CACHE_CONTROL, HeaderValue::from_static("private, no-cache")),
        (ETAG, etag.clone()),
    ])
}

/// What tells one state of a file from another; what it is made of cannot be told from it.
fn digest(stamp: &str) -> String {
    let hash = Sha256::digest(stamp);
    let short = hash.iter().copied().take(16).collect::<Vec<u8>>();
    BASE64_URL_SAFE_NO_PAD.encode(short)
}

/// All texts of headers here are made of visible ASCII.
fn text(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).unwrap_or(HeaderValue::from_static(""))
}

fn place(places: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Response> {
    let place = Arc::clone(places).try_acquire_owned();
    place.map_err(|_full| busy("too many files are under way: try again later"))
}

fn no_file() -> Response {
    let message = "there is no such file";
    refusal(StatusCode::NOT_FOUND, ErrorCode::NotFound, message)
}
