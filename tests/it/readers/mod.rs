//! The readers of Autosubmit's files, called directly.

mod configuration;
mod files;
mod fixture;
mod goldens;
mod pickle;
mod sqlite;
