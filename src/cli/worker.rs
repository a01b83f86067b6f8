//! `labql worker`.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use tokio_util::sync::CancellationToken;

use super::CommandResult;
use crate::background::{Background, works};
use crate::config::Config;
use crate::database::Database;
use crate::datasets::notifications::Inbox;
use crate::events::Feed;
use crate::experiments::actions::Actions;
use crate::flows::Flows;
use crate::server::end_on_signal;
use crate::telemetry;

/// Run the background work without serving
#[derive(Args)]
pub struct Worker {
    /// The Autosubmit root to mirror
    #[arg(long, value_name = "FOLDER")]
    autosubmit_root: Option<PathBuf>,
    /// Upgrade an older database first
    #[arg(long)]
    migrate: bool,
}

impl Worker {
    /// Works until told to end.
    pub async fn run(self, mut config: Config) -> CommandResult {
        if self.autosubmit_root.is_some() {
            config.autosubmit.root = self.autosubmit_root;
        }
        telemetry::start_log(&config.log)?;
        config.actions.validate()?;
        config.datasets.webhook.settle()?;
        let database = Database::connect(&config.database).await?;
        database.ensure_schema(self.migrate).await?;
        let stop = CancellationToken::new();
        end_on_signal(stop.clone())?;
        let feed = Feed::open(database.clone()).await?;
        let inbox = Inbox::new(database.clone());
        let storage = Arc::new(config.datasets.clone().into());
        let flows = Flows::new(&database, &feed, &config.flows, &config.data_dir);
        let works = works(&config, &database, &feed, &inbox, &storage, &flows).await?;
        for work in &works {
            say!("worker:     {} ({})", work.name(), work.schedule());
        }
        let background = Background::start(&config, &database, &feed, works, &stop);
        let actions = Actions::new(&database, &feed, &config.actions, &config.data_dir);
        background.keep(&config, &actions, &flows).await?;
        stop.cancelled().await;
        background.end().await;
        database.close().await;
        tracing::info!("ended");
        Ok(())
    }
}
