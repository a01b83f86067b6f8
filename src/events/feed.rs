//! The live feed: replay from the log, then follow it.

use std::time::Duration;

use futures_util::Stream;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::log;
use super::topic::Topic;
use crate::database::Database;
use crate::entity::event::Model;
use crate::failure::Failure;

/// How often the log is looked at for events that other processes wrote.
const POLL: Duration = Duration::from_secs(1);
/// How many events a subscriber reads at a time.
const READ_AHEAD: u64 = 500;

/// The newest position that this process knows of; subscribers wait for it to grow.
#[derive(Clone, Debug)]
pub struct Feed {
    database: Database,
    newest: watch::Sender<i64>,
}

impl Feed {
    /// A feed of the log in this database.
    pub fn new(database: Database) -> Self {
        Self {
            database,
            newest: watch::Sender::new(0),
        }
    }

    /// Looks for new events: at once after a commit of this process, and now and then for those of others.
    pub async fn refresh(&self) {
        metrics::counter!("labql_event_log_looks_total").increment(1);
        match log::head(&self.database).await {
            Ok(head) => {
                self.newest
                    .send_if_modified(|newest| std::mem::replace(newest, head) != head);
            }
            Err(error) => tracing::warn!(%error, "the event log could not be read"),
        }
    }

    /// Refreshes until told to stop.
    pub async fn follow(&self, stop: CancellationToken) {
        let mut tick = tokio::time::interval(POLL);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = tick.tick() => self.refresh().await,
            }
        }
    }

    /// All events of a topic behind a position, then those to come, in order, each once.
    pub fn subscribe(
        &self,
        topic: Topic,
        after: i64,
    ) -> impl Stream<Item = Result<Model, Failure>> + Send + use<> {
        let feed = self.clone();
        async_stream::try_stream! {
            let mut wake = feed.newest.subscribe();
            let mut position = after;
            loop {
                wake.mark_unchanged();
                let page = log::read_after(&feed.database, topic, position, READ_AHEAD).await?;
                let more = page.len() as u64 == READ_AHEAD;
                for event in page {
                    position = event.position.unwrap_or(position);
                    yield event;
                }
                if !more && wake.changed().await.is_err() {
                    return;
                }
            }
        }
    }
}
