//! Items of datasets.
//!
//! An item is what the manifest says: its hash is the validator of its content, and a file of another size is none. Bytes of
//! buckets do not go through labql: the answer leads to a signed URL.

use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, LOCATION};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::{Asked, Downloads, Stored, failed, headers, no_file, place, text};
use crate::datasets::read::Reader;
use crate::datasets::read::content::{self, ItemContent};
use crate::datasets::readers::{DatasetUri, Part, ReadError, Store};
use crate::graphql::error::ErrorCode;
use crate::graphql::id::GlobalId;
use crate::http::{Authenticated, refusal};

/// The longest that a signed URL may be good.
const LONGEST: u32 = 7 * 24 * 3600;

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
        let settings = &downloads.services.storage;
        let store = Store::open(uri.base(), settings).map_err(|error| {
            tracing::debug!(%uri, %error, "its items are out of reach");
            out_of_reach()
        })?;
        let sent = place(&downloads.sent)?;
        let opened = store.item_file(&uri, &item.relpath).await;
        if let Some(file) = opened.map_err(|error| broken(&error))? {
            stored(file, &item)?.send(&asked, sent).await
        } else {
            let seconds = settings.signed_url_seconds.clamp(1, LONGEST);
            let lifetime = Duration::from_secs(seconds.into());
            let urls = store
                .signed_urls(&uri, &[Part::Item(&identifier)], lifetime)
                .await;
            let urls = urls.map_err(|error| broken(&error))?.unwrap_or_default();
            elsewhere(urls.first().ok_or_else(no_file)?)
        }
    };
    answer.await.unwrap_or_else(|refused| refused)
}

/// The file of an item, unless it is not any more what was frozen.
fn stored(file: std::fs::File, item: &ItemContent) -> Result<Stored, Response> {
    let size = file
        .metadata()
        .map_err(|error| broken(&error.into()))?
        .len();
    if i64::try_from(size).ok() != Some(item.size_bytes) {
        let message = format!(
            "the item has changed since the dataset was frozen: it had {} bytes, and has {size}",
            item.size_bytes
        );
        let status = StatusCode::BAD_GATEWAY;
        return Err(refusal(status, ErrorCode::SourceBroken, message));
    }
    let etag = etag(&item.hash);
    let name = item.relpath.rsplit('/').find(|part| !part.is_empty());
    let name = name.unwrap_or("item");
    Ok(Stored {
        headers: headers("application/octet-stream", &etag, name),
        file,
        size,
        etag,
    })
}

/// The hash of the content, as the manifest has it. What is no plain word is hashed once more.
fn etag(hash: &str) -> HeaderValue {
    if !hash.is_empty() && hash.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return text(&format!("\"{hash}\""));
    }
    let digest = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(hash));
    text(&format!("\"{digest}\""))
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
fn broken(error: &ReadError) -> Response {
    match error {
        ReadError::Missing | ReadError::Hostile(_) => no_file(),
        other => {
            tracing::warn!(error = %other, "an item that was asked for cannot be read");
            let message = "the item cannot be read";
            refusal(StatusCode::BAD_GATEWAY, ErrorCode::SourceBroken, message)
        }
    }
}
