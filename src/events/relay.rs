//! Somebody who goes ahead of those who follow the same events.
//!
//! What followers need of an event is prepared once, and only then are they woken. And those who wait for rare events are
//! not woken by all others.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::feed::Newest;
use super::follower::Search;
use super::log::Event;

/// Followers who wait for rare events move on after so many others, so that what they come back to is still in memory.
const MOST_BEHIND: i64 = 100;

/// Wakes followers of the same events when these are prepared. Ends when it is dropped.
pub struct Relay {
    pub(super) newest: watch::Receiver<Newest>,
    _task: AbortOnDropHandle<()>,
}

impl Relay {
    /// Prepares each event that is found.
    pub(super) fn start<P, F>(search: Search, prepare: P) -> Self
    where
        P: Fn(Arc<Event>) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let (sender, newest) = watch::channel(search.reached());
        let task = tokio::spawn(go_ahead(search, prepare, sender));
        Self {
            newest,
            _task: AbortOnDropHandle::new(task),
        }
    }
}

/// Ends when the log is lost: followers then hear of it from the feed.
async fn go_ahead<P, F>(mut search: Search, prepare: P, told: watch::Sender<Newest>)
where
    P: Fn(Arc<Event>) -> F,
    F: Future<Output = ()>,
{
    let mut woken = search.reached();
    while let Ok(page) = search.page().await {
        let found = !page.is_empty();
        for event in page {
            prepare(event).await;
        }
        let reached = search.reached();
        let wakes = found || reached.position - woken.position >= MOST_BEHIND;
        if wakes {
            woken = reached;
        }
        told.send_if_modified(|newest| {
            *newest = reached;
            wakes
        });
    }
}
