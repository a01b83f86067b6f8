//! Whose fault it is that an experiment cannot be read: its own, or that of the server that has its tables. A server that
//! cannot be asked ends the pass; an experiment that cannot be read must not, or those after it would never be.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::task::JoinError;

use super::agenda::lock;
use super::look::Look;
use super::{Mirror, blocking, unreachable};
use crate::experiments::readers::{ExperimentRecord, Problem, SourceError};
use crate::failure::Failure;

/// So many experiments that took too long, or lost their connections, are enough for one pass.
const MOST: usize = 3;

/// Experiments whose tables could not be read because the server took too long, or went away.
#[derive(Debug, Default)]
pub struct Troubles {
    /// They come last in the next pass: it may end with them.
    expids: HashSet<String>,
    /// How many this pass has had.
    met: usize,
}

impl Troubles {
    /// Begins a pass over these experiments.
    pub fn begin(&mut self, looks: &mut [Look]) {
        self.met = 0;
        looks.sort_by_key(|look| self.expids.contains(look.expid.as_str()));
    }
}

impl Mirror {
    /// What was read of an experiment, or its problem.
    ///
    /// # Errors
    /// If it is the server that cannot be asked, or has had enough.
    pub(super) async fn blame(
        &self,
        look: &Look,
        record: Result<Result<ExperimentRecord, SourceError>, JoinError>,
    ) -> Result<Result<ExperimentRecord, Problem>, Failure> {
        let expid = look.expid.as_str();
        let error = match record {
            Ok(Ok(record)) => {
                lock(&self.troubles).expids.remove(expid);
                return Ok(Ok(record));
            }
            Ok(Err(error)) => error,
            Err(error) => {
                tracing::error!(expid, %error, "the reader of an experiment failed");
                let message = "its reader failed; the log says more";
                return Ok(Err(Problem::new(expid, message).transient()));
            }
        };
        let met = {
            let mut troubles = lock(&self.troubles);
            troubles.expids.insert(expid.to_owned());
            troubles.met += 1;
            troubles.met
        };
        let root = Arc::clone(&self.root);
        if met > MOST || !blocking(move || root.answers()).await? {
            return Err(unreachable(error));
        }
        tracing::warn!(
            expid,
            ?error,
            "the tables of an experiment could not be read"
        );
        let problem = match &error {
            SourceError::Unavailable(_) => Problem::new(
                expid,
                "the server broke off while it was read; the log says more",
            ),
            other => Problem::of(expid, other),
        };
        Ok(Err(problem.transient()))
    }
}
