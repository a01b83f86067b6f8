//! Connections for reading that are kept at hand.
//!
//! A pool of sqlx asks the database for a sign of life each time that it gets a connection back, which costs about as much
//! as to read a page. A connection whose statement was read to its end needs no such test: it is kept here for the next
//! reader. One whose reader failed or was dropped stops what it does and goes back to the pool, and so does one that was idle for a second or
//! kept for a minute, when the next reader comes; there its age is looked at, and whether it lives.
//!
//! The pool is for these readers alone, since who waits in it cannot see what is kept here.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sea_orm::sqlx::pool::PoolConnection;
use sea_orm::sqlx::{self, Pool};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::deadline::{Deadline, Stops};

/// How long a connection is kept before the pool sees it again.
const KEPT: Duration = Duration::from_mins(1);

/// The connections of a pool. Clones share them.
#[derive(Debug)]
pub struct Kept<D: sqlx::Database> {
    pool: Pool<D>,
    /// How long a statement may take.
    limit: Duration,
    /// As many as the pool has connections: readers wait here, in the order in which they came.
    turns: Arc<Semaphore>,
    idle: Arc<Mutex<VecDeque<Idle<D>>>>,
}

/// A connection, for one statement.
#[derive(Debug)]
pub struct Connection<D: sqlx::Database> {
    // Before the connection itself, so that no statement is waited for that nobody wants.
    stop: Stop,
    pooled: PoolConnection<D>,
    since: Instant,
    _turn: OwnedSemaphorePermit,
}

#[derive(Debug)]
struct Idle<D: sqlx::Database> {
    stop: Stop,
    pooled: PoolConnection<D>,
    since: Instant,
    kept_at: Instant,
}

/// Stops the statement of a connection when it is dropped.
#[derive(Debug)]
struct Stop(Deadline);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.pass();
    }
}

impl<D: sqlx::Database> Clone for Kept<D> {
    fn clone(&self) -> Self {
        Self {
            pool: self.pool.clone(),
            limit: self.limit,
            turns: Arc::clone(&self.turns),
            idle: Arc::clone(&self.idle),
        }
    }
}

impl<D: Stops> Kept<D> {
    /// Keeps the connections of this pool, which nobody else uses. No statement takes longer than the limit.
    pub fn of(pool: Pool<D>, limit: Duration) -> Self {
        let most = usize::try_from(pool.options().get_max_connections()).unwrap_or(usize::MAX);
        Self {
            pool,
            limit,
            turns: Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))),
            idle: Arc::default(),
        }
    }

    /// A connection that was kept, else one from the pool. Fails as the pool does when none becomes free in its time.
    pub async fn take(&self) -> Result<Connection<D>, sqlx::Error> {
        let patience = self.pool.options().get_acquire_timeout();
        let turn = timeout(patience, Arc::clone(&self.turns).acquire_owned()).await;
        let turn = turn.map_err(|_| sqlx::Error::PoolTimedOut)?;
        let turn = turn.map_err(|_| sqlx::Error::PoolClosed)?;
        if let Some(idle) = self.newest() {
            let Idle {
                stop,
                pooled,
                since,
                ..
            } = idle;
            stop.0.put_off(self.limit);
            return Ok(Connection {
                stop,
                pooled,
                since,
                _turn: turn,
            });
        }
        let mut pooled = self.pool.acquire().await?;
        let deadline = Deadline::after(self.limit);
        D::keep_to(&mut pooled, deadline.clone()).await?;
        Ok(Connection {
            stop: Stop(deadline),
            pooled,
            since: Instant::now(),
            _turn: turn,
        })
    }

    /// The connection that was kept last. Those that were idle for too long go back to the pool.
    fn newest(&self) -> Option<Idle<D>> {
        let (cold, newest) = {
            let mut idle = self.idle();
            let is_cold = |kept: &Idle<D>| kept.kept_at.elapsed() > super::IDLE_BEFORE_TEST;
            let cold = idle.iter().take_while(|kept| is_cold(kept)).count();
            (idle.drain(..cold).collect::<Vec<_>>(), idle.pop_back())
        };
        drop(cold);
        newest
    }

    /// Takes a connection back whose statement was read to its end.
    pub fn keep(&self, connection: Connection<D>) {
        let Connection {
            stop,
            pooled,
            since,
            ..
        } = connection;
        let mut idle = self.idle();
        if since.elapsed() < KEPT && !self.pool.is_closed() {
            let kept_at = Instant::now();
            idle.push_back(Idle {
                stop,
                pooled,
                since,
                kept_at,
            });
        }
    }

    /// Closes the pool when all have come back.
    pub async fn close(&self) {
        self.turns.close();
        // From now on nothing is kept; what was goes back, since the pool waits for all.
        let closed = self.pool.close();
        let kept = std::mem::take(&mut *self.idle());
        drop(kept);
        closed.await;
    }

    fn idle(&self) -> MutexGuard<'_, VecDeque<Idle<D>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<D: sqlx::Database> Connection<D> {
    /// The connection itself.
    pub fn raw(&mut self) -> &mut D::Connection {
        &mut self.pooled
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::sqlx::Sqlite;
    use sea_orm::sqlx::sqlite::SqlitePoolOptions;

    use super::*;

    fn two() -> Kept<Sqlite> {
        let options = SqlitePoolOptions::new()
            .max_connections(2)
            .acquire_timeout(Duration::from_millis(50));
        let pool = options.connect_lazy("sqlite::memory:").unwrap();
        Kept::of(pool, Duration::from_mins(1))
    }

    #[tokio::test]
    async fn what_was_read_to_its_end_serves_the_next_reader() {
        let kept = two();
        let reader = kept.take().await.unwrap();
        kept.keep(reader);
        assert_eq!((kept.idle().len(), kept.pool.size()), (1, 1));
        let reader = kept.take().await.unwrap();
        assert_eq!((kept.idle().len(), kept.pool.size()), (0, 1));
        drop(reader);
        assert_eq!(kept.idle().len(), 0, "it was not read to its end");

        let mut reader = kept.take().await.unwrap();
        reader.since -= KEPT;
        kept.keep(reader);
        assert_eq!(kept.idle().len(), 0, "the pool sees it once a minute");

        let (cold, warm) = (kept.take().await.unwrap(), kept.take().await.unwrap());
        kept.keep(cold);
        kept.keep(warm);
        kept.idle()[0].kept_at -= 2 * super::super::IDLE_BEFORE_TEST;
        let _reader = kept.take().await.unwrap();
        assert_eq!(kept.idle().len(), 0, "what is cold goes back to the pool");
    }

    #[tokio::test]
    async fn who_waits_gets_what_the_first_gives_up() {
        let kept = two();
        let (first, second) = (kept.take().await.unwrap(), kept.take().await.unwrap());
        let error = kept.take().await.unwrap_err();
        assert!(matches!(error, sqlx::Error::PoolTimedOut), "{error}");
        let waiting = tokio::spawn({
            let kept = kept.clone();
            async move { kept.take().await.map(|reader| kept.keep(reader)) }
        });
        tokio::task::yield_now().await;
        kept.keep(first);
        waiting.await.unwrap().unwrap();
        drop(second);
        assert!(kept.take().await.is_ok());
    }

    #[tokio::test]
    async fn it_closes_with_readers_under_way() {
        let kept = two();
        let (idle, reader) = (kept.take().await.unwrap(), kept.take().await.unwrap());
        kept.keep(idle);
        let closing = tokio::spawn({
            let kept = kept.clone();
            async move { kept.close().await }
        });
        tokio::task::yield_now().await;
        kept.keep(reader);
        closing.await.unwrap();
        assert_eq!(kept.idle().len(), 0);
        assert!(kept.take().await.is_err());
    }
}
