//! The tables of one owner as they were at one moment: a read-only transaction at REPEATABLE READ.

use std::{
    cell::Cell,
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::TryStreamExt;
use rusqlite::types::ValueRef;
use sea_orm::sqlx::{
    self, AssertSqlSafe, Error, Postgres, Row, Transaction, ValueRef as _, postgres::PgRow,
};

use super::{
    super::{
        Expid, RowProblems, SourceError,
        cells::{Cells, Values},
        time::parse_local_moment,
    },
    DEADLINE, Server,
    shape::{Kind, Shape, quote},
    source_error,
};

/// The most rows of one table that are read.
const MAX_ROWS: u64 = 5_000_000;
/// The most text that one picture gives, in bytes.
const MAX_TEXT: u64 = 1 << 30;

/// How much further ahead than this one the clock of the machine may be that Autosubmit runs on.
const MAX_SKEW: TimeDelta = TimeDelta::minutes(5);

const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
/// Limits of time; errors instead of policies of rows, which could run what their author likes; rows in the order in
/// which they are stored; times in one form.
const SETTINGS: &str = "SET LOCAL statement_timeout = '30s'; SET LOCAL lock_timeout = '2s';
    SET LOCAL idle_in_transaction_session_timeout = '60s'; SET LOCAL row_security = off;
    SET LOCAL synchronize_seqscans = off; SET LOCAL max_parallel_workers_per_gather = 0;
    SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL timezone = 'UTC'";
/// From here on only functions of PostgreSQL itself are found. An error takes back what follows, and no more.
const SETTLE: &str = "SET LOCAL search_path = pg_catalog, pg_temp; SAVEPOINT labql";
const TAKE_BACK: &str = "ROLLBACK TO SAVEPOINT labql";

/// The columns of tables: of those in `$1` of the schema `$2`, and of those in `$3` of the schemas that are looked
/// through by default.
const SHAPES: &str = "
    WITH found AS (
        SELECT c.oid, true AS own
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = $2 AND c.relname = ANY($1)
        UNION ALL
        SELECT c.oid, false FROM pg_catalog.pg_class c
        WHERE c.relname = ANY($3) AND pg_catalog.pg_table_is_visible(c.oid)
    )
    SELECT found.own, n.nspname::text, c.relname::text, c.relkind::text, a.attname::text, a.atttypid::int8
    FROM found
    JOIN pg_catalog.pg_class c ON c.oid = found.oid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
    WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated IN ('', 's')
    LIMIT 20000";

/// The tables of an experiment that are read.
pub(super) const OF_EXPERIMENT: [&str; 9] = [
    "experiment_run",
    "experiment_structure",
    "job_data",
    "job_package",
    "jobs",
    "preview_wrappers_jobs",
    "user_metrics",
    "wrapper_job_package",
    "wrappers_jobs",
];
/// The central tables that are read with those of an experiment.
pub(super) const PICKLES: &str = "job_pkl";
/// The central tables.
pub(super) const CENTRAL: [&str; 3] = ["details", "experiment", "experiment_status"];

/// The tables of one owner at one moment.
#[derive(Debug)]
pub struct Picture {
    server: Arc<Server>,
    owner: Option<Expid>,
    transaction: Mutex<Transaction<'static, Postgres>>,
    shapes: HashMap<String, Shape>,
    text_left: AtomicU64,
    /// Why the server gives no more.
    lost: OnceLock<Lost>,
}

/// Why no more is asked.
#[derive(Debug, Clone)]
enum Lost {
    /// The connection is gone, or nobody knows what would come next on it.
    Server(String),
    /// This table took as long as one may take; the next one would perhaps, too.
    Slow(String),
}

/// The pickle of an experiment, without its bytes.
#[derive(Debug, Clone, Copy)]
pub struct PickleRow {
    /// Bytes.
    pub size: u64,
    /// When it was stored: on the clock of the machine that did, which is taken to be this one's. None for a time that is
    /// still to come, as it is one of another zone.
    pub modified_at: Option<DateTime<Utc>>,
}

impl Picture {
    /// Begins a transaction and looks which tables there are.
    ///
    /// # Errors
    /// [`SourceError::Unavailable`].
    pub fn take(server: &Arc<Server>, owner: Option<&Expid>) -> Result<Self, SourceError> {
        let (own, schema, central) = match owner {
            Some(expid) => (&OF_EXPERIMENT[..], expid.as_str(), vec![PICKLES]),
            None => (&[][..], "", [&CENTRAL[..], &[PICKLES]].concat()),
        };
        let begin = async {
            let mut transaction = server.pool.begin_with(BEGIN).await?;
            sqlx::raw_sql(SETTINGS).execute(&mut *transaction).await?;
            let rows = sqlx::query(SHAPES)
                .persistent(false)
                .bind(own)
                .bind(schema)
                .bind(central)
                .fetch_all(&mut *transaction)
                .await?;
            let shapes = shapes(&rows)?;
            sqlx::raw_sql(SETTLE).execute(&mut *transaction).await?;
            Ok((transaction, shapes))
        };
        let (transaction, shapes) = server
            .wait(DEADLINE, begin)
            .map_err(|error| unavailable(&error))?;
        Ok(Self {
            server: Arc::clone(server),
            owner: owner.cloned(),
            transaction: Mutex::new(transaction),
            shapes,
            text_left: AtomicU64::new(MAX_TEXT),
            lost: OnceLock::new(),
        })
    }

    /// Whose tables they are; none: the central ones.
    pub fn owner(&self) -> Option<&Expid> {
        self.owner.as_ref()
    }

    /// Where they are.
    pub fn server(&self) -> &Arc<Server> {
        &self.server
    }

    /// Whether there is something of this name.
    pub fn has(&self, table: &str) -> bool {
        self.shapes.contains_key(table)
    }

    /// What a table looks like, if it is there.
    pub(super) fn shape(&self, table: &str) -> Option<&Shape> {
        self.shapes.get(table)
    }

    /// # Errors
    /// [`SourceError::Unavailable`] once the server has been lost; [`SourceError::Slow`] once it took too long.
    pub fn intact(&self) -> Result<(), SourceError> {
        match self.lost.get().cloned() {
            None => Ok(()),
            Some(Lost::Server(why)) => Err(SourceError::Unavailable(why)),
            Some(Lost::Slow(table)) => Err(SourceError::Slow { table }),
        }
    }

    /// Asks within the transaction. What fails is taken back, so that the next question can be answered.
    pub(super) fn ask<T>(
        &self,
        table: &str,
        question: impl AsyncFnOnce(&mut Transaction<'static, Postgres>) -> Result<T, Error>,
    ) -> Result<T, SourceError> {
        self.intact()?;
        let mut transaction = self.transaction();
        let answer = async {
            let answer = question(&mut transaction).await;
            if answer.is_err() {
                sqlx::raw_sql(TAKE_BACK).execute(&mut **transaction).await?;
            }
            // The error of the question says more than that of taking it back, unless the connection is lost.
            Ok(answer)
        };
        let answer: Result<Result<T, Error>, Error> = self.server.wait(DEADLINE, answer);
        answer.and_then(|answer| answer).map_err(|error| {
            let error = source_error(table, &error);
            if let SourceError::Unavailable(why) = &error {
                let _ = self.lost.set(Lost::Server(why.clone()));
            }
            error
        })
    }

    /// As [`Self::ask`], for what is in a table. Once one took too long, no further one is asked for: an experiment has
    /// nine.
    fn ask_for_content<T>(
        &self,
        table: &str,
        question: impl AsyncFnOnce(&mut Transaction<'static, Postgres>) -> Result<T, Error>,
    ) -> Result<T, SourceError> {
        self.ask(table, question).inspect_err(|error| {
            if let SourceError::Slow { table } = error {
                let _ = self.lost.set(Lost::Slow(table.clone()));
            }
        })
    }

    /// A panic of another thread has left the transaction as it was.
    fn transaction(&self) -> MutexGuard<'_, Transaction<'static, Postgres>> {
        self.transaction
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// As [`Tables::read`](super::super::tables::Tables::read).
    pub(in super::super) fn read<T>(
        &self,
        table: &str,
        columns: &[&'static str],
        required: &[&str],
        problems: &mut RowProblems,
        parse: impl Fn(&Cells<'_>) -> Result<T, String>,
    ) -> Result<Option<Vec<T>>, SourceError> {
        let Some(shape) = self.shape(table) else {
            return Ok(None);
        };
        shape.check(required)?;
        let (expressions, kinds): (Vec<_>, Vec<_>) = columns
            .iter()
            .map(|column| shape.expression(column))
            .collect::<Result<Vec<_>, _>>()?
            .into_iter()
            .unzip();
        let query = format!(
            "SELECT {} FROM ONLY {} LIMIT {}",
            expressions.join(", "),
            shape.quoted,
            MAX_ROWS + 1
        );
        let text_left = Cell::new(self.text_left.load(Ordering::Relaxed));
        let mut found = Vec::new();
        let read = self.ask_for_content(&shape.name, async |transaction| {
            let query = sqlx::query(AssertSqlSafe(query)).persistent(false);
            let mut rows = query.fetch(&mut **transaction);
            let mut count = 0_u64;
            while let Some(row) = rows.try_next().await? {
                count += 1;
                let row = Selected {
                    row: &row,
                    kinds: &kinds,
                };
                match parse(&Cells::new(&row, columns, &text_left)) {
                    Ok(value) => found.push(value),
                    Err(message) => {
                        problems.add_of(&shape.name, format_args!("row {count}: {message}"));
                    }
                }
                if count > MAX_ROWS || text_left.get() == 0 {
                    return Ok(false);
                }
            }
            Ok(true)
        });
        self.text_left.store(text_left.get(), Ordering::Relaxed);
        if read? {
            Ok(Some(found))
        } else {
            Err(shape.wrong(format!(
                "it holds more than can be read: {MAX_ROWS} rows, and {MAX_TEXT} bytes of text with the other tables"
            )))
        }
    }

    /// The row of the pickle of the owner, if there is one.
    ///
    /// # Errors
    /// [`SourceError`].
    pub fn pickle_row(&self) -> Result<Option<PickleRow>, SourceError> {
        let (Some(shape), Some(expid)) = (self.shape(PICKLES), &self.owner) else {
            return Ok(None);
        };
        shape.check(&["expid", "pkl"])?;
        let (modified, _) = shape.expression("modified")?;
        let query = format!(
            "SELECT octet_length(pkl)::int8, {modified}::text FROM ONLY {} WHERE expid = $1 LIMIT 1",
            shape.quoted
        );
        let row: Option<(Option<i64>, Option<String>)> =
            self.ask_for_content(&shape.name, async |transaction| {
                sqlx::query_as(AssertSqlSafe(query))
                    .persistent(false)
                    .bind(expid.as_str())
                    .fetch_optional(&mut **transaction)
                    .await
            })?;
        Ok(row.map(|(size, modified)| PickleRow {
            size: size.and_then(|size| u64::try_from(size).ok()).unwrap_or(0),
            modified_at: modified
                .as_deref()
                .and_then(parse_local_moment)
                .filter(|moment| *moment <= Utc::now() + MAX_SKEW),
        }))
    }

    /// The pickle of the owner, if it has at most so many bytes.
    ///
    /// # Errors
    /// [`SourceError`].
    pub fn pickle(&self, most: u64) -> Result<Option<Vec<u8>>, SourceError> {
        let (Some(shape), Some(expid)) = (self.shape(PICKLES), &self.owner) else {
            return Ok(None);
        };
        let query = format!(
            "SELECT pkl FROM ONLY {} WHERE expid = $1 AND octet_length(pkl) <= $2 LIMIT 1",
            shape.quoted
        );
        self.ask_for_content(&shape.name, async |transaction| {
            sqlx::query_scalar(AssertSqlSafe(query))
                .persistent(false)
                .bind(expid.as_str())
                .bind(i64::try_from(most).unwrap_or(i64::MAX))
                .fetch_optional(&mut **transaction)
                .await
        })
    }
}

fn unavailable(error: &Error) -> SourceError {
    match source_error("", error) {
        SourceError::Table { message, .. } => SourceError::Unavailable(message),
        slow @ SourceError::Slow { .. } => SourceError::Unavailable(slow.to_string()),
        other => other,
    }
}

/// The tables by name. A table of the owner comes before a central one of the same name.
fn shapes(rows: &[PgRow]) -> Result<HashMap<String, Shape>, Error> {
    let mut shapes: HashMap<String, Shape> = HashMap::new();
    for row in rows {
        let (own, schema, table): (bool, String, String) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let quoted = format!("{}.{}", quote(&schema), quote(&table));
        let shape = shapes.entry(table.clone()).or_default();
        if shape.quoted.is_empty() {
            shape.name = if own {
                format!("{schema}.{table}")
            } else {
                table
            };
            shape.quoted = quoted;
            shape.kind = row.try_get(3)?;
        }
        shape.columns.insert(row.try_get(4)?, row.try_get(5)?);
    }
    Ok(shapes)
}

/// A row of a table.
struct Selected<'a> {
    row: &'a PgRow,
    kinds: &'a [Kind],
}

impl Values for Selected<'_> {
    fn value(&self, index: usize) -> Result<ValueRef<'_>, String> {
        let broken = |error: &dyn std::fmt::Display| error.to_string();
        let kind = self.kinds.get(index).copied().unwrap_or(Kind::Null);
        if kind == Kind::Null {
            return Ok(ValueRef::Null);
        }
        let raw = self
            .row
            .try_get_raw(index)
            .map_err(|error| broken(&error))?;
        if raw.is_null() {
            return Ok(ValueRef::Null);
        }
        let value = match kind {
            Kind::Null => ValueRef::Null,
            Kind::Int => {
                ValueRef::Integer(self.row.try_get(index).map_err(|error| broken(&error))?)
            }
            Kind::Real => ValueRef::Real(self.row.try_get(index).map_err(|error| broken(&error))?),
            // Not decoded: a database without an encoding (SQL_ASCII) gives any bytes.
            Kind::Text => ValueRef::Text(raw.as_bytes().map_err(|error| broken(&error))?),
        };
        Ok(value)
    }
}
