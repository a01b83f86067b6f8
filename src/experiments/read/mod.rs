//! Questions to the mirror. Lists come a level at a time: one statement for all parents that are asked together.

pub mod attempts;
pub mod configurations;
pub mod experiments;
pub mod folders;
pub mod graph;
pub mod jobs;
pub mod logs;
pub mod neighbours;
pub mod own_logs;
pub mod performance;
pub mod problems;
pub mod runs;
pub mod statistics;
pub mod user_metrics;
pub mod wrappers;

use crate::database::MOST_BINDS;
