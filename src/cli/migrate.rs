//! `labql migrate`.

use clap::{Args, Subcommand};

use super::CommandResult;
use crate::config::Config;
use crate::database::Database;
use crate::telemetry;

/// Bring the database to the schema of this version, or back.
#[derive(Args)]
pub struct Migrate {
    #[command(subcommand)]
    direction: Direction,
}

#[derive(Subcommand)]
enum Direction {
    /// Apply what is pending
    Up {
        /// At most so many migrations
        #[arg(long)]
        steps: Option<u32>,
    },
    /// Take migrations back; what they held is lost
    Down {
        /// How many
        #[arg(long, default_value_t = 1)]
        steps: u32,
    },
    /// List the migrations and whether they are applied
    Status,
}

impl Migrate {
    /// Migrates.
    pub async fn run(self, config: Config) -> CommandResult {
        telemetry::start_log(&config.log)?;
        let database = Database::connect(&config.database).await?;
        match self.direction {
            Direction::Up { steps } => database.migrate_up(steps).await?,
            Direction::Down { steps } => database.migrate_down(steps).await?,
            Direction::Status => {}
        }
        for (name, applied) in database.migration_status().await? {
            say!("{} {name}", if applied { "applied" } else { "pending" });
        }
        database.close().await;
        Ok(())
    }
}
