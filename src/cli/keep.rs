//! `labql keep`: not for people. The process that stands between labql and a program that it started.

use std::path::PathBuf;

use clap::Args;

use super::CommandResult;
use crate::engine::keeper;

/// Keep the program of a folder.
#[derive(Args)]
pub struct Keep {
    /// Where the program's folder is, which is told on standard input: so that it can be seen what this process belongs to
    within: PathBuf,
}

impl Keep {
    /// Keeps until the program ends.
    pub async fn run(&self) -> CommandResult {
        Ok(keeper::keep().await?)
    }
}
