//! `dtool`: who and what a dataset is, as one JSON object.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::base_uri::is_uuid;
use super::problem::ReadError;
use super::time;

/// The longest text in it, in bytes.
const MAX_TEXT: usize = 255;
/// The most of it that is read, in bytes.
pub(super) const MAX_BYTES: u64 = 64 << 10;

/// What it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Admin {
    pub(super) uuid: String,
    pub(super) name: String,
    pub(super) creator_username: String,
    pub(super) created_at: Option<i64>,
    /// None for a proto dataset; while a dataset is being copied, its proto dataset has the time of the original, which
    /// does not count.
    pub(super) frozen_at: Option<i64>,
    pub(super) dtoolcore_version: Option<String>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Raw {
    uuid: String,
    name: String,
    r#type: String,
    creator_username: String,
    #[serde(default)]
    created_at: Option<Value>,
    #[serde(default)]
    frozen_at: Option<Value>,
    #[serde(default)]
    dtoolcore_version: Option<String>,
}

/// Reads it.
pub(super) fn parse(bytes: &[u8]) -> Result<Admin, ReadError> {
    let raw: Map<String, Value> = serde_json::from_slice(bytes).map_err(ReadError::invalid)?;
    let raw = Raw::deserialize(Value::Object(raw)).map_err(ReadError::invalid)?;
    let frozen = match raw.r#type.as_str() {
        "dataset" => true,
        "protodataset" => false,
        other => {
            let message = format!("the type is {other:?}, neither dataset nor protodataset");
            return Err(ReadError::Invalid(message));
        }
    };
    if !is_uuid(&raw.uuid) {
        return Err(ReadError::Invalid(format!("{:?} is no UUID", raw.uuid)));
    }
    let time = |name: &str, value: Option<&Value>| {
        value
            .filter(|value| !value.is_null())
            .map(time::micros)
            .transpose()
            .map_err(|error| ReadError::Invalid(format!("{name}: {error}")))
    };
    let created_at = time("created_at", raw.created_at.as_ref())?;
    let frozen_at = time("frozen_at", raw.frozen_at.as_ref())?;
    if frozen && frozen_at.is_none() {
        return Err(ReadError::Invalid("frozen_at is missing".into()));
    }
    let dtoolcore_version = raw.dtoolcore_version;
    let dtoolcore_version = dtoolcore_version.map(|version| short("dtoolcore_version", version));
    Ok(Admin {
        uuid: raw.uuid.to_ascii_lowercase(),
        name: filled("name", raw.name)?,
        creator_username: filled("creator_username", raw.creator_username)?,
        created_at,
        frozen_at: frozen_at.filter(|_| frozen),
        dtoolcore_version: dtoolcore_version.transpose()?,
    })
}

fn filled(field: &str, text: String) -> Result<String, ReadError> {
    if text.is_empty() {
        Err(ReadError::Invalid(format!("{field} is empty")))
    } else {
        short(field, text)
    }
}

/// dtool allows names of 80 characters out of letters, digits, `_`, `.` and `-`, and early versions allowed any.
fn short(field: &str, text: String) -> Result<String, ReadError> {
    if text.len() > MAX_TEXT {
        let message = format!(
            "{field} has {} bytes, at most {MAX_TEXT} are allowed",
            text.len()
        );
        Err(ReadError::Invalid(message))
    } else if text.chars().any(char::is_control) {
        let message = format!("{field} holds control characters");
        Err(ReadError::Invalid(message))
    } else {
        Ok(text)
    }
}
