//! What a focal plane is: slots with what is in them, at places, each for a time.
//!
//! What is known of a plane comes in four layers, each with times of its own: a new IFU does not move its slot, and a better
//! measurement of a place does not change what stands there.

use chrono::{DateTime, Utc};

/// One of the four kinds of facts about a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// What is in a slot: IFU, spectrograph and their like.
    Mapping,
    /// Where a slot is by design. Its place in the grid needs no fact.
    Nominal,
    /// Where it was measured to be.
    Measured,
    /// A slot that is no unit of VIRUS: what it is and where.
    Special,
}

impl Layer {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Mapping, Self::Nominal, Self::Measured, Self::Special];
}

/// What is in a slot of VIRUS. Ids are texts of three digits or more; none: there is none, which files write as `000`.
#[derive(Clone, Debug, PartialEq)]
pub struct Mapping {
    /// The fibre bundle.
    pub ifuid: Option<String>,
    /// The spectrograph.
    pub specid: Option<String>,
    /// The place of the spectrograph in its enclosure.
    pub specslot: Option<String>,
    /// The controller of the spectrograph.
    pub cntlid: Option<String>,
    /// The multiplexer of the controller.
    pub muxid: Option<String>,
    /// Is it in use? In files, rows that are not are commented out.
    pub active: bool,
    /// Rotation of the IFU in degrees.
    pub rotation: f64,
    /// Plate scale, relative to that of the plane.
    pub plate_scale: f64,
}

/// A place in the plane, in arcsec from the boresight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Position {
    /// `X_FP`, in arcsec.
    pub x: f64,
    /// `Y_FP`, in arcsec.
    pub y: f64,
}

/// A slot that is no unit of VIRUS: the boresight, LRS2, and fibres and cameras of other instruments.
#[derive(Clone, Debug, PartialEq)]
pub struct Special {
    /// What files write as `SPECID`, `SPECSLOT` and `IFUID`; 900 or more.
    pub id: String,
    /// What it is called, if somebody said so.
    pub name: Option<String>,
    /// Where it is.
    pub position: Position,
    /// Is it in use?
    pub active: bool,
    /// Rotation in degrees.
    pub rotation: f64,
    /// Plate scale, relative to that of the plane.
    pub plate_scale: f64,
}

/// A fact about a slot.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Of [`Layer::Mapping`].
    Mapping(Mapping),
    /// Of [`Layer::Nominal`].
    Nominal(Position),
    /// Of [`Layer::Measured`].
    Measured(Position),
    /// Of [`Layer::Special`].
    Special(Special),
}

impl Value {
    /// The layer that it belongs to.
    pub const fn layer(&self) -> Layer {
        match self {
            Self::Mapping(_) => Layer::Mapping,
            Self::Nominal(_) => Layer::Nominal,
            Self::Measured(_) => Layer::Measured,
            Self::Special(_) => Layer::Special,
        }
    }
}

/// A layer of a slot: what one fact at a time is known of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Track {
    /// Of which kind the facts are.
    pub layer: Layer,
    /// The slot: three digits.
    pub ifuslot: String,
}

/// What somebody says of the plane from an instant on: a status message, a file, a correction.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Claims {
    /// What each of these tracks holds from then on; none: nothing, the slot has left the plane.
    pub facts: std::collections::BTreeMap<Track, Option<Value>>,
    /// Is what is not among them gone, too? So says a file that is the whole plane; a status message does not.
    pub is_whole: bool,
}

/// Which positions a plane is shown with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Positions {
    /// Those by design.
    #[default]
    Nominal,
    /// The newest that were measured by then, and those by design where there are none.
    Measured,
}

/// Of which kind a slot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SlotKind {
    /// A place for a unit of VIRUS.
    Virus,
    /// 000: where the telescope points.
    Boresight,
    /// 056 and 066: the two arms of LRS2.
    Lrs2,
    /// Anything else that has a place in the plane.
    Other,
}

/// A slot at an instant.
#[derive(Clone, Debug, PartialEq)]
pub struct Slot {
    /// Three digits; of grid slots the first two are the column, the last is the row.
    pub ifuslot: String,
    /// Of which kind it is.
    pub kind: SlotKind,
    /// What it is called, if it is special.
    pub name: Option<String>,
    /// What is in it. Of special slots, all three ids are the one of [`Special`].
    pub mapping: Mapping,
    /// Where it is: as asked for.
    pub position: Position,
    /// Was the position measured?
    pub is_measured: bool,
}

/// The whole plane, as it was at an instant, by what was known at some time.
#[derive(Clone, Debug, PartialEq)]
pub struct Plane {
    /// The instant that was asked for.
    pub at: DateTime<Utc>,
    /// By what was known then; none: by all that is known.
    pub known_at: Option<DateTime<Utc>>,
    /// Since when it has been so; none: nothing is known of before.
    pub valid_from: Option<DateTime<Utc>>,
    /// When it becomes otherwise; none: nothing is known of after.
    pub valid_until: Option<DateTime<Utc>>,
    /// With which positions.
    pub positions: Positions,
    /// In the order of files: slots of VIRUS ascending, with the boresight first, then the special ones ascending.
    pub slots: Vec<Slot>,
}
