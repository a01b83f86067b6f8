//! A change that somebody may want to hear of.

use macros::Narrow;
use sea_orm::entity::prelude::*;

/// A change that somebody may want to hear of.
#[derive(Clone, Debug, Default, PartialEq, Eq, DeriveEntityModel, Narrow)]
#[sea_orm(table_name = "event")]
pub struct Model {
    /// Row id, in the order of writing.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The place in the log, from 1 without gaps; none: written, but not yet numbered.
    pub position: Option<i64>,
    /// Milliseconds since 1970-01-01 UTC.
    pub recorded_at: i64,
    pub topic: String,
    pub subject: String,
    pub kind: String,
    /// JSON.
    pub payload: String,
    /// Who did it: the username; none: labql itself.
    pub actor: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
