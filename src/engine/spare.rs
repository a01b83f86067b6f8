//! Keepers that have come up before there is anything to keep. To come up is most of what it takes to begin a short step.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::process::Child;

use super::EngineError;
use super::folder::failed;
use super::start::spawn;

/// At most one keeper that waits. It ends with this process, since then nobody is left to tell it anything.
#[derive(Debug)]
pub(super) struct Spare {
    /// The binary of labql.
    labql: PathBuf,
    /// Where the folders of programs are.
    within: PathBuf,
    waiting: Mutex<Option<Child>>,
    renewal: Mutex<()>,
}

impl Spare {
    /// Has none yet.
    pub fn new(labql: PathBuf, within: PathBuf) -> Self {
        Self {
            labql,
            within,
            waiting: Mutex::default(),
            renewal: Mutex::default(),
        }
    }

    /// The one that waits, or else a new one.
    pub fn take(&self) -> Result<Child, EngineError> {
        let waiting = self.waiting().take();
        if let Some(mut keeper) = waiting
            && matches!(keeper.try_wait(), Ok(None))
        {
            return Ok(keeper);
        }
        self.spawn()
    }

    /// Has one come up for the next program, if none waits and nobody else does so at this moment.
    pub fn renew(&self) {
        let Ok(_alone) = self.renewal.try_lock() else {
            return;
        };
        if self.waiting().is_some() {
            return;
        }
        match self.spawn() {
            Ok(keeper) => *self.waiting() = Some(keeper),
            // Whoever needs one tries again, and tells of it.
            Err(error) => tracing::debug!(%error, "no keeper could be started ahead"),
        }
    }

    /// Until it has a folder, its words are ours.
    fn spawn(&self) -> Result<Child, EngineError> {
        spawn(&self.labql, &self.within, Stdio::inherit()).map_err(failed(&self.labql))
    }

    fn waiting(&self) -> MutexGuard<'_, Option<Child>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
