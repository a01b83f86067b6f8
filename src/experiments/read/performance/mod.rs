//! The performance of experiments, their runs and jobs: what the formulas need, a constant number of statements for any
//! number of experiments.

mod eta;
mod experiments;
mod jobs;
mod newest;
mod runs;
mod summary;
mod wrapped;

use sea_orm::sea_query::{Expr, ExprTrait, IntoCondition};
use sea_orm::{EntityTrait, IdentityOf, RelationDef};

use crate::entity::job_section;
use crate::experiments::performance::SIM;

pub use eta::etas;
pub use experiments::{Measured, MeasuredJob, of_experiments};
pub use jobs::of_jobs;
pub(super) use newest::of_sections;
pub use runs::{MeasuredRun, of_runs};
pub use summary::{JobSummary, Mean, SimulationSummary, summaries};
pub use wrapped::wrapped_queues;

/// From an experiment, which this column tells, to what its configuration says of the section SIM.
fn of_simulation<E: EntityTrait>(experiment: impl IdentityOf<E>) -> RelationDef {
    E::belongs_to(job_section::Entity)
        .from(experiment)
        .to(job_section::Column::ExperimentId)
        .on_condition(|_, section| {
            Expr::col((section, job_section::Column::Name))
                .eq(SIM)
                .into_condition()
        })
        .into()
}
