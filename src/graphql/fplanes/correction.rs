//! What is right of a slot, whatever was told of it.

use std::collections::BTreeMap;

use async_graphql::InputObject;
use chrono::{DateTime, Utc};

use super::slot::{FplaneLayer, FplanePositions};
use crate::failure::Failure;
use crate::fplanes::grid;
use crate::fplanes::model::{Layer, Mapping, Position, Special, Value};
use crate::fplanes::read::by_id::id_form;
use crate::fplanes::write::correct::Correction;

/// What is right of a slot in a stretch of time, whatever was told of it. What is not given stays as it is.
#[derive(InputObject)]
pub struct CorrectFplaneInput {
    /// The slot, such as `021`.
    ifuslot: String,
    /// Since when it is so, in any form that `Query.fplane` takes.
    pub(super) from: String,
    /// Until when: from then on the slot is again what it is known to be then. Absent: for good, whatever was told of later.
    pub(super) until: Option<String>,
    /// What is in it. All of it: what is left out is not there.
    mapping: Option<FplaneMappingInput>,
    /// Where it is.
    position: Option<FplanePositionInput>,
    /// What a slot is that is no unit of VIRUS, and where.
    special: Option<FplaneSpecialInput>,
    /// The kinds of facts of which nothing was true: with `MAPPING` or `SPECIAL` the slot was not in the plane.
    #[graphql(default)]
    removed: Vec<FplaneLayer>,
    /// Why.
    reason: String,
    /// Keep it; false: only tell what would change.
    #[graphql(default = true)]
    pub(super) commit: bool,
}

/// What is in a slot of VIRUS.
#[derive(InputObject)]
struct FplaneMappingInput {
    /// The IFU (fibre bundle); absent or `000`: none, as for all ids here.
    ifuid: Option<String>,
    /// The spectrograph.
    specid: Option<String>,
    /// The place of the spectrograph in its enclosure.
    specslot: Option<String>,
    /// The controller of the spectrograph.
    cntlid: Option<String>,
    /// The multiplexer of the controller.
    muxid: Option<String>,
    /// Is it in use?
    #[graphql(default = true)]
    active: bool,
    /// Rotation of the IFU, in degrees.
    #[graphql(default = 0.0)]
    rotation: f64,
    /// Plate scale, relative to that of the plane.
    #[graphql(default = 1.0)]
    plate_scale: f64,
}

/// Where a slot is.
#[derive(InputObject)]
struct FplanePositionInput {
    /// `X_FP`, in arcsec from the boresight.
    x: f64,
    /// `Y_FP`, in arcsec from the boresight.
    y: f64,
    /// Measured, or by design.
    #[graphql(default_with = "FplanePositions::Measured")]
    positions: FplanePositions,
}

/// A slot that is no unit of VIRUS.
#[derive(InputObject)]
struct FplaneSpecialInput {
    /// Its id, 900 or more, which files write as `SPECID`, `SPECSLOT` and `IFUID`.
    id: String,
    /// What it is called.
    name: Option<String>,
    /// `X_FP`, in arcsec from the boresight.
    x: f64,
    /// `Y_FP`, in arcsec from the boresight.
    y: f64,
    /// Is it in use?
    #[graphql(default = true)]
    active: bool,
    /// Rotation, in degrees.
    #[graphql(default = 0.0)]
    rotation: f64,
    /// Plate scale, relative to that of the plane.
    #[graphql(default = 1.0)]
    plate_scale: f64,
}

impl From<&FplaneMappingInput> for Value {
    fn from(input: &FplaneMappingInput) -> Self {
        let id = |id: &Option<String>| {
            let id = id.as_deref().map(id_form);
            id.filter(|id| id != NONE)
        };
        Self::Mapping(Mapping {
            ifuid: id(&input.ifuid),
            specid: id(&input.specid),
            specslot: id(&input.specslot),
            cntlid: id(&input.cntlid),
            muxid: id(&input.muxid),
            active: input.active,
            rotation: input.rotation,
            plate_scale: input.plate_scale,
        })
    }
}

/// What files write where there is none.
const NONE: &str = "000";

impl From<&FplanePositionInput> for Value {
    fn from(input: &FplanePositionInput) -> Self {
        let position = Position {
            x: input.x,
            y: input.y,
        };
        match input.positions {
            FplanePositions::Nominal => Self::Nominal(position),
            FplanePositions::Measured => Self::Measured(position),
        }
    }
}

impl From<&FplaneSpecialInput> for Value {
    fn from(input: &FplaneSpecialInput) -> Self {
        Self::Special(Special {
            id: id_form(&input.id),
            name: input.name.clone(),
            position: Position {
                x: input.x,
                y: input.y,
            },
            active: input.active,
            rotation: input.rotation,
            plate_scale: input.plate_scale,
        })
    }
}

impl CorrectFplaneInput {
    /// The correction, between these instants.
    pub(super) fn correction(
        &self,
        from: DateTime<Utc>,
        until: Option<DateTime<Utc>>,
    ) -> Result<Correction<'_>, Failure> {
        Ok(Correction {
            ifuslot: &self.ifuslot,
            from,
            until,
            facts: self.facts()?,
            reason: &self.reason,
        })
    }

    fn facts(&self) -> Result<BTreeMap<Layer, Option<Value>>, Failure> {
        let mut facts = BTreeMap::new();
        let mut add = |field, layer, value: Option<Value>| match facts.get(&layer) {
            Some(other) if *other != value => Err(Failure::bad_input(
                field,
                "it contradicts what else is given",
            )),
            // To say the same twice, as that a slot with a mapping is not special, is no contradiction.
            _ => {
                facts.insert(layer, value);
                Ok(())
            }
        };
        for layer in &self.removed {
            add("removed", (*layer).into(), None)?;
        }
        if let Some(mapping) = &self.mapping {
            add("mapping", Layer::Mapping, Some(mapping.into()))?;
            // A slot is either of VIRUS or not: of one that never is not, nothing has to be said.
            let ifuslot = grid::parse_ifuslot(&self.ifuslot).unwrap_or_default();
            if !grid::is_virus(&ifuslot) {
                add("special", Layer::Special, None)?;
            }
        }
        if let Some(position) = &self.position {
            let value = Value::from(position);
            add("position", value.layer(), Some(value))?;
        }
        if let Some(special) = &self.special {
            add("special", Layer::Special, Some(special.into()))?;
            add("mapping", Layer::Mapping, None)?;
        }
        Ok(facts)
    }
}
