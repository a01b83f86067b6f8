//! Base URIs: administrators make and delete them. What users may do there is set with their accounts
//! ([`accounts::set_grant`](crate::auth::accounts::set_grant)).

use chrono::Utc;
use sea_orm::sea_query::{Expr, ExprTrait as _, OnConflict};
use sea_orm::{
    ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QuerySelect, Set,
};

use crate::auth::changes::tell;
use crate::database::Database;
use crate::datasets::registration::check_base_uri;
use crate::entity::base_uri::{ActiveModel, Column, Entity, Model};
use crate::entity::{base_uri_grant, dataset, user};
use crate::failure::{Failure, RejectionCode};
use crate::time::Millis;

/// Makes a base URI. Says whether it is new: making it twice is no error.
///
/// # Errors
/// A rejection if the text is none of a base URI.
pub async fn register(database: &Database, uri: &str) -> Result<(Model, bool), Failure> {
    check_base_uri("uri", uri)?;
    let transaction = database.begin().await?;
    let new = ActiveModel {
        uri: Set(uri.to_owned()),
        created_at: Set(Utc::now().millis()),
        indexed_at: Set(None),
        dataset_count: Set(0),
        ..Default::default()
    };
    let nothing = OnConflict::column(Column::Uri).do_nothing().to_owned();
    let made = Entity::insert(new)
        .on_conflict(nothing)
        .exec_without_returning(&transaction)
        .await?;
    let row = Entity::find()
        .filter(Column::Uri.eq(uri))
        .one(&transaction)
        .await?
        .ok_or_else(|| Failure::internal("a base URI was not made"))?;
    transaction.commit().await?;
    Ok((row, made > 0))
}

/// How many datasets are deleted in one transaction. Each may have some hundred thousand rows.
const BATCH: u64 = 100;

/// Deletes a base URI with all rights to it. With datasets below it only if `with_datasets` says so: then only the rights are
/// taken away here, and its row id is answered, for [`empty`]. Nobody may search there any more, so nobody is told of the
/// datasets.
///
/// # Errors
/// A rejection if there is no such base URI, or if datasets are registered there.
pub async fn delete(
    database: &Database,
    actor: &str,
    uri: &str,
    with_datasets: bool,
) -> Result<Option<i64>, Failure> {
    let missing = || {
        Failure::rejected(
            RejectionCode::NotFound,
            Some("uri"),
            "there is no such base URI",
        )
    };
    if uri.contains('\0') {
        return Err(missing());
    }
    let transaction = database.begin().await?;
    let row = Entity::find()
        .filter(Column::Uri.eq(uri))
        .lock_exclusive()
        .one(&transaction)
        .await?
        .ok_or_else(missing)?;
    if row.dataset_count > 0 && !with_datasets {
        return Err(Failure::rejected(
            RejectionCode::Conflict,
            Some("uri"),
            "datasets are registered there: delete them first, or ask for that with `withDatasets`",
        ));
    }
    for username in granted(&transaction, row.id).await? {
        tell(&transaction, &username, "grant-set", actor).await?;
    }
    base_uri_grant::Entity::delete_many()
        .filter(base_uri_grant::Column::BaseUriId.eq(row.id))
        .exec(&transaction)
        .await?;
    let is_empty = row.dataset_count == 0;
    if is_empty {
        Entity::delete_by_id(row.id).exec(&transaction).await?;
    }
    transaction.commit().await?;
    tracing::info!(actor, uri, "deleted a base URI");
    Ok((!is_empty).then_some(row.id))
}

/// Deletes the datasets of a base URI some by some, so that others can write in between, and in the end itself. After an end
/// half-way the rest is still there, and nobody but an administrator knows of it, who deletes it again.
pub async fn empty(database: &Database, base_uri: i64) -> Result<(), Failure> {
    while some(database, base_uri).await? {}
    Ok(())
}

/// Says whether there may be more.
async fn some(database: &Database, base_uri: i64) -> Result<bool, Failure> {
    let transaction = database.begin().await?;
    let row = Entity::find_by_id(base_uri).lock_exclusive();
    if row.one(&transaction).await?.is_none() {
        return Ok(false);
    }
    let datasets: Vec<i64> = dataset::Entity::find()
        .select_only()
        .column(dataset::Column::Id)
        .filter(dataset::Column::BaseUriId.eq(base_uri))
        .limit(BATCH)
        .into_tuple()
        .all(&transaction)
        .await?;
    if datasets.is_empty() {
        Entity::delete_by_id(base_uri).exec(&transaction).await?;
    } else {
        let deleted = i64::try_from(datasets.len()).unwrap_or(i64::MAX);
        dataset::Entity::delete_many()
            .filter(dataset::Column::Id.is_in(datasets.iter().copied()))
            .exec(&transaction)
            .await?;
        Entity::update_many()
            .col_expr(
                Column::DatasetCount,
                Expr::col(Column::DatasetCount).sub(deleted),
            )
            .filter(Column::Id.eq(base_uri))
            .exec(&transaction)
            .await?;
    }
    transaction.commit().await?;
    Ok(!datasets.is_empty())
}

/// Who may do something there.
async fn granted(transaction: &DatabaseTransaction, base_uri: i64) -> Result<Vec<String>, DbErr> {
    let grants = base_uri_grant::Entity::find()
        .filter(base_uri_grant::Column::BaseUriId.eq(base_uri))
        .find_also_related(user::Entity)
        .all(transaction)
        .await?;
    let names = grants
        .into_iter()
        .filter_map(|(_, user)| Some(user?.username));
    Ok(names.collect())
}
