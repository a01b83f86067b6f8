//! Workflows: what can be run, by name. What it is stands in its versions.

use macros::Narrow;
use sea_orm::entity::prelude::*;

/// A workflow, and what administrators say of its runs. Settings that are none are those of the site. Times are milliseconds since 1970-01-01 UTC.
#[derive(Clone, Debug, Default, PartialEq, Eq, DeriveEntityModel, Narrow)]
#[sea_orm(table_name = "workflow")]
pub struct Model {
    /// Row id.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Its name, by which a template with the same name becomes its next version.
    pub name: String,
    /// The number of its newest version.
    pub latest: i64,
    pub created_at: i64,
    /// Since when nobody may start runs of it.
    pub archived_at: Option<i64>,
    /// Where its runs run, by name.
    pub executor: Option<String>,
    /// Of its runs: the largest goes first.
    pub priority: i64,
    /// How many of its runs may be under way at once.
    pub most_running: Option<i64>,
    /// The same for each user.
    pub most_running_per_user: Option<i64>,
    /// How many of its runs that have not ended a user may have.
    pub most_open_per_user: Option<i64>,
    /// How long a run may take.
    pub timeout_seconds: Option<i64>,
    /// How long runs that ended well are kept after their end.
    pub keep_days: Option<i64>,
    /// The same for other runs.
    pub keep_failed_days: Option<i64>,
    /// How many ended runs of each group are kept at most.
    pub keep_number: Option<i64>,
    /// The runs up to this rank are kept whatever else is said.
    pub keep_ranked: Option<i64>,
    /// Whether anything is made of the best runs.
    pub post_processing: bool,
    /// Counts up whenever the best runs may be others.
    pub ranking: i64,
    /// Up to where that was looked at.
    pub processed_ranking: i64,
    /// The best runs of which something was made last: a digest.
    pub processed_set: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
