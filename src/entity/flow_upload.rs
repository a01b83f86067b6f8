//! Files that people bring.

use macros::Narrow;
use sea_orm::entity::prelude::*;

/// A file that somebody brought, for the runs of a group or as an archive with a template. Times are milliseconds since 1970-01-01 UTC.
#[derive(Clone, Debug, Default, PartialEq, Eq, DeriveEntityModel, Narrow)]
#[sea_orm(table_name = "flow_upload")]
pub struct Model {
    /// Row id.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// 32 random hexadecimal digits: its name among the arguments of runs and on the disk.
    pub key: String,
    /// None: it is its bringer's own, an archive.
    pub group_id: Option<i64>,
    /// The name that it was given.
    pub name: String,
    pub media_type: String,
    pub size_bytes: i64,
    /// In hexadecimal.
    pub sha256: String,
    pub created_at: i64,
    /// Who brought it.
    pub created_by: Option<i64>,
    /// Their name then.
    pub creator: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
