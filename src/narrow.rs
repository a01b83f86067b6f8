//! Narrow rows: of the columns of a table only those that were asked for are read.
//!
//! A narrow row is an entity's `Model` like any other; fields whose columns were not read hold their defaults. Who reads
//! them decides by [`Columns`], and these are part of the key under which rows are kept, so that nobody finds a row that
//! lacks what it needs.
//!
//! Rows are decoded by position and one by one as they come: a thousand rows of a wide table are never held twice. The
//! metric `labql_sql_rows_total` counts them.

use std::fmt::Debug;
use std::hash::{Hash, Hasher};

use futures_util::TryStreamExt;
use sea_orm::sea_query::SelectStatement;
use sea_orm::sqlx::postgres::PgRow;
use sea_orm::sqlx::sqlite::SqliteRow;
use sea_orm::sqlx::{self, Postgres, Row, Sqlite};
use sea_orm::{
    ColumnTrait, DatabaseConnection, DbErr, EntityTrait, QueryResult, QuerySelect, QueryTrait,
    RuntimeErr, Select, StreamTrait,
};

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
}

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

/// A value of a row.
#[derive(Clone, Copy)]
pub struct Cell<'r> {
    row: &'r QueryResult,
    place: usize,
}

impl<'r> Cell<'r> {
    /// The value at this place of a row.
    pub fn new(row: &'r QueryResult, place: usize) -> Self {
        Self { row, place }
    }

    /// The value. Its type is not compared with that of the column, which our own migrations made.
    pub fn get<T>(self) -> Result<T, DbErr>
    where
        T: sqlx::Decode<'r, Postgres> + sqlx::Decode<'r, Sqlite>,
    {
        let value = if let Some(row) = self.row.try_as_pg_row() {
            PgRow::try_get_unchecked(row, self.place)
        } else if let Some(row) = self.row.try_as_sqlite_row() {
            SqliteRow::try_get_unchecked(row, self.place)
        } else {
            return Err(DbErr::Type("a row of an unknown database".to_owned()));
        };
        value.map_err(|error| DbErr::Query(RuntimeErr::SqlxError(error.into())))
    }
}

/// A query for these columns of its table, in the order in which [`all`] reads them.
pub fn select<E>(select: Select<E>, columns: Columns<E::Model>) -> Select<E>
where
    E: EntityTrait,
    E::Model: Narrow<Column = E::Column>,
{
    select.select_only().columns(columns.iter())
}

/// These columns of the rows that are selected.
pub async fn find<E>(
    database: &DatabaseConnection,
    rows: Select<E>,
    columns: Columns<E::Model>,
) -> Result<Vec<E::Model>, DbErr>
where
    E: EntityTrait,
    E::Model: Narrow<Column = E::Column>,
{
    all(database, &select(rows, columns).into_query(), columns).await
}

/// The rows of a query that begins with these columns.
pub async fn all<M: Narrow>(
    database: &DatabaseConnection,
    query: &SelectStatement,
    columns: Columns<M>,
) -> Result<Vec<M>, DbErr> {
    let columns: Vec<M::Column> = columns.iter().collect();
    each(database, query, |row| model(row, &columns, 0)).await
}

/// The rows of a query that begins with an id and then has these columns.
pub async fn pairs<M: Narrow>(
    database: &DatabaseConnection,
    query: &SelectStatement,
    columns: Columns<M>,
) -> Result<Vec<(i64, M)>, DbErr> {
    let columns: Vec<M::Column> = columns.iter().collect();
    each(database, query, |row| {
        Ok((Cell::new(row, 0).get()?, model(row, &columns, 1)?))
    })
    .await
}

/// The rows of a query for two ids.
pub async fn tuples(
    database: &DatabaseConnection,
    query: &SelectStatement,
) -> Result<Vec<(i64, i64)>, DbErr> {
    each(database, query, |row| {
        Ok((Cell::new(row, 0).get()?, Cell::new(row, 1).get()?))
    })
    .await
}

/// A model of the values of these columns, the first of which is at this place.
fn model<M: Narrow>(row: &QueryResult, columns: &[M::Column], from: usize) -> Result<M, DbErr> {
    let mut model = M::default();
    for (place, column) in columns.iter().enumerate() {
        model.set(*column, Cell::new(row, from + place))?;
    }
    Ok(model)
}

/// What is made of each row, as the rows come.
async fn each<T>(
    database: &DatabaseConnection,
    query: &SelectStatement,
    make: impl Fn(&QueryResult) -> Result<T, DbErr>,
) -> Result<Vec<T>, DbErr> {
    let statement = database.get_database_backend().build(query);
    let mut rows = database.stream_raw(statement).await?;
    let mut made = Vec::new();
    while let Some(row) = rows.try_next().await? {
        made.push(make(&row)?);
    }
    metrics::counter!("labql_sql_rows_total").increment(made.len() as u64);
    Ok(made)
}
