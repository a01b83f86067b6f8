//! The row of a source.

use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Set};

use super::KIND;
use crate::database::Database;
use crate::entity::source::{ActiveModel, Column, Entity};
use crate::failure::Failure;

/// The id of the source at this place: its row is made unless it is there, whoever else makes it at this moment. Without
/// `allowed` the folders into which its links may lead stay as they are noted.
pub async fn id(
    database: &Database,
    location: &str,
    allowed: Option<&[String]>,
) -> Result<i64, Failure> {
    let folders = serde_json::Value::from(allowed.unwrap_or_default()).to_string();
    let known = || {
        Entity::find()
            .filter(Column::Kind.eq(KIND))
            .filter(Column::Location.eq(location))
    };
    if let Some(known) = known().one(database.read()).await?
        && (allowed.is_none() || known.allowed_folders == folders)
    {
        return Ok(known.id);
    }
    let transaction = database.begin().await?;
    let row = ActiveModel {
        kind: Set(KIND.to_owned()),
        location: Set(location.to_owned()),
        allowed_folders: Set(folders),
        ..Default::default()
    };
    let mut known_already = OnConflict::columns([Column::Kind, Column::Location]);
    if allowed.is_some() {
        known_already.update_column(Column::AllowedFolders);
    } else {
        known_already.do_nothing();
    }
    Entity::insert(row)
        .on_conflict(known_already)
        .exec_without_returning(&transaction)
        .await?;
    let made = known().one(&transaction).await?;
    transaction.commit().await?;
    made.map(|source| source.id)
        .ok_or_else(|| Failure::internal("the source is gone from the database"))
}
