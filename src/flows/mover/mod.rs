//! Moves runs forward, from the queue to their end.
//!
//! Each process that does background work has one mover. It claims runs by their priority as far as there is room ([`queue`]), and
//! moves each in a task of its own ([`run`]): a run is **held** by one process, by a lease in its row ([`lease`]). Who finds a lease
//! ended takes the run over and goes on from what is written down; steps on a machine can be taken over on that machine only.
//!
//! What happens is written down before it is done, and every transaction first makes sure that the run is still held and in the state
//! that is believed: so a process that slept, or was killed at any instant, does nothing twice. That a step begins once at most is
//! the executor's to hold ([`crate::engine`]), however often it is handed over.

mod attempt;
mod begin;
mod claim;
mod clean;
mod ending;
mod executors;
mod folder;
mod held;
mod inputs;
mod job;
mod lease;
mod logs;
mod lost;
mod news;
mod outputs;
mod plan;
mod poll;
mod proceed;
mod processing;
mod queue;
mod room;
mod run;
mod verdict;
mod versions;
mod work;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::clean::Cleaner;
use self::executors::Executors;
use self::versions::Versions;
use super::Flows;
use crate::engine::Host;
use crate::workers::Holder;

pub use self::processing::PostProcessing;

/// How long to wait after the mover could not begin.
const RETRY: Duration = Duration::from_secs(5);

/// What all who move runs in this process share.
struct Mover {
    flows: Flows,
    holder: Holder,
    /// What tells this machine, with this folder, apart from others: `flow_run.host`.
    host: String,
    lease: Duration,
    executors: Executors,
    versions: Versions,
    cleaner: Cleaner,
    /// The folder of flows, whose path is told to nobody.
    root: String,
    stop: CancellationToken,
}

/// Moves runs until `stop` is cancelled. A process that says nothing for as long as `lease` loses them to others.
pub fn keep(flows: Flows, lease: Duration, stop: CancellationToken, tasks: &TaskTracker) {
    let own = tasks.clone();
    tasks.spawn(async move {
        let mover = loop {
            match Mover::new(&flows, lease, &stop, &own) {
                Ok(mover) => break Arc::new(mover),
                Err(error) => tracing::error!(error, "runs cannot be moved"),
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(RETRY) => {}
            }
        };
        work::follow(mover).await;
    });
}

impl Mover {
    fn new(
        flows: &Flows,
        lease: Duration,
        stop: &CancellationToken,
        tasks: &TaskTracker,
    ) -> Result<Self, String> {
        let holder = Holder::new();
        let node = flows.settings.local.node.as_deref();
        let root = flows.places.root();
        let host = Host::here(node, &holder.host, root);
        let host = host.map_err(|error| format!("{}: {error}", root.display()))?;
        let executors = Executors::start(flows, stop, tasks);
        Ok(Self {
            flows: flows.clone(),
            holder,
            host: host.keeper,
            lease,
            executors: executors.map_err(|error| error.to_string())?,
            versions: Versions::default(),
            cleaner: Cleaner::start(flows, stop, tasks),
            root: root.display().to_string(),
            stop: stop.clone(),
        })
    }

    /// How long the lease is, in milliseconds.
    fn lease(&self) -> i64 {
        i64::try_from(self.lease.as_millis()).unwrap_or(i64::MAX)
    }
}
