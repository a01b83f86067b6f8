//! A dataset as it was written.

use std::collections::BTreeMap;

use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};

use crate::datasets::document::{Document, Item, Manifest, Readme, ReadmeProblem};
use crate::datasets::text::index::MOST_WORDS;
use crate::entity::{dataset, dataset_item};
use crate::failure::Failure;

/// The dataset of a row with all by which it is found; that is, without its overlays, and of a large one without the items of
/// which no word is found any more.
pub async fn document(
    transaction: &DatabaseTransaction,
    row: &dataset::Model,
) -> Result<Document, Failure> {
    use dataset_item::Column::{DatasetId, Identifier};
    let items = dataset_item::Entity::find()
        .filter(DatasetId.eq(row.id))
        .order_by_asc(Identifier)
        // Each has a path with a word at least, or so many have none that nothing is found by them.
        .limit(MOST_WORDS as u64)
        .all(transaction)
        .await?;
    let content = match (&row.readme, &row.readme_problem) {
        (Some(content), _) => Ok(parse(content)?),
        (None, problem) => Err(ReadmeProblem {
            message: problem.clone().unwrap_or_default(),
            line: None,
            column: None,
        }),
    };
    Ok(Document {
        uri: row.uri.clone(),
        base_uri: row.base_uri.clone(),
        uuid: row.uuid.clone(),
        name: row.name.clone(),
        creator_username: row.creator_username.clone(),
        created_at: Some(row.created_at),
        frozen_at: Some(row.frozen_at),
        dtoolcore_version: row.dtoolcore_version.clone(),
        readme: Readme {
            text: row.readme_text.clone(),
            content,
        },
        annotations: parse(&row.annotations)?,
        tags: parse(&row.tags)?,
        manifest: Some(Manifest {
            dtoolcore_version: row.manifest_version.clone(),
            hash_function: row.hash_function.clone(),
            items: items.into_iter().map(item).collect(),
        }),
        item_count: row.item_count,
        size_bytes: row.size_bytes,
        overlays: BTreeMap::new(),
    })
}

fn item(row: dataset_item::Model) -> Item {
    Item {
        identifier: row.identifier,
        relpath: row.relpath,
        hash: row.hash,
        size_bytes: row.size_bytes,
        modified_at: row.modified_at,
    }
}

/// JSON that was written here.
pub(super) fn parse<T: serde::de::DeserializeOwned>(json: &str) -> Result<T, Failure> {
    serde_json::from_str(json).map_err(Failure::internal)
}
