//! Files of runs.

use macros::Narrow;
use sea_orm::entity::prelude::*;

/// A file that a run gave. Times are milliseconds since 1970-01-01 UTC.
#[derive(Clone, Debug, Default, PartialEq, Eq, DeriveEntityModel, Narrow)]
#[sea_orm(table_name = "flow_file")]
pub struct Model {
    /// Row id.
    #[sea_orm(primary_key)]
    pub id: i64,
    pub run_id: i64,
    /// Its name among the files of the run.
    pub name: String,
    /// Its place among them.
    pub place: i64,
    /// Where it was in the folder that the run worked in, and is below its results.
    pub path: String,
    pub title: Option<String>,
    pub caption: Option<String>,
    pub media_type: String,
    pub size_bytes: i64,
    /// In hexadecimal.
    pub sha256: String,
    /// How it is shown, in JSON: `format` and `widget`.
    pub display: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
