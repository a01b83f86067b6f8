//! Positions in the log, as clients see them: opaque.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

const PREFIX: &str = "event-1:";

/// A position in the log: everything up to it has been seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor(pub i64);

/// Not a cursor of this log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor of the event log")]
pub struct CursorError;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(format!("{PREFIX}{}", self.0)))
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let bytes = BASE64_URL_SAFE_NO_PAD
            .decode(text)
            .map_err(|_| CursorError)?;
        let position = std::str::from_utf8(&bytes)
            .ok()
            .and_then(|text| text.strip_prefix(PREFIX))
            .and_then(|number| number.parse().ok())
            .filter(|position| *position >= 0);
        position.map(Self).ok_or(CursorError)
    }
}
