//! What a run that has ended needs no longer is removed: the folder that its steps worked in, and those of their attempts. What is
//! not reached is for the retention.

use std::time::Duration;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::database::is_one_of;
use crate::entity::flow_run;
use crate::failure::Failure;
use crate::flows::Flows;
use crate::workers;

/// How many runs are cleaned together, so that one statement notes it; and how long others are waited for.
const MOST: usize = 200;
const PAUSE: Duration = Duration::from_secs(1);

/// Removes what runs need no longer.
#[derive(Clone, Debug)]
pub(super) struct Cleaner(mpsc::UnboundedSender<(i64, String)>);

impl Cleaner {
    /// Cleans until `stop` is cancelled.
    pub fn start(flows: &Flows, stop: &CancellationToken, tasks: &TaskTracker) -> Self {
        let (sender, mut ended) = mpsc::unbounded_channel();
        let (flows, stop) = (flows.clone(), stop.clone());
        tasks.spawn(async move {
            let mut runs = Vec::new();
            while stop
                .run_until_cancelled(ended.recv_many(&mut runs, MOST))
                .await
                .is_some_and(|number| number > 0)
            {
                if let Err(failure) = clean(&flows, std::mem::take(&mut runs)).await {
                    tracing::warn!(%failure, "it could not be noted that runs were cleaned up");
                }
                stop.run_until_cancelled(sleep(PAUSE)).await;
            }
        });
        Self(sender)
    }

    /// Removes what this run needs no longer, soon.
    pub fn clean(&self, run: i64, folder: &str) {
        // Nobody listens once the process ends.
        let _ = self.0.send((run, folder.to_owned()));
    }
}

async fn clean(flows: &Flows, runs: Vec<(i64, String)>) -> Result<(), Failure> {
    let places = flows.places.clone();
    let cleaned = tokio::task::spawn_blocking(move || {
        let mut cleaned = Vec::with_capacity(runs.len());
        for (run, folder) in runs {
            match places.run(&folder).clean() {
                Ok(()) => cleaned.push(run),
                Err(error) => tracing::warn!(run, %error, "a run could not be cleaned up"),
            }
        }
        cleaned
    });
    let cleaned = cleaned.await?;
    let now = workers::now(flows.database.read()).await?;
    flow_run::Entity::update_many()
        .col_expr(flow_run::Column::CleanedAt, now.into())
        .filter(is_one_of(&flows.database, flow_run::Column::Id, &cleaned))
        .filter(flow_run::Column::CleanedAt.is_null())
        .exec(flows.database.write())
        .await?;
    Ok(())
}
