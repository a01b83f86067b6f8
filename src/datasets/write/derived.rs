//! What is derived from a dataset so that it is found and its lineage known: kept in its transaction, and made anew whenever it changes.

use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{ConnectionTrait, DatabaseTransaction};

use crate::datasets::document::Document;
use crate::datasets::{lineage, mongo, text};
use crate::failure::Failure;

/// Writes all that is derived from a dataset. What was derived from it before is taken away first; when the dataset itself
/// is deleted, what refers to its row goes with it.
pub async fn rows(
    transaction: &DatabaseTransaction,
    dataset: i64,
    document: &Document,
) -> Result<(), Failure> {
    let readme = document.readme.content.as_ref().ok();
    lineage::links(transaction, dataset, readme, &document.annotations).await?;
    let mut delete = Query::delete();
    delete
        .from_table("dataset_value")
        .and_where(Expr::col("dataset_id").eq(dataset));
    transaction.execute(&delete).await?;
    let values = mongo::flatten(document);
    for insert in values.inserts(dataset) {
        transaction.execute(&insert).await?;
    }
    let words = text::index(document);
    for statement in text::replace(dataset, &words, transaction.get_database_backend()) {
        transaction.execute_raw(statement).await?;
    }
    if values.cut || words.cut {
        tracing::info!(
            uri = %document.uri,
            "some of a large dataset will not be found"
        );
    }
    Ok(())
}
