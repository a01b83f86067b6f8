//! Conditional requests (RFC 9110, 13), by entity tags alone: times are too coarse for files that are being written.

use axum::http::header::{HeaderName, IF_MATCH, IF_NONE_MATCH, IF_RANGE};
use axum::http::{HeaderMap, HeaderValue};

/// What the conditions of a request come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The content is wanted.
    Send,
    /// The client has it already.
    NotModified,
    /// The client wants another one than there is.
    Failed,
}

/// `If-Match` and `If-None-Match` against the tag of what there is.
pub fn verdict(headers: &HeaderMap, etag: &HeaderValue) -> Verdict {
    let strong = |tag: &str| tag == "*" || tag.as_bytes() == etag.as_bytes();
    let weak = |tag: &str| strong(tag.strip_prefix("W/").unwrap_or(tag));
    if any(headers, &IF_MATCH, strong) == Some(false) {
        Verdict::Failed
    } else if any(headers, &IF_NONE_MATCH, weak) == Some(true) {
        Verdict::NotModified
    } else {
        Verdict::Send
    }
}

/// Does one of the tags of a header match? None without the header. (A comma inside of a tag splits it; ours have none.)
fn any(headers: &HeaderMap, name: &HeaderName, matches: impl Fn(&str) -> bool) -> Option<bool> {
    headers.contains_key(name).then(|| {
        let values = headers.get_all(name).iter();
        values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|tag| matches(tag.trim()))
    })
}

/// `If-Range`: is the range wanted of what there is now? A time matches nothing.
pub fn allow_range(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    headers.get_all(IF_RANGE).iter().all(|value| value == etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn tags_are_compared_as_the_standard_says() {
        let etag = HeaderValue::from_static("\"a\"");
        let of = |name, value| verdict(&with(name, value), &etag);
        assert_eq!(verdict(&HeaderMap::new(), &etag), Verdict::Send);
        for value in ["\"a\"", "W/\"a\"", "\"b\", \"a\"", "*"] {
            assert_eq!(of(IF_NONE_MATCH, value), Verdict::NotModified, "{value}");
        }
        assert_eq!(of(IF_NONE_MATCH, "\"b\""), Verdict::Send);
        for value in ["\"a\"", "\"b\",\"a\"", "*"] {
            assert_eq!(of(IF_MATCH, value), Verdict::Send, "{value}");
        }
        for value in ["\"b\"", "W/\"a\"", ""] {
            assert_eq!(of(IF_MATCH, value), Verdict::Failed, "{value}");
        }
    }

    #[test]
    fn a_range_is_of_what_the_client_knows() {
        let etag = HeaderValue::from_static("\"a\"");
        assert!(allow_range(&HeaderMap::new(), &etag));
        assert!(allow_range(&with(IF_RANGE, "\"a\""), &etag));
        for value in ["\"b\"", "W/\"a\"", "Sun, 22 Nov 2026 05:46:15 GMT"] {
            assert!(!allow_range(&with(IF_RANGE, value), &etag), "{value}");
        }
    }
}
