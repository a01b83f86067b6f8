//! Questions to the mirror. Lists come a level at a time: one statement for all parents that are asked together.

pub mod attempts;
pub mod experiments;
pub mod jobs;
pub mod logs;
pub mod neighbours;
pub mod problems;
pub mod runs;
pub mod wrappers;

/// How many values one statement binds at most; SQLite allows 32,766, PostgreSQL 65,535.
const MOST_BINDS: usize = 10_000;
