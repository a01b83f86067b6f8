//! A job inside a wrapper.

use sea_orm::entity::prelude::*;

/// A job inside a wrapper.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "wrapper_job")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub wrapper_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub job_id: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(
        belongs_to = "super::wrapper::Entity",
        from = "Column::WrapperId",
        to = "super::wrapper::Column::Id"
    )]
    Wrapper,
    #[sea_orm(
        belongs_to = "super::job::Entity",
        from = "Column::JobId",
        to = "super::job::Column::Id"
    )]
    Job,
}

impl Related<super::wrapper::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Wrapper.def()
    }
}

impl Related<super::job::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Job.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}
