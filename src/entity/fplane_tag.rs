//! A name for an instant of the focal plane.

use sea_orm::entity::prelude::*;

/// A name for an instant of the focal plane, and for what is known of it.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "fplane_tag")]
pub struct Model {
    /// Row id.
    #[sea_orm(primary_key)]
    pub id: i64,
    pub name: String,
    /// Microseconds since 1970-01-01 UTC, like all times here.
    pub at: i64,
    /// By what was known then; none, which only an alias may have: by all that is known.
    pub known_at: Option<i64>,
    /// Does it stay as it is? Otherwise it is an alias, and may come to stand for something else.
    pub frozen: bool,
    pub created_at: i64,
    /// The user who made it; none: labql itself, or somebody without an account here.
    pub created_by: Option<i64>,
    /// The name of who made it, which stays when the account goes.
    pub author: String,
    /// When the name came to stand for something else, or for nothing; none: it stands for this.
    pub superseded_at: Option<i64>,
    pub description: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
