//! Connections that are kept at hand between reads.
//!
//! A pool of sqlx asks the database for a sign of life each time that it gets a connection back, which costs about as much
//! as to read a page. A connection whose statement was read to its end needs no such test: it is kept here for the next
//! reader. One whose reader failed or was dropped goes back to the pool, and so does one that was kept idle for a second
//! or in use for a minute; there its age is looked at, and whether it lives.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sea_orm::sqlx::pool::PoolConnection;
use sea_orm::sqlx::{self, Pool};

/// How long a connection is used before the pool sees it again.
const IN_USE: Duration = Duration::from_mins(1);

/// The connections of a pool of which some are kept. Clones share them.
#[derive(Debug)]
pub struct Kept<D: sqlx::Database> {
    pool: Pool<D>,
    idle: Arc<Mutex<VecDeque<Connection<D>>>>,
    most: usize,
}

/// A connection, for one statement.
#[derive(Debug)]
pub struct Connection<D: sqlx::Database> {
    pooled: PoolConnection<D>,
    since: Instant,
    kept_at: Instant,
}

impl<D: sqlx::Database> Clone for Kept<D> {
    fn clone(&self) -> Self {
        Self {
            pool: self.pool.clone(),
            idle: Arc::clone(&self.idle),
            most: self.most,
        }
    }
}

impl<D: sqlx::Database> Kept<D> {
    /// Keeps no more than half of the pool: all others have to find connections there, too.
    pub fn of(pool: Pool<D>) -> Self {
        let most = pool.options().get_max_connections() / 2;
        Self {
            pool,
            idle: Arc::default(),
            most: usize::try_from(most).unwrap_or(usize::MAX),
        }
    }

    /// A connection that was kept, else one from the pool.
    pub async fn take(&self) -> Result<Connection<D>, sqlx::Error> {
        let (cold, kept) = {
            let mut idle = self.idle();
            let is_cold = |kept: &Connection<D>| kept.kept_at.elapsed() > super::IDLE_BEFORE_TEST;
            let cold = idle.iter().take_while(|kept| is_cold(kept)).count();
            (idle.drain(..cold).collect::<Vec<_>>(), idle.pop_back())
        };
        drop(cold);
        if let Some(kept) = kept {
            return Ok(kept);
        }
        let pooled = self.pool.acquire().await?;
        let since = Instant::now();
        Ok(Connection {
            pooled,
            since,
            kept_at: since,
        })
    }

    /// Takes a connection back whose statement was read to its end.
    pub fn keep(&self, mut connection: Connection<D>) {
        connection.kept_at = Instant::now();
        let mut idle = self.idle();
        if idle.len() < self.most
            && connection.kept_at - connection.since < IN_USE
            && !self.pool.is_closed()
        {
            idle.push_back(connection);
        }
    }

    /// Gives all back to the pool.
    pub fn clear(&self) {
        let all = std::mem::take(&mut *self.idle());
        drop(all);
    }

    fn idle(&self) -> MutexGuard<'_, VecDeque<Connection<D>>> {
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
    use sea_orm::sqlx::sqlite::SqlitePoolOptions;

    use super::*;

    #[tokio::test]
    async fn what_was_read_to_its_end_serves_the_next_reader() {
        let options = SqlitePoolOptions::new().max_connections(4);
        let pool = options.connect_lazy("sqlite::memory:").unwrap();
        let kept = Kept::of(pool.clone());
        let (first, second, third) = (kept.take().await, kept.take().await, kept.take().await);
        for connection in [first, second, third] {
            kept.keep(connection.unwrap());
        }
        assert_eq!(kept.idle().len(), 2, "the others find half of the pool");
        assert_eq!(pool.size(), 3);

        let reader = kept.take().await.unwrap();
        assert_eq!((kept.idle().len(), pool.size()), (1, 3));
        drop(reader);
        assert_eq!(kept.idle().len(), 1, "it was not read to its end");

        let mut reader = kept.take().await.unwrap();
        reader.since -= IN_USE;
        kept.keep(reader);
        assert_eq!(kept.idle().len(), 0, "the pool sees it once a minute");

        let reader = kept.take().await.unwrap();
        kept.keep(reader);
        kept.clear();
        let reader = kept.take().await.unwrap();
        let closing = tokio::spawn(async move { pool.close().await });
        tokio::task::yield_now().await;
        kept.keep(reader);
        closing.await.unwrap();
        assert_eq!(kept.idle().len(), 0, "a pool that closes waits for all");
    }

    #[tokio::test]
    async fn what_was_idle_for_long_goes_back_to_the_pool() {
        let options = SqlitePoolOptions::new().max_connections(4);
        let kept = Kept::of(options.connect_lazy("sqlite::memory:").unwrap());
        let (cold, warm) = (kept.take().await.unwrap(), kept.take().await.unwrap());
        kept.keep(cold);
        kept.keep(warm);
        kept.idle()[0].kept_at -= 2 * super::super::IDLE_BEFORE_TEST;
        drop(kept.take().await.unwrap());
        assert_eq!(kept.idle().len(), 0);
    }
}
