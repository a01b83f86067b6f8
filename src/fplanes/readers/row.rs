//! A row of a file, with eight columns or, as in 2015, six.

use super::fields;
use super::lines::Line;
use super::problem::{Problem, ProblemCode};
use crate::fplanes::grid;
use crate::fplanes::model::{Mapping, Position};

/// A row as it stands in a file.
#[derive(Clone, Debug, PartialEq)]
pub struct FileRow {
    /// The line, from 1.
    pub line: u32,
    /// The slot: three digits.
    pub ifuslot: String,
    /// Is it commented out?
    pub is_commented: bool,
    /// `X_FP`, in arcsec.
    pub x: f64,
    /// `Y_FP`, in arcsec.
    pub y: f64,
    /// The spectrograph.
    pub specid: Option<String>,
    /// The place of the spectrograph in its enclosure.
    pub specslot: Option<String>,
    /// The fibre bundle.
    pub ifuid: Option<String>,
    /// Rotation in degrees.
    pub rotation: f64,
    /// Plate scale, relative to that of the plane.
    pub plate_scale: f64,
    /// The columns, letter by letter.
    pub tokens: Vec<String>,
    /// What stands between the columns.
    pub(super) spacing: Spacing,
}

/// What stands between the columns of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Spacing {
    /// Tabs, perhaps with blanks.
    Tabs,
    /// Blanks.
    Blanks,
    /// Now one, now the other.
    Mixed,
}

impl Spacing {
    /// Of a row whose first column is at the start and whose last is at the end.
    fn of(text: &str) -> Self {
        let gaps: Vec<&str> = text
            .split(|c: char| !c.is_ascii_whitespace())
            .filter(|gap| !gap.is_empty())
            .collect();
        let tabs = gaps.iter().filter(|gap| gap.contains('\t')).count();
        match tabs {
            0 => Self::Blanks,
            all if all == gaps.len() => Self::Tabs,
            _ => Self::Mixed,
        }
    }
}

impl FileRow {
    /// The id of a slot that is no unit of VIRUS: such rows have the same id of 900 or more three times. None: it is
    /// something else.
    pub fn special_id(&self) -> Option<&str> {
        let id = self.specid.as_deref()?;
        let is_special = !grid::is_virus(&self.ifuslot)
            && fields::is_special_id(id)
            && self.specslot.as_deref() == Some(id)
            && self.ifuid.as_deref() == Some(id);
        is_special.then_some(id)
    }

    /// Where the row says that the slot is.
    pub fn position(&self) -> Position {
        Position {
            x: self.x,
            y: self.y,
        }
    }

    /// What the row says of what is in the slot. It tells of no controller.
    pub(super) fn mapping(&self) -> Mapping {
        Mapping {
            ifuid: self.ifuid.clone(),
            specid: self.specid.clone(),
            specslot: self.specslot.clone(),
            cntlid: None,
            muxid: None,
            active: !self.is_commented,
            rotation: self.rotation,
            plate_scale: self.plate_scale,
        }
    }

    /// Reads a row of eight columns: slot, position, spectrograph, its place, IFU, rotation, plate scale.
    pub(super) fn of_eight(line: Line<'_>, tokens: &[&str]) -> Result<Self, Problem> {
        let (text, is_commented) = uncommented(line.text);
        let [slot, x, y, specid, specslot, ifuid, rotation, scale] = tokens else {
            return Err(wrong_count(line, tokens, 8));
        };
        let ifuslot = grid::parse_ifuslot(slot).ok_or_else(|| wrong_slot(line, slot))?;
        Ok(Self {
            line: line.number,
            ifuslot,
            is_commented,
            x: number(line, "X_FP", x, fields::is_position)?,
            y: number(line, "Y_FP", y, fields::is_position)?,
            specid: id(line, "SPECID", specid)?,
            specslot: id(line, "SPECSLOT", specslot)?,
            ifuid: id(line, "IFUID", ifuid)?,
            rotation: number(line, "IFUROT", rotation, fields::is_rotation)?,
            plate_scale: number(line, "PLATESC", scale, fields::is_plate_scale)?,
            tokens: owned(tokens),
            spacing: Spacing::of(text),
        })
    }

    /// Reads a row of six columns: IFU, position, column and row in the grid, spectrograph. The slot follows from its
    /// place in the grid.
    pub(super) fn of_six(line: Line<'_>, tokens: &[&str]) -> Result<Self, Problem> {
        let (text, is_commented) = uncommented(line.text);
        let [ifuid, x, y, column, row, specid] = tokens else {
            return Err(wrong_count(line, tokens, 6));
        };
        let place = |text: &str| text.parse::<u8>().ok();
        let slot = place(column).zip(place(row));
        let slot = slot.and_then(|(column, row)| grid::slot_at(column, row));
        let ifuslot = slot.ok_or_else(|| {
            let message = format!("there is no slot at column {column:?}, row {row:?}");
            Problem::new(line.number, ProblemCode::PlaceOutsideGrid, message)
        })?;
        Ok(Self {
            line: line.number,
            ifuslot,
            is_commented,
            x: number(line, "x", x, fields::is_position)?,
            y: number(line, "y", y, fields::is_position)?,
            specid: id(line, "specid", specid)?,
            specslot: None,
            ifuid: id(line, "IFUID", ifuid)?,
            rotation: 0.0,
            plate_scale: 1.0,
            tokens: owned(tokens),
            spacing: Spacing::of(text),
        })
    }
}

/// A line without the mark of comments, and whether it has one.
pub(super) fn uncommented(text: &str) -> (&str, bool) {
    let bare = text.trim_start_matches('#');
    (bare.trim_start(), bare.len() < text.len())
}

/// Does a comment hold a row? It does if it begins with a slot, or an IFU, and a position.
pub(super) fn holds_row(tokens: &[&str]) -> bool {
    let [slot, x, y, ..] = tokens else {
        return false;
    };
    let is_number = |text| fields::number(text).is_some();
    grid::parse_ifuslot(slot).is_some() && is_number(x) && is_number(y)
}

fn owned(tokens: &[&str]) -> Vec<String> {
    tokens.iter().map(|&token| token.to_owned()).collect()
}

fn wrong_count(line: Line<'_>, tokens: &[&str], expected: usize) -> Problem {
    let message = format!("{} columns instead of {expected}", tokens.len());
    Problem::new(line.number, ProblemCode::WrongColumnCount, message)
}

/// The problem of what is no name of a slot.
pub(super) fn wrong_slot(line: Line<'_>, text: &str) -> Problem {
    let message = format!("no name of a slot: {text:?}");
    Problem::new(line.number, ProblemCode::WrongIfuslot, message)
}

/// Reads an id of which there may be none.
pub(super) fn id(line: Line<'_>, column: &str, text: &str) -> Result<Option<String>, Problem> {
    fields::id_or_none(text).ok_or_else(|| {
        let message = format!("{column} is no id: {text:?}");
        Problem::new(line.number, ProblemCode::WrongId, message)
    })
}

/// Reads a number that can be in a focal plane.
pub(super) fn number(
    line: Line<'_>,
    column: &str,
    text: &str,
    is_plausible: fn(f64) -> bool,
) -> Result<f64, Problem> {
    let wrong = |what: &str| {
        let message = format!("{column} {what}: {text:?}");
        Problem::new(line.number, ProblemCode::WrongNumber, message)
    };
    let number = fields::number(text).ok_or_else(|| wrong("is no number"))?;
    if is_plausible(number) {
        Ok(number)
    } else {
        Err(wrong("cannot be so"))
    }
}
