//! The live feed: one reader of the log for the whole process, and any number of followers.
//!
//! What wakes a follower carries no payload, only "the newest position is now this". A follower reads on from where it
//! is: in the ring of the newest events, or in the log itself when it is further behind. So nothing overflows, a slow
//! follower costs a read and no memory, and there is no seam between what was and what comes.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sea_orm::DatabaseBackend;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::cursor::{Cursor, LogId, Start, stamp};
use super::follower::Follower;
use super::log::{self, Event, Filter};
use super::postgres::Postgres;
use super::ring::Ring;
use super::sqlite::Sqlite;
use super::topic::Topic;
use crate::database::{self, Database};
use crate::entity::event_log;
use crate::failure::Failure;

/// How many events the reader of a process takes from the log at a time.
const READ_AHEAD: usize = 500;
/// How many a follower takes: those that are behind hold copies of their own.
const PAGE: usize = 50;
/// Reads of the log that followers do at once; others wait, so that those who have fallen behind leave connections
/// for queries.
const CATCHING_UP: usize = 2;
/// A feed that has not seen the log for so long does not know what happens.
const STALE: Duration = Duration::from_secs(5);

/// A question whether there is anything new, counted as such.
async fn looking<T>(question: BoxFuture<'_, T>) -> T {
    database::counted_to("labql_event_log_look_statements_total", question).await
}

/// What differs between the databases.
pub(super) trait Backend: Send + Sync {
    /// How often to look, in case nothing wakes the reader.
    fn poll(&self) -> Duration;
    /// The events that are committed and have no position.
    fn unnumbered(&self) -> BoxFuture<'_, Result<Option<Unnumbered>, Failure>>;
    /// Gives positions to them: to all that were committed before they were looked for.
    fn number(&self, unnumbered: Unnumbered) -> BoxFuture<'_, Result<(), Failure>>;
    /// Wakes the reader when another process has written; never ends.
    fn listen<'a>(&'a self, wake: &'a Notify) -> BoxFuture<'a, ()>;
}

/// Events without a position.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unnumbered {
    /// The id of the first.
    pub(super) oldest: i64,
    /// The id of the last.
    pub(super) newest: i64,
}

/// The live feed of a database. Clones share everything.
#[derive(Clone)]
pub struct Feed(Arc<Inner>);

struct Inner {
    database: Database,
    backend: Box<dyn Backend>,
    log: LogId,
    ring: RwLock<Ring>,
    /// The ring has an event before it is told here.
    newest: watch::Sender<Newest>,
    /// Grows when accounts have changed.
    accounts: AtomicI64,
    wake: Notify,
    seen_at: RwLock<Instant>,
    catching_up: Semaphore,
}

/// A page of events.
#[derive(Clone, Debug)]
pub struct Page {
    /// In the order of the log.
    pub events: Vec<Event>,
    /// Are there earlier ones?
    pub has_previous: bool,
    /// Are there later ones?
    pub has_next: bool,
    /// Where to go on.
    pub next: Cursor,
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed")
            .field("log", &self.0.log)
            .finish_non_exhaustive()
    }
}

/// What is told to followers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Newest {
    /// The position of the newest event.
    pub position: i64,
    /// How often the log was found to be another one than before.
    pub breaks: u64,
}

/// Why somebody cannot follow from a cursor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// It is no cursor of this log.
    #[error("{0}")]
    Unknown(&'static str),
    /// What followed it is not there any more, or it is of a time that a restored backup has undone.
    #[error("{reason}: read the state anew and follow from its eventCursor")]
    Expired {
        /// What has happened.
        reason: &'static str,
        /// The oldest cursor from which one can follow.
        oldest: Cursor,
    },
    /// The log could not be read.
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl Feed {
    /// The feed of the log in this database, as of now.
    pub async fn open(database: Database) -> Result<Self, Failure> {
        let state = log::state(&database).await?;
        let log = LogId::from_hex(&state.log)
            .ok_or_else(|| Failure::internal("the event log has no identity"))?;
        let backend: Box<dyn Backend> = match database.backend() {
            DatabaseBackend::Postgres => Box::new(Postgres::new(database.clone())),
            _ => Box::new(Sqlite),
        };
        Ok(Self(Arc::new(Inner {
            database,
            backend,
            log,
            ring: RwLock::default(),
            newest: watch::Sender::new(Newest {
                position: state.head,
                breaks: 0,
            }),
            accounts: AtomicI64::new(0),
            wake: Notify::new(),
            seen_at: RwLock::new(Instant::now()),
            catching_up: Semaphore::new(CATCHING_UP),
        })))
    }

    /// Says that there are new events: for commands, after the commit.
    pub fn wake(&self) {
        self.0.wake.notify_one();
    }

    /// Says that a command of this process has changed accounts, after the commit: whoever is known holds no more from
    /// now on, and not only when the log was read.
    pub fn wake_for_accounts(&self) {
        self.0.accounts.fetch_add(1, Ordering::AcqRel);
        self.wake();
    }

    /// Reads the log as it grows, until told to stop. Without it, followers hear nothing.
    pub async fn follow(&self, stop: CancellationToken) {
        let read = async {
            loop {
                if let Err(error) = self.look().await {
                    tracing::warn!(%error, "the event log could not be read");
                }
                tokio::select! {
                    () = self.0.wake.notified() => {}
                    () = sleep(self.0.backend.poll()) => {}
                }
            }
        };
        tokio::select! {
            () = read => {}
            () = self.0.backend.listen(&self.0.wake) => {}
            () = stop.cancelled() => {}
        }
    }

    /// Reads what is new, and tells it.
    pub async fn look(&self) -> Result<(), Failure> {
        if let Some(unnumbered) = looking(self.0.backend.unnumbered()).await? {
            self.0.backend.number(unnumbered).await?;
        }
        let state = looking(self.state().boxed()).await?;
        if LogId::from_hex(&state.log) != Some(self.0.log) {
            return Err(Failure::internal(
                "the database has another event log: start anew",
            ));
        }
        let head = state.head;
        metrics::counter!("labql_event_log_looks_total").increment(1);
        let mut newest = self.newest();
        if head < newest {
            tracing::error!(head, newest, "the event log is shorter than it was");
            self.change_ring(Ring::clear);
            self.0.accounts.fetch_add(1, Ordering::AcqRel);
            self.0.newest.send_modify(|newest| newest.breaks += 1);
            newest = head;
            self.tell(head);
        }
        while newest < head {
            let page = log::page(&self.0.database, None, newest, head, READ_AHEAD as u64).await?;
            let Some(last) = page.last() else {
                // Cut off by a retention that is shorter than this process slept. Who might have changed is unknown.
                self.0.accounts.fetch_add(1, Ordering::AcqRel);
                self.change_ring(Ring::clear);
                self.tell(head);
                break;
            };
            newest = last.position;
            if page.iter().any(|event| event.topic == Some(Topic::Account)) {
                self.0.accounts.fetch_add(1, Ordering::AcqRel);
            }
            self.change_ring(|ring| page.into_iter().for_each(|event| ring.push(event)));
            self.tell(newest);
        }
        let mut seen_at = self.0.seen_at.write();
        *seen_at.as_deref_mut().unwrap_or(&mut Instant::now()) = Instant::now();
        Ok(())
    }

    fn change_ring(&self, change: impl FnOnce(&mut Ring)) {
        change(&mut self.0.ring.write().unwrap_or_else(PoisonError::into_inner));
    }

    fn tell(&self, position: i64) {
        self.0
            .newest
            .send_modify(|newest| newest.position = position);
        #[expect(clippy::cast_precision_loss, reason = "a metric")]
        metrics::gauge!("labql_event_log_head").set(position as f64);
    }

    fn newest(&self) -> i64 {
        self.0.newest.borrow().position
    }

    /// Whether the log was read lately.
    pub fn is_current(&self) -> bool {
        let seen_at = self.0.seen_at.read();
        seen_at.is_ok_and(|at| at.elapsed() < STALE)
    }

    /// Whether the log was read after this moment: then the database was there.
    pub fn was_read_since(&self, moment: Instant) -> bool {
        let seen_at = self.0.seen_at.read();
        seen_at.is_ok_and(|at| *at > moment)
    }

    /// Grows with each event about an account that this process reads; whoever was known before has to be asked again.
    pub fn accounts_changed(&self) -> i64 {
        self.0.accounts.load(Ordering::Acquire)
    }

    /// The cursor of an event.
    pub fn cursor(&self, event: &Event) -> Cursor {
        Cursor::new(self.0.log, event.position, event.recorded_at)
    }

    /// The position of the newest event in the database. Everything that is committed has its position before.
    pub async fn head(&self) -> Result<Cursor, Failure> {
        Ok(self.newest_in(&self.numbered().await?))
    }

    /// The log, in which everything has its position that is committed.
    async fn numbered(&self) -> Result<event_log::Model, Failure> {
        if let Some(unnumbered) = self.0.backend.unnumbered().await? {
            self.0.backend.number(unnumbered).await?;
            self.wake();
        }
        self.state().await
    }

    async fn state(&self) -> Result<event_log::Model, Failure> {
        Ok(log::state(&self.0.database).await?)
    }

    fn newest_in(&self, state: &event_log::Model) -> Cursor {
        Cursor::new(self.0.log, state.head, state.head_recorded_at)
    }

    /// The cursor before the oldest event.
    fn oldest_in(&self, state: &event_log::Model) -> Cursor {
        Cursor::new(self.0.log, state.floor, state.floor_recorded_at)
    }

    /// The events that pass the filter, from `start` on, for somebody who has subscribed to them.
    pub async fn subscribe(&self, filter: Filter, start: Start) -> Result<Follower, Lost> {
        self.follow_for("subscriptions", filter, start).await
    }

    /// The events that pass the filter, from now on, for work of this process.
    pub async fn listen(&self, filter: Filter) -> Result<Follower, Lost> {
        self.follow_for("workers", filter, Start::Now).await
    }

    async fn follow_for(
        &self,
        of: &'static str,
        filter: Filter,
        start: Start,
    ) -> Result<Follower, Lost> {
        let state = match start {
            // What is committed now is not told, even if this process has not read it yet.
            Start::Now => self.numbered().await?,
            Start::Beginning | Start::After(_) => self.state().await?,
        };
        let after = self.resolve(start, &state).await?;
        Ok(Follower::new(self.clone(), of, filter, after.position))
    }

    /// Up to `limit` events that pass the filter, from `start` on.
    pub async fn page(&self, filter: &Filter, start: Start, limit: u64) -> Result<Page, Lost> {
        let state = self.numbered().await?;
        let after = self.resolve(start, &state).await?;
        let (database, position) = (&self.0.database, after.position);
        let more = limit.saturating_add(1);
        let mut events = log::page(database, Some(filter), position, state.head, more).await?;
        let before = log::page(database, Some(filter), 0, position, 1).await?;
        self.still_there(position).await?;
        let has_next = events.len() as u64 > limit;
        events.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let next = match events.last() {
            Some(last) if has_next => self.cursor(last),
            // Nothing was asked for, and nothing is passed over.
            None if has_next => after,
            _ => self.newest_in(&state),
        };
        Ok(Page {
            events,
            has_previous: !before.is_empty(),
            has_next,
            next,
        })
    }

    /// The cursor behind which to read, if what follows it is there.
    async fn resolve(&self, start: Start, state: &event_log::Model) -> Result<Cursor, Lost> {
        let cursor = match start {
            Start::Now => return Ok(self.newest_in(state)),
            Start::Beginning => return Ok(self.oldest_in(state)),
            Start::After(cursor) => cursor,
        };
        if cursor.log != self.0.log {
            return Err(Lost::Unknown("the cursor is of another event log"));
        }
        let position = cursor.position;
        if position < state.floor {
            return Err(self.expired("what followed the cursor is not kept any more", state));
        }
        let recorded_at = if position > state.head {
            None
        } else if position == state.floor {
            Some(state.floor_recorded_at)
        } else if position == state.head {
            Some(state.head_recorded_at)
        } else {
            let known = self.0.ring.read().ok();
            let known = known.and_then(|ring| ring.recorded_at(position));
            match known {
                Some(recorded_at) => Some(recorded_at),
                None => log::recorded_at(self.0.database.read(), position)
                    .await
                    .map_err(Failure::from)?,
            }
        };
        if recorded_at.map(stamp) != Some(cursor.stamp) {
            let reason = "the event log is not the one that the cursor was taken from";
            return Err(self.expired(reason, state));
        }
        Ok(cursor)
    }

    /// Fails if events behind this position were cut off: a page that was read before may lack some.
    async fn still_there(&self, position: i64) -> Result<(), Lost> {
        let state = self.state().await?;
        if state.floor > position {
            return Err(self.expired("what followed the cursor is not kept any more", &state));
        }
        Ok(())
    }

    fn expired(&self, reason: &'static str, state: &event_log::Model) -> Lost {
        let oldest = self.oldest_in(state);
        Lost::Expired { reason, oldest }
    }

    /// What is told to somebody who followed a log that is another one now.
    pub(super) async fn broken(&self) -> Lost {
        match self.state().await {
            Ok(state) => self.expired("the event log was replaced by an older one", &state),
            Err(failure) => Lost::Failed(failure),
        }
    }

    /// Told the newest position, and each that follows.
    pub(super) fn positions(&self) -> watch::Receiver<Newest> {
        self.0.newest.subscribe()
    }

    /// The next events from the ring; none if it does not reach back so far.
    pub(super) fn recent(
        &self,
        filter: &Filter,
        after: i64,
        until: i64,
    ) -> Option<(Vec<Arc<Event>>, i64)> {
        let ring = self.0.ring.read().unwrap_or_else(PoisonError::into_inner);
        ring.page(filter, after, until, PAGE)
    }

    /// The next events from the log, and the position up to which it was searched.
    pub(super) async fn older(
        &self,
        filter: &Filter,
        after: i64,
        until: i64,
    ) -> Result<(Vec<Arc<Event>>, i64), Lost> {
        let turn = self.0.catching_up.acquire().await;
        metrics::counter!("labql_event_log_catch_ups_total").increment(1);
        let page = log::page(&self.0.database, Some(filter), after, until, PAGE as u64).await?;
        self.still_there(after).await?;
        drop(turn);
        let searched = match page.last() {
            Some(last) if page.len() == PAGE => last.position,
            _ => until,
        };
        Ok((page.into_iter().map(Arc::new).collect(), searched))
    }
}
