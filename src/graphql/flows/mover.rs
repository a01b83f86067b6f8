//! The type `RunMover`.

use chrono::{DateTime, Utc};
use macros::row;

use crate::entity::flow_run;
use crate::time::from_millis;
use crate::workers::Holder;

/// A process of labql, a server or a worker, that moves a run forward.
#[derive(Clone)]
pub struct RunMover {
    host: String,
    process: Option<i32>,
    lease_until: Option<DateTime<Utc>>,
}

impl RunMover {
    /// Who holds a run.
    pub(super) fn of(run: &flow_run::Model) -> Option<Self> {
        let (host, process) = Holder::parts(run.holder.as_deref()?);
        Some(Self {
            host: host.to_owned(),
            process,
            lease_until: run.lease_until.and_then(from_millis),
        })
    }
}

/// A process of labql, a server or a worker, that moves a run forward.
#[row]
impl RunMover {
    /// The name of its machine.
    fn host(&self) -> &str {
        &self.host
    }

    /// Its number on that machine.
    fn process(&self) -> Option<i32> {
        self.process
    }

    /// When another takes the run over, unless this one says before that it still lives, which it does several times. In an update,
    /// as it was then.
    fn lease_until(&self) -> Option<DateTime<Utc>> {
        self.lease_until
    }
}
