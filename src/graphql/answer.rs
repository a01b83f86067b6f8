//! An answer as it goes over a stream: encoded once, however many read it.

use std::sync::Arc;

use async_graphql::{Response, ServerError, Value};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::{error, json, size};

/// The JSON of a response; `data` is left out when execution never began.
pub fn encode(response: &Response) -> Result<Vec<u8>, serde_json::Error> {
    let mut out = Vec::with_capacity(size::bytes(&response.data).saturating_add(AROUND_DATA));
    out.push(b'{');
    if !error::is_request_error(response) {
        out.extend_from_slice(b"\"data\":");
        json::value(&response.data, &mut out);
    }
    if !response.errors.is_empty() {
        member("errors", &response.errors, &mut out)?;
    }
    if !response.extensions.is_empty() {
        member("extensions", &response.extensions, &mut out)?;
    }
    out.push(b'}');
    Ok(out)
}

fn member(name: &str, value: &impl Serialize, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    if out.len() > 1 {
        out.push(b',');
    }
    json::string(name, out);
    out.push(b':');
    serde_json::to_writer(out, value)
}

/// Bytes that stand around the data of an answer without errors, and some to spare.
const AROUND_DATA: usize = 64;

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
        let json = raw(response).unwrap_or_else(|inside| {
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

fn raw(response: &Response) -> Result<Box<RawValue>, serde_json::Error> {
    let written = String::from_utf8(encode(response)?);
    RawValue::from_string(written.map_err(serde::ser::Error::custom)?)
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
