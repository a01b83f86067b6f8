//! Where a credential may stand in a request.
//!
//! | header | |
//! | --- | --- |
//! | `Authorization: Bearer <token>` | RFC 6750 |
//! | `Authorization: FPS_API APIKEY=<key>` | clients of the HETDEX fplaneserver |
//! | `FPS_API: APIKEY=<key>` | the same, as a header of its own |
//! | `X-API-Key: <key>` | programs |
//!
//! One request shows one credential. Two, or one that cannot be read, are refused instead of guessed at.

use crate::config::Secret;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header::AUTHORIZATION};

use crate::auth::Credential;

/// A credential in none of the known forms, or more than one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the credentials cannot be read")]
pub struct MalformedCredentials;

/// How a credential is read from the value of a header.
type Read = fn(&str) -> Result<Credential, MalformedCredentials>;

/// The headers with credentials.
static FORMS: [(HeaderName, Read); 3] = [
    (AUTHORIZATION, from_authorization),
    (HeaderName::from_static("fps_api"), fps_key),
    (HeaderName::from_static("x-api-key"), api_key),
];

/// The credential of a request, if it has one.
pub fn from_headers(headers: &HeaderMap) -> Result<Option<Credential>, MalformedCredentials> {
    let mut found = None;
    for (name, read) in &FORMS {
        for value in headers.get_all(name) {
            if found.replace(read(text(value)?)?).is_some() {
                return Err(MalformedCredentials);
            }
        }
    }
    Ok(found)
}

/// The value of an `Authorization` header. The scheme is read in any case (RFC 9110, 11.1).
pub fn from_authorization(value: &str) -> Result<Credential, MalformedCredentials> {
    let (scheme, rest) = value.trim().split_once(' ').ok_or(MalformedCredentials)?;
    let rest = rest.trim_start();
    if scheme.eq_ignore_ascii_case("bearer") {
        Ok(Credential::Bearer(secret(rest)?))
    } else if scheme.eq_ignore_ascii_case("fps_api") {
        fps_key(rest)
    } else {
        Err(MalformedCredentials)
    }
}

/// A bare key.
pub fn api_key(value: &str) -> Result<Credential, MalformedCredentials> {
    Ok(Credential::ApiKey(secret(value.trim())?))
}

/// The value of an `FPS_API` header.
pub fn fps_key(value: &str) -> Result<Credential, MalformedCredentials> {
    let key = value
        .trim()
        .strip_prefix("APIKEY=")
        .ok_or(MalformedCredentials)?;
    Ok(Credential::ApiKey(secret(key)?))
}

/// Tokens and keys are one word of visible ASCII.
fn secret(value: &str) -> Result<Secret, MalformedCredentials> {
    if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(MalformedCredentials);
    }
    Ok(Secret::from(value.to_owned()))
}

fn text(value: &HeaderValue) -> Result<&str, MalformedCredentials> {
    value.to_str().map_err(|_| MalformedCredentials)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;
    use proptest::prelude::*;

    use super::*;

    fn read(headers: &[(&str, &str)]) -> Result<Option<String>, MalformedCredentials> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        Ok(from_headers(&map)?.map(|credential| match credential {
            Credential::Bearer(token) => format!("bearer {}", token.expose()),
            Credential::ApiKey(key) => format!("key {}", key.expose()),
        }))
    }

    #[test]
    fn every_form_is_read() {
        for (name, value, expected) in [
            ("authorization", "Bearer a.b.c", "bearer a.b.c"),
            ("authorization", "bearer  a", "bearer a"),
            ("authorization", "FPS_API APIKEY=0123", "key 0123"),
            ("fps_api", "APIKEY=0123", "key 0123"),
            ("x-api-key", "0123", "key 0123"),
        ] {
            assert_eq!(read(&[(name, value)]), Ok(Some(expected.to_owned())));
        }
        assert_eq!(read(&[("accept", "*/*")]), Ok(None));
    }

    #[test]
    fn doubt_is_refused() {
        for headers in [
            &[("authorization", "Bearer a"), ("x-api-key", "b")][..],
            &[("authorization", "Bearer a"), ("authorization", "Bearer a")],
            &[("authorization", "Basic dTpw")],
            &[("authorization", "Bearer")],
            &[("authorization", "Bearer ")],
            &[("authorization", "Bearer a b")],
            &[("authorization", "FPS_API 0123")],
            &[("authorization", "")],
            &[("fps_api", "0123")],
            &[("x-api-key", "")],
        ] {
            assert_eq!(read(headers), Err(MalformedCredentials), "{headers:?}");
        }
    }

    proptest! {
        #[test]
        fn any_value_is_answered(value in "\\PC*") {
            let _ = from_authorization(&value);
        }
    }
}
