//! `/playground`: GraphiQL, out of the binary. `/schema.graphql`: the contract.
//!
//! The bundle loads nothing from another host, and its Content-Security-Policy makes sure of it.

use axum::{
    extract::{Path, State},
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH},
    },
    response::{IntoResponse, Redirect, Response},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD as URL_SAFE_NO_PAD};
use rust_embed::{EmbeddedFile, RustEmbed};

use super::HttpState;

/// What `make playground` builds; the folder may be missing.
#[derive(RustEmbed)]
#[folder = "playground/dist"]
#[allow_missing = true]
struct Bundle;

/// Monaco, GraphiQL's editor, sets styles from its code and runs its languages in workers.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    worker-src 'self' blob:; connect-src 'self'; font-src 'self' data:; \
    img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

const NOT_BUILT: &str = "<!doctype html>
<html lang=\"en\">
<meta charset=\"utf-8\">
<title>labql</title>
<style>body { font: 1rem/1.5 sans-serif; margin: 4rem auto; max-width: 36rem }</style>
<h1>The playground is not built</h1>
<p>This binary was built without it. To have it, run <code>make playground</code> and build again.</p>
<p>The API itself is at <a href=\"/graphql\"><code>/graphql</code></a>, its schema at
<a href=\"/schema.graphql\"><code>/schema.graphql</code></a>.</p>
</html>
";

/// The bundle's links are relative to its folder.
pub(super) async fn enter() -> Redirect {
    Redirect::permanent("/playground/")
}

pub(super) async fn index(headers: HeaderMap) -> Response {
    match Bundle::get("index.html") {
        Some(file) => send(&headers, file, false),
        None => page(StatusCode::OK, "text/html; charset=utf-8", NOT_BUILT.into()),
    }
}

pub(super) async fn asset(headers: HeaderMap, Path(path): Path<String>) -> Response {
    // Vite writes the hash of a file's content into the names of what it puts here.
    let immutable = path.starts_with("assets/");
    match Bundle::get(&path) {
        Some(file) => send(&headers, file, immutable),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

pub(super) async fn schema(State(state): State<HttpState>) -> Response {
    match &state.sdl {
        Some(sdl) => (
            [(CONTENT_TYPE, "application/graphql; charset=utf-8")],
            sdl.clone(),
        )
            .into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn send(headers: &HeaderMap, file: EmbeddedFile, immutable: bool) -> Response {
    let opaque = format!(
        "\"{}\"",
        URL_SAFE_NO_PAD.encode(file.metadata.sha256_hash())
    );
    let mut media = file.metadata.mimetype().to_owned();
    if media.starts_with("text/") {
        media.push_str("; charset=utf-8");
    }
    let known = headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|sent| sent.trim().trim_start_matches("W/") == opaque || sent.trim() == "*");
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        page(StatusCode::OK, &media, file.data.into_owned())
    };
    let headers = response.headers_mut();
    // A browser lets the headers of "not modified" replace those that it has kept.
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    // Weak, because the layer that compresses keeps it.
    if let Ok(tag) = HeaderValue::from_str(&format!("W/{opaque}")) {
        headers.insert(ETAG, tag);
    }
    headers.insert(
        CACHE_CONTROL,
        HeaderValue::from_static(if immutable {
            "public, max-age=31536000, immutable"
        } else {
            "no-cache"
        }),
    );
    response
}

fn page(status: StatusCode, media: &str, body: Vec<u8>) -> Response {
    let media = HeaderValue::from_str(media)
        .unwrap_or(HeaderValue::from_static("application/octet-stream"));
    let policy = HeaderValue::from_static(POLICY);
    let headers = [(CONTENT_TYPE, media), (CONTENT_SECURITY_POLICY, policy)];
    (status, headers, body).into_response()
}
