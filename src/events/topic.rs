//! What events are about.

use std::fmt;
use std::str::FromStr;

/// What an event is about. The subject of an event names the one thing within its topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    /// An account, its keys and its grants; the subject is the username. For administrators only.
    Account,
    /// What somebody has Autosubmit do; the subject is the number of the action, the actor of all its events whoever
    /// asked for it. For that user and for administrators.
    Action,
    /// A dataset; the subject is its URI. Only for those who may search where it lies.
    Dataset,
    /// An experiment; the subject is its expid.
    Experiment,
    /// A run of a workflow; the subject is its row id. Only for those who may see it.
    Flow,
    /// What the steps of a run print; the subject is its row id. Only for those who may see it.
    FlowLog,
    /// A focal plane; the subject is `plane`, or `tag:` and the name of a tag.
    Fplane,
    /// A job; the subject is the expid of its experiment.
    Job,
    /// What somebody reports of a run; the subject is the expid of its experiment.
    Run,
    /// A background worker; the subject is its name.
    Worker,
}

impl Topic {
    /// All topics.
    pub const ALL: [Self; 10] = [
        Self::Account,
        Self::Action,
        Self::Dataset,
        Self::Experiment,
        Self::Flow,
        Self::FlowLog,
        Self::Fplane,
        Self::Job,
        Self::Run,
        Self::Worker,
    ];

    /// May only administrators hear of everything in it?
    pub const fn is_confidential(self) -> bool {
        matches!(
            self,
            Self::Account | Self::Action | Self::Flow | Self::FlowLog
        )
    }

    /// The name in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Action => "action",
            Self::Dataset => "dataset",
            Self::Experiment => "experiment",
            Self::Flow => "flow",
            Self::FlowLog => "flow-log",
            Self::Fplane => "fplane",
            Self::Job => "job",
            Self::Run => "run",
            Self::Worker => "worker",
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The log names a topic that this labql does not know: a newer one wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an unknown topic")]
pub struct UnknownTopic;

impl FromStr for Topic {
    type Err = UnknownTopic;

    fn from_str(name: &str) -> Result<Self, UnknownTopic> {
        let mut all = Self::ALL.into_iter();
        all.find(|topic| topic.as_str() == name).ok_or(UnknownTopic)
    }
}
