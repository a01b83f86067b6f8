//! Status messages of the telescope.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value as Json;

use super::tell::{Told, Turn, digest};
use super::warnings::{self, Warning, WarningCode, written};
use super::{Author, Outcome};
use crate::database::Database;
use crate::failure::Failure;
use crate::fplanes::model::{Plane, Positions, SlotKind, Special};
use crate::fplanes::read::SourceKind;
use crate::fplanes::readers::{StatusError, read_status};
use crate::fplanes::settings::FplaneSettings;

/// The field of the input.
const FIELD: &str = "config";

/// Takes what the command `get_hardware_status` of the telescope answers: the plane is so since the time of the message.
///
/// # Errors
/// A rejection if the message cannot be used, or is older than the settings allow.
pub async fn update(
    database: &Database,
    settings: &FplaneSettings,
    author: &Author<'_>,
    config: &Json,
    commit: bool,
    now: DateTime<Utc>,
    positions: Option<Positions>,
) -> Result<Outcome, Failure> {
    let refused = |error: StatusError| Failure::bad_input(FIELD, error.to_string());
    let mut status = read_status(config).map_err(refused)?;
    let mut odd = check_time(settings, status.at, now)?;
    odd.extend(
        std::mem::take(&mut status.notes)
            .into_iter()
            .map(Warning::of),
    );
    let content = config.to_string();
    let digest = digest(SourceKind::Status, status.at, &[&content]);
    let turn = Turn::begin(database).await?.showing(positions);
    // What was told before needs no place for what it does not place: that may be gone meanwhile.
    let is_repeated = turn.was_told(&digest).await?;
    if !is_repeated && !status.unplaced.is_empty() {
        let present = turn.plane(status.at, Positions::Nominal).await?;
        let present = |ifuslot: &str| special(&present, ifuslot);
        status.settle(present).map_err(refused)?;
    }
    if !is_repeated && status.claims.facts.is_empty() {
        let why = odd.iter().map(|odd| odd.message.as_str());
        let why: Vec<&str> = ["it tells of no slot"]
            .into_iter()
            .chain(why)
            .take(MOST_TOLD)
            .collect();
        return Err(Failure::bad_input(FIELD, why.join("; ")));
    }
    odd.extend(warnings::unknown(&turn.transaction, &status.claims).await?);
    let told = Told {
        kind: SourceKind::Status,
        name: status.source,
        valid_from: status.at,
        valid_until: None,
        reason: None,
        digest,
        content,
        claims: status.claims,
    };
    turn.tell(author, vec![told], odd, commit, now).await
}

/// How many reasons are told why a message tells of nothing.
const MOST_TOLD: usize = 6;

/// Is the time of a message near enough to now?
fn check_time(
    settings: &FplaneSettings,
    at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Vec<Warning>, Failure> {
    let limit = |duration| TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX);
    if now.signed_duration_since(at) > limit(settings.refuse_older_than) {
        let limit = humantime::format_duration(settings.refuse_older_than);
        let message = format!("__data_time: {} is more than {limit} ago", written(at));
        return Err(Failure::bad_input(FIELD, message));
    }
    if at.signed_duration_since(now) > limit(settings.warn_ahead) {
        let limit = humantime::format_duration(settings.warn_ahead);
        return Ok(vec![Warning {
            code: WarningCode::Ahead,
            message: format!("__data_time: {} is more than {limit} ahead", written(at)),
        }]);
    }
    Ok(Vec::new())
}

fn special(plane: &Plane, ifuslot: &str) -> Option<Special> {
    let mut slots = plane.slots.iter();
    let slot = slots.find(|slot| slot.ifuslot == ifuslot && slot.kind != SlotKind::Virus)?;
    Some(Special {
        id: slot.mapping.ifuid.clone()?,
        name: slot.name.clone(),
        position: slot.position,
        active: slot.mapping.active,
        rotation: slot.mapping.rotation,
        plate_scale: slot.mapping.plate_scale,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_taken_from_six_hours_ago_to_ten_minutes_ahead() {
        let settings = FplaneSettings::default();
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let check = |seconds: i64| {
            let at = now + TimeDelta::seconds(seconds);
            check_time(&settings, at, now).map(|odd| odd.len())
        };
        assert_eq!(check(-6 * 3_600), Ok(0));
        assert!(
            check(-6 * 3_600 - 1)
                .unwrap_err()
                .to_string()
                .contains("more than 6h ago")
        );
        assert_eq!(check(0), Ok(0));
        assert_eq!(check(600), Ok(0));
        assert_eq!(check(601), Ok(1));
    }
}
