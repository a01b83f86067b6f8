//! Which form of answer a client wants (RFC 9110, 12.5.1; GraphQL over HTTP, "Media Types").

use axum::http::{HeaderMap, HeaderValue, header::ACCEPT};

/// A JSON form of answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Json {
    /// `application/json`: every well-formed request is answered 200.
    Legacy,
    /// `application/graphql-response+json`: the status tells whether the request was one.
    GraphQl,
}

impl Json {
    pub(super) fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Legacy => "application/json; charset=utf-8",
            Self::GraphQl => "application/graphql-response+json; charset=utf-8",
        })
    }
}

/// What a client can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Accepted {
    /// The JSON form that it likes best.
    pub(super) json: Option<Json>,
    /// Whether it reads `text/event-stream`.
    pub(super) events: bool,
    /// Whether it likes `text/event-stream` better than any JSON.
    pub(super) prefers_events: bool,
    /// Whether it is a browser that opens a page.
    pub(super) html: bool,
}

impl Accepted {
    /// Without `Accept`, or with `*/*`, the answer is `application/json`.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut ranges: Vec<Range> = Vec::new();
        let mut html = false;
        let mut sent = false;
        for value in headers.get_all(ACCEPT) {
            sent = true;
            for range in value.to_str().unwrap_or_default().split(',') {
                let mut parts = range.split(';').map(str::trim);
                let media = parts.next().unwrap_or_default();
                let quality = parts.find_map(quality).unwrap_or(1_000);
                html |= media.eq_ignore_ascii_case("text/html");
                let known = MEDIA.iter().find(|it| media.eq_ignore_ascii_case(it.0));
                let Some(&(_, kind, exact)) = known else {
                    continue;
                };
                ranges.push(Range {
                    quality,
                    exact,
                    kind,
                });
            }
        }
        if !sent {
            return Self {
                json: Some(Json::Legacy),
                events: false,
                prefers_events: false,
                html: false,
            };
        }
        // What was refused by name is not let in by a wildcard.
        let refused = |kind| {
            ranges
                .iter()
                .any(|range| range.quality == 0 && range.kind == kind)
        };
        let mut wanted: Vec<_> = ranges
            .iter()
            .filter(|range| range.quality > 0 && (range.exact || !refused(range.kind)))
            .collect();
        // Stable: the order of the header decides among equals.
        wanted.sort_by_key(|range| std::cmp::Reverse((range.quality, range.exact)));
        Self {
            json: wanted.iter().find_map(|range| match range.kind {
                Kind::Json(json) => Some(json),
                Kind::Events => None,
            }),
            events: wanted.iter().any(|range| range.kind == Kind::Events),
            prefers_events: wanted
                .first()
                .is_some_and(|range| range.kind == Kind::Events),
            html,
        }
    }
}

/// The media types that are answered, and those that stand for any of them; true: exactly this one.
const MEDIA: [(&str, Kind, bool); 5] = [
    ("application/json", Kind::Json(Json::Legacy), true),
    (
        "application/graphql-response+json",
        Kind::Json(Json::GraphQl),
        true,
    ),
    ("text/event-stream", Kind::Events, true),
    ("*/*", Kind::Json(Json::Legacy), false),
    ("application/*", Kind::Json(Json::Legacy), false),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Json(Json),
    Events,
}

struct Range {
    /// Thousandths.
    quality: u16,
    exact: bool,
    kind: Kind,
}

/// `q=0.5` in thousandths; `None` for any other parameter and for what is no quality.
fn quality(parameter: &str) -> Option<u16> {
    let value = parameter
        .strip_prefix("q=")
        .or_else(|| parameter.strip_prefix("Q="))?;
    let quality: f32 = value.trim().parse().ok()?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to 0..=1000"
    )]
    (0.0..=1.0)
        .contains(&quality)
        .then_some((quality * 1_000.0).round() as u16)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn accept(value: &str) -> Accepted {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_str(value).unwrap());
        Accepted::of(&headers)
    }

    #[test]
    fn the_best_form_wins() {
        for (value, json) in [
            ("*/*", Some(Json::Legacy)),
            ("application/*", Some(Json::Legacy)),
            ("application/json", Some(Json::Legacy)),
            ("application/graphql-response+json", Some(Json::GraphQl)),
            (
                "application/graphql-response+json, application/json",
                Some(Json::GraphQl),
            ),
            (
                "application/json, application/graphql-response+json",
                Some(Json::Legacy),
            ),
            (
                "application/json;q=0.9, APPLICATION/GraphQL-Response+JSON; q=1",
                Some(Json::GraphQl),
            ),
            (
                "*/*, application/graphql-response+json",
                Some(Json::GraphQl),
            ),
            ("application/json;q=0, */*", None),
            ("text/plain", None),
            (
                "multipart/mixed;subscriptionSpec=1.0, application/json",
                Some(Json::Legacy),
            ),
        ] {
            assert_eq!(accept(value).json, json, "{value}");
        }
        assert_eq!(Accepted::of(&HeaderMap::new()).json, Some(Json::Legacy));
    }

    #[test]
    fn event_streams_are_asked_for_by_name() {
        assert!(!accept("*/*").events);
        let only = accept("text/event-stream");
        assert!(only.events && only.prefers_events && only.json.is_none());
        let mixed = accept("application/json, text/event-stream");
        assert!(mixed.events && !mixed.prefers_events);
    }

    proptest! {
        #[test]
        fn any_header_is_answered(value in "[ -~]*") {
            let _ = accept(&value);
        }
    }
}
