//! `labql serve`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::CommandResult;
use crate::config::Config;
use crate::server::Server;
use crate::telemetry;

/// Serve the API and the playground.
#[derive(Args)]
pub struct Serve {
    /// The address to listen on
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// The Autosubmit root to mirror
    #[arg(long, value_name = "FOLDER")]
    autosubmit_root: Option<PathBuf>,
    /// Upgrade an older database first
    #[arg(long)]
    migrate: bool,
}

impl Serve {
    /// Serves until told to end.
    pub async fn run(self, mut config: Config) -> CommandResult {
        if let Some(address) = self.listen {
            config.listen = address;
        }
        if self.autosubmit_root.is_some() {
            config.autosubmit.root = self.autosubmit_root;
        }
        telemetry::start_log(&config.log)?;
        let server = Server::bind(config, self.migrate, 0).await?;
        say!("playground: http://{}/playground", server.address);
        say!("endpoint:   http://{}/graphql", server.address);
        Ok(server.run().await?)
    }
}
