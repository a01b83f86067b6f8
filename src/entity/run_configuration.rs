//! The configuration that a run of an experiment recorded.

use sea_orm::entity::prelude::*;

/// The configuration that a run of an experiment recorded.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "run_configuration")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub experiment_id: i64,
    /// The number of the run.
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i64,
    /// A hash over the record as it was read; another one means: make `body` anew.
    pub hash: String,
    /// What may be shown of it, as JSON in the zlib format.
    pub body: Vec<u8>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(
        belongs_to = "super::experiment::Entity",
        from = "Column::ExperimentId",
        to = "super::experiment::Column::Id"
    )]
    Experiment,
}

impl Related<super::experiment::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Experiment.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}
