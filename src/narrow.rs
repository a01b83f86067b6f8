//! Narrow rows: of the columns of a table only those that were asked for are read.
//!
//! A narrow row is an entity's `Model` like any other; fields whose columns were not read hold their defaults. Who reads
//! them decides by [`Columns`], and these are part of the key under which rows are kept, so that nobody finds a row that
//! lacks what it needs.
//!
//! Rows are decoded by position and one by one as they come from sqlx, and do not move from where they were decoded: a
//! thousand rows of a wide table are never held twice. The metric `labql_sql_rows_total` counts them.

use std::fmt::Debug;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use futures_util::{Stream, TryStreamExt};
use sea_orm::sea_query::{
    IntoCondition, PostgresQueryBuilder, Query, SelectStatement, SqliteQueryBuilder,
};
use sea_orm::sqlx::postgres::PgRow;
use sea_orm::sqlx::sqlite::SqliteRow;
use sea_orm::sqlx::{self, AssertSqlSafe, Postgres, Row as _, Sqlite};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, RuntimeErr};
use sea_query_sqlx::SqlxBinder;

use crate::database::{self, Database, Readers};
use crate::failure::TOO_LONG;

/// A row that can be read in part; derived.
pub trait Narrow: Default + Send + Sized {
    /// The columns of its table.
    type Column: ColumnTrait + Copy + Debug;
    /// All of them.
    const COLUMNS: &'static [Self::Column];

    /// The place of a column among all.
    fn bit(column: Self::Column) -> u32;

    /// Takes the value of a column.
    fn set(&mut self, column: Self::Column, cell: Cell<'_>) -> Result<(), DbErr>;

    /// The bytes of its texts that can be long: of the fields with the attribute `#[long]`.
    fn long_bytes(&self) -> usize;
}

/// A text that can be long.
pub trait Long {
    /// How many bytes it has.
    fn bytes(&self) -> usize;
}

impl Long for String {
    fn bytes(&self) -> usize {
        self.len()
    }
}

impl Long for Option<String> {
    fn bytes(&self) -> usize {
        self.as_ref().map_or(0, String::len)
    }
}

/// The bytes of long texts in the rows of one statement, at most: as many as an answer has. The statement ends there, so
/// that they are never in memory together.
const MOST_LONG_BYTES: usize = 64 << 20;
/// A set of columns.
pub struct Columns<M>(u64, std::marker::PhantomData<fn() -> M>);

impl<M: Narrow> Columns<M> {
    /// Every column.
    pub fn all() -> Self {
        Self::of(M::COLUMNS)
    }

    /// These columns.
    pub fn of(columns: &[M::Column]) -> Self {
        columns
            .iter()
            .fold(Self(0, std::marker::PhantomData), |set, column| {
                set.with(*column)
            })
    }

    /// With this column too.
    #[must_use]
    pub fn with(self, column: M::Column) -> Self {
        Self(self.0 | 1 << M::bit(column), self.1)
    }

    /// The columns of both sets.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0, self.1)
    }

    /// Are all of those among these?
    pub fn contain(self, those: Self) -> bool {
        those.0 & !self.0 == 0
    }

    /// The columns, in the order of the table.
    pub fn iter(self) -> impl Iterator<Item = M::Column> {
        let columns = M::COLUMNS.iter().copied();
        columns.filter(move |column| self.0 & 1 << M::bit(*column) != 0)
    }
}

impl<M> Clone for Columns<M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for Columns<M> {}

impl<M> PartialEq for Columns<M> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<M> Eq for Columns<M> {}

impl<M> Hash for Columns<M> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl<M> Debug for Columns<M> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Columns({:b})", self.0)
    }
}

/// A row as it comes from a database.
#[derive(Clone, Copy)]
enum Row<'r> {
    Postgres(&'r PgRow),
    Sqlite(&'r SqliteRow),
}

/// A value of a row.
#[derive(Clone, Copy)]
pub struct Cell<'r> {
    row: Row<'r>,
    place: usize,
}

impl<'r> Cell<'r> {
    /// The value. Its type is not compared with that of the column, which our own migrations made.
    pub fn get<T>(self) -> Result<T, DbErr>
    where
        T: sqlx::Decode<'r, Postgres> + sqlx::Decode<'r, Sqlite>,
    {
        let value = match self.row {
            Row::Postgres(row) => row.try_get_unchecked(self.place),
            Row::Sqlite(row) => row.try_get_unchecked(self.place),
        };
        value.map_err(failed)
    }
}

fn failed(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(error.into()))
}

/// A query for these columns of the rows for which the condition holds, in the order in which [`all`] reads them. (That of
/// sea-orm would name all columns first, and then forget them.)
pub fn select<E>(condition: impl IntoCondition, columns: Columns<E::Model>) -> SelectStatement
where
    E: EntityTrait,
    E::Model: Narrow<Column = E::Column>,
{
    Query::select()
        .columns(columns.iter().map(|column| column.as_column_ref()))
        .from(E::default().table_ref())
        .cond_where(condition)
        .take()
}

/// These columns of the rows for which the condition holds.
pub async fn find<E>(
    database: &Database,
    condition: impl IntoCondition,
    columns: Columns<E::Model>,
) -> Result<Vec<Arc<E::Model>>, DbErr>
where
    E: EntityTrait,
    E::Model: Narrow<Column = E::Column>,
{
    all(database, &select::<E>(condition, columns), columns).await
}

/// The rows of a query that begins with these columns.
pub async fn all<M: Narrow>(
    database: &Database,
    query: &SelectStatement,
    columns: Columns<M>,
) -> Result<Vec<Arc<M>>, DbErr> {
    let columns: Vec<M::Column> = columns.iter().collect();
    let held = AtomicUsize::default();
    each(database, query, |row| model(row, &columns, 0, &held)).await
}

/// The rows of a query that begins with an id and then has these columns.
pub async fn pairs<M: Narrow>(
    database: &Database,
    query: &SelectStatement,
    columns: Columns<M>,
) -> Result<Vec<(i64, Arc<M>)>, DbErr> {
    let columns: Vec<M::Column> = columns.iter().collect();
    let held = AtomicUsize::default();
    each(database, query, |row| {
        let id = Cell { row, place: 0 };
        Ok((id.get()?, model(row, &columns, 1, &held)?))
    })
    .await
}

/// The rows of a query for two ids.
pub async fn tuples(
    database: &Database,
    query: &SelectStatement,
) -> Result<Vec<(i64, i64)>, DbErr> {
    each(database, query, |row| {
        let id = |place| Cell { row, place }.get();
        Ok((id(0)?, id(1)?))
    })
    .await
}

/// A model of the values of these columns, the first of which is at this place. What it has of long texts is added to what
/// is held of them.
fn model<M: Narrow>(
    row: Row<'_>,
    columns: &[M::Column],
    from: usize,
    held: &AtomicUsize,
) -> Result<Arc<M>, DbErr> {
    let mut model = M::default();
    for (place, column) in columns.iter().enumerate() {
        let place = from + place;
        model.set(*column, Cell { row, place })?;
    }
    let bytes = model.long_bytes();
    if bytes > 0 && held.fetch_add(bytes, Ordering::Relaxed) + bytes > MOST_LONG_BYTES {
        return Err(DbErr::Custom(TOO_LONG.to_owned()));
    }
    Ok(Arc::new(model))
}

/// What is made of each row, as the rows come.
async fn each<T>(
    database: &Database,
    query: &SelectStatement,
    make: impl Fn(Row<'_>) -> Result<T, DbErr>,
) -> Result<Vec<T>, DbErr> {
    let no_connection = |error: sqlx::Error| DbErr::Conn(RuntimeErr::SqlxError(error.into()));
    let made = match database.readers() {
        Readers::Postgres(kept) => {
            let (sql, values) = query.build_sqlx(PostgresQueryBuilder);
            database::tell_statement(&sql);
            let mut connection = kept.take().await.map_err(no_connection)?;
            let _counted = Counted(Instant::now());
            let rows = sqlx::query_with(AssertSqlSafe(sql), values).fetch(connection.raw());
            let made = collect(rows, |row| make(Row::Postgres(&row))).await?;
            kept.keep(connection);
            made
        }
        Readers::Sqlite(kept) => {
            let (sql, values) = query.build_sqlx(SqliteQueryBuilder);
            database::tell_statement(&sql);
            let mut connection = kept.take().await.map_err(no_connection)?;
            let _counted = Counted(Instant::now());
            let rows = sqlx::query_with(AssertSqlSafe(sql), values).fetch(connection.raw());
            let made = collect(rows, |row| make(Row::Sqlite(&row))).await?;
            kept.keep(connection);
            made
        }
    };
    metrics::counter!("labql_sql_rows_total").increment(made.len() as u64);
    Ok(made)
}

/// A statement under way: counted when it is read to its end, fails or is given up.
struct Counted(Instant);

impl Drop for Counted {
    fn drop(&mut self) {
        database::count_statement(self.0.elapsed());
    }
}

async fn collect<R, T>(
    mut rows: impl Stream<Item = Result<R, sqlx::Error>> + Unpin,
    make: impl Fn(R) -> Result<T, DbErr>,
) -> Result<Vec<T>, DbErr> {
    let mut made = Vec::new();
    while let Some(row) = rows.try_next().await.map_err(failed)? {
        made.push(make(row)?);
    }
    Ok(made)
}
