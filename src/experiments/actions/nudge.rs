//! What an action did is seen soon.

use super::request::Actions;
use crate::workers::{self, WorkerKind, commands};

/// Has the mirrors look at everything soon: what notifications of the file system tell, they know already, but not every
/// file system tells, and a new experiment may be too many for its notifications. Paused ones stay so.
pub(super) async fn mirrors(actions: &Actions, actor: &str) {
    let workers = match workers::read::all(&actions.database).await {
        Ok(workers) => workers,
        Err(error) => return tracing::warn!(%error, "the mirrors were not told of an action"),
    };
    let mirrors = workers
        .iter()
        .filter(|worker| worker.kind == WorkerKind::AutosubmitMirror);
    for mirror in mirrors {
        let told = commands::run_now(&actions.database, &actions.feed, actor, &mirror.name).await;
        if let Err(error) = told {
            tracing::debug!(%error, worker = mirror.name, "a mirror was not told of an action");
        }
    }
}
