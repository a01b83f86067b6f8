//! The performance of experiments, their runs and jobs: what the formulas need, a constant number of statements for any
//! number of experiments.

mod eta;
mod experiments;
mod jobs;
mod newest;
mod runs;
mod summary;
mod wrapped;

pub use eta::etas;
pub use experiments::{Measured, MeasuredJob, of_experiments};
pub use jobs::of_jobs;
pub(super) use newest::of_sections;
pub use runs::{MeasuredRun, of_runs};
pub use summary::{JobSummary, Mean, SimulationSummary, summaries};
