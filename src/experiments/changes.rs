//! What events tell of a change: the row as the change left it.
//!
//! An event outlives the labql that wrote it. So a reader ignores fields that it does not know, and takes those that are
//! missing for empty.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::entity::{experiment, job};
use crate::events::{Event, NewEvent, Topic};

/// What happened to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// It is another one than before.
    Changed,
    /// A job that is gone from its list.
    Removed,
    /// An experiment that is gone from its root, and kept.
    Archived,
}

impl ChangeKind {
    /// The kind of the event in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Removed => "removed",
            Self::Archived => "archived",
        }
    }

    /// The kind that an event in the log names.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Added, Self::Changed, Self::Removed, Self::Archived]
            .into_iter()
            .find(|kind| kind.as_str() == name)
    }
}

/// A job that changed: the payload of events of [`Topic::Job`], whose subject is the expid.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct JobChange {
    /// The job as this change left it; one that was removed as it was.
    pub job: job::Model,
    /// Autosubmit's status code before; none for a job that was added.
    pub previous_status: Option<i16>,
}

/// An experiment that changed, its jobs, its runs or its problems included: the payload of events of
/// [`Topic::Experiment`], whose subject is the expid.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExperimentChange {
    /// The experiment's row as this change left it.
    pub experiment: experiment::Model,
}

impl JobChange {
    /// The change that an event tells of.
    ///
    /// # Errors
    /// If its payload is none of this type.
    pub fn of(event: &Event) -> serde_json::Result<Self> {
        serde_json::from_str(&event.payload)
    }

    /// The event that tells of this change.
    pub fn event(&self, expid: &str, kind: ChangeKind) -> NewEvent {
        new_event(Topic::Job, expid, kind, self)
    }
}

impl ExperimentChange {
    /// The change that an event tells of.
    ///
    /// # Errors
    /// If its payload is none of this type.
    pub fn of(event: &Event) -> serde_json::Result<Self> {
        serde_json::from_str(&event.payload)
    }

    /// The event that tells of this change.
    pub fn event(row: &experiment::Model, kind: ChangeKind) -> NewEvent {
        let change = Self {
            experiment: row.clone(),
        };
        new_event(Topic::Experiment, &row.expid, kind, &change)
    }
}

fn new_event(topic: Topic, expid: &str, kind: ChangeKind, change: &impl Serialize) -> NewEvent {
    // Rows of numbers and texts always become JSON.
    let mut payload = serde_json::to_value(change).unwrap_or_default();
    for part in payload
        .as_object_mut()
        .into_iter()
        .flat_map(|all| all.values_mut())
    {
        leave_out_nulls(part);
    }
    NewEvent {
        topic,
        subject: expid.to_owned(),
        kind: kind.as_str(),
        payload,
        actor: None,
    }
}

/// Most fields of most rows are empty; an event that tells of 20,000 jobs is half as long without them.
fn leave_out_nulls(row: &mut Value) {
    if let Value::Object(fields) = row {
        fields.retain(|_, value| !value.is_null());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(new: NewEvent) -> Event {
        Event {
            position: 1,
            recorded_at: 0,
            topic: Some(new.topic),
            subject: new.subject,
            kind: new.kind.to_owned(),
            payload: new.payload.to_string(),
            actor: new.actor,
        }
    }

    #[test]
    fn a_change_comes_back_as_it_was() {
        let change = JobChange {
            job: job::Model {
                id: 7,
                name: "a000_SIM".into(),
                status: -3,
                chunk: Some(2),
                ..job::Model::default()
            },
            previous_status: Some(4),
        };
        let event = stored(change.event("a000", ChangeKind::Changed));
        assert!(!event.payload.contains("null"), "{}", event.payload);
        assert_eq!(JobChange::of(&event).unwrap(), change);
        assert_eq!(
            ChangeKind::from_name(&event.kind),
            Some(ChangeKind::Changed)
        );
    }

    #[test]
    fn older_and_newer_payloads_can_be_read() {
        let mut event = stored(JobChange::default().event("a000", ChangeKind::Added));
        event.payload = "{}".into();
        assert_eq!(JobChange::of(&event).unwrap(), JobChange::default());
        event.payload = r#"{"experiment": {"expid": "a000", "mood": "good"}, "weather": 1}"#.into();
        let change = ExperimentChange::of(&event).unwrap();
        assert_eq!(change.experiment.expid, "a000");
        assert_eq!(change.experiment.active_until, None);
    }
}
