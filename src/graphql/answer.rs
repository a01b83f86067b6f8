//! An answer as it is sent: as the body of a response, or encoded once for all who read a stream.

use std::sync::Arc;

use async_graphql::{Response, ServerError, Value};
use bytes::Bytes;
use serde_json::value::{RawValue, to_raw_value};

use super::{error, json, size};

/// The JSON of a response.
pub fn encode(response: &Response) -> Result<Vec<u8>, serde_json::Error> {
    let mut out = Vec::with_capacity(size::bytes(&response.data).saturating_add(AROUND_DATA));
    write(response, &mut out, &mut |written, out| {
        out.extend_from_slice(written);
    })?;
    Ok(out)
}

/// The JSON of a response, one piece after the other: long lists of rows stay where they were written.
pub fn pieces(response: &Response) -> Result<Vec<Bytes>, serde_json::Error> {
    let mut done = Vec::new();
    let mut out = Vec::with_capacity(AROUND_DATA);
    write(response, &mut out, &mut |written, out| {
        if written.len() < PIECE {
            out.extend_from_slice(written);
        } else {
            done.push(Bytes::from(std::mem::take(out)));
            done.push(written.clone());
        }
    })?;
    done.push(out.into());
    Ok(done)
}

/// A list of rows of at least so many bytes is a piece of its own: to copy it would take longer than to send one more.
const PIECE: usize = 16 * 1024;

/// `data` is left out when execution never began.
fn write(
    response: &Response,
    out: &mut Vec<u8>,
    written: &mut impl FnMut(&Bytes, &mut Vec<u8>),
) -> Result<(), serde_json::Error> {
    let mut between = Some(b'{');
    let mut member = |name, out: &mut Vec<u8>| {
        out.push(between.take().unwrap_or(b','));
        json::string(name, out);
        out.push(b':');
    };
    if !error::is_request_error(response) {
        member("data", out);
        json::value_around(&response.data, out, written);
    }
    if !response.errors.is_empty() {
        member("errors", out);
        serde_json::to_writer(&mut *out, &response.errors)?;
    }
    if !response.extensions.is_empty() {
        member("extensions", out);
        serde_json::to_writer(&mut *out, &response.extensions)?;
    }
    out.extend(between);
    out.push(b'}');
    Ok(())
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
    /// Nothing is told: whoever waits for an answer waits for the next.
    pub(super) passed_over: bool,
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
            passed_over: false,
        }
    }

    /// No answer, to an event that is none for those who asked.
    pub(super) fn passed_over() -> Self {
        Self {
            passed_over: true,
            ..Self::new(&Response::new(Value::Null), None)
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
