//! Versions of workflows.

use macros::Narrow;
use sea_orm::entity::prelude::*;

/// A version of a workflow: a template that never changes. Times are milliseconds since 1970-01-01 UTC.
#[derive(Clone, Debug, Default, PartialEq, Eq, DeriveEntityModel, Narrow)]
#[sea_orm(table_name = "workflow_version")]
pub struct Model {
    /// Row id.
    #[sea_orm(primary_key)]
    pub id: i64,
    pub workflow_id: i64,
    /// Counts from 1 in each workflow.
    pub number: i64,
    /// The SHA-256 of all that it consists of, in hexadecimal.
    pub digest: String,
    pub created_at: i64,
    /// Who registered it.
    pub created_by: Option<i64>,
    /// Their name then.
    pub creator: String,
    /// The name of the folder with its files; see `flows::places`.
    pub folder: String,
    /// `FOLDER`, `ARCHIVE` or `GIT`.
    pub source_kind: String,
    /// Where it comes from: a path, the name of an archive or a URL, without passwords.
    pub source: Option<String>,
    /// The commit.
    pub revision: Option<String>,
    /// The template in JSON.
    #[long]
    pub template: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
