//! What steps print.

use macros::Narrow;
use sea_orm::entity::prelude::*;

/// A piece of what a step printed. Pieces of a run are numbered in the order in which they came. Times are milliseconds since 1970-01-01 UTC.
#[derive(Clone, Debug, Default, PartialEq, Eq, DeriveEntityModel, Narrow)]
#[sea_orm(table_name = "flow_log")]
pub struct Model {
    /// Row id.
    #[sea_orm(primary_key)]
    pub id: i64,
    pub run_id: i64,
    /// The place of the step.
    pub position: i64,
    pub attempt: i64,
    /// `STDOUT` or `STDERR`.
    pub stream: String,
    /// How many bytes of the stream came before it.
    pub start_byte: i64,
    /// How many bytes it stands for.
    pub bytes: i64,
    pub recorded_at: i64,
    /// These as text: what is no UTF-8 is replaced.
    #[long]
    pub text: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
