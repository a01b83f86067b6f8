//! Items of datasets.
//!
//! An item is what the manifest says: a file of another size is none. Bytes of buckets do not go through labql: the answer leads
//! to a signed URL.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, LOCATION};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::{Asked, Downloads, Stored, digest, headers, no_file, place, text};
use crate::datasets::read::Reader;
use crate::datasets::read::content::{self, FrozenItem};
use crate::datasets::readers::{DatasetUri, ReadError};
use crate::graphql::error::ErrorCode;
use crate::graphql::id::GlobalId;
use crate::http::{Authenticated, failed, refusal};

/// `GET` and `HEAD` of an item.
pub(super) async fn item(
    State(downloads): State<Downloads>,
    viewer: Authenticated,
    names: Result<Path<(String, String)>, PathRejection>,
    asked: Asked,
) -> Response {
    let answer = async {
        downloads.check_read(&viewer)?;
        let Path((dataset, identifier)) = names.map_err(|_| no_file())?;
        let Some(GlobalId::Dataset(uri)) = GlobalId::decode(&dataset.into()) else {
            return Err(no_file());
        };
        let (database, reader) = (&downloads.services.database, Reader::of(&viewer.0));
        let found = content::item(database, reader, &uri, &identifier).await;
        let item = found.map_err(failed)?.ok_or_else(no_file)?;
        let uri = DatasetUri::parse(&uri).map_err(|_| out_of_reach())?;
        let storage = &downloads.services.storage;
        let store = storage.open(uri.base()).await.map_err(|error| {
            tracing::debug!(%uri, %error, "its items are out of reach");
            out_of_reach()
        })?;
        let sent = place(&downloads.sent)?;
        let broken = |error: ReadError| broken(&uri, &item.relpath, &error);
        if let Some(file) = store.item_file(&uri, &item.relpath).await.map_err(broken)? {
            let metadata = file.metadata().map_err(|error| broken(error.into()))?;
            stored(file, &metadata, &item)?.send(&asked, sent).await
        } else {
            // A signature is for one method.
            let (method, lifetime) = (asked.method.clone(), storage.signed_url_lifetime());
            let url = store.signed_item(&uri, &identifier, method, lifetime).await;
            elsewhere(&url.map_err(broken)?.ok_or_else(no_file)?)
        }
    };
    answer.await.unwrap_or_else(|refused| refused)
}

/// The file of an item, unless it is not any more what was frozen.
fn stored(file: std::fs::File, metadata: &Metadata, item: &FrozenItem) -> Result<Stored, Response> {
    let size = metadata.len();
    if i64::try_from(size).ok() != Some(item.size_bytes) {
        let message = format!(
            "the item has changed since the dataset was frozen: it had {} bytes, and has {size}",
            item.size_bytes
        );
        let status = StatusCode::BAD_GATEWAY;
        return Err(refusal(status, ErrorCode::SourceBroken, message));
    }
    let etag = etag(&item.hash, metadata);
    let name = item.relpath.rsplit('/').find(|part| !part.is_empty());
    let name = name.unwrap_or("item");
    Ok(Stored {
        headers: headers("application/octet-stream", &etag, name),
        file,
        size,
        etag,
    })
}

/// A strong validator: the hash of the content as the manifest has it, where that is a plain word, and one of the file, which
/// somebody may have changed since.
fn etag(hash: &str, file: &Metadata) -> HeaderValue {
    let stamp = format!(
        "{hash} {} {} {}.{} {}.{}",
        file.ino(),
        file.len(),
        file.mtime(),
        file.mtime_nsec(),
        file.ctime(),
        file.ctime_nsec(),
    );
    let stamp = digest(&stamp);
    let is_word = !hash.is_empty() && hash.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_word {
        text(&format!("\"{hash}-{stamp}\""))
    } else {
        text(&format!("\"{stamp}\""))
    }
}

/// What is good for a while only is not to be kept.
fn elsewhere(url: &str) -> Result<Response, Response> {
    let location = HeaderValue::from_str(url).map_err(|_| no_file())?;
    let headers = [
        (LOCATION, location),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((StatusCode::TEMPORARY_REDIRECT, headers).into_response())
}

fn out_of_reach() -> Response {
    let message = "the items of this dataset are not within reach of this server";
    refusal(StatusCode::NOT_FOUND, ErrorCode::NotFound, message)
}

/// What is not there and what must not be seen look alike.
fn broken(uri: &DatasetUri, relpath: &str, error: &ReadError) -> Response {
    match error {
        ReadError::Missing | ReadError::Hostile(_) => no_file(),
        other => {
            tracing::warn!(%uri, relpath, error = %other, "an item that was asked for cannot be read");
            let message = "the item cannot be read";
            refusal(StatusCode::BAD_GATEWAY, ErrorCode::SourceBroken, message)
        }
    }
}
