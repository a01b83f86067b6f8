//! The background work of a process put together: which workers there are by the configuration, and their end.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::database::Database;
use crate::datasets::notifications::{Inbox, NotificationWork};
use crate::datasets::readers::Storage;
use crate::datasets::sync::Indexer;
use crate::events::Feed;
use crate::experiments::actions::{self, Actions};
use crate::experiments::sync::MirrorWork;
use crate::failure::Failure;
use crate::flows::Flows;
use crate::flows::mover::{self, PostProcessing};
use crate::flows::write::retention::FlowRetention;
use crate::workers::{EventRetention, Work, Workers};

/// How long background work may take to end.
const END: Duration = Duration::from_secs(10);

/// The work that the configuration asks for.
pub async fn works(
    config: &Config,
    database: &Database,
    feed: &Feed,
    inbox: &Inbox,
    storage: &Arc<Storage>,
    flows: &Flows,
) -> Result<Vec<Arc<dyn Work>>, Failure> {
    let mut works: Vec<Arc<dyn Work>> = Vec::new();
    let autosubmit = &config.autosubmit;
    if let (Some(root), 1..) = (&autosubmit.root, autosubmit.interval_seconds) {
        let (database, feed) = (database.clone(), feed.clone());
        let mirror = MirrorWork::new(database, feed, root.clone(), autosubmit).await?;
        works.push(Arc::new(mirror));
    }
    works.push(Arc::new(EventRetention {
        retention: config.events.clone(),
        database: database.clone(),
    }));
    if config.datasets.webhook.secret.is_some() {
        works.push(Arc::new(NotificationWork {
            indexer: Indexer {
                database: database.clone(),
                feed: feed.clone(),
                storage: Arc::clone(storage),
            },
            inbox: inbox.clone(),
        }));
    }
    works.push(Arc::new(FlowRetention {
        flows: flows.clone(),
    }));
    works.push(Arc::new(PostProcessing::new(flows.clone())));
    Ok(works)
}

/// What runs beside the requests.
pub struct Background {
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Background {
    /// Follows the log of events, and does this work, until `stop` is cancelled.
    pub fn start(
        config: &Config,
        database: &Database,
        feed: &Feed,
        works: Vec<Arc<dyn Work>>,
        stop: &CancellationToken,
    ) -> Self {
        let tasks = TaskTracker::new();
        let (followed, until) = (feed.clone(), stop.clone());
        tasks.spawn(async move { followed.follow(until).await });
        let lease = config.workers.lease();
        let workers = Workers::new(database.clone(), feed.clone(), lease, stop.clone());
        for work in works {
            workers.start(&tasks, work);
        }
        tasks.close();
        let stop = stop.clone();
        Self { tasks, stop }
    }

    /// Moves runs of workflows forward, and looks after what people have Autosubmit do, if there is or can be anything of it.
    pub async fn keep(
        &self,
        config: &Config,
        actions: &Actions,
        flows: &Flows,
    ) -> Result<(), Failure> {
        let lease = config.workers.lease();
        mover::keep(flows.clone(), lease, self.stop.clone(), &self.tasks);
        let turned_on = !config.actions.enabled.is_empty();
        if turned_on || actions.are_under_way().await? {
            actions::keep(actions.clone(), lease, self.stop.clone(), &self.tasks);
        }
        Ok(())
    }

    /// Waits until all has ended, within a limit.
    pub async fn end(self) {
        if tokio::time::timeout(END, self.tasks.wait()).await.is_err() {
            tracing::warn!("background work did not end in time");
        }
    }
}
