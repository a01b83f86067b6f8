//! A long-lived secret of a user; only its hash is kept.

use sea_orm::entity::prelude::*;

/// A long-lived secret of a user; only its hash is kept.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_key")]
pub struct Model {
    /// Row id.
    #[sea_orm(primary_key)]
    pub id: i64,
    pub user_id: i64,
    pub label: String,
    /// SHA-256 of the secret, hexadecimal.
    pub secret_hash: String,
    /// Milliseconds since 1970-01-01 UTC.
    pub created_at: i64,
    /// Milliseconds since 1970-01-01 UTC.
    pub expires_at: Option<i64>,
    /// Milliseconds since 1970-01-01 UTC.
    pub revoked_at: Option<i64>,
    /// Milliseconds since 1970-01-01 UTC, kept to the minute.
    pub last_used_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(
        belongs_to = "super::user::Entity",
        from = "Column::UserId",
        to = "super::user::Column::Id"
    )]
    User,
}

impl Related<super::user::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::User.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}
