//! A place outside labql that is mirrored, such as an Autosubmit root.

use sea_orm::entity::prelude::*;

/// A place outside labql that is mirrored, such as an Autosubmit root.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "source")]
pub struct Model {
    /// Row id.
    #[sea_orm(primary_key)]
    pub id: i64,
    pub kind: String,
    pub location: String,
    /// Folders outside it into which its symbolic links may lead, as a JSON array of paths.
    pub allowed_folders: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
