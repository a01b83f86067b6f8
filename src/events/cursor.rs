//! Positions in the log, as clients see them: opaque.
//!
//! A cursor names the log it is of and the moment at which its event was recorded. So one of another log is told from
//! one of this log, and one from before a backup was restored from one that is still true.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

/// The form of the bytes below.
const VERSION: u8 = 2;
/// What stands for the oldest position that there is, in place of a cursor.
const BEGINNING: &str = "beginning";

/// The identity of a log: the first bytes of what was drawn when the log was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogId([u8; 8]);

impl LogId {
    /// From hexadecimal digits, of which there are enough unless somebody changed the table by hand.
    pub(super) fn from_hex(digits: &str) -> Option<Self> {
        let digits = digits.get(..16)?;
        let number = u64::from_str_radix(digits, 16).ok()?;
        Some(Self(number.to_be_bytes()))
    }
}

/// A position in the log: everything up to it has been seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Which log.
    pub log: LogId,
    /// The event that was seen last; 0: none.
    pub position: i64,
    /// The lower half of the milliseconds at which it was recorded.
    pub stamp: u32,
}

impl Cursor {
    /// The cursor of an event that was recorded at this moment (milliseconds since 1970-01-01 UTC).
    pub fn new(log: LogId, position: i64, recorded_at: i64) -> Self {
        Self {
            log,
            position,
            stamp: stamp(recorded_at),
        }
    }
}

/// The lower half: what is left distinguishes moments within seven weeks.
pub(super) fn stamp(recorded_at: i64) -> u32 {
    let [.., a, b, c, d] = recorded_at.to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}

/// Not a cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor of the event log")]
pub struct CursorError;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [0; 21];
        let parts = [
            &[VERSION][..],
            &self.log.0,
            &self.position.to_be_bytes(),
            &self.stamp.to_be_bytes(),
        ];
        for (to, from) in bytes.iter_mut().zip(parts.into_iter().flatten()) {
            *to = *from;
        }
        f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let bytes = BASE64_URL_SAFE_NO_PAD
            .decode(text)
            .map_err(|_| CursorError)?;
        let Some((&VERSION, bytes)) = bytes.split_first() else {
            return Err(CursorError);
        };
        let (log, bytes) = bytes.split_first_chunk().ok_or(CursorError)?;
        let (position, bytes) = bytes.split_first_chunk().ok_or(CursorError)?;
        let stamp = bytes.try_into().map_err(|_| CursorError)?;
        let position = i64::from_be_bytes(*position);
        if position < 0 {
            return Err(CursorError);
        }
        Ok(Self {
            log: LogId(*log),
            position,
            stamp: u32::from_be_bytes(stamp),
        })
    }
}

/// From where on somebody wants to hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// From now on.
    Now,
    /// Everything that the log still has.
    Beginning,
    /// What follows this position.
    After(Cursor),
}

impl Start {
    /// Reads what a client gives as `after`.
    pub fn parse(after: Option<&str>) -> Result<Self, CursorError> {
        match after {
            None => Ok(Self::Now),
            Some(BEGINNING) => Ok(Self::Beginning),
            Some(cursor) => cursor.parse().map(Self::After),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn foreign_texts_are_refused() {
        for text in ["", "x", "ZXZlbnQtMTow", "AgAA", "beginning"] {
            assert_eq!(text.parse::<Cursor>(), Err(CursorError), "{text}");
        }
    }

    proptest! {
        #[test]
        fn cursors_survive_the_way(log: [u8; 8], position in 0..=i64::MAX, recorded_at: i64) {
            let cursor = Cursor::new(LogId(log), position, recorded_at);
            prop_assert_eq!(cursor.to_string().parse(), Ok(cursor));
            prop_assert_eq!(Start::parse(Some(&cursor.to_string())), Ok(Start::After(cursor)));
        }

        #[test]
        fn any_text_is_read(text in "\\PC*") {
            let _ = Start::parse(Some(&text));
        }
    }
}
