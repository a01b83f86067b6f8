//! Experiments, jobs, runs and wrappers.

mod attempt;
mod configuration;
mod enums;
mod experiment;
mod filter;
mod folder;
mod graph;
mod job;
mod log;
mod performance;
mod problem;
mod query;
mod report;
mod run;
mod statistics;
mod subscription;
mod summary;
mod wrapper;

pub use enums::OrderDirection;
pub use experiment::Experiment;
pub use job::Job;
pub use query::ExperimentsQuery;
pub use report::{ReportUpdates, ReportsMutation};
pub use run::ExperimentRun;
pub use subscription::ExperimentUpdates;
