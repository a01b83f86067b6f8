//! Corrections by hand.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sea_orm::sea_query::Query;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use serde_json::Value as Json;

use super::tell::{Told, Turn, digest};
use super::{Author, Outcome};
use crate::database::Database;
use crate::entity::fplane_source;
use crate::failure::Failure;
use crate::fplanes::grid;
use crate::fplanes::model::{Claims, Layer, Position, Track, Value};
use crate::fplanes::read::SourceKind;
use crate::fplanes::read::records::{self, layer_name};
use crate::fplanes::readers::fields;
use crate::time::Micros;

/// The longest reason, in characters.
const MOST_REASON: usize = 2_000;
/// The longest name, in characters.
const MOST_NAME: usize = 100;

/// What is right of a slot in a stretch of time, whatever was told of it.
#[derive(Clone, Debug)]
pub struct Correction<'a> {
    /// The slot.
    pub ifuslot: &'a str,
    /// Since when it is so.
    pub from: DateTime<Utc>,
    /// Until when: then it is again what it was known to be then. None: for good, whatever was told of later.
    pub until: Option<DateTime<Utc>>,
    /// What each layer holds; none: nothing. Layers that are not named stay as they are.
    pub facts: BTreeMap<Layer, Option<Value>>,
    /// Why.
    pub reason: &'a str,
}

/// Corrects what is known of a slot. What was known until now stays to be asked for. The same correction twice in a row is
/// one.
///
/// # Errors
/// A rejection if it says nothing, or something that cannot be.
pub async fn correct(
    database: &Database,
    author: &Author<'_>,
    correction: &Correction<'_>,
    commit: bool,
    now: DateTime<Utc>,
) -> Result<Outcome, Failure> {
    let claims = check(correction)?;
    let content = content(&claims);
    let until = correction.until.map_or(i64::MAX, |until| until.micros());
    let parts = [&until.to_string(), correction.reason, &content];
    let digest = digest(SourceKind::Correction, correction.from, &parts);
    let turn = Turn::begin(database).await?;
    let last = Query::select()
        .expr(fplane_source::Column::Id.max())
        .from(fplane_source::Entity)
        .take();
    let newest: Option<String> = fplane_source::Entity::find()
        .select_only()
        .column(fplane_source::Column::Digest)
        .filter(fplane_source::Column::Id.in_subquery(last))
        .into_tuple()
        .one(&turn.transaction)
        .await?;
    // After something else was told it is another correction.
    let digest = newest
        .filter(|newest| newest.starts_with(&digest))
        .unwrap_or_else(|| format!("{digest}@{}", turn.head.known_at));
    let told = Told {
        kind: SourceKind::Correction,
        name: None,
        valid_from: correction.from,
        valid_until: correction.until,
        reason: Some(correction.reason.to_owned()),
        digest,
        content,
        claims,
    };
    turn.tell(author, vec![told], Vec::new(), commit, now).await
}

fn check(correction: &Correction<'_>) -> Result<Claims, Failure> {
    let ifuslot = grid::parse_ifuslot(correction.ifuslot).ok_or_else(|| {
        let message = "no name of a slot, which is three digits";
        Failure::bad_input("ifuslot", message)
    })?;
    if correction
        .until
        .is_some_and(|until| until <= correction.from)
    {
        return Err(Failure::bad_input("until", "it must be after `from`"));
    }
    if correction.facts.is_empty() {
        let message = "give `mapping`, `position` or `special`, or say what is removed";
        return Err(Failure::bad_input("mapping", message));
    }
    if correction.reason.chars().count() > MOST_REASON {
        let message = format!("longer than {MOST_REASON} characters");
        return Err(Failure::bad_input("reason", message));
    }
    let mut claims = Claims::default();
    for (layer, value) in &correction.facts {
        if let Some(value) = value {
            check_value(*layer, value)?;
        }
        if matches!(value, Some(Value::Nominal(_) | Value::Measured(_)))
            && !grid::is_virus(&ifuslot)
        {
            let message =
                format!("slot {ifuslot} is none of VIRUS: give `special`, with its position");
            return Err(Failure::bad_input("position", message));
        }
        if matches!(value, Some(Value::Mapping(_))) && grid::nominal(&ifuslot).is_none() {
            let message = format!("slot {ifuslot} has no place in the grid");
            return Err(Failure::bad_input("mapping", message));
        }
        if matches!(value, Some(Value::Special(_))) && grid::is_virus(&ifuslot) {
            let message = format!("slot {ifuslot} is one of VIRUS");
            return Err(Failure::bad_input("special", message));
        }
        let track = Track {
            layer: *layer,
            ifuslot: ifuslot.clone(),
        };
        claims.facts.insert(track, value.clone());
    }
    Ok(claims)
}

fn check_value(layer: Layer, value: &Value) -> Result<(), Failure> {
    if value.layer() != layer {
        return Err(Failure::internal("a fact of another layer"));
    }
    match value {
        Value::Nominal(place) | Value::Measured(place) => check_position("position", *place),
        Value::Mapping(mapping) => {
            let ids = [
                &mapping.ifuid,
                &mapping.specid,
                &mapping.specslot,
                &mapping.cntlid,
                &mapping.muxid,
            ];
            ids.into_iter()
                .flatten()
                .try_for_each(|id| check_id("mapping", id))?;
            check_numbers("mapping", mapping.rotation, mapping.plate_scale)
        }
        Value::Special(special) => {
            check_id("special", &special.id)?;
            if !fields::is_special_id(&special.id) {
                let message = "the id of a special slot is from 900 to 999";
                return Err(Failure::bad_input("special", message));
            }
            let name = special.name.as_deref().unwrap_or_default();
            if name.chars().count() > MOST_NAME || name.chars().any(char::is_control) {
                let message =
                    format!("a name has at most {MOST_NAME} characters, all of them visible");
                return Err(Failure::bad_input("special", message));
            }
            check_position("special", special.position)?;
            check_numbers("special", special.rotation, special.plate_scale)
        }
    }
}

fn check_id(field: &'static str, id: &str) -> Result<(), Failure> {
    // Files have to be able to tell it: in the one form in which ids are.
    if fields::id(id).is_some_and(|form| form == id) {
        return Ok(());
    }
    let most = fields::MAX_DIGITS;
    let message = format!("an id has three digits, or up to {most} without zeros before them");
    Err(Failure::bad_input(field, message))
}

fn check_position(field: &'static str, position: Position) -> Result<(), Failure> {
    if fields::is_position(position.x) && fields::is_position(position.y) {
        return Ok(());
    }
    let message = format!("x and y must be within {} arcsec", fields::MAX_POSITION);
    Err(Failure::bad_input(field, message))
}

fn check_numbers(field: &'static str, rotation: f64, plate_scale: f64) -> Result<(), Failure> {
    if fields::is_rotation(rotation) && fields::is_plate_scale(plate_scale) {
        return Ok(());
    }
    let (degrees, most) = (fields::MAX_ROTATION, fields::MAX_PLATE_SCALE);
    let message = format!(
        "the rotation must be within {degrees} degrees, the plate scale positive and at most {most}"
    );
    Err(Failure::bad_input(field, message))
}

/// A correction as it is kept: what each layer holds, as JSON.
fn content(claims: &Claims) -> String {
    let facts = claims.facts.iter().map(|(track, value)| {
        let held = value.as_ref().map_or(Json::Null, fact);
        (layer_name(track.layer).to_ascii_lowercase(), held)
    });
    let slot = claims
        .facts
        .keys()
        .next()
        .map(|track| track.ifuslot.clone());
    let ifuslot = ("ifuslot".to_owned(), Json::from(slot));
    Json::Object(facts.chain([ifuslot]).collect()).to_string()
}

fn fact(value: &Value) -> Json {
    let row = records::row(value);
    let columns = [
        ("ifuid", Json::from(row.ifuid)),
        ("specid", row.specid.into()),
        ("specslot", row.specslot.into()),
        ("cntlid", row.cntlid.into()),
        ("muxid", row.muxid.into()),
        ("active", row.active.into()),
        ("rotation", row.rotation.into()),
        ("plate_scale", row.plate_scale.into()),
        ("x", row.x.into()),
        ("y", row.y.into()),
        ("name", row.name.into()),
    ];
    let held = columns.into_iter().filter(|(_, value)| !value.is_null());
    let held = held.map(|(name, value)| (name.to_owned(), value));
    Json::Object(held.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn correction(facts: BTreeMap<Layer, Option<Value>>) -> Correction<'static> {
        Correction {
            ifuslot: "13",
            from: DateTime::from_timestamp(1_000, 0).unwrap(),
            until: DateTime::from_timestamp(2_000, 0),
            facts,
            reason: "measured again",
        }
    }

    fn place(x: f64) -> BTreeMap<Layer, Option<Value>> {
        let place = Value::Measured(Position { x, y: 1.5 });
        BTreeMap::from([(Layer::Measured, Some(place))])
    }

    #[test]
    fn a_correction_is_kept_as_json() {
        let claims = check(&correction(place(-449.25))).unwrap();
        let expected = r#"{"ifuslot":"013","measured":{"x":-449.25,"y":1.5}}"#;
        assert_eq!(content(&claims), expected);
        let removed = BTreeMap::from([(Layer::Mapping, None)]);
        let claims = check(&correction(removed)).unwrap();
        assert_eq!(content(&claims), r#"{"ifuslot":"013","mapping":null}"#);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for x in [f64::NAN, f64::INFINITY, 10_001.0] {
            assert!(check(&correction(place(x))).is_err(), "{x}");
        }
        assert!(check(&correction(BTreeMap::new())).is_err());
        let slot = Correction {
            ifuslot: "slot",
            ..correction(place(1.0))
        };
        assert!(check(&slot).is_err());
        let backwards = Correction {
            until: DateTime::from_timestamp(1_000, 0),
            ..correction(place(1.0))
        };
        assert!(check(&backwards).is_err());
    }
}
