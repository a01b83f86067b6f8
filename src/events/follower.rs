//! Somebody who follows the log.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, stream};
use tokio::sync::watch;
use tokio::time::sleep;

use super::feed::{Feed, Lost, Newest};
use super::log::{Event, Filter};
use super::relay::Relay;
use crate::failure::Failure;

/// How long a follower waits before it tries to read the log again.
const RETRY: Duration = Duration::from_secs(1);

/// A place in the log, and what to listen for. It holds no events but those of one page.
pub struct Follower {
    /// On whose behalf: a label.
    of: &'static str,
    search: Search,
    /// Found and not yet handed out.
    page: VecDeque<Arc<Event>>,
}

impl Drop for Follower {
    fn drop(&mut self) {
        metrics::gauge!("labql_event_log_followers", "of" => self.of).decrement(1.0);
    }
}

impl Follower {
    pub(super) fn new(feed: Feed, of: &'static str, filter: Filter, position: i64) -> Self {
        metrics::gauge!("labql_event_log_followers", "of" => of).increment(1.0);
        Self {
            of,
            search: Search::new(feed, Arc::new(filter), position),
            page: VecDeque::new(),
        }
    }

    /// What it listens for.
    pub fn filter(&self) -> Arc<Filter> {
        Arc::clone(&self.search.filter)
    }

    /// The next event; waits until there is one. It can be given up at any await without losing anything.
    pub async fn next(&mut self) -> Result<Arc<Event>, Lost> {
        loop {
            if let Some(event) = self.page.pop_front() {
                return Ok(event);
            }
            self.page = self.search.page().await?;
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

    /// Somebody who prepares events like these from now on, for this follower and others.
    pub fn relay<P, F>(&self, prepare: P) -> Relay
    where
        P: Fn(Arc<Event>) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let (feed, filter) = (self.search.feed.clone(), self.filter());
        let newest = feed.positions().borrow().position;
        Relay::start(Search::new(feed, filter, newest), prepare)
    }

    /// Is woken by the relay, whose filter must be the same: by the feed again when the relay ends.
    pub fn hear_from(&mut self, relay: &Relay) {
        self.search.newest = relay.newest.clone();
    }

    /// Is woken by all events, as at first.
    pub fn hear_from_feed(&mut self) {
        self.search.newest = self.search.feed.positions();
    }
}

/// A place in the log from which somebody reads on.
pub(super) struct Search {
    feed: Feed,
    filter: Arc<Filter>,
    newest: watch::Receiver<Newest>,
    breaks: u64,
    /// Everything up to here was searched.
    position: i64,
}

impl Search {
    fn new(feed: Feed, filter: Arc<Filter>, position: i64) -> Self {
        let newest = feed.positions();
        let breaks = newest.borrow().breaks;
        Self {
            feed,
            filter,
            newest,
            breaks,
            position,
        }
    }

    /// How far this has come.
    pub(super) fn reached(&self) -> Newest {
        Newest {
            position: self.position,
            breaks: self.breaks,
        }
    }

    /// The next page, which may be empty; waits until there is something to search.
    pub(super) async fn page(&mut self) -> Result<VecDeque<Arc<Event>>, Lost> {
        let until = self.until().await?;
        let (page, searched) = match self.feed.recent(&self.filter, self.position, until) {
            Some(found) => found,
            None => self.older(until).await?,
        };
        self.position = searched;
        Ok(page.into())
    }

    /// A position that lies further than this has come.
    async fn until(&mut self) -> Result<i64, Lost> {
        loop {
            let Newest { position, breaks } = *self.newest.borrow_and_update();
            if breaks != self.breaks {
                return Err(self.feed.broken().await);
            }
            // One that began at the head of the database can be ahead of what this process has read.
            if position > self.position {
                return Ok(position);
            }
            if self.newest.changed().await.is_err() {
                // The relay has ended. The feed lives as long as its followers.
                self.newest = self.feed.positions();
            }
        }
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
