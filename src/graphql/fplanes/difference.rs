//! What differs between two planes.

use async_graphql::Enum;
use macros::row;

use super::slot::FplaneSlot;
use crate::fplanes::difference::{ChangeKind, SlotChange};
use crate::graphql::json::json_enums;

/// In which way a slot differs: the first of these that is true of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "ChangeKind")]
pub enum FplaneChangeKind {
    /// It was not in the plane before.
    Added,
    /// It is no longer in the plane.
    Removed,
    /// It was out of use, and is in use. Anything else may differ, too.
    Activated,
    /// It was in use, and is out of use. Anything else may differ, too.
    Deactivated,
    /// Something else is in it, or something else is known of it. Its position may differ, too.
    Changed,
    /// It is the same, at another position.
    Moved,
}

json_enums!(FplaneChangeKind);

/// How a slot differs between two focal planes.
#[derive(Clone)]
pub struct FplaneSlotChange {
    ifuslot: String,
    kind: FplaneChangeKind,
    before: Option<FplaneSlot>,
    after: Option<FplaneSlot>,
}

impl From<SlotChange> for FplaneSlotChange {
    fn from(change: SlotChange) -> Self {
        Self {
            ifuslot: change.ifuslot,
            kind: change.kind.into(),
            before: change.before.map(FplaneSlot),
            after: change.after.map(FplaneSlot),
        }
    }
}

/// How a slot differs between two focal planes.
#[row]
impl FplaneSlotChange {
    /// The slot, three digits.
    fn ifuslot(&self) -> &str {
        &self.ifuslot
    }

    /// In which way.
    fn change(&self) -> FplaneChangeKind {
        self.kind
    }

    /// How it was; null: it was not there.
    fn before(&self) -> Option<&FplaneSlot> {
        self.before.as_ref()
    }

    /// How it is; null: it is not there.
    fn after(&self) -> Option<&FplaneSlot> {
        self.after.as_ref()
    }
}
