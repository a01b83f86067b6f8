//! Tables of a foreign SQLite file, read by column name.
//!
//! Only ordinary tables and stored columns are read: views, virtual tables and generated columns could run what the
//! file's author likes. A damaged or malicious file may claim far more rows and text than it has bytes (pages that
//! many others point to), so both are bounded by the size of the file.

use std::{cell::Cell, collections::HashSet, io};

use rusqlite::{Connection, ErrorCode, OpenFlags, Row, config::DbConfig, types::ValueRef};

use super::{
    RowProblems, SourceError,
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
            match parse(&Cells {
                row,
                columns,
                text_left: &self.text_left,
            }) {
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

/// The cells of one row, by column name. SQLite stores any type in any column, so numbers are also taken from text
/// and text from numbers; anything else is an error that names the column.
pub(crate) struct Cells<'a> {
    row: &'a Row<'a>,
    columns: &'a [&'static str],
    text_left: &'a Cell<u64>,
}

impl Cells<'_> {
    fn value(&self, column: &str) -> Result<ValueRef<'_>, String> {
        let index = self.columns.iter().position(|name| *name == column);
        let index = index.ok_or_else(|| format!("{column} was not selected"))?;
        self.row
            .get_ref(index)
            .map_err(|error| format!("{column}: {error}"))
    }

    /// Text, or a number as text.
    pub(crate) fn text(&self, column: &str) -> Result<Option<String>, String> {
        let text = match self.value(column)? {
            ValueRef::Null => return Ok(None),
            ValueRef::Text(bytes) => {
                // Looked at before it is copied.
                let left = self.text_left.get().saturating_sub(bytes.len() as u64);
                self.text_left.set(left);
                if left == 0 {
                    return Err(format!("{column} is too long"));
                }
                String::from_utf8_lossy(bytes).into_owned()
            }
            ValueRef::Integer(number) => number.to_string(),
            ValueRef::Real(number) => number.to_string(),
            ValueRef::Blob(_) => return Err(format!("{column} is a blob, not text")),
        };
        Ok(Some(text))
    }

    /// Text that says something: empty text is none.
    pub(crate) fn filled(&self, column: &str) -> Result<Option<String>, String> {
        Ok(self.text(column)?.filter(|text| !text.is_empty()))
    }

    /// A name: text that must be there, within bounds.
    pub(crate) fn name(&self, column: &str) -> Result<String, String> {
        let text = self.filled(column)?;
        let text = text.ok_or_else(|| format!("{column} is missing"))?;
        super::name(&text).map_err(|wrong| format!("{column} {wrong}"))
    }

    /// A whole number.
    pub(crate) fn int(&self, column: &str) -> Result<Option<i64>, String> {
        match self.value(column)? {
            ValueRef::Null => Ok(None),
            ValueRef::Integer(number) => Ok(Some(number)),
            ValueRef::Real(number) => whole(number)
                .map(Some)
                .ok_or_else(|| format!("{column} is not a whole number")),
            ValueRef::Text(bytes) => {
                let text = std::str::from_utf8(bytes).unwrap_or("?").trim();
                match text {
                    "" | "None" => Ok(None),
                    _ => text
                        .parse()
                        .map(Some)
                        .map_err(|_| format!("{column} is not a whole number")),
                }
            }
            ValueRef::Blob(_) => Err(format!("{column} is a blob, not a number")),
        }
    }

    /// A number.
    #[allow(clippy::cast_precision_loss, reason = "measured values")]
    pub(crate) fn real(&self, column: &str) -> Result<Option<f64>, String> {
        match self.value(column)? {
            ValueRef::Null => Ok(None),
            ValueRef::Integer(number) => Ok(Some(number as f64)),
            ValueRef::Real(number) => Ok(Some(number).filter(|number| number.is_finite())),
            ValueRef::Text(bytes) => {
                let text = std::str::from_utf8(bytes).unwrap_or("?").trim();
                if text.is_empty() {
                    return Ok(None);
                }
                let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
                number
                    .map(Some)
                    .ok_or_else(|| format!("{column} is not a number"))
            }
            ValueRef::Blob(_) => Err(format!("{column} is a blob, not a number")),
        }
    }

    /// A truth value: a number, or the words `true` and `false`.
    pub(crate) fn flag(&self, column: &str) -> Result<Option<bool>, String> {
        if let ValueRef::Text(bytes) = self.value(column)? {
            if bytes.eq_ignore_ascii_case(b"true") {
                return Ok(Some(true));
            }
            if bytes.eq_ignore_ascii_case(b"false") {
                return Ok(Some(false));
            }
        }
        Ok(self.int(column)?.map(|number| number != 0))
    }
}

/// The integer that a float stands for exactly.
#[allow(
    clippy::cast_possible_truncation,
    reason = "checked: whole and below 2^53"
)]
fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0).then_some(number as i64)
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
