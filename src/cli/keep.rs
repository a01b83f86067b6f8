//! `labql keep`: not for people. The process that stands between labql and a program that it started.

use std::path::PathBuf;

use clap::Args;

use super::CommandResult;
use crate::engine::keeper;

/// Keep the program of a folder.
#[derive(Args)]
pub struct Keep {
    /// The program's folder
    folder: PathBuf,
}

impl Keep {
    /// Keeps until the program ends.
    pub async fn run(&self) -> CommandResult {
        Ok(keeper::keep(&self.folder).await?)
    }
}
