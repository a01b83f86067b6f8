//! What is derived from a dataset so that it is found and its lineage known: kept in its transaction, and made anew whenever it changes.

use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{ConnectionTrait, DatabaseTransaction};

use crate::datasets::document::Document;
use crate::datasets::{lineage, mongo, text};
use crate::failure::Failure;

/// What is derived from a dataset to find it. It takes a while to make of a large one, so a command makes it before its
/// transaction begins: with SQLite all others wait for that to end.
#[derive(Debug)]
pub struct Derived {
    /// Its values, as rows.
    pub values: mongo::Flattened,
    /// Its words.
    pub words: text::Indexed,
}

impl Derived {
    /// Of this dataset.
    pub fn of(document: &Document) -> Self {
        Self {
            values: mongo::flatten(document),
            words: text::index(document),
        }
    }
}

/// Writes all that is derived from a dataset and does not stand in its row. What was derived from it before is taken away
/// first; when the dataset itself is deleted, what refers to its row goes with it.
pub async fn rows(
    transaction: &DatabaseTransaction,
    dataset: i64,
    document: &Document,
    derived: &Derived,
) -> Result<(), Failure> {
    let Derived { values, words } = derived;
    let readme = document.readme.content.as_ref().ok();
    lineage::links(transaction, dataset, readme, &document.annotations).await?;
    let mut delete = Query::delete();
    delete
        .from_table("dataset_value")
        .and_where(Expr::col("dataset_id").eq(dataset));
    transaction.execute(&delete).await?;
    for insert in values.inserts(dataset) {
        transaction.execute(&insert).await?;
    }
    for statement in text::beside_row(dataset, words, transaction.get_database_backend()) {
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
