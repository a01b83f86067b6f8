//! Flows: what a workflow is, what it is given, what it runs and what comes of it.
//!
//! What stands here knows neither database nor GraphQL: bytes become plain structs, and structs become commands.

pub mod arguments;
pub mod commands;
pub mod parameters;
pub mod ranking;
pub mod results;
pub mod schedule;
pub mod state;
pub mod template;
