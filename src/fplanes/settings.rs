//! The settings of focal planes.

use std::time::Duration;

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

/// Where the instrument stands, and which messages of the telescope are believed.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct FplaneSettings {
    /// The time zone of the telescope, as the IANA names it: a night is named by the date on which it starts there, and
    /// stands for the midnight at the end of that date.
    #[serde(with = "zone")]
    pub night_zone: Tz,
    /// A message of the telescope whose time lies further back is refused.
    #[serde(with = "crate::human_duration")]
    pub refuse_older_than: Duration,
    /// A message whose time lies further ahead is taken with a warning.
    #[serde(with = "crate::human_duration")]
    pub warn_ahead: Duration,
    /// Are files of planes sent to everybody who asks by the old paths? If not, the protection level decides.
    pub open_files: bool,
}

impl Default for FplaneSettings {
    fn default() -> Self {
        Self {
            night_zone: Tz::America__Chicago,
            refuse_older_than: Duration::from_hours(6),
            warn_ahead: Duration::from_mins(10),
            open_files: true,
        }
    }
}

/// A time zone by its name.
mod zone {
    use chrono_tz::Tz;
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde calls it with a reference"
    )]
    pub(super) fn serialize<S: Serializer>(zone: &Tz, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(zone.name())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Tz, D::Error> {
        let name = String::deserialize(deserializer)?;
        let unknown = || format!("no time zone: {name:?}; such as \"America/Chicago\" or \"UTC\"");
        name.trim().parse().map_err(|_| D::Error::custom(unknown()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_written_as_people_write_them_and_read_back() {
        let settings = FplaneSettings::default();
        let json = serde_json::to_value(&settings).unwrap();
        let expected = serde_json::json!({
            "night_zone": "America/Chicago", "refuse_older_than": "6h", "warn_ahead": "10m",
            "open_files": true,
        });
        assert_eq!(json, expected);
        let back: FplaneSettings = serde_json::from_value(json).unwrap();
        assert_eq!(back, settings);
    }

    #[test]
    fn a_zone_that_does_not_exist_is_named() {
        let read = serde_json::from_str::<FplaneSettings>(r#"{"night_zone": "Texas"}"#);
        let message = read.unwrap_err().to_string();
        assert!(message.contains("no time zone: \"Texas\""), "{message}");
        let utc: FplaneSettings = serde_json::from_str(r#"{"night_zone": "UTC"}"#).unwrap();
        assert_eq!(utc.night_zone, Tz::UTC);
        assert!(serde_json::from_str::<FplaneSettings>(r#"{"nightzone": "UTC"}"#).is_err());
    }
}
