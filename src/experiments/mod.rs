//! Autosubmit experiments: readers of a root, the mirror that follows it, and the questions to the mirror.

pub mod actions;
pub mod changes;
pub mod chunks;
pub mod configuration;
pub mod graph;
pub mod liveness;
pub mod metrics;
pub mod performance;
pub mod read;
pub mod readers;
pub mod reports;
pub mod status;
pub mod sync;
pub mod tree;
