//! Links of a dataset, in the transaction that writes it.

use sea_orm::sea_query::{ArrayType, LockType};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseBackend, DatabaseTransaction, DbErr, EntityTrait,
    QueryFilter, QuerySelect, Statement, Value,
};
use serde_json::Map;

use super::keys::{DependencyKeys, Parents};
use crate::entity::{dataset_lineage, dataset_link};
use crate::failure::Failure;

/// The row of `dataset_lineage`.
pub(super) const STATE: i64 = 1;

const POSTGRES: &str = "
INSERT INTO dataset_link (dataset_id, parent, dependency_key, uuid, base_uri_id)
SELECT dataset.id, new.parent, new.dependency_key, dataset.uuid, dataset.base_uri_id
FROM dataset CROSS JOIN unnest($2::text[], $3::text[]) AS new (parent, dependency_key)
WHERE dataset.id = $1
";
/// A link is an array of parent and key.
const SQLITE: &str = "
INSERT INTO dataset_link (dataset_id, parent, dependency_key, uuid, base_uri_id)
SELECT dataset.id, new.value ->> 0, new.value ->> 1, dataset.uuid, dataset.base_uri_id
FROM dataset CROSS JOIN json_each(?2) AS new
WHERE dataset.id = ?1
";

/// Writes the links of a dataset, by the keys in force, in the place of those that there were. Until the transaction ends the
/// keys stay in force.
pub async fn links(
    transaction: &DatabaseTransaction,
    dataset: i64,
    readme: Option<&serde_json::Value>,
    annotations: &Map<String, serde_json::Value>,
) -> Result<(), Failure> {
    let state = dataset_lineage::Entity::find_by_id(STATE)
        .lock(LockType::Share)
        .one(transaction)
        .await?
        .ok_or_else(|| Failure::internal("no dependency keys are in force"))?;
    let keys = in_force(&state)?;
    Ok(replace(transaction, dataset, &keys.parents(readme, annotations)).await?)
}

/// The keys that the database names.
pub(super) fn in_force(state: &dataset_lineage::Model) -> Result<DependencyKeys, Failure> {
    serde_json::from_str(&state.dependency_keys).map_err(Failure::internal)
}

/// Puts these links in the place of those that there were.
pub(super) async fn replace(
    transaction: &DatabaseTransaction,
    dataset: i64,
    parents: &Parents<'_>,
) -> Result<(), DbErr> {
    dataset_link::Entity::delete_many()
        .filter(dataset_link::Column::DatasetId.eq(dataset))
        .exec(transaction)
        .await?;
    if parents.is_empty() {
        return Ok(());
    }
    let backend = transaction.get_database_backend();
    let statement = if backend == DatabaseBackend::Postgres {
        let texts = |texts: Vec<Value>| Value::Array(ArrayType::String, Some(Box::new(texts)));
        let uuids = parents.iter().map(|(uuid, _)| uuid.as_str().into());
        let keys = parents.iter().map(|(_, key)| (*key).into());
        let values = [
            dataset.into(),
            texts(uuids.collect()),
            texts(keys.collect()),
        ];
        Statement::from_sql_and_values(backend, POSTGRES, values)
    } else {
        let rows: serde_json::Value = parents
            .iter()
            .map(|(uuid, key)| serde_json::json!([uuid, key]))
            .collect();
        Statement::from_sql_and_values(backend, SQLITE, [dataset.into(), rows.to_string().into()])
    };
    transaction.execute_raw(statement).await.map(drop)
}
