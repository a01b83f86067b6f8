//! Rows that belong to a dataset, many with one statement. However many they are, the statement is the same, so that it
//! is prepared once.

use sea_orm::sea_query::ArrayType;
use sea_orm::{ConnectionTrait, DatabaseBackend, DatabaseTransaction, DbErr, Statement, Value};

use crate::datasets::document::{Item, Overlay};
use crate::text::without_zero;

/// How many rows one statement inserts.
const CHUNK: usize = 5_000;

const TAGS_POSTGRES: &str = "
INSERT INTO dataset_tag (dataset_id, tag) SELECT $1, tag FROM unnest($2::text[]) AS new (tag)
";
const TAGS_SQLITE: &str = "
INSERT INTO dataset_tag (dataset_id, tag) SELECT ?1, value FROM json_each(?2)
";
const ITEMS_POSTGRES: &str = "
INSERT INTO dataset_item (dataset_id, identifier, relpath, hash, size_bytes, modified_at)
SELECT $1, identifier, relpath, hash, size_bytes, modified_at
FROM unnest($2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[])
    AS new (identifier, relpath, hash, size_bytes, modified_at)
";
/// An item is an array of its columns.
const ITEMS_SQLITE: &str = "
INSERT INTO dataset_item (dataset_id, identifier, relpath, hash, size_bytes, modified_at)
SELECT ?1, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each(?2)
";
const OVERLAY_POSTGRES: &str = "
INSERT INTO dataset_overlay_value (overlay_id, identifier, value)
SELECT $1, identifier, value FROM unnest($2::text[], $3::text[]) AS new (identifier, value)
";
const OVERLAY_SQLITE: &str = "
INSERT INTO dataset_overlay_value (overlay_id, identifier, value)
SELECT ?1, value ->> 0, value ->> 1 FROM json_each(?2)
";

/// Inserts the tags of a dataset.
pub async fn tags(
    transaction: &DatabaseTransaction,
    dataset: i64,
    tags: &[String],
) -> Result<(), DbErr> {
    if tags.is_empty() {
        return Ok(());
    }
    let backend = transaction.get_database_backend();
    let statement = if backend == DatabaseBackend::Postgres {
        let values = [dataset.into(), texts(tags.iter())];
        Statement::from_sql_and_values(backend, TAGS_POSTGRES, values)
    } else {
        let tags = serde_json::Value::from(tags).to_string();
        Statement::from_sql_and_values(backend, TAGS_SQLITE, [dataset.into(), tags.into()])
    };
    transaction.execute_raw(statement).await.map(drop)
}

/// Inserts the items of a dataset.
pub async fn items(
    transaction: &DatabaseTransaction,
    dataset: i64,
    items: &[Item],
) -> Result<(), DbErr> {
    let backend = transaction.get_database_backend();
    for items in items.chunks(CHUNK) {
        let statement = if backend == DatabaseBackend::Postgres {
            let values = [
                dataset.into(),
                texts(items.iter().map(|item| &item.identifier)),
                texts(items.iter().map(|item| &item.relpath)),
                texts(items.iter().map(|item| &item.hash)),
                numbers(items.iter().map(|item| item.size_bytes)),
                numbers(items.iter().map(|item| item.modified_at)),
            ];
            Statement::from_sql_and_values(backend, ITEMS_POSTGRES, values)
        } else {
            let columns = |item: &Item| {
                serde_json::json!([
                    without_zero(&item.identifier),
                    without_zero(&item.relpath),
                    without_zero(&item.hash),
                    item.size_bytes,
                    item.modified_at,
                ])
            };
            let rows: serde_json::Value = items.iter().map(columns).collect();
            let values = [dataset.into(), rows.to_string().into()];
            Statement::from_sql_and_values(backend, ITEMS_SQLITE, values)
        };
        transaction.execute_raw(statement).await?;
    }
    Ok(())
}

/// Inserts the values of an overlay.
pub async fn overlay(
    transaction: &DatabaseTransaction,
    overlay: i64,
    values: &Overlay,
) -> Result<(), DbErr> {
    let backend = transaction.get_database_backend();
    let values: Vec<(String, String)> = values
        .iter()
        .map(|(identifier, value)| (without_zero(identifier), value.to_string()))
        .collect();
    for values in values.chunks(CHUNK) {
        let statement = if backend == DatabaseBackend::Postgres {
            let bound = [
                overlay.into(),
                texts(values.iter().map(|(identifier, _)| identifier)),
                texts(values.iter().map(|(_, value)| value)),
            ];
            Statement::from_sql_and_values(backend, OVERLAY_POSTGRES, bound)
        } else {
            let rows = serde_json::json!(values).to_string();
            Statement::from_sql_and_values(backend, OVERLAY_SQLITE, [overlay.into(), rows.into()])
        };
        transaction.execute_raw(statement).await?;
    }
    Ok(())
}

fn texts<'a>(texts: impl Iterator<Item = &'a String>) -> Value {
    let texts = texts.map(|text| Value::from(without_zero(text))).collect();
    Value::Array(ArrayType::String, Some(Box::new(texts)))
}

fn numbers(numbers: impl Iterator<Item = i64>) -> Value {
    let numbers = numbers.map(Value::from).collect();
    Value::Array(ArrayType::BigInt, Some(Box::new(numbers)))
}
