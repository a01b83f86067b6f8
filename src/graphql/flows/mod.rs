//! Workflows, groups of people who run them, and their runs.

mod arguments;
mod enums;
mod file;
mod group;
mod group_list;
mod group_mutation;
mod group_of;
mod log;
mod mover;
mod named;
mod nodes;
mod order;
mod parameter;
mod problem;
mod processed;
mod query;
mod ranking;
mod registration;
mod run;
mod run_filter;
mod run_list;
mod run_mutation;
mod run_parts;
mod settings;
mod step;
mod subscription;
mod template;
mod upload;
mod workflow;

pub use group::RunGroup;
pub use group_mutation::RunGroupsMutation;
pub use log::{RunLogLine, StepNames, cursor as log_cursor, names as step_names};
pub use query::FlowsQuery;
pub use registration::WorkflowsMutation;
pub use run::Run;
pub use run_mutation::RunsMutation;
pub use subscription::{RUN_UPDATES, RunUpdates};
pub use upload::Upload;
pub use workflow::Workflow;

pub(super) use nodes::by_ids;
