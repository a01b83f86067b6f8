//! An answer as it goes over a stream: encoded once, however many read it.

use std::sync::Arc;

use async_graphql::{Response, ServerError, Value};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::error;

/// The JSON of an answer: `data` is left out when execution never began.
#[derive(Serialize)]
pub struct Payload<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Value>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [ServerError],
    #[serde(skip_serializing_if = "Option::is_none")]
    extensions: Option<&'a std::collections::BTreeMap<String, Value>>,
}

impl<'a> From<&'a Response> for Payload<'a> {
    fn from(response: &'a Response) -> Self {
        Self {
            data: (!error::is_request_error(response)).then_some(&response.data),
            errors: &response.errors,
            extensions: Some(&response.extensions).filter(|map| !map.is_empty()),
        }
    }
}

/// An answer of a stream. Clones share everything.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The JSON: `data`, `errors`, `extensions`.
    pub json: Arc<RawValue>,
    /// Where to go on after this answer, if it can be said.
    pub cursor: Option<Arc<str>>,
    /// The errors, if execution never began: this answer is then the last.
    pub refusal: Option<Arc<[ServerError]>>,
    /// The code of the first error.
    pub(super) code: Option<&'static str>,
}

impl Answer {
    /// Encodes a response. `cursor`: that of the event that it tells; without it the entry `cursor` of the
    /// subscription's field counts, if the client selected it.
    pub fn new(response: &Response, cursor: Option<String>) -> Self {
        let json = to_raw_value(&Payload::from(response)).unwrap_or_else(|inside| {
            // Only when a resolver made a value that JSON does not have.
            let error = error::internal_server_error(inside);
            to_raw_value(&serde_json::json!({ "errors": [error] })).unwrap_or_default()
        });
        let refused = error::is_request_error(response);
        let cursor = cursor.or_else(|| cursor_of(&response.data));
        Self {
            json: json.into(),
            // Nobody goes on after what was not told.
            cursor: cursor.filter(|_| !refused).map(Into::into),
            refusal: refused.then(|| response.errors.as_slice().into()),
            code: response.errors.first().map(error::label),
        }
    }

    /// The operation is refused.
    pub fn refused(error: ServerError) -> Self {
        Self::new(&Response::from_errors(vec![error]), None)
    }
}

fn cursor_of(data: &Value) -> Option<String> {
    let Value::Object(fields) = data else {
        return None;
    };
    let Value::Object(event) = fields.values().next()? else {
        return None;
    };
    match event.get("cursor")? {
        Value::String(cursor) => Some(cursor.clone()),
        Value::Number(cursor) => Some(cursor.to_string()),
        _ => None,
    }
}
