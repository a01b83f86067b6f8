//! Links by other keys than before.
//!
//! How far it is stands in the database: after an end it goes on from there, and several servers may do it together. Whoever
//! writes a dataset keeps the row with the keys from being changed, and the other way round, so no link is made by keys
//! that are not in force any more, and none is lost. Until it is done, datasets further on have the links that they had.

use sea_orm::sea_query::LockType;
use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};
use tokio_util::sync::CancellationToken;

use super::keys::{DependencyKeys, Parents};
use super::write::{STATE, in_force, replace};
use crate::database::Database;
use crate::entity::{dataset, dataset_lineage};
use crate::failure::Failure;

/// Datasets of one transaction. Each may have a README and annotations of some megabytes.
const BATCH: u64 = 32;

/// Puts these keys in force. Says whether they are others than before; then [`rebuild`] is due.
pub async fn adopt(database: &Database, keys: &DependencyKeys) -> Result<bool, Failure> {
    let transaction = database.begin().await?;
    let state = lock(&transaction).await?;
    if in_force(&state).is_ok_and(|before| before == *keys) {
        return Ok(false);
    }
    let text = serde_json::to_string(keys).map_err(Failure::internal)?;
    dataset_lineage::Entity::update_many()
        .col_expr(dataset_lineage::Column::DependencyKeys, text.into())
        .col_expr(dataset_lineage::Column::RebuiltTo, 0_i64.into())
        .filter(dataset_lineage::Column::Id.eq(STATE))
        .exec(&transaction)
        .await?;
    transaction.commit().await?;
    Ok(true)
}

/// Makes all links anew that are not known to be made by the keys in force. Ends before it is done when it is told to stop.
pub async fn rebuild(database: &Database, stop: &CancellationToken) -> Result<(), Failure> {
    let mut datasets = 0;
    while !stop.is_cancelled() {
        let Some(done) = batch(database).await? else {
            if datasets > 0 {
                tracing::info!(datasets, "links between datasets were made anew");
            }
            break;
        };
        datasets += done;
    }
    Ok(())
}

/// The next few datasets; none: nothing was left to do.
async fn batch(database: &Database) -> Result<Option<usize>, Failure> {
    use dataset::Column::{Annotations, Id, Readme};
    let transaction = database.begin().await?;
    let state = lock(&transaction).await?;
    let Some(from) = state.rebuilt_to else {
        return Ok(None);
    };
    let keys = in_force(&state)?;
    // Nobody deletes one of them meanwhile.
    let rows: Vec<(i64, Option<String>, String)> = dataset::Entity::find()
        .select_only()
        .columns([Id, Readme, Annotations])
        .filter(Id.gt(from))
        .order_by_asc(Id)
        .limit(BATCH)
        .lock(LockType::KeyShare)
        .into_tuple()
        .all(&transaction)
        .await?;
    for (id, readme, annotations) in &rows {
        match parents(&keys, readme.as_deref(), annotations) {
            Ok(parents) => replace(&transaction, *id, &parents).await?,
            // The others are not to wait for it.
            Err(error) => {
                tracing::error!(dataset = id, %error, "the links of a dataset stay as they were");
            }
        }
    }
    let is_last = (rows.len() as u64) < BATCH;
    let reached = rows.last().map(|(id, ..)| *id).filter(|_| !is_last);
    dataset_lineage::Entity::update_many()
        .col_expr(dataset_lineage::Column::RebuiltTo, reached.into())
        .filter(dataset_lineage::Column::Id.eq(STATE))
        .exec(&transaction)
        .await?;
    transaction.commit().await?;
    Ok(Some(rows.len()))
}

/// What a row says that its dataset was derived from.
fn parents<'a>(
    keys: &'a DependencyKeys,
    readme: Option<&str>,
    annotations: &str,
) -> Result<Parents<'a>, serde_json::Error> {
    let readme: Option<serde_json::Value> = readme.map(serde_json::from_str).transpose()?;
    Ok(keys.parents(readme.as_ref(), &serde_json::from_str(annotations)?))
}

async fn lock(transaction: &DatabaseTransaction) -> Result<dataset_lineage::Model, Failure> {
    dataset_lineage::Entity::find_by_id(STATE)
        .lock(LockType::Update)
        .one(transaction)
        .await?
        .ok_or_else(|| Failure::internal("no dependency keys are in force"))
}
