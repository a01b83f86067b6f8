//! Texts of the picture.

use std::fmt::Write;

use chrono::{DateTime, Utc};

use super::super::difference::SlotChange;
use super::super::model::{Mapping, Plane, Position, Positions, Slot};
use super::look::{self, State};
use super::way;

/// What the picture shows.
pub(super) fn title(plane: &Plane, changes: Option<&[SlotChange]>) -> String {
    let at = instant(plane.at);
    match changes {
        None => format!("Focal plane at {at}"),
        Some(changes) => {
            let slots = if changes.len() == 1 { "slot" } else { "slots" };
            format!("Focal plane at {at}: {} {slots} changed", changes.len())
        }
    }
}

/// How long it holds, and what it tells.
pub(super) fn subtitle(plane: &Plane, hidden: usize) -> String {
    let mut text = match (plane.valid_from, plane.valid_until) {
        (None, None) => "holds always".to_owned(),
        (Some(from), None) => format!("holds from {} on", instant(from)),
        (None, Some(until)) => format!("holds until {}", instant(until)),
        (Some(from), Some(until)) => {
            format!("holds from {} until {}", instant(from), instant(until))
        }
    };
    text.push_str(match plane.positions {
        Positions::Nominal => " · nominal positions",
        Positions::Measured => " · measured positions",
    });
    if let Some(known_at) = plane.known_at {
        let _ = write!(text, " · as known at {}", instant(known_at));
    }
    if hidden > 0 {
        let _ = write!(text, " · {hidden} beyond the picture");
    }
    text
}

fn instant(at: DateTime<Utc>) -> String {
    format!("{} UT", at.format("%Y-%m-%d %H:%M:%S%.f"))
}

/// All that is known of a slot, in lines.
pub(super) fn describe(slot: &Slot, change: Option<&SlotChange>) -> String {
    let mut text = format!("Slot {}", slot.ifuslot);
    if let Some(name) = &slot.name {
        let _ = write!(text, " {name}");
    }
    let _ = write!(text, ": {}", State::of(slot).words());
    for (name, value) in parts(&slot.mapping) {
        if let Some(value) = value {
            let _ = write!(text, "\n{name} {value}");
        }
    }
    let how = if slot.is_measured {
        "measured"
    } else {
        "nominal"
    };
    let Position { x, y } = slot.position;
    let _ = write!(text, "\nx {x:.3}″, y {y:.3}″ ({how})");
    let Some(change) = change else { return text };
    let _ = write!(text, "\n{}", look::words(change.kind));
    let (Some(before), Some(after)) = (&change.before, &change.after) else {
        return text;
    };
    for ((name, before), (_, after)) in parts(&before.mapping).iter().zip(parts(&after.mapping)) {
        if *before != after {
            let or_none = |id: Option<&str>| id.unwrap_or("none").to_owned();
            let _ = write!(text, "\n{name} {} → {}", or_none(*before), or_none(after));
        }
    }
    if let Some((from, to)) = way(change) {
        let _ = write!(
            text,
            "\nmoved by {:.3}″, {:.3}″",
            to.x - from.x,
            to.y - from.y
        );
    }
    text
}

fn parts(mapping: &Mapping) -> [(&'static str, Option<&str>); 5] {
    [
        ("spectrograph", mapping.specid.as_deref()),
        ("spectrograph slot", mapping.specslot.as_deref()),
        ("IFU", mapping.ifuid.as_deref()),
        ("controller", mapping.cntlid.as_deref()),
        ("multiplexer", mapping.muxid.as_deref()),
    ]
}
