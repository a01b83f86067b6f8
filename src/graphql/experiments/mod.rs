//! Experiments, jobs, runs and wrappers.

mod attempt;
mod enums;
mod experiment;
mod filter;
mod job;
mod log;
mod problem;
mod query;
mod report;
mod run;
mod subscription;
mod wrapper;

pub use experiment::Experiment;
pub use job::Job;
pub use query::ExperimentsQuery;
pub use report::{ReportUpdates, ReportsMutation};
pub use run::ExperimentRun;
pub use subscription::ExperimentUpdates;
