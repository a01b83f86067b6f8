//! What tells a changed table from an unchanged one without reading it.
//!
//! A server shows no time of change. What it shows: which row version is the newest one (`xmin`, the transaction that wrote
//! it), exactly, but only by looking at the rows; and how many rows were written to each table since its statistics began
//! (`pg_stat_user_tables`), for all tables at once, but up to some ten seconds later than the change itself. So the
//! central tables and the pickles, which are few rows, are compared by row versions, and the tables of experiments by
//! their statistics. The counts are taken before the tables are read: what they do not show yet, they show next time.
//!
//! A hot standby replays what was written and does not count it, nor does a server with `track_counts = off`. There the
//! tables of experiments are compared by row versions, too.

use std::collections::HashMap;

use sea_orm::sqlx::{self, AssertSqlSafe};

use super::{
    super::SourceError,
    picture::{CENTRAL, OF_EXPERIMENT, PICKLES, Picture},
    shape::quote,
};

/// The states of the tables `$2` of the schemas `$1`: which relation it is, since when it looks and may be read as it does
/// (the row versions of its catalogue entries), and what was written, if the server counts it; and else the tables.
const OF_SCHEMAS: &str = "
    SELECT n.nspname::text,
           string_agg(concat_ws(':', c.relname, c.oid, n.xmin, c.xmin, c.relfilenode,
               pg_stat_get_tuples_inserted(c.oid), pg_stat_get_tuples_updated(c.oid), pg_stat_get_tuples_deleted(c.oid)
           ), ' ' ORDER BY c.relname),
           coalesce(array_agg(c.relname::text ORDER BY c.relname) FILTER (
               WHERE c.relkind = 'r' AND (pg_is_in_recovery() OR current_setting('track_counts') = 'off')
           ), '{}')
    FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid
    WHERE n.nspname = ANY($1) AND c.relname = ANY($2)
    GROUP BY n.nspname";
/// How many rows there are, and which versions.
const VERSIONS: &str = "concat_ws(':', count(*), sum(xmin::text::int8))";
/// The catalogue entries of the central tables.
const OF_CATALOGUE: &str = "
    SELECT coalesce(string_agg(concat_ws(':', oid, xmin, relfilenode), ' ' ORDER BY oid), '')
    FROM pg_class WHERE oid = ANY(SELECT to_regclass(name) FROM unnest($1) AS name)";

impl Picture {
    /// The states of the tables of these experiments, by expid: two questions, however many they are, and one more for
    /// each of them where the server does not count.
    ///
    /// # Errors
    /// [`SourceError`].
    pub fn states(&self, expids: &[&str]) -> Result<HashMap<String, String>, SourceError> {
        let tables: Vec<(String, String, Vec<String>)> =
            self.ask("pg_class", async |transaction| {
                sqlx::query_as(OF_SCHEMAS)
                    .persistent(false)
                    .bind(expids)
                    .bind(&OF_EXPERIMENT[..])
                    .fetch_all(&mut **transaction)
                    .await
            })?;
        let mut states = HashMap::new();
        for (expid, mut state, uncounted) in tables {
            if !uncounted.is_empty() {
                state.push(' ');
                state.push_str(&self.row_versions(&expid, &uncounted)?);
            }
            states.insert(expid, state);
        }
        for (expid, state) in self.pickle_states(expids)? {
            let all: &mut String = states.entry(expid).or_default();
            all.push_str(" pickle:");
            all.push_str(&state);
        }
        Ok(states)
    }

    /// How many rows there are in each of these tables, and the sum over the transactions that wrote them; see
    /// [`Self::central_state`]. What cannot be looked at has no state of its own: what is wrong shows when it is read.
    fn row_versions(&self, schema: &str, tables: &[String]) -> Result<String, SourceError> {
        let versions = tables.iter().map(|table| {
            let (schema, table) = (quote(schema), quote(table));
            format!("(SELECT {VERSIONS} FROM ONLY {schema}.{table})")
        });
        let versions: Vec<_> = versions.collect();
        let query = format!("SELECT concat_ws(' ', {})", versions.join(", "));
        let versions = self.ask(schema, async |transaction| {
            sqlx::query_scalar(AssertSqlSafe(query))
                .persistent(false)
                .fetch_one(&mut **transaction)
                .await
        });
        match versions {
            Err(SourceError::Table { .. } | SourceError::Slow { .. }) => Ok(String::new()),
            other => other,
        }
    }

    /// Which row versions the pickles of these experiments are. What is wrong with their table shows when one is read.
    fn pickle_states(&self, expids: &[&str]) -> Result<Vec<(String, String)>, SourceError> {
        let Some(shape) = self.shape(PICKLES) else {
            return Ok(Vec::new());
        };
        if shape.check(&["expid", "pkl"]).is_err() {
            return Ok(Vec::new());
        }
        let query = format!(
            "SELECT expid::text, concat_ws(':', xmin, ctid, octet_length(pkl)) FROM ONLY {} WHERE expid = ANY($1)",
            shape.quoted
        );
        let states = self.ask(&shape.name, async |transaction| {
            sqlx::query_as(AssertSqlSafe(query))
                .persistent(false)
                .bind(expids)
                .fetch_all(&mut **transaction)
                .await
        });
        match states {
            Err(SourceError::Table { .. }) => Ok(Vec::new()),
            other => other,
        }
    }

    /// The state of the central tables: how many rows there are, and the sum over the transactions that wrote them. A
    /// new version of a row has a higher number than any before, so the same pair is the same rows.
    ///
    /// # Errors
    /// [`SourceError`].
    pub fn central_state(&self) -> Result<String, SourceError> {
        let names: Vec<String> = CENTRAL
            .iter()
            .filter_map(|table| Some(self.shape(table)?.quoted.clone()))
            .collect();
        let mut state: String = self.ask("pg_class", async |transaction| {
            sqlx::query_scalar(OF_CATALOGUE)
                .persistent(false)
                .bind(names)
                .fetch_one(&mut **transaction)
                .await
        })?;
        for table in CENTRAL {
            let Some(shape) = self.shape(table).filter(|shape| shape.check(&[]).is_ok()) else {
                continue;
            };
            let query = format!("SELECT {VERSIONS} FROM ONLY {}", shape.quoted);
            let rows = self.ask(&shape.name, async |transaction| {
                sqlx::query_scalar::<_, String>(AssertSqlSafe(query))
                    .persistent(false)
                    .fetch_one(&mut **transaction)
                    .await
            });
            match rows {
                Ok(rows) => state = format!("{state} {table}:{rows}"),
                // What is wrong shows when it is read.
                Err(SourceError::Table { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(state)
    }
}
