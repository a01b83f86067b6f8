//! The single values of a status message. Numbers may be texts, and ids may be numbers.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value as Json};

use super::boolean::read_bool;
use super::fields;
use super::status::StatusError;
use crate::fplanes::grid;
use crate::fplanes::model::Position;
use crate::text::shorten;

/// An entry of a list in the message.
pub(super) struct Entry<'a> {
    /// Where it stands, such as `hardware[3]`.
    pub path: String,
    values: &'a Map<String, Json>,
}

impl<'a> Entry<'a> {
    pub(super) fn new(path: String, entry: &'a Json) -> Result<Self, StatusError> {
        match entry.as_object() {
            Some(values) => Ok(Self { path, values }),
            None => Err(StatusError::new(path, "is no map")),
        }
    }

    /// The error of a value.
    pub(super) fn wrong(&self, key: &str, message: impl Into<String>) -> StatusError {
        StatusError::new(format!("{}.{key}", self.path), message)
    }

    /// A value; null is none.
    fn get(&self, key: &str) -> Option<&'a Json> {
        self.values.get(key).filter(|value| !value.is_null())
    }

    /// A value that is written as text or as a whole number; empty is none.
    fn word(&self, key: &str) -> Result<Option<String>, StatusError> {
        match self.get(key) {
            None => Ok(None),
            Some(Json::String(text)) => {
                let text = text.trim();
                Ok((!text.is_empty()).then(|| text.to_owned()))
            }
            Some(Json::Number(number)) => Ok(Some(number.to_string())),
            Some(_) => Err(self.wrong(key, "is neither a text nor a number")),
        }
    }

    pub(super) fn ifuslot(&self) -> Result<String, StatusError> {
        let text = self
            .word("ifuslot")?
            .ok_or_else(|| self.wrong("ifuslot", "is missing"))?;
        let wrong = || self.wrong("ifuslot", format!("no name of a slot: {text:?}"));
        grid::parse_ifuslot(&text).ok_or_else(wrong)
    }

    /// An id, `000` included: multiplexers may be counted from zero.
    pub(super) fn id(&self, key: &str) -> Result<Option<String>, StatusError> {
        let Some(text) = self.word(key)? else {
            return Ok(None);
        };
        let wrong = || self.wrong(key, format!("no id: {text:?}"));
        fields::id(&text).map(Some).ok_or_else(wrong)
    }

    /// An id in a place where `000` says that there is none.
    pub(super) fn id_or_none(&self, key: &str) -> Result<Option<String>, StatusError> {
        Ok(self.id(key)?.filter(|id| id != "000"))
    }

    /// The id of a special slot.
    pub(super) fn special_id(&self) -> Result<String, StatusError> {
        let id = self
            .id("id")?
            .ok_or_else(|| self.wrong("id", "is missing"))?;
        if fields::is_special_id(&id) {
            return Ok(id);
        }
        let message = format!("ids of special slots are from 900 to 999, not {id}");
        Err(self.wrong("id", message))
    }

    pub(super) fn text(&self, key: &str, most: usize) -> Result<Option<String>, StatusError> {
        match self.get(key) {
            None => Ok(None),
            Some(Json::String(text)) => {
                let text = shorten(text.trim(), most);
                Ok((!text.is_empty()).then_some(text))
            }
            Some(_) => Err(self.wrong(key, "is no text")),
        }
    }

    pub(super) fn boolean(&self, key: &str) -> Result<Option<bool>, StatusError> {
        if let Some(&Json::Bool(value)) = self.get(key) {
            return Ok(Some(value));
        }
        let Some(text) = self.word(key)? else {
            return Ok(None);
        };
        let wrong = || self.wrong(key, format!("neither yes nor no: {text:?}"));
        read_bool(&text).map(Some).ok_or_else(wrong)
    }

    /// A number that can be in a focal plane.
    fn number(&self, key: &str, is_plausible: fn(f64) -> bool) -> Result<Option<f64>, StatusError> {
        let Some(text) = self.word(key)? else {
            return Ok(None);
        };
        let number =
            fields::number(&text).ok_or_else(|| self.wrong(key, format!("no number: {text:?}")))?;
        if is_plausible(number) {
            return Ok(Some(number));
        }
        Err(self.wrong(key, format!("cannot be {text}")))
    }

    /// The position, in arcsec; none: as it was.
    pub(super) fn position(&self) -> Result<Option<Position>, StatusError> {
        let x = self.number("x_fp", fields::is_position)?;
        let y = self.number("y_fp", fields::is_position)?;
        match (x, y) {
            (Some(x), Some(y)) => Ok(Some(Position { x, y })),
            (None, None) => Ok(None),
            (Some(_), None) => Err(self.wrong("y_fp", "is missing beside x_fp")),
            (None, Some(_)) => Err(self.wrong("x_fp", "is missing beside y_fp")),
        }
    }

    /// The rotation in degrees; as in all files where it is missing.
    pub(super) fn rotation(&self) -> Result<f64, StatusError> {
        Ok(self.number("ifurot", fields::is_rotation)?.unwrap_or(0.0))
    }

    /// The plate scale; as in all files where it is missing.
    pub(super) fn plate_scale(&self) -> Result<f64, StatusError> {
        let scale = self.number("platesc", fields::is_plate_scale)?;
        Ok(scale.unwrap_or(1.0))
    }
}

/// The last second that can be written in RFC 3339.
const LAST_SECOND: f64 = 253_402_300_799.0;

/// The time of so many seconds since 1970, to the microsecond. None: no number, or no time that a message can have.
pub(super) fn seconds(text: &str) -> Option<DateTime<Utc>> {
    let number = fields::number(text).filter(|number| (0.0..=LAST_SECOND).contains(number))?;
    // Whole seconds and the rest each fit exactly; their product with a million does not always.
    let whole = format!("{:.0}", number.trunc()).parse().ok()?;
    let micros: u32 = format!("{:.0}", number.fract() * 1e6).parse().ok()?;
    let whole = DateTime::from_timestamp(whole, 0)?;
    whole.checked_add_signed(chrono::TimeDelta::microseconds(micros.into()))
}
