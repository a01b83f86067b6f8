//! Where something known of focal planes comes from.

use macros::Narrow;
use sea_orm::entity::prelude::*;

/// A message, file or correction, as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq, DeriveEntityModel, Narrow)]
#[sea_orm(table_name = "fplane_source")]
pub struct Model {
    /// Row id; what came later has a greater one.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// `STATUS`, `FILE`, `MAPPING`, `POSITIONS` or `CORRECTION`.
    pub kind: String,
    /// What whoever told it calls it, such as the name of a file.
    pub name: Option<String>,
    /// Since when what it says holds; microseconds since 1970-01-01 UTC.
    pub valid_from: i64,
    /// Until when a correction holds; none for all others, and for a correction that holds for good.
    pub valid_until: Option<i64>,
    /// Microseconds since 1970-01-01 UTC.
    pub recorded_at: i64,
    /// The user who told it; none: labql itself, or somebody without an account here.
    pub recorded_by: Option<i64>,
    /// The name of who told it, which stays when the account goes.
    pub author: String,
    /// The latest instant that this source or one before tells of.
    pub reaches: i64,
    /// By what it is seen that something was told before.
    pub digest: String,
    /// Why a correction was made.
    pub reason: Option<String>,
    /// The layers of those tracks, a bit for each: mapping 1, nominal 2, measured 4, special 8.
    pub layers: i64,
    /// The tracks that it says something about, in the form of `fplanes::write::mentions`.
    #[long]
    pub mentions: String,
    /// As it came.
    #[long]
    pub content: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
