//! What is told of runs.

use serde::{Deserialize, Serialize};

use crate::entity::{flow_run, flow_step};
use crate::events::{Event, NewEvent, Topic};

/// What happened to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It was started, and waits for its turn.
    Created,
    /// It left the queue.
    Started,
    /// Another process moves it forward from now on.
    TakenOver,
    /// The state of a step changed.
    Step,
    /// Somebody wants it to end.
    Canceling,
    /// It has ended.
    Ended,
    /// It is kept no longer.
    Deleted,
}

impl ChangeKind {
    const ALL: [Self; 7] = [
        Self::Created,
        Self::Started,
        Self::TakenOver,
        Self::Step,
        Self::Canceling,
        Self::Ended,
        Self::Deleted,
    ];

    /// The kind of the event in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Started => "started",
            Self::TakenOver => "taken-over",
            Self::Step => "step",
            Self::Canceling => "canceling",
            Self::Ended => "ended",
            Self::Deleted => "deleted",
        }
    }

    /// The kind that an event in the log names.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// The payload of events of [`Topic::Flow`], whose subject is the row id of the run.
///
/// An event outlives the labql that wrote it. So a reader ignores fields that it does not know, and takes those that are
/// missing for empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunChange {
    /// The run as this change left it, without arguments and inputs.
    pub run: flow_run::Model,
    /// The step whose state changed, as this change left it.
    pub step: Option<flow_step::Model>,
}

impl RunChange {
    /// The change that an event tells of.
    ///
    /// # Errors
    /// If its payload is none of this type.
    pub fn of(event: &Event) -> serde_json::Result<Self> {
        serde_json::from_str(&event.payload)
    }
}

/// The event that tells of a change of a run, or of one of its steps.
pub fn event(
    kind: ChangeKind,
    run: &flow_run::Model,
    step: Option<&flow_step::Model>,
    actor: Option<&str>,
) -> NewEvent {
    let change = RunChange {
        run: flow_run::Model {
            arguments: String::new(),
            inputs: None,
            ..run.clone()
        },
        step: step.cloned(),
    };
    NewEvent {
        topic: Topic::Flow,
        subject: run.id.to_string(),
        kind: kind.as_str(),
        // Texts and numbers always become JSON.
        payload: serde_json::to_value(change).unwrap_or_default(),
        actor: actor.map(str::to_owned),
    }
}

/// The event that tells of new pieces of the log of a run. They are in their table: it says only that there are some.
pub fn log_event(run: i64) -> NewEvent {
    NewEvent {
        topic: Topic::FlowLog,
        subject: run.to_string(),
        kind: "printed",
        payload: serde_json::Value::Null,
        actor: None,
    }
}
