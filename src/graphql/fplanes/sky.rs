//! Slots on the sky.

use async_graphql::{Enum, Result};
use macros::row;

use super::slot::FplaneSlot;
use crate::failure::Failure;
use crate::fplanes::model::Plane;
use crate::fplanes::sky::{self, Convention, Pointing, Rotation, Sky, SkyError};
use crate::graphql::context::failed;
use crate::graphql::rows::Rows;

/// How the angle between the axes of the plane and north is reckoned from the position angle (PA).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "Convention")]
pub enum FplaneConvention {
    /// As the command line tools of pyhetdex: 360° − (PA + 90°). They know no system rotation.
    Pyhetdex,
    /// As Remedy and Panacea for the focal plane: 360° − (90° + PA + system rotation).
    Remedy,
    /// As they do for the acquisition camera: PA + system rotation + 90°.
    Acam,
    /// As they do for LRS2: 180° − PA − system rotation.
    #[graphql(name = "LRS2")]
    Lrs2,
}

/// How the plane is turned, as it was asked for.
pub struct Turned {
    position_angle: f64,
    convention: FplaneConvention,
    system_rotation: Option<f64>,
}

impl Turned {
    /// By these arguments.
    pub const fn new(
        position_angle: f64,
        convention: FplaneConvention,
        system_rotation: Option<f64>,
    ) -> Self {
        Self {
            position_angle,
            convention,
            system_rotation,
        }
    }

    /// How the plane is turned on the sky.
    pub fn rotation(&self) -> Result<Rotation> {
        let convention = self.convention.into();
        let rotation = Rotation::new(self.position_angle, convention, self.system_rotation);
        rotation.map_err(|wrong| bad_input("positionAngle", &wrong))
    }

    /// The same, with the boresight at this place.
    pub fn pointing(&self, ra: f64, dec: f64) -> Result<Pointing> {
        let center = Sky::new(ra, dec).map_err(|wrong| bad_input("dec", &wrong))?;
        Ok(Pointing::new(center, self.rotation()?))
    }
}

/// Where on the sky a slot is.
pub struct FplaneSkyPosition {
    slot: FplaneSlot,
    sky: Sky,
}

impl FplaneSkyPosition {
    /// Of this slot.
    pub fn of(slot: FplaneSlot, pointing: &Pointing) -> Self {
        let sky = pointing.to_sky(slot.0.position);
        Self { slot, sky }
    }
}

/// Where on the sky a slot is.
#[row]
impl FplaneSkyPosition {
    /// The number of the slot, three digits.
    fn ifuslot(&self) -> &str {
        &self.slot.0.ifuslot
    }

    /// The right ascension of its centre, in degrees, from 0 to 360.
    fn ra(&self) -> f64 {
        self.sky.ra
    }

    /// The declination of its centre, in degrees, from -90 to 90.
    fn dec(&self) -> f64 {
        self.sky.dec
    }

    /// The slot.
    fn slot(&self) -> &FplaneSlot {
        &self.slot
    }
}

/// A place on the sky as it is seen in the focal plane.
pub struct FplaneTarget {
    x: f64,
    y: f64,
    slots: Rows<FplaneSlot>,
}

impl FplaneTarget {
    /// The place at these degrees; none: it has no image in the plane.
    pub fn find(plane: &Plane, pointing: &Pointing, ra: f64, dec: f64) -> Result<Option<Self>> {
        let target = Sky::new(ra, dec).map_err(|wrong| bad_input("targetDec", &wrong))?;
        let Some(place) = pointing.to_plane(target) else {
            return Ok(None);
        };
        let slots = plane.slots.iter().filter(|slot| sky::covers(slot, place));
        Ok(Some(Self {
            x: place.x,
            y: place.y,
            slots: slots.cloned().map(FplaneSlot).collect(),
        }))
    }
}

/// A place on the sky as it is seen in the focal plane.
#[row]
impl FplaneTarget {
    /// `X_FP`, in arcsec from the boresight.
    fn x(&self) -> f64 {
        self.x
    }

    /// `Y_FP`, in arcsec from the boresight.
    fn y(&self) -> f64 {
        self.y
    }

    /// The slots in whose field it is, whether they are in use or not: less than 30 arcsec from the centre of a unit of VIRUS
    /// in both axes, in the field of 12.4 by 6.1 arcsec of LRS2.
    fn slots(&self) -> &Rows<FplaneSlot> {
        &self.slots
    }
}

fn bad_input(field: &'static str, wrong: &SkyError) -> async_graphql::Error {
    failed(Failure::bad_input(field, wrong.to_string()))
}
