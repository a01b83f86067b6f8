//! Ids that were seen in any slot at any time.

use std::collections::BTreeSet;

use sea_orm::sea_query::ArrayType;
use sea_orm::{ConnectionTrait, DatabaseBackend, DbErr, Statement, Value};

use crate::database::Database;
use crate::failure::Failure;

/// The kinds of ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IdKind {
    /// Fibre bundles.
    Ifuid,
    /// Spectrographs.
    Specid,
    /// Places in enclosures.
    Specslot,
    /// Controllers.
    Cntlid,
    /// Multiplexers.
    Muxid,
}

impl IdKind {
    const fn column(self) -> &'static str {
        match self {
            Self::Ifuid => "ifuid",
            Self::Specid => "specid",
            Self::Specslot => "specslot",
            Self::Cntlid => "cntlid",
            Self::Muxid => "muxid",
        }
    }
}

/// All ids of a kind that are or were known, ascending.
pub async fn seen(database: &Database, kind: IdKind) -> Result<Vec<String>, Failure> {
    let id = kind.column();
    // From each id to the next in the index: there are many records of each.
    let sql = format!(
        "WITH RECURSIVE step (id) AS (
            SELECT MIN({id}) FROM fplane_record
            UNION ALL
            SELECT (SELECT MIN({id}) FROM fplane_record WHERE {id} > step.id) FROM step WHERE step.id IS NOT NULL
        ) SELECT id FROM step WHERE id IS NOT NULL"
    );
    let statement = Statement::from_string(database.backend(), sql);
    let rows = database.read().query_all_raw(statement).await?;
    let ids = rows.iter().map(|row| row.try_get_by_index(0));
    Ok(ids.collect::<Result<_, DbErr>>()?)
}

/// Those of these ids that are or were known.
pub(in crate::fplanes) async fn known(
    connection: &impl ConnectionTrait,
    ids: &BTreeSet<(IdKind, String)>,
) -> Result<BTreeSet<(IdKind, String)>, DbErr> {
    let mut kinds: Vec<IdKind> = ids.iter().map(|(kind, _)| *kind).collect();
    kinds.dedup();
    if kinds.is_empty() {
        return Ok(BTreeSet::new());
    }
    let backend = connection.get_database_backend();
    let is_postgres = backend == DatabaseBackend::Postgres;
    let (mut selects, mut values) = (Vec::new(), Vec::new());
    for (number, kind) in (1..).zip(&kinds) {
        let column = kind.column();
        let of_kind = ids.iter().filter(|(of, _)| of == kind);
        let texts = of_kind.map(|(_, id)| id.as_str());
        let asked = if is_postgres {
            let texts = texts.map(Value::from).collect();
            values.push(Value::Array(ArrayType::String, Some(Box::new(texts))));
            format!("unnest(${number}::text[]) AS asked (value)")
        } else {
            let texts: serde_json::Value = texts.collect();
            values.push(texts.to_string().into());
            format!("json_each(${number}) AS asked")
        };
        selects.push(format!(
            "SELECT '{column}' AS kind, asked.value AS id FROM {asked} \
             WHERE EXISTS (SELECT 1 FROM fplane_record WHERE {column} = asked.value)"
        ));
    }
    let statement = Statement::from_sql_and_values(backend, selects.join(" UNION ALL "), values);
    let mut known = BTreeSet::new();
    for row in connection.query_all_raw(statement).await? {
        let (kind, id): (String, String) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        if let Some(kind) = kinds.iter().find(|it| it.column() == kind) {
            known.insert((*kind, id));
        }
    }
    Ok(known)
}
