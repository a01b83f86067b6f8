//! Questions about focal planes: how one was at an instant by what is known now or was known then, what was where and since
//! when, and who said so.

pub mod by_id;
pub mod history;
pub mod ids;
pub mod moments;
pub mod planes;
pub mod records;
pub mod sources;
pub(super) mod states;
pub mod tags;

pub use sources::SourceKind;

use chrono::{DateTime, Utc};

/// An instant that a plane is asked for, and by whose knowledge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AsOf {
    /// The instant.
    pub at: DateTime<Utc>,
    /// By what was known then; none: by all that is known.
    pub known_at: Option<DateTime<Utc>>,
}
