//! A kind of job, as the configuration of its experiment defines it.

use sea_orm::entity::prelude::*;

/// A kind of job, as the configuration of its experiment defines it.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "job_section")]
pub struct Model {
    /// Row id.
    #[sea_orm(primary_key)]
    pub id: i64,
    pub experiment_id: i64,
    pub name: String,
    /// The platform that its jobs run on.
    pub platform: Option<String>,
    /// The processors that one of its jobs occupies.
    pub processing_elements: i64,
    /// HH:MM
    pub wallclock: Option<String>,
    /// Grams of carbon dioxide for a megawatt hour on its platform.
    pub carbon_factor: Option<f64>,
    /// Power usage effectiveness of its platform.
    pub pue: Option<f64>,
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
