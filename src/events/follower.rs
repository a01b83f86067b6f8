//! Somebody who follows the log.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, stream};
use tokio::sync::watch;
use tokio::time::sleep;

use super::feed::{Feed, Lost, Newest};
use super::log::{Event, Filter};
use crate::failure::Failure;

/// How long a follower waits before it tries to read the log again.
const RETRY: Duration = Duration::from_secs(1);

/// A place in the log, and what to listen for. It holds no events but those of one page.
pub struct Follower {
    feed: Feed,
    filter: Arc<Filter>,
    newest: watch::Receiver<Newest>,
    breaks: u64,
    /// Everything up to here was searched.
    position: i64,
    /// Found and not yet handed out.
    page: VecDeque<Arc<Event>>,
}

impl Drop for Follower {
    fn drop(&mut self) {
        metrics::gauge!("labql_event_log_followers").decrement(1.0);
    }
}

impl Follower {
    pub(super) fn new(feed: Feed, filter: Filter, position: i64) -> Self {
        metrics::gauge!("labql_event_log_followers").increment(1.0);
        let newest = feed.positions();
        let breaks = newest.borrow().breaks;
        Self {
            newest,
            breaks,
            feed,
            filter: Arc::new(filter),
            position,
            page: VecDeque::new(),
        }
    }

    /// The next event; waits until there is one. It can be given up at any await without losing anything.
    pub async fn next(&mut self) -> Result<Arc<Event>, Lost> {
        loop {
            if let Some(event) = self.page.pop_front() {
                return Ok(event);
            }
            self.turn().await?;
        }
    }

    /// All events, until the log is lost.
    pub fn stream(self) -> impl Stream<Item = Result<Arc<Event>, Lost>> + Send {
        stream::unfold(Some(self), |follower| async move {
            let mut follower = follower?;
            match follower.next().await {
                Ok(event) => Some((Ok(event), Some(follower))),
                Err(lost) => Some((Err(lost), None)),
            }
        })
    }

    /// Searches the next page, or waits for there to be one.
    async fn turn(&mut self) -> Result<(), Lost> {
        let Newest { position, breaks } = *self.newest.borrow_and_update();
        if breaks != self.breaks {
            return Err(self.feed.broken().await);
        }
        // One that began at the head of the database can be ahead of what this process has read.
        if position <= self.position {
            // The feed lives as long as its followers, so there is no end of changes.
            let _ = self.newest.changed().await;
            return Ok(());
        }
        let (page, searched) = match self.feed.recent(&self.filter, self.position, position) {
            Some(found) => found,
            None => self.older(position).await?,
        };
        self.page = page.into();
        self.position = searched;
        Ok(())
    }

    /// Reads the log in a task of its own: whoever waits here may be busy with a slow client for long, and must not
    /// hold a connection of the database meanwhile. A database that cannot be reached is waited for.
    async fn older(&self, until: i64) -> Result<(Vec<Arc<Event>>, i64), Lost> {
        loop {
            let (feed, filter, after) =
                (self.feed.clone(), Arc::clone(&self.filter), self.position);
            let read = tokio::spawn(async move { feed.older(&filter, after, until).await });
            match read.await {
                Ok(Err(Lost::Failed(failure @ Failure::Unavailable(_)))) => {
                    tracing::warn!(%failure, "a subscriber could not read the event log");
                }
                Ok(read) => return read,
                Err(error) => return Err(Lost::Failed(error.into())),
            }
            sleep(RETRY).await;
        }
    }
}
