//! Writing a dataset with all that belongs to it.

use sea_orm::sea_query::{Alias, Expr, ExprTrait, IntoIden, Query, SimpleExpr};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait,
    IntoActiveModel, Iterable, NotSet, QueryFilter, QuerySelect, Set,
};

use super::bulk;
use super::derived::{self, Derived};
use super::{Before, Mark};
use crate::datasets::document::{Document, Manifest, Readme};
use crate::datasets::text;
use crate::entity::dataset::{ActiveModel, Column, Entity, Model};
use crate::entity::{base_uri, dataset_item, dataset_overlay, dataset_tag};
use crate::failure::Failure;
use crate::text::without_zero;

/// A dataset that was written.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Its row, but for README and annotations; of one that was replaced as if it were registered now.
    pub row: Model,
    /// Is it new, or did it take the place of one with the same URI?
    pub created: bool,
}

/// Writes a frozen dataset below the base URI of this row id, which is locked; one with the same URI is replaced whole and
/// keeps its row. Its event is for the command to tell.
///
/// `fingerprint` is what the dataset looked like when it was read; none: somebody told of it.
///
/// # Errors
/// A rejection if the dataset is not frozen; a conflict if it stands in the register otherwise than `before`.
pub async fn store(
    transaction: &DatabaseTransaction,
    document: &Document,
    derived: &Derived,
    base_uri: i64,
    registered_by: Option<i64>,
    fingerprint: Option<&str>,
    before: &Before,
) -> Result<Stored, Failure> {
    let Some(frozen_at) = document.frozen_at else {
        return Err(Failure::bad_input("frozen_at", "it is not frozen yet"));
    };
    let known: Option<(i64, i64, Option<String>, i64)> = Entity::find()
        .select_only()
        .columns([
            Column::Id,
            Column::BaseUriId,
            Column::Fingerprint,
            Column::UpdatedAt,
        ])
        .filter(Column::Uri.eq(&document.uri))
        .into_tuple()
        .one(transaction)
        .await?;
    let mark = known
        .clone()
        .map(|(.., fingerprint, updated_at)| Mark::new(fingerprint, updated_at));
    let now = Mark::next(mark.as_ref().map(|mark| mark.updated_at));
    before.check(mark)?;
    let known = known.map(|(id, base_uri, ..)| (id, base_uri));
    // A dataset is what its URI without the last part says; two texts of one base URI there are not.
    if known.is_some_and(|(_, before)| before != base_uri) {
        return Err(Failure::internal("a dataset lies in two base URIs"));
    }
    let tags: Vec<String> = document.tags.iter().map(|tag| without_zero(tag)).collect();
    let manifest = document.manifest.as_ref();
    let text = |text: &Option<String>| text.as_deref().map(without_zero);
    let shown = Model {
        base_uri_id: base_uri,
        base_uri: without_zero(&document.base_uri),
        uri: document.uri.clone(),
        uuid: without_zero(&document.uuid),
        name: without_zero(&document.name),
        creator_username: without_zero(&document.creator_username),
        created_at: document.created_at.unwrap_or(frozen_at),
        frozen_at,
        item_count: document.item_count,
        size_bytes: document.size_bytes,
        manifest_count: manifest.map_or(0, Manifest::item_count),
        hash_function: manifest.and_then(|manifest| text(&manifest.hash_function)),
        manifest_version: manifest.and_then(|manifest| text(&manifest.dtoolcore_version)),
        dtoolcore_version: text(&document.dtoolcore_version),
        fingerprint: fingerprint.map(str::to_owned),
        registered_at: now,
        registered_by,
        updated_at: now,
        tags: json(&tags)?,
        ..Model::default()
    };
    let mut row = shown.clone().into_active_model().reset_all();
    row.annotations = Set(json(&document.annotations)?);
    set_readme(&mut row, &document.readme)?;
    let in_row = text::in_row(&derived.words, transaction.get_database_backend());
    let id = if let Some((id, _)) = known {
        (row.registered_at, row.registered_by) = (NotSet, NotSet);
        update(transaction, id, row, in_row).await?;
        clear(transaction, id).await?;
        id
    } else {
        base_uri::Entity::update_many()
            .col_expr(
                base_uri::Column::DatasetCount,
                Expr::col(base_uri::Column::DatasetCount).add(1),
            )
            .filter(base_uri::Column::Id.eq(base_uri))
            .exec(transaction)
            .await?;
        row.id = NotSet;
        insert(transaction, &row, in_row).await?
    };
    bulk::tags(transaction, id, &tags).await?;
    if let Some(manifest) = manifest {
        bulk::items(transaction, id, &manifest.items).await?;
    }
    for (name, overlay) in &document.overlays {
        let row = dataset_overlay::ActiveModel {
            id: NotSet,
            dataset_id: Set(id),
            name: Set(without_zero(name)),
            value_count: Set(i64::try_from(overlay.len()).unwrap_or(i64::MAX)),
        };
        let inserted = dataset_overlay::Entity::insert(row)
            .exec(transaction)
            .await?;
        bulk::overlay(transaction, inserted.last_insert_id, overlay).await?;
    }
    derived::rows(transaction, id, document, derived).await?;
    Ok(Stored {
        row: Model { id, ..shown },
        created: known.is_none(),
    })
}

/// Sets the columns of the README.
pub(super) fn set_readme(row: &mut ActiveModel, readme: &Readme) -> Result<(), Failure> {
    row.readme_text = Set(without_zero(&readme.text));
    (row.readme, row.readme_problem) = match &readme.content {
        Ok(content) => (Set(Some(json(content)?)), Set(None)),
        Err(problem) => {
            let message = match (problem.line, problem.column) {
                (Some(line), Some(column)) => {
                    format!("{} (line {line}, column {column})", problem.message)
                }
                _ => problem.message.clone(),
            };
            (Set(None), Set(Some(without_zero(&message))))
        }
    };
    Ok(())
}

/// A column that only one of the databases has, and its value.
type Beside = Option<(&'static str, SimpleExpr)>;

/// Inserts a row, and gives its id. All columns at once: to write a row again is to write it into each of its indexes again.
async fn insert(
    transaction: &DatabaseTransaction,
    row: &ActiveModel,
    beside: Beside,
) -> Result<i64, DbErr> {
    let own = Column::iter().filter_map(|column| {
        let value = row.get(column).into_value()?;
        Some((column.into_iden(), Expr::value(value)))
    });
    let beside = beside.map(|(column, value)| (Alias::new(column).into_iden(), value));
    let (columns, values): (Vec<_>, Vec<_>) = own.chain(beside).unzip();
    let mut insert = Query::insert();
    insert
        .into_table(Entity)
        .columns(columns)
        .values(values)
        .map_err(|error| DbErr::Custom(error.to_string()))?
        .returning_col(Column::Id);
    let inserted = transaction.query_one(&insert).await?;
    inserted
        .ok_or(DbErr::RecordNotInserted)?
        .try_get_by_index(0)
}

/// Updates these columns of a row. (The update of an `ActiveModel` would read the row back, its README with it.)
pub(super) async fn update(
    transaction: &DatabaseTransaction,
    id: i64,
    row: ActiveModel,
    beside: Beside,
) -> Result<(), DbErr> {
    let changed = ActiveModel { id: NotSet, ..row };
    let mut update = Entity::update_many().set(changed);
    if let Some((column, value)) = beside {
        update = update.col_expr(Alias::new(column), value);
    }
    update
        .filter(Column::Id.eq(id))
        .exec(transaction)
        .await
        .map(drop)
}

/// JSON of what serde knows.
pub(super) fn json(value: &impl serde::Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(Failure::internal)
}

/// Takes away what belongs to a dataset.
async fn clear(transaction: &DatabaseTransaction, id: i64) -> Result<(), DbErr> {
    dataset_tag::Entity::delete_many()
        .filter(dataset_tag::Column::DatasetId.eq(id))
        .exec(transaction)
        .await?;
    dataset_item::Entity::delete_many()
        .filter(dataset_item::Column::DatasetId.eq(id))
        .exec(transaction)
        .await?;
    dataset_overlay::Entity::delete_many()
        .filter(dataset_overlay::Column::DatasetId.eq(id))
        .exec(transaction)
        .await?;
    Ok(())
}
