//! Groups of people who run a workflow.

use macros::Narrow;
use sea_orm::entity::prelude::*;

/// People who run a workflow together, with their uploads and runs. Times are milliseconds since 1970-01-01 UTC.
#[derive(Clone, Debug, Default, PartialEq, Eq, DeriveEntityModel, Narrow)]
#[sea_orm(table_name = "flow_group")]
pub struct Model {
    /// Row id.
    #[sea_orm(primary_key)]
    pub id: i64,
    pub workflow_id: i64,
    pub name: String,
    /// The user whose own group it is, which is made when they first run the workflow without naming a group.
    pub personal_of: Option<i64>,
    pub created_at: i64,
    /// The parameters that it has besides those of the workflow, in JSON.
    #[long]
    pub parameters: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
