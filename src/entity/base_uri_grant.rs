//! What a user may do with the datasets of a base URI.

use sea_orm::entity::prelude::*;

/// What a user may do with the datasets of a base URI; one of the two at least.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "base_uri_grant")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub base_uri_id: i64,
    pub can_search: bool,
    pub can_register: bool,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(
        belongs_to = "super::user::Entity",
        from = "Column::UserId",
        to = "super::user::Column::Id"
    )]
    User,
    #[sea_orm(
        belongs_to = "super::base_uri::Entity",
        from = "Column::BaseUriId",
        to = "super::base_uri::Column::Id"
    )]
    BaseUri,
}

impl Related<super::user::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::User.def()
    }
}

impl Related<super::base_uri::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::BaseUri.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}
