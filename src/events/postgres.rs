//! PostgreSQL: events get their positions after the commit, and replicas wake each other.
//!
//! Transactions commit in another order than they take numbers from a sequence, so a reader at `id > last` would skip
//! an event whose transaction was slow. Here an event is written without a position; what has been committed is then
//! numbered under the lock of the log's one row. So a position is given only to what everybody can see already, and no
//! open transaction can ever commit a smaller one. Every process numbers, mostly right after its own commits: there is
//! no leader whose loss somebody would have to notice.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sea_orm::sqlx::postgres::{PgListener, PgPoolOptions};
use sea_orm::{ConnectionTrait, DatabaseBackend, Statement};
use tokio::sync::Notify;
use tokio::time::sleep;
use uuid::Uuid;

use super::feed::{Backend, Unnumbered};
use crate::database::Database;
use crate::failure::Failure;

/// The channel on which replicas say that there are new positions. The message names who says so.
const CHANNEL: &str = "labql_events";
/// How long a listener whose connection was lost or refused waits.
const RECONNECT: Duration = Duration::from_secs(1);
/// In case a wake-up is lost.
const POLL: Duration = Duration::from_secs(1);

/// One message to the server: each statement sees what was committed when the lock was got, and all of them are one
/// transaction.
///
/// A bitmap of the index of unnumbered events would visit all that were numbered since the last vacuum, each time; a plain
/// scan marks them and passes over them.
fn number_as(teller: Uuid) -> String {
    format!(
        "
SET LOCAL enable_bitmapscan = off;
SELECT head FROM event_log WHERE id = 1 FOR UPDATE;
WITH fresh AS (
    SELECT id, row_number() OVER (ORDER BY id) AS place
    FROM (SELECT id FROM event WHERE position IS NULL ORDER BY id LIMIT 1000) AS oldest
), numbered AS (
    UPDATE event SET position = event_log.head + fresh.place
    FROM fresh, event_log
    WHERE event.id = fresh.id
    RETURNING event.position, event.recorded_at
), newest AS (
    SELECT position, recorded_at FROM numbered ORDER BY position DESC LIMIT 1
), told AS (
    UPDATE event_log SET head = newest.position, head_recorded_at = newest.recorded_at
    FROM newest
    RETURNING head
)
SELECT pg_notify('{CHANNEL}', '{teller}') FROM told;
"
    )
}

/// The oldest and the newest event to number: two looks into the index, however many events there are.
const UNNUMBERED: &str =
    "SELECT min(id) AS oldest, max(id) AS newest FROM event WHERE position IS NULL";
/// How many of them one message numbers; it says so itself.
const BATCH: i64 = 1000;

/// What is particular to PostgreSQL.
pub struct Postgres {
    database: Database,
    /// Who this is on the channel.
    teller: String,
    number: String,
}

impl Postgres {
    pub(super) fn new(database: Database) -> Self {
        let teller = Uuid::new_v4();
        Self {
            database,
            teller: teller.to_string(),
            number: number_as(teller),
        }
    }

    /// A connection of its own: the listener holds it for good, and those of the pool are for statements.
    async fn connect(&self) -> Result<PgListener, sea_orm::sqlx::Error> {
        let options = self.database.read().get_postgres_connection_pool();
        let options = options.connect_options().as_ref().clone();
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .connect_with(options)
            .await?;
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.listen(CHANNEL).await?;
        Ok(listener)
    }
}

impl Backend for Postgres {
    fn poll(&self) -> Duration {
        POLL
    }

    fn unnumbered(&self) -> BoxFuture<'_, Result<Option<Unnumbered>, Failure>> {
        async move {
            let question = Statement::from_string(DatabaseBackend::Postgres, UNNUMBERED);
            let Some(row) = self.database.write().query_one_raw(question).await? else {
                return Ok(None);
            };
            let (oldest, newest): (Option<i64>, Option<i64>) =
                (row.try_get("", "oldest")?, row.try_get("", "newest")?);
            let both = oldest.zip(newest);
            Ok(both.map(|(oldest, newest)| Unnumbered { oldest, newest }))
        }
        .boxed()
    }

    fn number(&self, unnumbered: Unnumbered) -> BoxFuture<'_, Result<(), Failure>> {
        async move {
            // So many at most were there at first. What comes while they are numbered is left to whoever is woken by it:
            // this would not end while others write.
            let Unnumbered { oldest, newest } = unnumbered;
            for _ in 0..=newest.saturating_sub(oldest) / BATCH {
                let connection = self.database.write();
                connection.execute_unprepared(&self.number).await?;
            }
            Ok(())
        }
        .boxed()
    }

    fn listen<'a>(&'a self, wake: &'a Notify) -> BoxFuture<'a, ()> {
        async move {
            loop {
                match self.connect().await {
                    Ok(mut listener) => {
                        // Whatever was sent while nobody listened has to be looked for.
                        wake.notify_one();
                        while let Ok(Some(told)) = listener.try_recv().await {
                            // Who gave positions knows of them.
                            if told.payload() != self.teller {
                                wake.notify_one();
                            }
                        }
                        tracing::warn!("the connection that listens for events was lost");
                    }
                    Err(error) => {
                        tracing::warn!(%error, "cannot listen for events of other processes");
                    }
                }
                sleep(RECONNECT).await;
            }
        }
        .boxed()
    }
}
