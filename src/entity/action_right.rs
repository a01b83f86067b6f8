//! What a user may have Autosubmit do.

use sea_orm::entity::prelude::*;

/// What a user may have Autosubmit do.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "action_right")]
pub struct Model {
    /// Row id.
    #[sea_orm(primary_key)]
    pub id: i64,
    pub user_id: i64,
    pub kind: String,
    /// A pattern of expids; empty: the user's own experiments.
    pub experiments: String,
    /// Milliseconds since 1970-01-01 UTC.
    pub granted_at: i64,
    /// A username.
    pub granted_by: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
