//! What a creating mutation made the first time its key was seen.

use sea_orm::entity::prelude::*;

/// What a creating mutation made the first time its key was seen.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "idempotency_key")]
pub struct Model {
    /// Row id.
    #[sea_orm(primary_key)]
    pub id: i64,
    pub actor: String,
    pub mutation: String,
    pub key: String,
    /// SHA-256 of the input: the same key with another input is a conflict.
    pub request_hash: String,
    pub subject_id: i64,
    /// Milliseconds since 1970-01-01 UTC.
    pub created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
