//! Where the content of an item is.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};

use super::Reader;
use crate::database::Database;
use crate::entity::{dataset, dataset_item};
use crate::failure::Failure;

/// An item, as the manifest has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrozenItem {
    /// Its path in the dataset.
    pub relpath: String,
    /// The hash of its content.
    pub hash: String,
    /// Its size in bytes.
    pub size_bytes: i64,
}

/// The item with this identifier of the dataset with this URI, if there is one that this reader may see.
pub async fn item(
    database: &Database,
    reader: Reader,
    uri: &str,
    identifier: &str,
) -> Result<Option<FrozenItem>, Failure> {
    use dataset_item::Column::{DatasetId, Hash, Identifier, Relpath, SizeBytes};
    // PostgreSQL refuses to look for what it cannot store.
    if uri.contains('\0') || identifier.contains('\0') {
        return Ok(None);
    }
    let of = dataset::Entity::find()
        .select_only()
        .column(dataset::Column::Id)
        .filter(dataset::Column::Uri.eq(uri))
        .filter(reader.may_see());
    let found: Option<(String, String, i64)> = dataset_item::Entity::find()
        .select_only()
        .columns([Relpath, Hash, SizeBytes])
        .filter(DatasetId.in_subquery(sea_orm::QueryTrait::into_query(of)))
        .filter(Identifier.eq(identifier))
        .into_tuple()
        .one(database.read())
        .await?;
    Ok(found.map(|(relpath, hash, size_bytes)| FrozenItem {
        relpath,
        hash,
        size_bytes,
    }))
}
