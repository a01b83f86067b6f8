//! Registering and deleting datasets.

use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::derived::Derived;
use super::store::{Stored, store};
use super::{Author, Before, Mark, base_of, lock};
use crate::database::Database;
use crate::datasets::changes::{ChangeKind, event};
use crate::datasets::document::Document;
use crate::entity::base_uri;
use crate::entity::dataset::{Column, Entity};
use crate::events;
use crate::failure::Failure;

/// Registers a dataset; one with the same URI is replaced.
///
/// # Errors
/// A rejection if there is no such base URI where the author may register, if the dataset is not frozen, or if it stands in the
/// register otherwise than `before`.
pub async fn register(
    database: &Database,
    author: &Author<'_>,
    document: &Document,
    fingerprint: Option<&str>,
    before: &Before,
) -> Result<Stored, Failure> {
    if base_of(&document.uri) != document.base_uri {
        return Err(Failure::bad_input(
            "uri",
            "it must be base_uri, a slash and one name",
        ));
    }
    let derived = Derived::of(document);
    let transaction = database.begin().await?;
    let (field, message) = (
        "base_uri",
        "there is no such base URI, or you may not register datasets there",
    );
    let base_uri = lock(&transaction, &document.base_uri, author, field, message).await?;
    let by = author.user();
    let stored = store(
        &transaction,
        document,
        &derived,
        base_uri,
        by,
        fingerprint,
        before,
    );
    let stored = stored.await?;
    let kind = if stored.created {
        ChangeKind::Registered
    } else {
        ChangeKind::Updated
    };
    let told = event(kind, &stored.row, author.name());
    events::append(&transaction, vec![told]).await?;
    transaction.commit().await?;
    Ok(stored)
}

/// Deletes the dataset with this URI from the register; the dataset itself stays where it is. Says whether there was one:
/// deleting twice is no error.
///
/// # Errors
/// A rejection if the author may not register where the URI lies, or if the dataset stands in the register otherwise than
/// `before`.
pub async fn delete(
    database: &Database,
    author: &Author<'_>,
    uri: &str,
    before: &Before,
) -> Result<bool, Failure> {
    let transaction = database.begin().await?;
    let (field, message) = (
        "uri",
        "it lies in no base URI where you may register datasets",
    );
    let base_uri = lock(&transaction, base_of(uri), author, field, message).await?;
    // PostgreSQL refuses to look for what it cannot store.
    if uri.contains('\0') {
        return Ok(false);
    }
    let found = Entity::find()
        .filter(Column::Uri.eq(uri))
        .filter(Column::BaseUriId.eq(base_uri))
        .one(&transaction)
        .await?;
    before.check(
        found
            .as_ref()
            .map(|row| Mark::new(row.fingerprint.clone(), row.updated_at)),
    )?;
    let Some(row) = found else {
        return Ok(false);
    };
    // What belongs to it goes with it.
    Entity::delete_by_id(row.id).exec(&transaction).await?;
    base_uri::Entity::update_many()
        .col_expr(
            base_uri::Column::DatasetCount,
            Expr::col(base_uri::Column::DatasetCount).sub(1),
        )
        .filter(base_uri::Column::Id.eq(base_uri))
        .exec(&transaction)
        .await?;
    let told = event(ChangeKind::Deleted, &row, author.name());
    events::append(&transaction, vec![told]).await?;
    transaction.commit().await?;
    Ok(true)
}
