//! Flows: workflows, what they are given, and their runs.

mod templates;
mod templates_hostile;
