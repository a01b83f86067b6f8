//! From the focal plane to the sky and back: the tangent plane (gnomonic projection) around where the telescope points.
//!
//! With p₁ = `Y_FP` and p₂ = `X_FP` in arcsec, and the angle r of a [`Convention`], the standard coordinates of a
//! position, in degrees, are ξ = −(cos r · p₁ + sin r · p₂) / 3600 to the east and η = (−sin r · p₁ + cos r · p₂) / 3600
//! to the north. These are the formulas of pyhetdex and Remedy, which swap x and y on the way in.

use std::fmt;

use super::model::{Position, Slot, SlotKind};

/// The rotation of the focal plane against the tracker, in degrees, that Remedy and Panacea reckon with.
pub const SYSTEM_ROTATION: f64 = 1.55;
/// What is less than this from the centre of a unit of VIRUS in both axes, in arcsec, is in its field, by the rule of
/// the HETDEX tools. It is more than half the side of an IFU, since the positions are not known to better.
pub const VIRUS_REACH: f64 = 30.0;
/// The same for LRS2: half of its field of 12.4″ by 6.1″.
pub const LRS2_REACH: (f64, f64) = (6.2, 3.05);

const ARCSEC: f64 = 3600.0;

/// How tools reckon the angle r between the axes of the plane and north from the position angle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Convention {
    /// The command line tools of pyhetdex: r = 360° − (PA + 90°). They know no system rotation.
    #[default]
    Pyhetdex,
    /// Remedy and Panacea for the focal plane: r = 360° − (90° + PA + system rotation).
    Remedy,
    /// The same for the acquisition camera: r = PA + system rotation + 90°.
    Acam,
    /// The same for LRS2: r = 180° − PA − system rotation.
    Lrs2,
}

/// How the plane is turned on the sky.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rotation {
    position_angle: f64,
    convention: Convention,
    /// The rotation of the system in degrees.
    system: f64,
}

/// A place on the sky (ICRS, or whatever the pointing is in).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sky {
    /// Right ascension in degrees, 0 ≤ RA < 360.
    pub ra: f64,
    /// Declination in degrees, −90 to 90.
    pub dec: f64,
}

/// Where the telescope points, and how the plane is turned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pointing {
    center: Sky,
    rotation: Rotation,
}

/// Why something is no place on the sky, or no angle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SkyError {
    /// This number is not finite.
    NotFinite(&'static str),
    /// A declination beyond a pole.
    Declination(f64),
}

impl fmt::Display for SkyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFinite(what) => write!(f, "the {what} must be a finite number of degrees"),
            Self::Declination(dec) => {
                write!(f, "a declination is from -90 to 90 degrees, not {dec}")
            }
        }
    }
}

impl std::error::Error for SkyError {}

impl Rotation {
    /// For this position angle in degrees; without a system rotation, with [`SYSTEM_ROTATION`].
    pub fn new(
        position_angle: f64,
        convention: Convention,
        system_rotation: Option<f64>,
    ) -> Result<Self, SkyError> {
        Ok(Self {
            position_angle: finite("position angle", position_angle)?,
            convention,
            system: finite(
                "system rotation",
                system_rotation.unwrap_or(SYSTEM_ROTATION),
            )?,
        })
    }

    /// The angle r in degrees, 0 ≤ r < 360.
    pub fn angle(&self) -> f64 {
        // Each taken by itself: the sum of two finite numbers need not be finite.
        let [pa, system] = [self.position_angle, self.system].map(turn);
        turn(match self.convention {
            Convention::Pyhetdex => 360.0 - (pa + 90.0),
            Convention::Remedy => 360.0 - (90.0 + pa + system),
            Convention::Acam => pa + system + 90.0,
            Convention::Lrs2 => 180.0 - pa - system,
        })
    }

    /// The directions in the plane, as (x, y) of length one, to the north and to the east.
    pub fn compass(&self) -> (Position, Position) {
        let (sin, cos) = self.angle().to_radians().sin_cos();
        (Position { x: cos, y: -sin }, Position { x: -sin, y: -cos })
    }
}

impl Sky {
    /// A place at these degrees; the right ascension may be of another turn.
    pub fn new(ra: f64, dec: f64) -> Result<Self, SkyError> {
        let ra = turn(finite("right ascension", ra)?);
        let dec = finite("declination", dec)?;
        if !(-90.0..=90.0).contains(&dec) {
            return Err(SkyError::Declination(dec));
        }
        Ok(Self { ra, dec })
    }
}

impl Pointing {
    /// The boresight (slot 000) is at this place.
    pub const fn new(center: Sky, rotation: Rotation) -> Self {
        Self { center, rotation }
    }

    /// Where on the sky a position is.
    pub fn to_sky(&self, position: Position) -> Sky {
        let (sin, cos) = self.rotation.angle().to_radians().sin_cos();
        let (first, second) = (position.y / ARCSEC, position.x / ARCSEC);
        let east = -(cos * first + sin * second).to_radians();
        let north = (cos * second - sin * first).to_radians();
        let (sin_dec, cos_dec) = self.center.dec.to_radians().sin_cos();
        // A vector in axes that are turned so that the centre is at right ascension 0; its length does not matter.
        let along = cos_dec - north * sin_dec;
        let up = sin_dec + north * cos_dec;
        Sky {
            ra: turn(self.center.ra + east.atan2(along).to_degrees()),
            dec: up.atan2(along.hypot(east)).to_degrees(),
        }
    }

    /// Where in the plane a place on the sky is; none for what is 90° or more away, which has no image there.
    pub fn to_plane(&self, place: Sky) -> Option<Position> {
        let (sin_ra, cos_ra) = (place.ra - self.center.ra).to_radians().sin_cos();
        let (sin_dec, cos_dec) = place.dec.to_radians().sin_cos();
        let (sin_center, cos_center) = self.center.dec.to_radians().sin_cos();
        let toward = sin_center * sin_dec + cos_center * cos_dec * cos_ra;
        // At the horizon, rounding alone decides on the sign.
        if toward.is_nan() || toward <= f64::EPSILON {
            return None;
        }
        let east = (cos_dec * sin_ra / toward).to_degrees() * ARCSEC;
        let north = cos_center * sin_dec - sin_center * cos_dec * cos_ra;
        let north = (north / toward).to_degrees() * ARCSEC;
        let (sin, cos) = self.rotation.angle().to_radians().sin_cos();
        Some(Position {
            x: cos * north - sin * east,
            y: -(cos * east + sin * north),
        })
    }
}

/// Is this place of the plane in the field of the slot? What is no unit of VIRUS or LRS2 has no field.
pub fn covers(slot: &Slot, place: Position) -> bool {
    let (x, y) = match slot.kind {
        SlotKind::Virus => (VIRUS_REACH, VIRUS_REACH),
        SlotKind::Lrs2 => LRS2_REACH,
        SlotKind::Boresight | SlotKind::Other => return false,
    };
    (place.x - slot.position.x).abs() < x && (place.y - slot.position.y).abs() < y
}

/// The same angle in 0 ≤ angle < 360 degrees.
fn turn(angle: f64) -> f64 {
    let turned = angle.rem_euclid(360.0);
    // What is less than nothing by less than a rounding becomes 360.
    if turned < 360.0 { turned } else { 0.0 }
}

fn finite(what: &'static str, number: f64) -> Result<f64, SkyError> {
    if number.is_finite() {
        Ok(number)
    } else {
        Err(SkyError::NotFinite(what))
    }
}

#[cfg(test)]
mod tests;
