//! Focal planes as JSON, by the names of the API.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use crate::fplanes::difference::{ChangeKind, SlotChange};
use crate::fplanes::model::{Plane, Positions, Slot, SlotKind};
use crate::fplanes::readers::Problem;

/// An instant as it is written everywhere.
pub fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// A plane with its slots.
pub fn plane(plane: &Plane) -> Value {
    json!({
        "at": time(plane.at),
        "knownAt": plane.known_at.map(time),
        "validFrom": plane.valid_from.map(time),
        "validUntil": plane.valid_until.map(time),
        "positions": match plane.positions {
            Positions::Nominal => "NOMINAL",
            Positions::Measured => "MEASURED",
        },
        "slots": plane.slots.iter().map(slot).collect::<Vec<Value>>(),
    })
}

/// A slot.
pub fn slot(slot: &Slot) -> Value {
    let mapping = &slot.mapping;
    json!({
        "ifuslot": slot.ifuslot,
        "kind": match slot.kind {
            SlotKind::Virus => "VIRUS",
            SlotKind::Boresight => "BORESIGHT",
            SlotKind::Lrs2 => "LRS2",
            SlotKind::Other => "OTHER",
        },
        "name": slot.name,
        "ifuid": mapping.ifuid,
        "specid": mapping.specid,
        "specslot": mapping.specslot,
        "cntlid": mapping.cntlid,
        "muxid": mapping.muxid,
        "active": mapping.active,
        "rotation": mapping.rotation,
        "plateScale": mapping.plate_scale,
        "x": slot.position.x,
        "y": slot.position.y,
        "isMeasured": slot.is_measured,
    })
}

/// What became of a slot.
pub fn change(change: &SlotChange) -> Value {
    json!({
        "ifuslot": change.ifuslot,
        "change": kind(change.kind),
        "before": change.before.as_ref().map(slot),
        "after": change.after.as_ref().map(slot),
    })
}

/// The same on a line, for people: the slot, what became of it, and what is in it before and after.
pub fn change_line(change: &SlotChange) -> String {
    let told = |slot: &Option<Slot>| match slot {
        None => "-".to_owned(),
        Some(slot) => {
            let id = |id: &Option<String>| id.clone().unwrap_or_else(|| "-".to_owned());
            let (mapping, position) = (&slot.mapping, slot.position);
            let ids = [&mapping.ifuid, &mapping.specid, &mapping.specslot].map(id);
            let mark = if mapping.active { "" } else { "#" };
            format!(
                "{mark}{} {:.3} {:.3}",
                ids.join(" "),
                position.x,
                position.y
            )
        }
    };
    let (kind, before, after) = (kind(change.kind), told(&change.before), told(&change.after));
    format!("{}\t{kind}\t{before}\t{after}", change.ifuslot)
}

/// The name of a kind of change.
pub const fn kind(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Added => "ADDED",
        ChangeKind::Removed => "REMOVED",
        ChangeKind::Activated => "ACTIVATED",
        ChangeKind::Deactivated => "DEACTIVATED",
        ChangeKind::Changed => "CHANGED",
        ChangeKind::Moved => "MOVED",
    }
}

/// What is wrong or odd about a text.
pub fn problem(problem: &Problem) -> Value {
    json!({
        "line": problem.line,
        "code": problem.code.as_str(),
        "message": problem.message,
    })
}
