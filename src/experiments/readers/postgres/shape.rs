//! What a table on the server looks like, and how its columns are asked for.

use std::collections::HashMap;

use super::super::SourceError;

/// The longest text that is read of one cell, in characters: more than any that is kept.
const MAX_CELL: usize = (2 << 20) + 1;

/// A table as the catalogue has it.
#[derive(Debug, Default)]
pub struct Shape {
    /// Its schema and its name, quoted.
    pub quoted: String,
    /// What to call it when something is wrong.
    pub name: String,
    /// `r` for an ordinary table (`pg_class.relkind`).
    pub kind: String,
    /// The types of its columns (`pg_type.oid`).
    pub columns: HashMap<String, i64>,
}

/// As what a column comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The table does not have it.
    Null,
    /// `int8`
    Int,
    /// `float8`
    Real,
    /// `text`, cut.
    Text,
}

impl Kind {
    /// The kind of a type of PostgreSQL (`pg_type.dat`); none for types that stand for something else, and for those that
    /// somebody has made.
    const fn of(type_oid: i64) -> Option<Self> {
        match type_oid {
            // bool, int8, int2, int4, oid
            16 | 20 | 21 | 23 | 26 => Some(Self::Int),
            // float4, float8, numeric
            700 | 701 | 1700 => Some(Self::Real),
            // name, text, json, bpchar, varchar, date, timestamp, timestamptz, uuid, jsonb
            19 | 25 | 114 | 1042 | 1043 | 1082 | 1114 | 1184 | 2950 | 3802 => Some(Self::Text),
            _ => None,
        }
    }
}

/// A name as an identifier of SQL.
pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl Shape {
    /// An error about this table.
    pub fn wrong(&self, message: impl Into<String>) -> SourceError {
        SourceError::Table {
            table: self.name.clone(),
            message: message.into(),
            transient: false,
        }
    }

    /// Refuses what only stands for a table: views and foreign tables run what somebody has written. For the same reason
    /// tables are asked for with `ONLY`: another that inherits from one may be a foreign table, and Autosubmit makes
    /// none.
    pub fn check(&self, required: &[&str]) -> Result<(), SourceError> {
        if self.kind != "r" {
            return Err(self.wrong("it is not an ordinary table"));
        }
        match required
            .iter()
            .find(|column| !self.columns.contains_key(**column))
        {
            Some(missing) => Err(self.wrong(format!("it has no column {missing}"))),
            None => Ok(()),
        }
    }

    /// How to ask for a column, and as what it comes.
    pub fn expression(&self, column: &str) -> Result<(String, Kind), SourceError> {
        let Some(type_oid) = self.columns.get(column) else {
            return Ok(("NULL".into(), Kind::Null));
        };
        let name = quote(column);
        let kind = Kind::of(*type_oid)
            .ok_or_else(|| self.wrong(format!("column {column} is of an unexpected type")))?;
        let expression = match kind {
            Kind::Null => "NULL".into(),
            Kind::Int if *type_oid == 16 => format!("{name}::int4::int8"),
            Kind::Int => format!("{name}::int8"),
            Kind::Real => format!("{name}::float8"),
            Kind::Text => format!("left({name}::text, {MAX_CELL})"),
        };
        Ok((expression, kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted() {
        assert_eq!(quote("a000"), "\"a000\"");
        assert_eq!(quote("a\"; DROP"), "\"a\"\"; DROP\"");
    }

    #[test]
    fn types_of_others_are_refused() {
        let columns = [("a".to_owned(), 23), ("b".to_owned(), 16_999)];
        let shape = Shape {
            columns: columns.into(),
            kind: "r".into(),
            ..Shape::default()
        };
        assert_eq!(
            shape.expression("a").unwrap(),
            ("\"a\"::int8".into(), Kind::Int)
        );
        assert_eq!(shape.expression("c").unwrap().1, Kind::Null);
        assert!(shape.expression("b").is_err());
        assert!(shape.check(&["a", "c"]).is_err());
    }
}
