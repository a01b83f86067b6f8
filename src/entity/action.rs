//! Something that a person had Autosubmit do.

use macros::Narrow;
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

/// Something that a person had Autosubmit do. Times are milliseconds since 1970-01-01 UTC.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, DeriveEntityModel, Narrow, Serialize, Deserialize,
)]
#[serde(default)]
#[sea_orm(table_name = "action")]
pub struct Model {
    /// Row id.
    #[sea_orm(primary_key)]
    pub id: i64,
    pub kind: String,
    /// On which experiment; none: it is making one. Once that is made, its expid stands here.
    pub expid: Option<String>,
    /// Two actions of one lane on one experiment cannot be under way at once.
    pub lane: String,
    /// Where and how Autosubmit is called.
    pub profile: String,
    /// What was asked for, in JSON.
    pub arguments: String,
    /// The row of the user; the account may be gone.
    pub actor_id: i64,
    /// The name of the user.
    pub actor: String,
    /// See `experiments::actions::state::ActionState`.
    pub state: String,
    pub requested_at: i64,
    pub began_at: Option<i64>,
    pub ended_at: Option<i64>,
    pub exit_code: Option<i64>,
    /// Why it ended as it did, by name.
    pub reason: Option<String>,
    /// The same for a person.
    pub message: Option<String>,
    pub cancel_requested_at: Option<i64>,
    /// A username.
    pub cancel_requested_by: Option<String>,
    /// Whose folder has its process: a machine with a data folder.
    pub keeper: Option<String>,
    /// The name of that machine.
    pub host: Option<String>,
    /// The process of labql that looks after it until the lease ends.
    pub holder: Option<String>,
    pub lease_until: Option<i64>,
    /// How much of its output is known.
    pub output_bytes: i64,
    /// The end of that.
    pub output_tail: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
