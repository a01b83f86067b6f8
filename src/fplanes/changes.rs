//! What events tell of focal planes: what became otherwise by what somebody told, and which names came to stand for what.
//!
//! An event outlives the labql that wrote it. So a reader ignores fields that it does not know, and takes those that are
//! missing for empty.

use serde::{Deserialize, Serialize};

use super::difference::{self, SlotChange};
use super::model::{Mapping, Position, Slot, SlotKind};
use crate::entity::{fplane_source, fplane_tag};
use crate::events::{Event, NewEvent, Topic};

/// The subject of events about the plane itself. Those about tags have `tag:` and the name.
pub const PLANE: &str = "plane";

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// Somebody told what the plane is like since a time.
    Told,
    /// Somebody corrected what was told.
    Corrected,
    /// A name came to stand for an instant.
    Tagged,
    /// A name stands for nothing any more.
    Untagged,
}

impl ChangeKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Told, Self::Corrected, Self::Tagged, Self::Untagged];

    /// The kind of the event in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Told => "told",
            Self::Corrected => "corrected",
            Self::Tagged => "tagged",
            Self::Untagged => "untagged",
        }
    }

    /// The kind that an event in the log names.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// What somebody told: the payload of events of [`Topic::Fplane`] whose subject is [`PLANE`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FplaneEvent {
    /// Row id of the source.
    pub source: i64,
    /// The kind of the source.
    pub kind: String,
    /// Microseconds since 1970-01-01 UTC, like all times here: since when it is so.
    pub valid_from: i64,
    /// Until when a correction says so.
    pub valid_until: Option<i64>,
    /// When it was recorded.
    pub known_at: i64,
    /// What became otherwise at `valid_from`.
    pub changes: Vec<ToldChange>,
}

impl FplaneEvent {
    /// What an event tells of.
    ///
    /// # Errors
    /// If its payload is none of this type.
    pub fn of(event: &Event) -> serde_json::Result<Self> {
        serde_json::from_str(&event.payload)
    }
}

/// What became of a slot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ToldChange {
    /// The slot.
    pub ifuslot: String,
    /// In which way: the name of a [`difference::ChangeKind`].
    pub change: String,
    /// How it was.
    pub before: Option<ToldSlot>,
    /// How it is.
    pub after: Option<ToldSlot>,
}

impl From<&SlotChange> for ToldChange {
    fn from(change: &SlotChange) -> Self {
        Self {
            ifuslot: change.ifuslot.clone(),
            change: change_name(change.kind).to_owned(),
            before: change.before.as_ref().map(ToldSlot::from),
            after: change.after.as_ref().map(ToldSlot::from),
        }
    }
}

impl ToldChange {
    /// The change; none: a newer labql wrote it, and calls it what this one does not know.
    pub fn into_change(self) -> Option<SlotChange> {
        let (before, after) = (self.before, self.after);
        Some(SlotChange {
            kind: CHANGES
                .into_iter()
                .find(|kind| change_name(*kind) == self.change)?,
            before: before.map(|slot| slot.into_slot(&self.ifuslot)),
            after: after.map(|slot| slot.into_slot(&self.ifuslot)),
            ifuslot: self.ifuslot,
        })
    }
}

/// How a slot was or is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ToldSlot {
    /// The name of a [`SlotKind`].
    pub kind: String,
    /// What it is called.
    pub name: Option<String>,
    /// The fibre bundle.
    pub ifuid: Option<String>,
    /// The spectrograph.
    pub specid: Option<String>,
    /// The place of the spectrograph.
    pub specslot: Option<String>,
    /// The controller.
    pub cntlid: Option<String>,
    /// The multiplexer.
    pub muxid: Option<String>,
    /// Is it in use?
    pub active: bool,
    /// Degrees.
    pub rotation: f64,
    /// Relative.
    pub plate_scale: f64,
    /// Arcsec.
    pub x: f64,
    /// Arcsec.
    pub y: f64,
    /// Was the position measured?
    pub is_measured: bool,
}

impl Default for ToldSlot {
    fn default() -> Self {
        Self {
            kind: slot_name(SlotKind::Virus).to_owned(),
            name: None,
            ifuid: None,
            specid: None,
            specslot: None,
            cntlid: None,
            muxid: None,
            active: false,
            rotation: 0.0,
            plate_scale: 1.0,
            x: 0.0,
            y: 0.0,
            is_measured: false,
        }
    }
}

impl From<&Slot> for ToldSlot {
    fn from(slot: &Slot) -> Self {
        let mapping = slot.mapping.clone();
        Self {
            kind: slot_name(slot.kind).to_owned(),
            name: slot.name.clone(),
            ifuid: mapping.ifuid,
            specid: mapping.specid,
            specslot: mapping.specslot,
            cntlid: mapping.cntlid,
            muxid: mapping.muxid,
            active: mapping.active,
            rotation: mapping.rotation,
            plate_scale: mapping.plate_scale,
            x: slot.position.x,
            y: slot.position.y,
            is_measured: slot.is_measured,
        }
    }
}

impl ToldSlot {
    fn into_slot(self, ifuslot: &str) -> Slot {
        let kind = SLOTS.into_iter().find(|kind| slot_name(*kind) == self.kind);
        Slot {
            ifuslot: ifuslot.to_owned(),
            kind: kind.unwrap_or(SlotKind::Other),
            name: self.name,
            mapping: Mapping {
                ifuid: self.ifuid,
                specid: self.specid,
                specslot: self.specslot,
                cntlid: self.cntlid,
                muxid: self.muxid,
                active: self.active,
                rotation: self.rotation,
                plate_scale: self.plate_scale,
            },
            position: Position {
                x: self.x,
                y: self.y,
            },
            is_measured: self.is_measured,
        }
    }
}

const CHANGES: [difference::ChangeKind; 6] = {
    use difference::ChangeKind::{Activated, Added, Changed, Deactivated, Moved, Removed};
    [Added, Removed, Activated, Deactivated, Changed, Moved]
};

const fn change_name(kind: difference::ChangeKind) -> &'static str {
    use difference::ChangeKind::{Activated, Added, Changed, Deactivated, Moved, Removed};
    match kind {
        Added => "ADDED",
        Removed => "REMOVED",
        Activated => "ACTIVATED",
        Deactivated => "DEACTIVATED",
        Changed => "CHANGED",
        Moved => "MOVED",
    }
}

const SLOTS: [SlotKind; 4] = [
    SlotKind::Virus,
    SlotKind::Boresight,
    SlotKind::Lrs2,
    SlotKind::Other,
];

const fn slot_name(kind: SlotKind) -> &'static str {
    match kind {
        SlotKind::Virus => "VIRUS",
        SlotKind::Boresight => "BORESIGHT",
        SlotKind::Lrs2 => "LRS2",
        SlotKind::Other => "OTHER",
    }
}

/// The event of what a source told.
pub(super) fn told(source: &fplane_source::Model, changes: &[SlotChange]) -> NewEvent {
    let kind = if source.kind == "CORRECTION" {
        ChangeKind::Corrected
    } else {
        ChangeKind::Told
    };
    let event = FplaneEvent {
        source: source.id,
        kind: source.kind.clone(),
        valid_from: source.valid_from,
        valid_until: source.valid_until,
        known_at: source.recorded_at,
        changes: changes.iter().map(ToldChange::from).collect(),
    };
    new_event(PLANE.to_owned(), kind, &event, &source.author)
}

/// A tag: the payload of events of [`Topic::Fplane`] whose subject is `tag:` and its name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TagEvent {
    /// The instant, in microseconds since 1970-01-01 UTC.
    pub at: i64,
    /// By what was known then, in microseconds since 1970-01-01 UTC.
    pub known_at: Option<i64>,
    /// Does it stay as it is?
    pub frozen: bool,
}

/// The event of a tag.
pub(super) fn tag(kind: ChangeKind, tag: &fplane_tag::Model, actor: &str) -> NewEvent {
    let event = TagEvent {
        at: tag.at,
        known_at: tag.known_at,
        frozen: tag.frozen,
    };
    new_event(format!("tag:{}", tag.name), kind, &event, actor)
}

fn new_event(subject: String, kind: ChangeKind, payload: &impl Serialize, actor: &str) -> NewEvent {
    NewEvent {
        topic: Topic::Fplane,
        subject,
        kind: kind.as_str(),
        // Texts and finite numbers always become JSON.
        payload: serde_json::to_value(payload).unwrap_or_default(),
        actor: Some(actor.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_come_back_as_they_were_told() {
        let slot = Slot {
            ifuslot: "021".into(),
            kind: SlotKind::Virus,
            name: None,
            mapping: Mapping {
                ifuid: Some("073".into()),
                specid: None,
                specslot: Some("218".into()),
                cntlid: Some("1042".into()),
                muxid: Some("07".into()),
                active: true,
                rotation: 0.5,
                plate_scale: 1.01,
            },
            position: Position {
                x: -350.25,
                y: 350.0,
            },
            is_measured: true,
        };
        for kind in CHANGES {
            let change = SlotChange {
                ifuslot: "021".into(),
                kind,
                before: None,
                after: Some(slot.clone()),
            };
            let told = serde_json::to_string(&ToldChange::from(&change)).unwrap();
            let told: ToldChange = serde_json::from_str(&told).unwrap();
            assert_eq!(told.into_change(), Some(change));
        }
    }

    #[test]
    fn what_a_newer_labql_calls_a_change_is_none() {
        let told: ToldChange = serde_json::from_str(r#"{"change":"SWAPPED","more":1}"#).unwrap();
        assert_eq!(told.into_change(), None);
    }
}
