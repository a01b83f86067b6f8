//! The executors of this process, by its settings.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::available_parallelism;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::poll::Poller;
use crate::engine::{Executor, ExecutorError, Local, Slurm, SlurmSettings};
use crate::flows::Flows;
use crate::flows::settings::ExecutorName;

/// As many as there will never be.
const UNBOUNDED: usize = 1_000_000;

/// The executors of this process.
#[derive(Debug)]
pub(super) struct Executors {
    pollers: HashMap<ExecutorName, Arc<Poller>>,
    /// How many runs may be under way at once.
    pub at_once: HashMap<ExecutorName, usize>,
}

impl Executors {
    /// As they are set; asks after their steps until `stop` is cancelled.
    ///
    /// # Errors
    /// If the system does not tell where labql's binary is.
    pub fn start(
        flows: &Flows,
        stop: &CancellationToken,
        tasks: &TaskTracker,
    ) -> Result<Self, ExecutorError> {
        let mut executors: Vec<(ExecutorName, Arc<dyn Executor>, u32)> = Vec::new();
        let settings = &flows.settings;
        let local = Arc::new(Local::new(flows.places.root().to_owned())?);
        executors.push((ExecutorName::Local, local, settings.local.at_once));
        if settings.slurm.enabled {
            let slurm = &settings.slurm;
            let at_once = slurm.at_once;
            let slurm = Slurm::new(SlurmSettings {
                commands: slurm.commands.clone(),
                conf: slurm.conf.clone(),
                options: slurm.options.clone(),
                pace: slurm.pace,
                timeout: slurm.timeout,
                lag: slurm.lag,
            });
            executors.push((ExecutorName::Slurm, Arc::new(slurm), at_once));
        }
        let mut all = Self {
            pollers: HashMap::new(),
            at_once: HashMap::new(),
        };
        for (name, executor, at_once) in executors {
            let poller = Poller::start(executor, stop.clone(), tasks);
            all.pollers.insert(name, poller);
            let at_once = match (usize::try_from(at_once), name) {
                (Ok(0), ExecutorName::Local) => available_parallelism().map_or(1, usize::from),
                (Ok(0), ExecutorName::Slurm) | (Err(_), _) => UNBOUNDED,
                (Ok(some), _) => some,
            };
            all.at_once.insert(name, at_once);
        }
        Ok(all)
    }

    /// The executor of this name, and who asks after its steps; none: this process has none.
    pub fn of(&self, name: &str) -> Option<&Arc<Poller>> {
        self.pollers.get(&ExecutorName::from_name(name)?)
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = ExecutorName> {
        self.pollers.keys().copied()
    }
}
