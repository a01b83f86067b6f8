//! Parts that stand in two slots at once.

use std::collections::BTreeMap;

use crate::fplanes::model::Slot;

/// The ids of which each should be in one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IdKind {
    /// The spectrograph.
    Specid,
    /// The place of the spectrograph in its enclosure.
    Specslot,
    /// The fibre bundle.
    Ifuid,
}

impl IdKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Specid, Self::Specslot, Self::Ifuid];

    /// What files call it.
    pub const fn column(self) -> &'static str {
        match self {
            Self::Specid => "SPECID",
            Self::Specslot => "SPECSLOT",
            Self::Ifuid => "IFUID",
        }
    }

    /// The id of this kind in a slot.
    pub fn of(self, slot: &Slot) -> Option<&str> {
        match self {
            Self::Specid => slot.mapping.specid.as_deref(),
            Self::Specslot => slot.mapping.specslot.as_deref(),
            Self::Ifuid => slot.mapping.ifuid.as_deref(),
        }
    }
}

/// An id that several slots in use have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duplicate {
    /// Of which kind the id is.
    pub kind: IdKind,
    /// The id.
    pub id: String,
    /// The slots, as they came.
    pub ifuslots: Vec<String>,
}

/// The ids that several slots in use have, by kind and id.
pub fn duplicates(slots: &[Slot]) -> Vec<Duplicate> {
    let mut holders: BTreeMap<(IdKind, &str), Vec<&str>> = BTreeMap::new();
    for slot in slots.iter().filter(|slot| slot.mapping.active) {
        for kind in IdKind::ALL {
            if let Some(id) = kind.of(slot) {
                holders.entry((kind, id)).or_default().push(&slot.ifuslot);
            }
        }
    }
    holders
        .into_iter()
        .filter(|(_, ifuslots)| ifuslots.len() > 1)
        .map(|((kind, id), ifuslots)| Duplicate {
            kind,
            id: id.to_owned(),
            ifuslots: ifuslots.into_iter().map(str::to_owned).collect(),
        })
        .collect()
}
