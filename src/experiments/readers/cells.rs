//! The values of a row of a foreign table, whatever database it comes from.

use std::cell::Cell;

use rusqlite::types::ValueRef;

/// The cells of one row, by column name. SQLite stores any type in any column, and versions of Autosubmit
/// differ in theirs, so numbers are also taken from text and text from numbers; anything else is an error that names
/// the column.
pub(crate) struct Cells<'a> {
    row: &'a dyn Values,
    columns: &'a [&'static str],
    text_left: &'a Cell<u64>,
}

/// The values of a row as its database gives them.
pub(crate) trait Values {
    /// The value at this position of those that were selected.
    ///
    /// # Errors
    /// Why it cannot be had, for a person.
    fn value(&self, index: usize) -> Result<ValueRef<'_>, String>;
}

impl<'a> Cells<'a> {
    /// The cells of a row in which these columns were selected. What text they give is taken off `text_left`.
    pub(crate) fn new(
        row: &'a dyn Values,
        columns: &'a [&'static str],
        text_left: &'a Cell<u64>,
    ) -> Self {
        Self {
            row,
            columns,
            text_left,
        }
    }

    fn value(&self, column: &str) -> Result<ValueRef<'_>, String> {
        let index = self.columns.iter().position(|name| *name == column);
        let index = index.ok_or_else(|| format!("{column} was not selected"))?;
        self.row
            .value(index)
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
