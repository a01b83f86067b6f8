//! Tables of a foreign SQLite file, read by column name.
//!
//! Only ordinary tables and stored columns are read: views, virtual tables and generated columns could run what the
//! file's author likes. A damaged or malicious file may claim far more rows and text than it has bytes (pages that
//! many others point to), so both are bounded by the size of the file.

use std::{cell::Cell, collections::HashSet, io};

use rusqlite::{Connection, ErrorCode, OpenFlags, Row, config::DbConfig, types::ValueRef};

use super::{
    RowProblems, SourceError,
    cells::{Cells, Values},
    root::Root,
    snapshot::{MAX_DATABASE, Snapshot},
};

/// A row takes at least this many bytes of a file: its cell pointer, two lengths and a header.
const LEAST_ROW: u64 = 4;
/// Text that columns of one file may give: at most this many times its size, and a little for very small files.
const TEXT_FACTOR: u64 = 8;
const SMALL: u64 = 1 << 20;

/// A copy of a database, open for reading.
#[derive(Debug)]
pub(crate) struct Database {
    connection: Connection,
    text_left: Cell<u64>,
    max_rows: u64,
    // Declared last: the connection closes before its folder goes.
    _snapshot: Snapshot,
}

impl Database {
    /// Copies and opens a database of the root.
    ///
    /// # Errors
    /// As for [`Snapshot::take`]; `Foreign` or `Corrupt` if SQLite cannot read the schema.
    pub(crate) fn open(root: &Root, relative: &str) -> Result<Self, SourceError> {
        let snapshot = Snapshot::take(root, relative, MAX_DATABASE)?;
        // The copy must be writable for SQLite to roll back a journal or to read a write-ahead log.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&snapshot.path, flags)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false)?;
        connection.pragma_update(None, "query_only", true)?;
        connection.pragma_update(None, "cell_size_check", true)?;
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        let text_left = Cell::new(
            snapshot
                .size
                .saturating_mul(TEXT_FACTOR)
                .saturating_add(SMALL),
        );
        let max_rows = snapshot.size / LEAST_ROW;
        Ok(Self {
            connection,
            text_left,
            max_rows,
            _snapshot: snapshot,
        })
    }

    /// The stored columns of a table; none if there is no such table.
    ///
    /// # Errors
    /// `Foreign` if a view or a virtual table stands in its place.
    pub(crate) fn columns(&self, table: &str) -> Result<Option<HashSet<String>>, SourceError> {
        let found = self.connection.query_row(
            "SELECT type, sql FROM sqlite_schema WHERE name = ?1 COLLATE NOCASE AND type IN ('table', 'view')",
            [table],
            |row| Ok((row.get::<_, String>(0)?, row.get::<_, Option<String>>(1)?.unwrap_or_default())),
        );
        let (kind, sql) = match found {
            Ok(found) => found,
            Err(rusqlite::Error::QueryReturnedNoRows) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let words: Vec<_> = sql
            .split_ascii_whitespace()
            .take(2)
            .map(str::to_ascii_lowercase)
            .collect();
        if kind != "table" || words != ["create", "table"] {
            return Err(SourceError::Foreign(format!(
                "{table} is not an ordinary table"
            )));
        }
        let mut statement = self
            .connection
            .prepare("SELECT name FROM pragma_table_xinfo(?1) WHERE hidden = 0")?;
        let names = statement.query_map([table], |row| row.get::<_, String>(0))?;
        Ok(Some(
            names
                .map(|name| name.map(|name| name.to_lowercase()))
                .collect::<Result<_, _>>()?,
        ))
    }

    /// Reads a table, one call of `parse` a row; a row that it refuses becomes a problem. Columns that the table does
    /// not have read as null. None if there is no such table.
    ///
    /// # Errors
    /// `Foreign` if a required column is missing; `Corrupt` if SQLite meets damage or the file holds more than it can.
    pub(crate) fn read<T>(
        &self,
        table: &str,
        columns: &[&'static str],
        required: &[&str],
        problems: &mut RowProblems,
        parse: impl Fn(&Cells<'_>) -> Result<T, String>,
    ) -> Result<Option<Vec<T>>, SourceError> {
        let Some(present) = self.columns(table)? else {
            return Ok(None);
        };
        if let Some(missing) = required.iter().find(|column| !present.contains(**column)) {
            return Err(SourceError::Foreign(format!(
                "table {table} has no column {missing}"
            )));
        }
        let list: Vec<_> = columns
            .iter()
            .map(|column| {
                if present.contains(*column) {
                    format!("\"{column}\"")
                } else {
                    "NULL".into()
                }
            })
            .collect();
        let query = format!("SELECT {} FROM \"{table}\"", list.join(", "));
        let mut statement = self.connection.prepare(&query)?;
        let mut rows = statement.query([])?;
        let mut found = Vec::new();
        let mut count = 0_u64;
        while let Some(row) = rows.next()? {
            count += 1;
            match parse(&Cells::new(row, columns, &self.text_left)) {
                Ok(value) => found.push(value),
                Err(message) => problems.add(format_args!("{table}, row {count}: {message}")),
            }
            if count > self.max_rows || self.text_left.get() == 0 {
                return Err(SourceError::Corrupt(format!(
                    "table {table} claims more rows or text than fit the file"
                )));
            }
        }
        Ok(Some(found))
    }
}

impl Values for Row<'_> {
    fn value(&self, index: usize) -> Result<ValueRef<'_>, String> {
        self.get_ref(index).map_err(|error| error.to_string())
    }
}

impl From<rusqlite::Error> for SourceError {
    fn from(error: rusqlite::Error) -> Self {
        let Some(code) = error.sqlite_error_code() else {
            return Self::Corrupt(error.to_string());
        };
        match code {
            ErrorCode::NotADatabase => Self::Foreign("not an SQLite database".into()),
            ErrorCode::DiskFull
            | ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::OutOfMemory => Self::Unreadable(io::Error::other(error)),
            _ => Self::Corrupt(error.to_string()),
        }
    }
}
