//! Connections to labql's own database: SQLite with one writer and pools of readers, or PostgreSQL with two pools.

mod deadline;
mod kept;

use std::path::Path;
use std::time::Duration;

use futures_util::FutureExt;
use migrations::{Migrator, MigratorTrait};
use sea_orm::sea_query::{ArrayType, Expr, Func, IntoColumnRef, Query, SimpleExpr};
use sea_orm::sqlx::postgres::PgConnection;
use sea_orm::sqlx::sqlite::{SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sea_orm::sqlx::{self, Connection, Postgres, Sqlite};
use sea_orm::{
    ConnectOptions, ConnectionTrait, DatabaseBackend, DatabaseConnection, DatabaseTransaction,
    DbErr, IntoDatabaseExecutor, SqliteTransactionMode, Statement, TransactionOptions,
    TransactionTrait, Value,
};
use tokio::time::timeout;

use self::deadline::{Deadline, Stops as _};
pub use self::kept::Kept;
use crate::config::DatabaseConfig;
use crate::files;

/// How many values one statement binds at most; SQLite allows 32,766, PostgreSQL 65,535.
pub const MOST_BINDS: usize = 10_000;
/// How long a statement waits for a lock of SQLite before it fails.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a connection that was given up in the midst of a statement is waited for.
const GIVEN_UP: Duration = Duration::from_secs(1);
/// The advisory lock of PostgreSQL under which a schema is made.
const SCHEMA_LOCK: i64 = 0x6c61_6271_6c00_0002;

/// A connection that was idle for so long is tried before it is used: PostgreSQL may have restarted. No
/// longer than those wait who ask again what was answered over a connection that had been lost: all connections of the
/// pool are lost at once, and they would find the next of them.
const IDLE_BEFORE_TEST: Duration = Duration::from_secs(1);

/// What can go wrong between labql and its database, apart from a statement that fails.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The URL names a database that labql does not speak.
    #[error("the database URL must begin with sqlite: or postgres:")]
    UnknownScheme,
    /// The SQLite file cannot be made.
    #[error("cannot make the database {0}: {1}")]
    File(String, std::io::Error),
    /// The database was made by an older labql.
    #[error(
        "the database is older than this labql ({pending} migrations are pending, the first is {first}). \
         Upgrade it with `labql migrate up`, or let the server do it with `labql serve --migrate`"
    )]
    Older {
        /// How many migrations are missing.
        pending: usize,
        /// The name of the first one.
        first: String,
    },
    /// The database was made by a newer labql.
    #[error(
        "the database was upgraded by a newer labql ({0} is unknown here): use that version, \
         or go back with its `labql migrate down`"
    )]
    Newer(String),
    /// The database answered with an error.
    #[error("database: {0}")]
    Statement(#[from] DbErr),
}

/// The connections: reads go to `read`, commands to [`Database::begin`].
#[derive(Clone, Debug)]
pub struct Database {
    read: DatabaseConnection,
    write: DatabaseConnection,
    readers: Readers,
}

/// Connections for statements that are read row by row, which is most of what is read.
#[derive(Clone, Debug)]
pub enum Readers {
    /// To PostgreSQL.
    Postgres(Kept<Postgres>),
    /// To SQLite.
    Sqlite(Kept<Sqlite>),
}

impl Database {
    /// Opens the database; a SQLite file is made when it does not exist.
    pub async fn connect(config: &DatabaseConfig) -> Result<Self, DatabaseError> {
        let url = config.url.expose();
        if url.starts_with("sqlite:") {
            Self::connect_sqlite(url, config).await
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            let others = (config.max_connections / 4).max(1);
            let readers = config.max_connections.saturating_sub(2 * others);
            let limit = config.read_timeout;
            let pool = connect(postgres(url, readers, Some(limit))).await?;
            Ok(Self {
                readers: Readers::Postgres(Kept::of(
                    pool.get_postgres_connection_pool().clone(),
                    limit,
                )),
                read: connect(postgres(url, others, Some(limit))).await?,
                write: connect(writing(postgres(url, others, None))).await?,
            })
        } else {
            Err(DatabaseError::UnknownScheme)
        }
    }

    /// One connection writes, so that no writer ever waits for another with a stale snapshot, and pools of connections
    /// read beside it, which WAL allows.
    async fn connect_sqlite(url: &str, config: &DatabaseConfig) -> Result<Self, DatabaseError> {
        let path = url.trim_start_matches("sqlite:").trim_start_matches("//");
        let path = path.split('?').next().unwrap_or(path);
        make_private(Path::new(path))
            .map_err(|error| DatabaseError::File(path.to_owned(), error))?;
        let mut write = options(url, 1);
        write.map_sqlx_sqlite_opts(|options| {
            options
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Normal)
                .busy_timeout(BUSY_TIMEOUT)
                .foreign_keys(true)
                .optimize_on_close(true, None)
        });
        write.map_sqlx_sqlite_pool_opts(|pool| {
            pool.after_release(|connection, _| is_out_of_transaction(connection).boxed())
        });
        let write = connect(write).await?;
        let others = (config.max_connections / 3).max(1);
        let readers = config.max_connections.saturating_sub(others);
        let limit = config.read_timeout;
        let pool = connect(read_only(url, readers)).await?;
        let mut read = read_only(url, others);
        read.map_sqlx_sqlite_pool_opts(move |pool| {
            pool.after_connect(move |connection, _| in_time(connection, limit).boxed())
                .before_acquire(move |connection, _| {
                    async move { in_time(connection, limit).await.map(|()| true) }.boxed()
                })
        });
        Ok(Self {
            readers: Readers::Sqlite(Kept::of(pool.get_sqlite_connection_pool().clone(), limit)),
            read: connect(read).await?,
            write,
        })
    }

    /// The connections for reading.
    pub fn read(&self) -> &DatabaseConnection {
        &self.read
    }

    /// The connections for statements that are read row by row.
    pub fn readers(&self) -> &Readers {
        &self.readers
    }

    /// The connections for single statements that write; commands take a transaction.
    pub fn write(&self) -> &DatabaseConnection {
        &self.write
    }

    /// Starts the transaction of a command. On SQLite it takes the write lock at once: a transaction that reads
    /// first and writes later could fail half-way, whatever the busy timeout.
    pub async fn begin(&self) -> Result<DatabaseTransaction, DbErr> {
        self.write
            .begin_with_options(TransactionOptions {
                sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
                ..TransactionOptions::default()
            })
            .await
    }

    /// Which of the two databases this is.
    pub fn backend(&self) -> DatabaseBackend {
        self.write.get_database_backend()
    }

    /// Fails unless the schema is the one that this labql was written for. An empty database has nothing to lose:
    /// it is given the schema. An older one is upgraded only when `upgrade` says so.
    pub async fn ensure_schema(&self, upgrade: bool) -> Result<(), DatabaseError> {
        if self.backend() != DatabaseBackend::Postgres {
            return ensure_schema(&self.write, upgrade).await;
        }
        // Processes that start together on an empty database give it the schema one after the other.
        let transaction = self.begin().await?;
        transaction
            .execute_unprepared(&format!("SELECT pg_advisory_xact_lock({SCHEMA_LOCK})"))
            .await?;
        ensure_schema(&transaction, upgrade).await?;
        Ok(transaction.commit().await?)
    }

    /// Applies the next `steps` migrations, or all.
    pub async fn migrate_up(&self, steps: Option<u32>) -> Result<(), DatabaseError> {
        Ok(Migrator::up(&self.write, steps).await?)
    }

    /// Takes the last `steps` migrations back; their data is lost.
    pub async fn migrate_down(&self, steps: u32) -> Result<(), DatabaseError> {
        Ok(Migrator::down(&self.write, Some(steps)).await?)
    }

    /// Each migration by name and whether it is applied.
    pub async fn migration_status(&self) -> Result<Vec<(String, bool)>, DatabaseError> {
        let applied = applied_names(&self.write).await?;
        Ok(Migrator::migrations()
            .iter()
            .map(|migration| migration.name().to_owned())
            .map(|name| (name.clone(), applied.contains(&name)))
            .collect())
    }

    /// Does the database answer?
    pub async fn ping(&self) -> Result<(), DbErr> {
        self.read.ping().await
    }

    /// Does the database take what is written? Writes a row as it is.
    pub async fn probe_write(&self) -> Result<(), DbErr> {
        let transaction = self.begin().await?;
        transaction
            .execute_unprepared("UPDATE event_log SET id = id")
            .await?;
        transaction.commit().await
    }

    /// Closes all connections; SQLite then merges its log into the file.
    pub async fn close(self) {
        match &self.readers {
            Readers::Postgres(kept) => kept.close().await,
            Readers::Sqlite(kept) => kept.close().await,
        }
        let read = self.read.close().await;
        if let Err(error) = read.and(self.write.close().await) {
            tracing::warn!(%error, "the database did not close cleanly");
        }
    }
}

/// Waits until no other transaction has the lock of this name, and has it until this transaction ends. SQLite has one
/// writer anyway.
pub async fn lock(transaction: &DatabaseTransaction, name: &str) -> Result<(), DbErr> {
    if transaction.get_database_backend() == DatabaseBackend::Postgres {
        let lock = Statement::from_sql_and_values(
            DatabaseBackend::Postgres,
            "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))",
            [name.into()],
        );
        transaction.query_one_raw(lock).await?;
    }
    Ok(())
}

/// The condition that a column is one of these ids. They are one bound value, so that the text of the statement does not
/// depend on how many there are, and it is prepared once.
pub fn is_one_of(database: &Database, column: impl IntoColumnRef, ids: &[i64]) -> SimpleExpr {
    use sea_orm::sea_query::ExprTrait as _;
    let column = Expr::col(column);
    match database.backend() {
        DatabaseBackend::Postgres => column.eq(SimpleExpr::FunctionCall(
            Func::cust("ANY").arg(id_array(ids)),
        )),
        _ => column.in_subquery(
            Query::select()
                .column("value")
                .from_function(Func::cust("json_each").arg(json_array(ids)), "ids")
                .to_owned(),
        ),
    }
}

/// The condition that a column is one of these texts, as one bound value.
pub fn is_one_of_texts(
    database: &Database,
    column: impl IntoColumnRef,
    texts: &[String],
) -> SimpleExpr {
    use sea_orm::sea_query::ExprTrait as _;
    let column = Expr::col(column);
    match database.backend() {
        DatabaseBackend::Postgres => {
            let texts = texts
                .iter()
                .map(|text| Value::from(text.as_str()))
                .collect();
            let texts = Expr::value(Value::Array(ArrayType::String, Some(Box::new(texts))));
            column.eq(SimpleExpr::FunctionCall(Func::cust("ANY").arg(texts)))
        }
        _ => column.in_subquery(
            Query::select()
                .column("value")
                .from_function(
                    Func::cust("json_each").arg(serde_json::Value::from(texts).to_string()),
                    "texts",
                )
                .to_owned(),
        ),
    }
}

/// Ids as an array of PostgreSQL.
pub fn id_array(ids: &[i64]) -> SimpleExpr {
    let ids = ids.iter().map(|id| Value::from(*id)).collect();
    Expr::value(Value::Array(ArrayType::BigInt, Some(Box::new(ids))))
}

fn json_array(ids: &[i64]) -> String {
    let mut text = String::with_capacity(2 + ids.len() * 8);
    text.push('[');
    for (place, id) in ids.iter().enumerate() {
        if place > 0 {
            text.push(',');
        }
        text.push_str(itoa::Buffer::new().format(*id));
    }
    text.push(']');
    text
}

/// The file holds hashes of passwords and keys: it is for its owner only, and what SQLite writes beside it takes its
/// mode from it.
fn make_private(path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        files::private_folder(folder)?;
    }
    match files::private_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// May a connection be used again? SQLite ends a transaction by itself when its commit fails for want of room. sqlx then
/// cannot roll it back and believes ever after to be inside it: what follows would be nested in a transaction that nobody
/// commits.
async fn is_out_of_transaction(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    // What was left to do, such as the roll-back of a transaction that was dropped, is done before the answer.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

/// Has PostgreSQL plan a prepared statement once and not for each of its values: each of our statements has an index that
/// serves it whatever they are, and planning takes longer than reading a page. And has it stop each statement at the limit.
async fn prepare(
    connection: &mut PgConnection,
    limit: Option<Duration>,
) -> Result<(), sqlx::Error> {
    let set = sqlx::query("SET plan_cache_mode = force_generic_plan");
    set.execute(&mut *connection).await?;
    // A process that is suspended or cut off in a transaction must not keep others from its rows for hours.
    let idle = sqlx::query("SET idle_in_transaction_session_timeout = '2min'");
    idle.execute(&mut *connection).await?;
    if let Some(limit) = limit {
        // 0 would be no limit.
        let limit = sqlx::query("SELECT set_config('statement_timeout', $1, false)")
            .bind(limit.as_millis().max(1).to_string());
        limit.execute(connection).await?;
    }
    Ok(())
}

/// Has SQLite stop a statement that still runs after this time. A connection of a pool is taken for one statement.
async fn in_time(connection: &mut SqliteConnection, limit: Duration) -> Result<(), sqlx::Error> {
    Sqlite::keep_to(connection, Deadline::after(limit)).await
}

async fn ensure_schema<'c, C>(connection: &'c C, upgrade: bool) -> Result<(), DatabaseError>
where
    C: ConnectionTrait,
    &'c C: IntoDatabaseExecutor<'c>,
{
    let applied = applied_names(connection).await?;
    let known: Vec<_> = Migrator::migrations()
        .iter()
        .map(|migration| migration.name().to_owned())
        .collect();
    if let Some(unknown) = applied.iter().find(|name| !known.contains(name)) {
        return Err(DatabaseError::Newer(unknown.clone()));
    }
    let pending: Vec<_> = known
        .iter()
        .filter(|name| !applied.contains(name))
        .collect();
    let Some(first) = pending.first() else {
        return Ok(());
    };
    if !applied.is_empty() && !upgrade {
        return Err(DatabaseError::Older {
            pending: pending.len(),
            first: (*first).clone(),
        });
    }
    Ok(Migrator::up(connection, None).await?)
}

async fn applied_names(connection: &impl ConnectionTrait) -> Result<Vec<String>, DbErr> {
    let models = Migrator::get_migration_models(connection).await?;
    Ok(models.into_iter().map(|model| model.version).collect())
}

fn postgres(url: &str, connections: u32, limit: Option<Duration>) -> ConnectOptions {
    let mut options = options(url, connections);
    options
        .set_application_name("labql")
        .test_before_acquire_if_idle_for(IDLE_BEFORE_TEST)
        .map_sqlx_postgres_pool_opts(move |pool| {
            pool.after_connect(move |connection, _| prepare(connection, limit).boxed())
        });
    options
}

/// Connections for writing, on which no statement has a limit: one that was given up in the midst of a statement, which may
/// wait for somebody's lock, is closed, and its place is free for others.
fn writing(mut options: ConnectOptions) -> ConnectOptions {
    options.map_sqlx_postgres_pool_opts(|pool| {
        pool.after_release(|connection, _| {
            async move {
                // Waits for what is under way; asks nothing.
                let ready = timeout(GIVEN_UP, connection.flush()).await;
                ready.unwrap_or(Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())))?;
                Ok(true)
            }
            .boxed()
        })
    });
    options
}

fn read_only(url: &str, connections: u32) -> ConnectOptions {
    let mut options = options(url, connections);
    options.map_sqlx_sqlite_opts(|options| {
        options
            .read_only(true)
            .busy_timeout(BUSY_TIMEOUT)
            // The queries of datasets match regular expressions.
            .with_regexp()
            .pragma("query_only", "1")
    });
    options
}

fn options(url: &str, connections: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(url.to_owned());
    options
        .max_connections(connections.max(1))
        .acquire_timeout(Duration::from_secs(10))
        .sqlx_logging(false)
        .record_stmt_in_spans(false)
        .test_before_acquire(false);
    options
}

async fn connect(options: ConnectOptions) -> Result<DatabaseConnection, DbErr> {
    let mut connection = sea_orm::Database::connect(options).await?;
    connection.set_metric_callback(|info| {
        tell_statement(&info.statement.sql);
        count_statement(info.elapsed);
    });
    Ok(connection)
}

/// Tells whoever follows the log at `labql::sql=trace` of a statement; not of its values, which may be secrets.
pub fn tell_statement(sql: &str) {
    tracing::trace!(target: "labql::sql", sql);
}

tokio::task_local! {
    /// The counter that statements are counted to besides that of all.
    static COUNTED_TO: &'static str;
}

/// Does work whose statements a counter of its own counts at the moment at which that of all does: whoever compares the two
/// finds no statement in one alone.
pub async fn counted_to<T>(counter: &'static str, work: impl Future<Output = T>) -> T {
    COUNTED_TO.scope(counter, work).await
}

/// Counts a statement that took so long.
pub fn count_statement(elapsed: Duration) {
    metrics::counter!("labql_sql_statements_total").increment(1);
    // Nobody has to have named one.
    let _ = COUNTED_TO.try_with(|name| metrics::counter!(*name).increment(1));
    metrics::histogram!("labql_sql_statement_seconds").record(elapsed.as_secs_f64());
}
