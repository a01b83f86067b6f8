//! Statements that end in time.
//!
//! Who gives a statement up tells nobody in the database by that: there it goes on until it has something to say. PostgreSQL
//! stops a statement by itself (`statement_timeout`). SQLite asks a handler while it works whether to go on
//! (<https://www.sqlite.org/c3ref/progress_handler.html>).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sea_orm::sqlx::sqlite::SqliteConnection;
use sea_orm::sqlx::{self, Postgres, Sqlite};

/// After how many of its instructions SQLite asks. One of them can be a regular expression over a megabyte of text.
const INSTRUCTIONS: i32 = 200;

/// Until when the statements of a connection may run. Clones are of the same connection.
#[derive(Clone, Debug)]
pub struct Deadline {
    since: Instant,
    /// In milliseconds after `since`.
    until: Arc<AtomicU64>,
}

impl Deadline {
    /// One that has passed already.
    pub fn passed() -> Self {
        Self {
            since: Instant::now(),
            until: Arc::default(),
        }
    }

    /// One that passes so long from now.
    pub fn after(time: Duration) -> Self {
        let deadline = Self::passed();
        deadline.put_off(time);
        deadline
    }

    /// Statements may run for so long from now.
    pub fn put_off(&self, time: Duration) {
        let until = self.since.elapsed().saturating_add(time);
        self.until.store(millis(until), Ordering::Relaxed);
    }

    /// No statement may run any more.
    pub fn pass(&self) {
        self.until.store(0, Ordering::Relaxed);
    }

    fn has_passed(&self) -> bool {
        millis(self.since.elapsed()) >= self.until.load(Ordering::Relaxed)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A database whose connections stop statements at a deadline.
pub trait Stops: sqlx::Database {
    /// From now on the connection keeps to this deadline.
    fn keep_to(
        connection: &mut Self::Connection,
        deadline: Deadline,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send;
}

impl Stops for Sqlite {
    async fn keep_to(
        connection: &mut SqliteConnection,
        deadline: Deadline,
    ) -> Result<(), sqlx::Error> {
        let mut handle = connection.lock_handle().await?;
        handle.set_progress_handler(INSTRUCTIONS, move || !deadline.has_passed());
        Ok(())
    }
}

impl Stops for Postgres {
    /// Its connections were told when they were opened.
    async fn keep_to(_: &mut Self::Connection, _: Deadline) -> Result<(), sqlx::Error> {
        Ok(())
    }
}
