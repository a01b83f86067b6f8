//! The status message of the telescope, as its command `get_hardware_status` tells it: a map with the time of the message
//! and what is in which slot.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value as Json};

use super::claims::{claim_mapping, claim_position, claim_special};
use super::problem::{Problem, ProblemCode, settle};
use super::traps::{large_offset, placeholder};
use super::values::{self, Entry};
use crate::fplanes::grid;
use crate::fplanes::model::{Claims, Mapping, Position, Special};
use crate::fplanes::moment::{self, AskedDate};
use crate::text::shorten;

/// The most slots in a message. The plane has a hundred.
pub const MAX_SLOTS: usize = 2_000;

/// The longest name of a special slot or of who sends, in characters.
const MAX_NAME: usize = 100;

/// What a message says. What it does not name stays as it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// Since when it is so: `__data_time`, in UT.
    pub at: DateTime<Utc>,
    /// Who says so: `__source`.
    pub source: Option<String>,
    /// The facts, but for those that need [`Status::settle`].
    pub claims: Claims,
    /// Special slots of which the message does not say where they are, or what they are called.
    pub unplaced: Vec<Unplaced>,
    /// What is odd. No problem has a line.
    pub notes: Vec<Problem>,
}

/// A special slot that stays where it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Unplaced {
    /// Where in the message it stands.
    pub path: String,
    /// The slot: three digits.
    pub ifuslot: String,
    /// Its id, 900 or more.
    pub id: String,
    /// What it is called; none: as it was.
    pub name: Option<String>,
    /// Where it is; none: where it was.
    pub position: Option<Position>,
    /// Is it in use?
    pub active: bool,
    /// Rotation in degrees.
    pub rotation: f64,
    /// Plate scale, relative to that of the plane.
    pub plate_scale: f64,
}

/// Why a message is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct StatusError {
    /// What of the message is wrong, such as `hardware[3].x_fp`.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

impl StatusError {
    pub(super) fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            message: shorten(&message.into(), 300),
        }
    }
}

/// Reads a message. Keys that it does not know are no matter; one wrong value of a known key refuses the whole message.
pub fn read_status(config: &Json) -> Result<Status, StatusError> {
    let Some(config) = config.as_object() else {
        return Err(StatusError::new("config", "is no map"));
    };
    let at = data_time(config.get("__data_time"))?;
    let source = match config.get("__source") {
        None | Some(Json::Null) => None,
        Some(Json::String(source)) => Some(shorten(source.trim(), MAX_NAME)),
        Some(_) => return Err(StatusError::new("__source", "is no text")),
    };
    let (hardware, special) = (list(config, "hardware")?, list(config, "special")?);
    if hardware.is_none() && special.is_none() {
        let message = "the message has neither this nor \"special\"";
        return Err(StatusError::new("hardware", message));
    }
    let (hardware, special) = (hardware.unwrap_or_default(), special.unwrap_or_default());
    if hardware.len() + special.len() > MAX_SLOTS {
        let message = format!("more than {MAX_SLOTS} slots");
        return Err(StatusError::new("hardware", message));
    }
    let mut status = Status {
        at,
        source,
        claims: Claims::default(),
        unplaced: Vec::new(),
        notes: Vec::new(),
    };
    let mut named = BTreeSet::new();
    for (index, entry) in hardware.iter().enumerate() {
        let entry = Entry::new(format!("hardware[{index}]"), entry)?;
        let ifuslot = slot(&entry, &mut named)?;
        status.add_unit(&entry, &ifuslot)?;
    }
    for (index, entry) in special.iter().enumerate() {
        let entry = Entry::new(format!("special[{index}]"), entry)?;
        let ifuslot = slot(&entry, &mut named)?;
        status.add_special(&entry, ifuslot)?;
    }
    status.notes = settle(status.notes);
    Ok(status)
}

/// The time of a message: ISO 8601 with or without a zone, `YYYYMMDDThh:mm:ss`, both in UT, or seconds since 1970.
fn data_time(value: Option<&Json>) -> Result<DateTime<Utc>, StatusError> {
    const FIELD: &str = "__data_time";
    match value {
        None | Some(Json::Null) => Err(StatusError::new(FIELD, "is missing")),
        Some(Json::String(text)) => match moment::parse(text) {
            Ok(AskedDate::Instant(instant)) => Ok(instant),
            // A night would be a number of seconds, too.
            Ok(_) => Err(StatusError::new(FIELD, format!("no instant: {text:?}"))),
            Err(wrong) => values::seconds(text.trim())
                .ok_or_else(|| StatusError::new(FIELD, wrong.to_string())),
        },
        Some(Json::Number(number)) => {
            let wrong = || StatusError::new(FIELD, format!("no seconds since 1970: {number}"));
            values::seconds(&number.to_string()).ok_or_else(wrong)
        }
        Some(_) => Err(StatusError::new(FIELD, "is no date")),
    }
}

fn list<'a>(config: &'a Map<String, Json>, key: &str) -> Result<Option<&'a [Json]>, StatusError> {
    match config.get(key) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::Array(entries)) => Ok(Some(entries)),
        Some(_) => Err(StatusError::new(key, "is no list")),
    }
}

/// The slot of an entry, which no other entry names.
fn slot(entry: &Entry<'_>, named: &mut BTreeSet<String>) -> Result<String, StatusError> {
    let ifuslot = entry.ifuslot()?;
    if named.insert(ifuslot.clone()) {
        return Ok(ifuslot);
    }
    let message = format!("slot {ifuslot} is named twice");
    Err(entry.wrong("ifuslot", message))
}

impl Status {
    /// A slot of VIRUS.
    fn add_unit(&mut self, entry: &Entry<'_>, ifuslot: &str) -> Result<(), StatusError> {
        let specid = entry.id_or_none("specid")?;
        let active = entry.boolean("active")?.unwrap_or(specid.is_some());
        let mapping = Mapping {
            ifuid: entry.id_or_none("ifuid")?,
            specslot: entry.id_or_none("specslot")?,
            cntlid: entry.id("cntlid")?,
            muxid: entry.id("muxid")?,
            rotation: entry.rotation()?,
            plate_scale: entry.plate_scale()?,
            specid,
            active,
        };
        let position = entry.position()?;
        if grid::place(ifuslot).is_none() {
            let taken = if position.is_some() {
                "taken as it is"
            } else {
                "left out, because it has no place"
            };
            let message = format!("slot {ifuslot} is not of the grid: {taken}");
            self.note(entry, ProblemCode::UnknownIfuslot, &message);
            if position.is_none() {
                return Ok(());
            }
        }
        self.look_at(entry, ifuslot, &mapping);
        claim_mapping(&mut self.claims, ifuslot, mapping);
        if let Some(position) = position {
            if let Some(message) = large_offset(ifuslot, position) {
                self.note(entry, ProblemCode::LargeOffset, &message);
            }
            claim_position(&mut self.claims, ifuslot, position);
        }
        Ok(())
    }

    /// Tells what is odd about a slot of VIRUS.
    fn look_at(&mut self, entry: &Entry<'_>, ifuslot: &str, mapping: &Mapping) {
        if grid::is_virus(ifuslot) {
            let ids = [&mapping.specid, &mapping.specslot, &mapping.ifuid];
            if let Some(message) = placeholder(ifuslot, ids) {
                self.note(entry, ProblemCode::PlaceholderId, &message);
            }
        }
        if let (true, Some(ifuid)) = (grid::is_centre(ifuslot), &mapping.ifuid) {
            let message = format!("IFU {ifuid} in slot {ifuslot}, which can hold none");
            self.note(entry, ProblemCode::IfuInCentre, &message);
        }
        if mapping.active && mapping.specid.is_none() {
            let message = format!("slot {ifuslot} is in use and has no spectrograph");
            self.note(entry, ProblemCode::ActiveWithoutSpectrograph, &message);
        }
    }

    /// A slot that is no unit of VIRUS.
    fn add_special(&mut self, entry: &Entry<'_>, ifuslot: String) -> Result<(), StatusError> {
        if grid::is_virus(&ifuslot) {
            let message = format!("slot {ifuslot} is one of VIRUS");
            return Err(entry.wrong("ifuslot", message));
        }
        let unplaced = Unplaced {
            id: entry.special_id()?,
            name: entry.text("name", MAX_NAME)?,
            position: entry.position()?,
            active: entry.boolean("active")?.unwrap_or(true),
            rotation: entry.rotation()?,
            plate_scale: entry.plate_scale()?,
            path: entry.path.clone(),
            ifuslot,
        };
        match (&unplaced.name, unplaced.position) {
            (Some(_), Some(position)) => {
                let special = unplaced.special(position, None);
                claim_special(&mut self.claims, &unplaced.ifuslot, special);
            }
            _ => self.unplaced.push(unplaced),
        }
        Ok(())
    }

    /// Fills in what the message leaves as it is: the present position and name of special slots. `present` tells what is
    /// known of a special slot at [`Status::at`].
    pub fn settle(&mut self, present: impl Fn(&str) -> Option<Special>) -> Result<(), StatusError> {
        for unplaced in std::mem::take(&mut self.unplaced) {
            let known = present(&unplaced.ifuslot);
            let present = known.as_ref().map(|known| known.position);
            let position = unplaced.position.or(present);
            let design = || grid::special_position(&unplaced.ifuslot);
            let position = position.or_else(design).ok_or_else(|| {
                let field = format!("{}.x_fp", unplaced.path);
                let message = format!("where slot {} is, nobody said yet", unplaced.ifuslot);
                StatusError::new(field, message)
            })?;
            let special = unplaced.special(position, known.and_then(|known| known.name));
            claim_special(&mut self.claims, &unplaced.ifuslot, special);
        }
        Ok(())
    }

    fn note(&mut self, entry: &Entry<'_>, code: ProblemCode, message: &str) {
        let message = format!("{}: {message}", entry.path);
        self.notes.push(Problem::new(0, code, message));
    }
}

impl Unplaced {
    fn special(&self, position: Position, known_name: Option<String>) -> Special {
        let usual = || grid::special_name(&self.ifuslot).map(str::to_owned);
        Special {
            id: self.id.clone(),
            name: self.name.clone().or(known_name).or_else(usual),
            position,
            active: self.active,
            rotation: self.rotation,
            plate_scale: self.plate_scale,
        }
    }
}

#[cfg(test)]
mod tests;
