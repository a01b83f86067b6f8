//! Logs of experiments. With `?decompress` a log that is compressed (gzip, xz) is unpacked on the way, and then has no ranges.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header::ACCEPT_RANGES;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use nix::libc;
use tokio::sync::OwnedSemaphorePermit;

use super::{
    Asked, Downloads, Stored, body, decided, digest, failed, headers, no_file, place, text,
};
use crate::experiments::read::logs;
use crate::experiments::readers::{Compression, LogFolder, OpenLog, SourceError};
use crate::graphql::error::ErrorCode;
use crate::http::{Authenticated, refusal};

type Names = Result<Path<(String, String)>, PathRejection>;

/// `GET` and `HEAD` of a log of a job.
pub(super) async fn of_job(
    State(downloads): State<Downloads>,
    viewer: Authenticated,
    names: Names,
    asked: Asked,
) -> Response {
    log(&downloads, &viewer, LogFolder::Jobs, names, &asked).await
}

/// `GET` and `HEAD` of a log of Autosubmit itself.
pub(super) async fn of_autosubmit(
    State(downloads): State<Downloads>,
    viewer: Authenticated,
    names: Names,
    asked: Asked,
) -> Response {
    log(&downloads, &viewer, LogFolder::Autosubmit, names, &asked).await
}

async fn log(
    downloads: &Downloads,
    viewer: &Authenticated,
    folder: LogFolder,
    names: Names,
    asked: &Asked,
) -> Response {
    let answer = async {
        downloads.check_read(viewer)?;
        let Path((expid, name)) = names.map_err(|_| bad_name())?;
        let sent = place(&downloads.sent)?;
        let log = open(downloads, folder, &expid, &name).await?;
        match log.compression {
            Some(compression) if asked.decompress() => {
                let unpacked = place(&downloads.unpacked)?;
                unpack(asked, log, compression, &name, (sent, unpacked)).await
            }
            _ => send(asked, log, &name, sent).await,
        }
    };
    answer.await.unwrap_or_else(|refused| refused)
}

/// A log as it is stored, or a range of it.
async fn send(
    asked: &Asked,
    log: OpenLog,
    name: &str,
    place: OwnedSemaphorePermit,
) -> Result<Response, Response> {
    let etag = etag(&log, "");
    let headers = headers(media_type(log.compression), &etag, name);
    let file = Stored {
        size: log.stamp.size,
        file: log.file.into_std(),
        etag,
        headers,
    };
    file.send(asked, place).await
}

async fn open(
    downloads: &Downloads,
    folder: LogFolder,
    expid: &str,
    name: &str,
) -> Result<OpenLog, Response> {
    if expid.contains('\0') || name.contains(['/', '\0']) || matches!(name, "" | "." | "..") {
        return Err(bad_name());
    }
    let root = logs::root_of(&downloads.services.database, expid).await;
    let root = root.map_err(failed)?.ok_or_else(no_file)?;
    let opened = logs::open(root, folder, name).await;
    opened.map_err(|error| broken(&error))
}

/// The content of a compressed file.
async fn unpack(
    asked: &Asked,
    log: OpenLog,
    compression: Compression,
    name: &str,
    places: (OwnedSemaphorePermit, OwnedSemaphorePermit),
) -> Result<Response, Response> {
    let etag = etag(&log, "-plain");
    let name = name
        .strip_suffix(".gz")
        .or_else(|| name.strip_suffix(".xz"))
        .unwrap_or(name);
    let mut headers = headers(media_type(None), &etag, name);
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("none"));
    if let Some(answer) = decided(asked, &etag, &headers) {
        return Ok(answer);
    }
    let body = body::unpacked(log.file, compression, places).await;
    let body = body.map_err(|error| broken(&error))?;
    Ok((headers, body).into_response())
}

const fn media_type(compression: Option<Compression>) -> &'static str {
    match compression {
        None => "text/plain; charset=utf-8",
        Some(Compression::Gzip) => "application/gzip",
        Some(Compression::Xz) => "application/x-xz",
    }
}

/// A strong validator (RFC 9110, 8.8.1): a file that was written, replaced or touched has another one. What it is made of
/// cannot be told from it.
fn etag(log: &OpenLog, form: &str) -> HeaderValue {
    let stamp = digest(&log.stamp.to_string());
    text(&format!("\"{stamp}{form}\""))
}

fn bad_name() -> Response {
    let message = "not the name of a file";
    refusal(StatusCode::BAD_REQUEST, ErrorCode::BadInput, message)
}

/// What is not there and what must not be seen look alike.
pub(super) fn broken(error: &SourceError) -> Response {
    match error {
        SourceError::Missing | SourceError::Hostile(_) | SourceError::Foreign(_) => no_file(),
        // Links in a circle, or a name that no file can have.
        SourceError::Unreadable(error)
            if matches!(error.raw_os_error(), Some(libc::ELOOP | libc::ENAMETOOLONG)) =>
        {
            no_file()
        }
        SourceError::Corrupt(_) => {
            let message = "the file is damaged and cannot be decompressed";
            refusal(StatusCode::BAD_GATEWAY, ErrorCode::SourceBroken, message)
        }
        other => {
            tracing::warn!(error = %other, "a file that was asked for cannot be read");
            let message = "the file cannot be read";
            refusal(StatusCode::BAD_GATEWAY, ErrorCode::SourceBroken, message)
        }
    }
}
