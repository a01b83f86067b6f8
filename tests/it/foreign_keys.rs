//! What belongs to a row that goes is found by an index.

use sea_orm::{ConnectionTrait, DatabaseBackend, Statement};

use crate::support::Lab;

on_both_databases!(each_has_an_index);

const POSTGRES: &str = r"
SELECT conrelid::regclass || ' ' || conname AS without
FROM pg_constraint AS reference
WHERE contype = 'f' AND NOT EXISTS (
    SELECT 1 FROM pg_index
    WHERE indrelid = reference.conrelid
        AND (indkey::int2[])[0:cardinality(reference.conkey) - 1] @> reference.conkey
)
ORDER BY 1";

const SQLITE: &str = r#"
SELECT owner.name || ' ' || reference."from" AS without
FROM sqlite_schema AS owner, pragma_foreign_key_list(owner.name) AS reference
WHERE owner.type = 'table' AND reference.seq = 0
    AND NOT EXISTS (
        SELECT 1 FROM pragma_index_list(owner.name) AS list, pragma_index_info(list.name) AS part
        WHERE part.seqno = 0 AND part.name = reference."from"
    )
    AND NOT EXISTS (
        SELECT 1 FROM pragma_table_info(owner.name) AS part
        WHERE part.pk = 1 AND part.name = reference."from"
    )
ORDER BY 1"#;

async fn each_has_an_index(lab: Lab) {
    let database = lab.database().await;
    let sql = match database.backend() {
        DatabaseBackend::Postgres => POSTGRES,
        _ => SQLITE,
    };
    let question = Statement::from_string(database.backend(), sql);
    let rows = database.read().query_all_raw(question).await.expect("SQL");
    let name = |row: &sea_orm::QueryResult| row.try_get::<String>("", "without").expect("a name");
    let without: Vec<String> = rows.iter().map(name).collect();
    database.close().await;
    assert_eq!(without, Vec::<String>::new());
}
