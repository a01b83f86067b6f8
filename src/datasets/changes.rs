//! What events tell of a dataset: what lists show of it, as the change left it; one that was deleted as it was.
//!
//! An event outlives the labql that wrote it. So a reader ignores fields that it does not know, and takes those that are
//! missing for empty.

use serde::{Deserialize, Serialize};

use crate::entity::dataset;
use crate::events::{Event, NewEvent, Topic};

/// What happened to a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// It is new.
    Registered,
    /// It is another one than before.
    Updated,
    /// It is registered no more.
    Deleted,
}

impl ChangeKind {
    /// The kind of the event in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Updated => "updated",
            Self::Deleted => "deleted",
        }
    }

    /// The kind that an event in the log names.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Registered, Self::Updated, Self::Deleted]
            .into_iter()
            .find(|kind| kind.as_str() == name)
    }
}

/// A dataset that changed: the payload of events of [`Topic::Dataset`], whose subject is the URI. The fields are those of
/// its row.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DatasetChange {
    /// Row id.
    pub id: i64,
    /// Row id; who may search there may hear of the change.
    pub base_uri_id: i64,
    /// The text of the base URI.
    pub base_uri: String,
    /// The UUID.
    pub uuid: String,
    /// The name.
    pub name: String,
    /// Who made it.
    pub creator_username: String,
    /// Microseconds since 1970-01-01 UTC.
    pub created_at: i64,
    /// Microseconds since 1970-01-01 UTC.
    pub frozen_at: i64,
    /// How many items.
    pub item_count: Option<i64>,
    /// The size of its items, in bytes.
    pub size_bytes: Option<i64>,
    /// The tags, sorted.
    pub tags: Vec<String>,
}

impl DatasetChange {
    /// The change that an event tells of.
    ///
    /// # Errors
    /// If its payload is none of this type.
    pub fn of(event: &Event) -> serde_json::Result<Self> {
        serde_json::from_str(&event.payload)
    }

    /// As much of the row as is known.
    pub fn into_row(self, uri: &str) -> dataset::Model {
        dataset::Model {
            id: self.id,
            base_uri_id: self.base_uri_id,
            base_uri: self.base_uri,
            uri: uri.to_owned(),
            uuid: self.uuid,
            name: self.name,
            creator_username: self.creator_username,
            created_at: self.created_at,
            frozen_at: self.frozen_at,
            item_count: self.item_count,
            size_bytes: self.size_bytes,
            tags: serde_json::Value::from(self.tags).to_string(),
            annotations: "{}".to_owned(),
            ..dataset::Model::default()
        }
    }
}

/// The event of a change of a dataset.
pub fn event(kind: ChangeKind, row: &dataset::Model, actor: &str) -> NewEvent {
    let change = DatasetChange {
        id: row.id,
        base_uri_id: row.base_uri_id,
        base_uri: row.base_uri.clone(),
        uuid: row.uuid.clone(),
        name: row.name.clone(),
        creator_username: row.creator_username.clone(),
        created_at: row.created_at,
        frozen_at: row.frozen_at,
        item_count: row.item_count,
        size_bytes: row.size_bytes,
        tags: serde_json::from_str(&row.tags).unwrap_or_default(),
    };
    NewEvent {
        topic: Topic::Dataset,
        subject: row.uri.clone(),
        kind: kind.as_str(),
        // Texts and numbers always become JSON.
        payload: serde_json::to_value(change).unwrap_or_default(),
        actor: Some(actor.to_owned()),
    }
}
