//! Which pages may call the API from a browser.
//!
//! CORS answers this for `fetch`; for WebSockets browsers do not ask, so that the server has to look at
//! `Origin` by itself.

use std::time::Duration;

use axum::http::{
    HeaderMap, HeaderName, HeaderValue, Method, Uri,
    header::{AUTHORIZATION, CONTENT_TYPE, HOST, ORIGIN},
};
use tower_http::cors::CorsLayer;

use super::settings::SettingsError;

/// Origins other than the server's own.
#[derive(Clone, Debug, Default)]
pub(super) struct Origins(Vec<HeaderValue>);

impl Origins {
    pub(super) fn parse(origins: &[String]) -> Result<Self, SettingsError> {
        origins
            .iter()
            .map(|origin| parse(origin).ok_or_else(|| SettingsError::Origin(origin.clone())))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether a request comes from a page that may call the API, or from no page at all.
    pub(super) fn allow(&self, headers: &HeaderMap, uri: &Uri) -> bool {
        let mut sent = headers.get_all(ORIGIN).iter();
        let (Some(origin), None) = (sent.next(), sent.next()) else {
            return !headers.contains_key(ORIGIN);
        };
        if self.0.contains(origin) {
            return true;
        }
        // HTTP/2 has the host in the URI.
        let host = headers
            .get(HOST)
            .and_then(|host| host.to_str().ok())
            .or_else(|| Some(uri.authority()?.as_str()));
        let authority = origin
            .to_str()
            .ok()
            .and_then(|origin| origin.split_once("://"))
            .map(|(_, authority)| authority);
        matches!((authority, host), (Some(origin), Some(host)) if origin.eq_ignore_ascii_case(host))
    }

    /// `None` when there are no other origins.
    pub(super) fn cors(&self) -> Option<CorsLayer> {
        if self.0.is_empty() {
            return None;
        }
        let own = |name| HeaderName::from_static(name);
        Some(
            CorsLayer::new()
                .allow_origin(self.0.clone())
                .allow_methods([Method::GET, Method::POST])
                .allow_headers([
                    AUTHORIZATION,
                    CONTENT_TYPE,
                    own("fps_api"),
                    own("if-none-match"),
                    own("if-range"),
                    own("last-event-id"),
                    own("range"),
                    own("x-api-key"),
                    own("x-request-id"),
                ])
                .expose_headers([
                    own("accept-ranges"),
                    own("content-disposition"),
                    own("content-range"),
                    own("etag"),
                    own("x-request-id"),
                ])
                .max_age(Duration::from_hours(1)),
        )
    }
}

/// Browsers send scheme, host and a port that is not the default one, in lower case.
fn parse(origin: &str) -> Option<HeaderValue> {
    let uri: Uri = origin.parse().ok()?;
    let scheme = uri.scheme_str()?;
    let authority = uri.authority()?;
    let canonical = format!("{scheme}://{authority}").to_ascii_lowercase();
    let known = matches!(scheme, "http" | "https");
    (known && canonical == origin)
        .then(|| HeaderValue::from_str(origin).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_compared_as_browsers_send_them() {
        for bad in [
            "*",
            "null",
            "https://a.org/",
            "https://a.org/x",
            "A.org",
            "ftp://a.org",
        ] {
            assert_eq!(
                Origins::parse(&[bad.to_owned()]).unwrap_err(),
                SettingsError::Origin(bad.to_owned())
            );
        }
        let origins = Origins::parse(&["https://lab.example".to_owned()]).unwrap();
        let allow = |origin: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, HeaderValue::from_static("api.example:8080"));
            if let Some(origin) = origin {
                headers.insert(ORIGIN, HeaderValue::from_static(origin));
            }
            origins.allow(&headers, &Uri::from_static("/graphql"))
        };
        assert!(allow(None));
        assert!(allow(Some("https://lab.example")));
        assert!(allow(Some("http://api.example:8080")));
        assert!(!allow(Some("http://api.example")));
        assert!(!allow(Some("https://evil.example")));
        assert!(!allow(Some("null")));
    }

    #[tokio::test]
    async fn pages_may_send_credentials_in_every_header_that_is_read() {
        use axum::{Router, body::Body, extract::Request, routing::post};
        use tower::ServiceExt as _;

        let origins = Origins::parse(&["https://lab.example".to_owned()]).unwrap();
        let routes = Router::new()
            .route("/graphql", post(|| async {}))
            .layer(origins.cors().unwrap());
        let asks = Request::options("/graphql")
            .header(ORIGIN, "https://lab.example")
            .header("access-control-request-method", "POST")
            .body(Body::empty())
            .unwrap();
        let answer = routes.oneshot(asks).await.unwrap();
        let allowed = answer.headers()["access-control-allow-headers"]
            .to_str()
            .unwrap();
        for name in ["authorization", "fps_api", "x-api-key"] {
            assert!(allowed.split(',').any(|it| it == name), "{name}: {allowed}");
        }
    }
}
