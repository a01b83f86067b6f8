//! Who belongs to a group.

use sea_orm::entity::prelude::*;

/// Who belongs to a group, and what they may do there. Times are milliseconds since 1970-01-01 UTC.
#[derive(Clone, Debug, Default, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "flow_group_member")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub group_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: i64,
    /// See `flows::rights::Role`.
    pub role: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(
        belongs_to = "super::flow_group::Entity",
        from = "Column::GroupId",
        to = "super::flow_group::Column::Id"
    )]
    Group,
}

impl ActiveModelBehavior for ActiveModel {}
