//! Slots of a focal plane.

use async_graphql::{Enum, InputObject};
use macros::row;

use crate::fplanes::grid;
use crate::fplanes::model::{Layer, Positions, Slot, SlotKind};
use crate::fplanes::read::by_id::id_form;
use crate::graphql::json::json_enums;

/// Which positions a focal plane is shown with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "Positions")]
pub enum FplanePositions {
    /// Those by design: a grid with a step of 100 arcsec.
    Nominal,
    /// The newest that were measured by then; those by design where there are none.
    Measured,
}

/// Those that were asked for; those by design where null was said, as where nothing was.
pub(super) fn positions(asked: Option<FplanePositions>) -> Positions {
    asked.map(Into::into).unwrap_or_default()
}

/// Of which kind a slot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "SlotKind")]
pub enum FplaneSlotKind {
    /// A place for a unit of VIRUS.
    Virus,
    /// 000: where the telescope points.
    Boresight,
    /// 056 and 066: the two arms of LRS2.
    #[graphql(name = "LRS2")]
    Lrs2,
    /// A fibre or camera of another instrument.
    Other,
}

/// One of the kinds of facts about a slot. Each has times of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "Layer")]
pub enum FplaneLayer {
    /// What is in it: IFU, spectrograph and their like.
    Mapping,
    /// Where it is by design, if that is not its place in the grid.
    Nominal,
    /// Where it was measured to be.
    Measured,
    /// What a slot is that is no unit of VIRUS, and where.
    Special,
}

json_enums!(FplanePositions, FplaneSlotKind, FplaneLayer);

/// A slot of a focal plane at an instant.
#[derive(Clone)]
pub struct FplaneSlot(pub(super) Slot);

/// A slot of a focal plane at an instant.
#[row]
impl FplaneSlot {
    /// Its number, three digits. Of the slots in the grid the first two are the column, the last is the row.
    fn ifuslot(&self) -> &str {
        &self.0.ifuslot
    }

    /// Of which kind it is.
    fn kind(&self) -> FplaneSlotKind {
        self.0.kind.into()
    }

    /// What it is called, such as `HPFACAM`; null for slots of VIRUS, and when nobody said so.
    fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// Its column in the grid, from 1 to 10; null for slots that are not in the grid.
    fn column(&self) -> Option<i32> {
        self.place().map(|(column, _)| column)
    }

    /// Its row in the grid, from 0 to 9; null for slots that are not in the grid.
    fn row(&self) -> Option<i32> {
        self.place().map(|(_, row)| row)
    }

    /// The IFU (fibre bundle) in it; null: none.
    fn ifuid(&self) -> Option<&str> {
        self.0.mapping.ifuid.as_deref()
    }

    /// The spectrograph behind it; null: none.
    fn specid(&self) -> Option<&str> {
        self.0.mapping.specid.as_deref()
    }

    /// The place of the spectrograph in its enclosure; null: none.
    fn specslot(&self) -> Option<&str> {
        self.0.mapping.specslot.as_deref()
    }

    /// The controller of the spectrograph; null: not known.
    fn cntlid(&self) -> Option<&str> {
        self.0.mapping.cntlid.as_deref()
    }

    /// The multiplexer of the controller; null: not known.
    fn muxid(&self) -> Option<&str> {
        self.0.mapping.muxid.as_deref()
    }

    /// Is it in use? In files, the others are commented out.
    fn active(&self) -> bool {
        self.0.mapping.active
    }

    /// Rotation of the IFU, in degrees.
    fn rotation(&self) -> f64 {
        self.0.mapping.rotation
    }

    /// Plate scale, relative to that of the plane: 1 is the same.
    fn plate_scale(&self) -> f64 {
        self.0.mapping.plate_scale
    }

    /// `X_FP`, in arcsec from the boresight.
    fn x(&self) -> f64 {
        self.0.position.x
    }

    /// `Y_FP`, in arcsec from the boresight.
    fn y(&self) -> f64 {
        self.0.position.y
    }

    /// Was its position measured? Always false where positions by design were asked for.
    fn is_measured(&self) -> bool {
        self.0.is_measured
    }
}

impl FplaneSlot {
    /// Column and row in the grid.
    fn place(&self) -> Option<(i32, i32)> {
        let (column, row) = grid::place(&self.0.ifuslot)?;
        Some((column.into(), row.into()))
    }
}

/// Which slots of a focal plane; all conditions must hold.
#[derive(Clone, Debug, Default, InputObject)]
pub struct FplaneSlotFilter {
    /// The slot of this number, such as `021`; leading zeros may be left out, as in all ids here.
    ifuslot: Option<String>,
    /// With this IFU.
    ifuid: Option<String>,
    /// With this spectrograph.
    specid: Option<String>,
    /// Whose spectrograph is at this place in its enclosure.
    specslot: Option<String>,
    /// With this controller.
    cntlid: Option<String>,
    /// In this column of the grid, from 1 to 10.
    column: Option<i32>,
    /// In this row of the grid, from 0 to 9.
    row: Option<i32>,
    /// In use, or not.
    active: Option<bool>,
    /// Of this kind.
    kind: Option<FplaneSlotKind>,
}

impl FplaneSlotFilter {
    /// The slot of this number, with this IFU or this spectrograph.
    pub(super) fn by_ids(
        ifuslot: Option<String>,
        ifuid: Option<String>,
        specid: Option<String>,
    ) -> Self {
        Self {
            ifuslot,
            ifuid,
            specid,
            ..Self::default()
        }
    }

    /// Is it one of those?
    pub(super) fn admits(&self, slot: &FplaneSlot) -> bool {
        let is = |asked: &Option<String>, id: Option<&str>| match asked {
            None => true,
            Some(asked) => id.is_some_and(|id| id == id_form(asked)),
        };
        let (mapping, place) = (&slot.0.mapping, slot.place());
        is(&self.ifuslot, Some(&slot.0.ifuslot))
            && is(&self.ifuid, mapping.ifuid.as_deref())
            && is(&self.specid, mapping.specid.as_deref())
            && is(&self.specslot, mapping.specslot.as_deref())
            && is(&self.cntlid, mapping.cntlid.as_deref())
            && (self.column.is_none() || self.column == place.map(|(column, _)| column))
            && (self.row.is_none() || self.row == place.map(|(_, row)| row))
            && self.active.is_none_or(|active| active == mapping.active)
            && self.kind.is_none_or(|kind| kind == slot.kind())
    }
}
