//! Files that people bring for their runs, and their way back.
//!
//! `POST /files/uploads?group=ID&name=NAME` takes the bytes of a file as its body: as many as `flows.files.upload_mib` allows, and
//! none of them longer in memory than it takes to write them down. Without a group the file is its bringer's own: an archive with
//! a template.

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::{Asked, Downloads, Stored, headers, no_file, place, refused, stored, text};
use crate::auth::policy;
use crate::flows::read::uploads;
use crate::flows::rights::Asker;
use crate::flows::write::uploads::{self as write, Incoming};
use crate::graphql::error::ErrorCode;
use crate::graphql::id::GlobalId;
use crate::http::{Authenticated, Pieces, failed, refusal};
use crate::links;

/// `POST` of a file.
pub(super) async fn bring(
    State(downloads): State<Downloads>,
    viewer: Authenticated,
    query: RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let mut pieces = Pieces::of(&downloads.http, &headers, body);
    let answer = async {
        // Counted from here: whoever is told to come back has sent nothing yet.
        let _brought = place(&downloads.brought)?;
        let incoming = downloads.begin(&viewer, &query, &headers).await?;
        take(incoming, &mut pieces).await
    };
    match answer.await {
        Ok(upload) => made(&upload),
        Err(refused) => {
            pieces.drain().await;
            refused
        }
    }
}

/// `GET` and `HEAD` of a file that was brought.
pub(super) async fn upload(
    State(downloads): State<Downloads>,
    viewer: Authenticated,
    key: Result<Path<String>, PathRejection>,
    asked: Asked,
) -> Response {
    let answer = async {
        downloads.check_read(&viewer)?;
        let Path(key) = key.map_err(|_| no_file())?;
        let sent = place(&downloads.sent)?;
        let asker = Asker::of(&viewer.0);
        let found = uploads::by_key(&downloads.services.database, asker, &key).await;
        let upload = found.map_err(failed)?.ok_or_else(no_file)?;
        let path = downloads.services.flows.places.upload(&upload.key);
        let size = u64::try_from(upload.size_bytes).unwrap_or_default();
        let folder = path.parent().unwrap_or(&path).to_owned();
        let file = stored(folder, upload.key.clone(), size).await?;
        let etag = text(&format!("\"{}\"", upload.sha256));
        let file = Stored {
            headers: headers(&upload.media_type, &etag, &upload.name),
            file,
            size,
            etag,
        };
        file.send(&asked, sent).await
    };
    answer.await.unwrap_or_else(|refused| refused)
}

impl Downloads {
    /// What the bytes go to, if they may come at all.
    async fn begin(
        &self,
        viewer: &Authenticated,
        query: &RawQuery,
        headers: &HeaderMap,
    ) -> Result<Incoming, Response> {
        let user = policy::signed_in(&viewer.0).map_err(|refused| {
            let code = ErrorCode::Unauthenticated;
            refusal(StatusCode::UNAUTHORIZED, code, refused.to_string())
        })?;
        let named = Named::of(query.0.as_deref().unwrap_or_default())?;
        let media_type = media_type(headers)?;
        let begun = write::begin(
            &self.services.flows,
            user,
            named.group,
            &named.name,
            media_type,
            announced(headers),
        );
        begun.await.map_err(refused)
    }
}

/// Writes all bytes down.
async fn take(mut incoming: Incoming, pieces: &mut Pieces) -> Result<uploads::Model, Response> {
    while let Some(piece) = pieces.next().await? {
        incoming.write(&piece).await.map_err(refused)?;
    }
    incoming.finish().await.map_err(refused)
}

/// The answer that a file is there.
fn made(upload: &uploads::Model) -> Response {
    let told = json!({
        "id": GlobalId::Upload(upload.key.clone()).encode(),
        "name": upload.name,
        "sizeBytes": upload.size_bytes,
        "checksum": upload.sha256,
    });
    let location = [(LOCATION, text(&links::upload(&upload.key)))];
    (StatusCode::CREATED, location, Json(told)).into_response()
}

/// What a request says of a file.
#[derive(Debug, PartialEq, Eq)]
struct Named {
    group: Option<i64>,
    name: String,
}

impl Named {
    fn of(query: &str) -> Result<Self, Response> {
        let mut group = None;
        let mut name = None;
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            let place = match key.as_ref() {
                "group" => &mut group,
                "name" => &mut name,
                _ => return Err(wrong("only group and name can be said of a file")),
            };
            if place.replace(value.into_owned()).is_some() {
                return Err(wrong("group or name occurs twice"));
            }
        }
        let group = group.map(|id| {
            if let Some(GlobalId::RunGroup(group)) = GlobalId::decode(&id.into()) {
                return Ok(group);
            }
            let message = "there is no such group";
            let status = StatusCode::NOT_FOUND;
            Err(refusal(status, ErrorCode::NotFound, message))
        });
        Ok(Self {
            group: group.transpose()?,
            name: name.ok_or_else(|| wrong("the file has no name: add ?name=NAME"))?,
        })
    }
}

/// What the file is, as its bringer says. What is not the file itself is not taken for it.
fn media_type(headers: &HeaderMap) -> Result<Option<&str>, Response> {
    let unsupported = |message| {
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        Err(refusal(status, ErrorCode::BadInput, message))
    };
    if headers.contains_key(CONTENT_ENCODING) {
        return unsupported("send the file as it is, without a Content-Encoding");
    }
    let media_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let main = media_type.and_then(|value| value.split(';').next());
    if main.is_some_and(|main| main.trim().eq_ignore_ascii_case("multipart/form-data")) {
        return unsupported("send the bytes of the file as the body, not as part of a form");
    }
    Ok(media_type)
}

/// How many bytes are to come, if that is said.
fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn wrong(message: &str) -> Response {
    refusal(StatusCode::BAD_REQUEST, ErrorCode::BadInput, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_names_the_file() {
        let group = GlobalId::RunGroup(7).encode();
        let named = Named::of(&format!("name=a%20b%2B.csv&group={}", group.as_str()));
        let expected = Named {
            group: Some(7),
            name: "a b+.csv".into(),
        };
        assert_eq!(named.unwrap(), expected);
        assert_eq!(Named::of("name=x").unwrap().group, None);
        for (query, status) in [
            ("", 400),
            ("group=", 404),
            ("name=x&group=7", 404),
            ("name=x&name=y", 400),
            ("name=x&nmae=y", 400),
        ] {
            assert_eq!(Named::of(query).unwrap_err().status(), status, "{query}");
        }
    }

    #[test]
    fn what_is_not_the_file_itself_is_refused() {
        let with = |name, value| HeaderMap::from_iter([(name, text(value))]);
        let csv = with(CONTENT_TYPE, "text/csv; charset=utf-8");
        assert_eq!(media_type(&csv).unwrap(), Some("text/csv; charset=utf-8"));
        assert_eq!(media_type(&HeaderMap::new()).unwrap(), None);
        for headers in [
            with(CONTENT_TYPE, "Multipart/Form-Data; boundary=x"),
            with(CONTENT_ENCODING, "gzip"),
        ] {
            assert_eq!(media_type(&headers).unwrap_err().status(), 415);
        }
    }
}
