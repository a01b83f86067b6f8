//! The units of the instrument, and files of what they are.

use std::fmt::Write;

use super::SEED;
use crate::demo::chance::roll;

/// How many units more than those in use have an IFU.
const WAITING: usize = 6;
/// Slots in the middle of the plane, which hold no unit: the first four are empty, the others those of LRS2.
const CENTRE: [&str; 6] = ["054", "055", "064", "065", "056", "066"];
/// The plane from which on the last twelve special slots are elsewhere.
const MOVED: usize = 3;

/// Special slots: number, id, x and y in arcsec.
const SPECIAL: [(&str, u16, f64, f64); 15] = [
    ("056", 998, -50.0, -150.0),
    ("066", 999, 50.0, -150.0),
    ("555", 901, 0.7, -73.1),
    ("600", 902, -36.0, 12.5),
    ("601", 903, -62.5, -16.0),
    ("602", 904, -66.5, -11.5),
    ("603", 905, -26.0, 17.5),
    ("604", 906, -30.0, 22.0),
    ("610", 907, -56.5, -6.5),
    ("611", 908, -34.0, -19.0),
    ("612", 909, -29.0, -15.5),
    ("613", 910, -25.5, -11.0),
    ("614", 911, -67.0, 17.0),
    ("615", 912, -63.0, 21.5),
    ("616", 913, -58.5, 25.0),
];

const HEADER: &str = "# $Id$\n# $Revision$\n# $Author$\n# $Date$\n\
# IFUSLOT X_FP   Y_FP   SPECID SPECSLOT IFUID IFUROT  PLATESC\n";

/// A place for an IFU, and what belongs there.
pub(super) struct Unit {
    pub(super) ifuslot: String,
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) ifuid: String,
    pub(super) specslot: String,
}

/// All slots of the grid with their places: columns 1 to 10 from the left, rows 0 to 9 from above, without the corners.
fn grid() -> impl Iterator<Item = (String, f64, f64)> {
    let rows = |column: u8| match column {
        1 | 10 => 3..=6,
        2 | 9 => 1..=8,
        _ => 0..=9_u8,
    };
    (1..=10_u8).flat_map(move |column| {
        rows(column).map(move |row| {
            let x = (f64::from(column) - 5.5) * 100.0;
            let y = (4.5 - f64::from(row)) * 100.0;
            (format!("{column:02}{row}"), x, y)
        })
    })
}

/// The units in the order in which they were put in: from the middle outwards, more or less.
pub(super) fn units() -> Vec<Unit> {
    let mut places: Vec<_> = grid()
        .filter(|(ifuslot, _, _)| !CENTRE.contains(&ifuslot.as_str()))
        .collect();
    places.sort_by_cached_key(|(ifuslot, x, y)| {
        let far = x.hypot(*y) / 100.0;
        (format!("{far:03.0}"), roll(SEED, 0, ifuslot))
    });
    let units = places.into_iter().enumerate();
    units
        .map(|(index, (ifuslot, x, y))| Unit {
            // Both are prime to what they are reckoned with, so that no id comes twice.
            ifuid: format!("{:03}", (index * 53) % 97 + 1),
            specslot: format!("{}{:02}", if x > 0.0 { 1 } else { 2 }, index % 80 + 11),
            ifuslot,
            x,
            y,
        })
        .collect()
}

/// The plane as one of the files has it.
pub(super) struct Plane<'a> {
    units: &'a [Unit],
    /// How many planes were before.
    index: usize,
    /// How many units are in use, of the first ones.
    in_use: usize,
}

impl<'a> Plane<'a> {
    pub(super) fn new(units: &'a [Unit], index: usize, in_use: usize) -> Self {
        Self {
            units,
            index,
            in_use,
        }
    }

    /// How many units have an IFU and no spectrograph.
    pub(super) fn without_spectrograph(&self) -> usize {
        WAITING.min(self.units.len().saturating_sub(self.in_use))
    }

    /// The spectrograph of a unit. Before each plane but the first, two neighbours were exchanged, for good.
    pub(super) fn specid(&self, unit: usize) -> String {
        let was_exchanged = (1..=self.index).any(|plane| unit / 2 == plane);
        let own = if was_exchanged { unit ^ 1 } else { unit };
        format!("{:03}", (own * 37) % 89 + 1)
    }

    /// What stands in the row of a slot: spectrograph, its place, IFU; and whether it is in use.
    fn row(&self, ifuslot: &str) -> ([String; 3], bool) {
        let known = self.units.iter().position(|unit| unit.ifuslot == ifuslot);
        let ids = known.and_then(|index| Some((index, self.units.get(index)?)));
        let nothing = || "000".to_owned();
        match ids {
            Some((index, unit)) if index < self.in_use => {
                let ids = [
                    self.specid(index),
                    unit.specslot.clone(),
                    unit.ifuid.clone(),
                ];
                (ids, true)
            }
            Some((index, unit)) if index < self.in_use + WAITING => {
                let ids = [nothing(), unit.specslot.clone(), unit.ifuid.clone()];
                (ids, false)
            }
            _ => ([nothing(), nothing(), nothing()], false),
        }
    }

    /// The whole plane, as the server of the observatory writes it.
    pub(super) fn file(&self) -> String {
        let mut text = HEADER.to_owned();
        let mut row = |mark: &str, ifuslot: &str, (x, y): (f64, f64), ids: [&str; 3]| {
            let [specid, specslot, ifuid] = ids;
            let _ = writeln!(
                text,
                "{mark}{ifuslot}\t{x:8.3}\t{y:8.3}\t{specid}\t{specslot}\t{ifuid}\t0.000\t1.000"
            );
        };
        row("", "000", (0.0, 0.0), ["900"; 3]);
        for (ifuslot, x, y) in grid() {
            if SPECIAL.iter().any(|special| special.0 == ifuslot) {
                continue;
            }
            let ([specid, specslot, ifuid], is_in_use) = self.row(&ifuslot);
            let mark = if is_in_use { "" } else { "#" };
            row(mark, &ifuslot, (x, y), [&specid, &specslot, &ifuid]);
        }
        for (place, (ifuslot, id, x, y)) in SPECIAL.into_iter().enumerate() {
            let off = if place >= 3 && self.index >= MOVED {
                (-2.5, -2.0)
            } else {
                (0.0, 0.0)
            };
            let id = id.to_string();
            row("", ifuslot, (x + off.0, y + off.1), [id.as_str(); 3]);
        }
        text
    }

    /// What people wrote by hand before there was a server: only what is in use, blanks, one line as a header, and a
    /// spectrograph that stands there twice by mistake.
    pub(super) fn old_file(&self) -> String {
        let mut text = "# IFUSLOT X_FP Y_FP SPECID SPECSLOT IFUID IFUROT PLATESC\n".to_owned();
        for (ifuslot, x, y) in grid() {
            let ([mut specid, specslot, ifuid], is_in_use) = self.row(&ifuslot);
            if !is_in_use {
                continue;
            }
            if self
                .units
                .get(1)
                .is_some_and(|unit| unit.ifuslot == ifuslot)
            {
                specid = self.specid(0);
            }
            let _ = writeln!(
                text,
                "{ifuslot} {x:.1} {y:.1} {specid} {specslot} {ifuid} 0.0 1.0"
            );
        }
        text
    }
}
