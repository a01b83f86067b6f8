//! What a dataset was derived from.

use sea_orm::entity::prelude::*;

/// That a dataset was derived from another one, which need not be registered.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "dataset_link")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub dataset_id: i64,
    /// The UUID of the other one.
    #[sea_orm(primary_key, auto_increment = false)]
    pub parent: String,
    /// Where in the document of the dataset this UUID stands.
    #[sea_orm(primary_key, auto_increment = false)]
    pub dependency_key: String,
    /// The UUID of the dataset itself.
    pub uuid: String,
    /// The base URI of the dataset itself.
    pub base_uri_id: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
