use proptest::prelude::*;

use super::*;
use crate::fplanes::model::Mapping;

const CLOSE: f64 = 1e-8;

fn pointing(ra: f64, dec: f64, angle: f64, convention: Convention) -> Pointing {
    let rotation = Rotation::new(angle, convention, None).unwrap();
    Pointing::new(Sky::new(ra, dec).unwrap(), rotation)
}

/// The pointing of which pyhetdex and Remedy were asked.
fn known(convention: Convention) -> Pointing {
    pointing(205.543_395_821, 28.379_213_341_8, 257.654_951, convention)
}

/// The smaller of the two ways round.
fn apart(one: f64, other: f64) -> f64 {
    let difference = (one - other).rem_euclid(360.0);
    difference.min(360.0 - difference)
}

fn check(convention: Convention, (x, y): (f64, f64), (ra, dec): (f64, f64)) {
    let position = Position { x, y };
    let sky = known(convention).to_sky(position);
    let told = format!("{convention:?} {position:?}: {sky:?}");
    assert!(
        apart(sky.ra, ra) < CLOSE && (sky.dec - dec).abs() < CLOSE,
        "{told}"
    );
    let sky = Sky::new(ra, dec).unwrap();
    let back = known(convention).to_plane(sky).unwrap();
    // 1e-8 degrees are 3.6e-5 arcsec.
    assert!(
        (back.x - x).abs() < 4e-5 && (back.y - y).abs() < 4e-5,
        "{told}: {back:?}"
    );
}

#[test]
fn agrees_with_pyhetdex() {
    let all = [
        ((0.0, 0.0), (205.543_395_821, 28.379_213_342)),
        ((-450.0, 150.0), (205.527_527_620, 28.248_194_660)),
        ((-349.910, 350.210), (205.459_095_055, 28.263_439_388)),
        ((450.0, -150.0), (205.559_303_276, 28.510_230_181)),
    ];
    for (position, sky) in all {
        check(Convention::Pyhetdex, position, sky);
    }
}

#[test]
fn agrees_with_remedy() {
    let all = [
        ((0.0, 0.0), (205.543_395_821, 28.379_213_342)),
        ((-450.0, 150.0), (205.523_510_286, 28.248_620_181)),
        ((-349.910, 350.210), (205.455_569_516, 28.265_487_949)),
        ((450.0, -150.0), (205.563_330_387, 28.509_803_609)),
    ];
    for (position, sky) in all {
        check(Convention::Remedy, position, sky);
    }
}

/// Reckoned by distance and bearing on the sphere, and not by vectors.
#[test]
fn the_kinds_of_remedy_differ_in_the_angle() {
    let acam = [
        ((-450.0, 150.0), (205.470_345_003_2, 28.264_210_161_3)),
        ((450.0, -150.0), (205.616_605_207_8, 28.494_177_488_9)),
    ];
    for (position, sky) in acam {
        check(Convention::Acam, position, sky);
    }
    let lrs2 = [
        ((-349.910, 350.210), (205.414_073_775_9, 28.456_506_486_0)),
        ((450.0, -150.0), (205.691_801_098_7, 28.361_615_745_3)),
    ];
    for (position, sky) in lrs2 {
        check(Convention::Lrs2, position, sky);
    }
}

#[test]
fn what_is_no_place_is_refused() {
    assert_eq!(
        Sky::new(f64::NAN, 0.0),
        Err(SkyError::NotFinite("right ascension"))
    );
    assert_eq!(
        Sky::new(0.0, f64::INFINITY),
        Err(SkyError::NotFinite("declination"))
    );
    assert_eq!(
        Sky::new(0.0, 90.000_001),
        Err(SkyError::Declination(90.000_001))
    );
    let system = Rotation::new(0.0, Convention::Remedy, Some(f64::NAN));
    assert_eq!(
        system.unwrap_err().to_string(),
        "the system rotation must be a finite number of degrees"
    );
    assert!(Rotation::new(f64::NEG_INFINITY, Convention::Lrs2, None).is_err());
}

#[test]
fn what_is_behind_has_no_image() {
    let pole = pointing(0.0, 90.0, 0.0, Convention::Pyhetdex);
    assert_eq!(pole.to_plane(Sky::new(12.0, -90.0).unwrap()), None);
    assert_eq!(pole.to_plane(Sky::new(12.0, 0.0).unwrap()), None);
    let equator = pointing(10.0, 0.0, 0.0, Convention::Pyhetdex);
    assert_eq!(equator.to_plane(Sky::new(190.0, 0.0).unwrap()), None);
    assert_eq!(equator.to_plane(Sky::new(100.0, 0.0).unwrap()), None);
    assert!(equator.to_plane(Sky::new(99.0, 0.0).unwrap()).is_some());
}

#[test]
fn right_ascension_wraps() {
    // North is up in the plane as it is on the sky: r = 0, and east is at negative y.
    let origin = pointing(0.0, 0.0, -90.0, Convention::Pyhetdex);
    let west = origin.to_sky(Position { x: 0.0, y: 36.0 });
    assert!((west.ra - 359.99).abs() < CLOSE, "{west:?}");
    let east = pointing(359.999, 0.0, 270.0, Convention::Pyhetdex);
    let east = east.to_sky(Position { x: 0.0, y: -36.0 });
    assert!((east.ra - 0.009).abs() < CLOSE, "{east:?}");
    let back = origin.to_plane(west).unwrap();
    assert!((back.y - 36.0).abs() < 1e-6 && back.x.abs() < 1e-6);
    assert_eq!(Sky::new(-1e-300, 0.0).unwrap().ra.to_bits(), 0);
}

#[test]
fn north_and_east_are_where_the_sky_says() {
    for convention in [Convention::Pyhetdex, Convention::Acam] {
        let pointing = known(convention);
        let (north, east) = pointing.rotation.compass();
        let up = pointing.to_sky(north);
        let aside = pointing.to_sky(east);
        assert!((up.dec - pointing.center.dec - 1.0 / ARCSEC).abs() < CLOSE);
        assert!(apart(up.ra, pointing.center.ra) < CLOSE);
        assert!(aside.ra > pointing.center.ra);
        assert!((aside.dec - pointing.center.dec).abs() < CLOSE);
    }
}

#[test]
fn a_slot_covers_its_field() {
    let mut slot = Slot {
        ifuslot: "074".to_owned(),
        kind: SlotKind::Virus,
        name: None,
        mapping: Mapping {
            ifuid: None,
            specid: None,
            specslot: None,
            cntlid: None,
            muxid: None,
            active: true,
            rotation: 0.0,
            plate_scale: 1.0,
        },
        position: Position { x: 150.0, y: 50.0 },
        is_measured: false,
    };
    let at = |x: f64, y: f64| Position { x, y };
    assert!(covers(&slot, at(179.9, 20.1)));
    assert!(!covers(&slot, at(180.0, 50.0)));
    assert!(!covers(&slot, at(f64::NAN, 50.0)));
    slot.kind = SlotKind::Lrs2;
    assert!(covers(&slot, at(156.1, 53.0)));
    assert!(!covers(&slot, at(150.0, 53.1)));
    slot.kind = SlotKind::Other;
    assert!(!covers(&slot, at(150.0, 50.0)));
}

fn convention() -> impl Strategy<Value = Convention> {
    prop_oneof![
        Just(Convention::Pyhetdex),
        Just(Convention::Remedy),
        Just(Convention::Acam),
        Just(Convention::Lrs2)
    ]
}

proptest! {
    #[test]
    fn there_and_back(
        ra in -720.0..720.0_f64,
        dec in prop_oneof![4 => -90.0..=90.0_f64, 1 => Just(90.0), 1 => Just(-90.0)],
        angle in -720.0..720.0_f64,
        convention in convention(),
        x in -3600.0..3600.0_f64,
        y in -3600.0..3600.0_f64,
    ) {
        let pointing = pointing(ra, dec, angle, convention);
        let sky = pointing.to_sky(Position { x, y });
        prop_assert!((0.0..360.0).contains(&sky.ra) && (-90.0..=90.0).contains(&sky.dec));
        let back = pointing.to_plane(sky).unwrap();
        // Next to a pole, right ascension is worth little, and so is what comes back of it.
        prop_assert!((back.x - x).abs() < 1e-6 && (back.y - y).abs() < 1e-6, "{:?}", back);
    }

    #[test]
    fn any_finite_number_gives_numbers(
        ra in any::<f64>(), dec in -90.0..=90.0_f64, angle in any::<f64>(), system in any::<f64>(),
        x in -1e300..1e300_f64, y in -1e300..1e300_f64, convention in convention(),
    ) {
        let (Ok(center), Ok(rotation)) =
            (Sky::new(ra, dec), Rotation::new(angle, convention, Some(system)))
        else {
            return Ok(());
        };
        let pointing = Pointing::new(center, rotation);
        let sky = pointing.to_sky(Position { x, y });
        prop_assert!(Sky::new(sky.ra, sky.dec) == Ok(sky), "{:?}", sky);
        if let Some(place) = pointing.to_plane(sky) {
            prop_assert!(place.x.is_finite() && place.y.is_finite());
        }
    }
}
