//! The values that jobs report of themselves, read from the root (or the server of its tables) when they are asked for.

use std::sync::Arc;

use super::logs::{RootFolders, blocking};
use crate::config::AutosubmitConfig;
use crate::experiments::readers::{Expid, Server, SourceError, UserMetric, read_user_metrics};
use crate::failure::Failure;

/// An installation that keeps its tables on a server.
#[derive(Clone, Debug)]
pub struct Installation {
    config: AutosubmitConfig,
    server: Arc<Server>,
}

impl Installation {
    /// The installation that is configured, if its tables are on a server.
    pub fn of(config: &AutosubmitConfig) -> Result<Option<Arc<Self>>, Failure> {
        let config = config.clone();
        let server = config.server()?;
        Ok(server.map(|server| Arc::new(Self { config, server })))
    }
}

/// The values that the jobs of an experiment reported, in the order in which they came.
pub async fn of_experiment(
    root: RootFolders,
    installation: Option<Arc<Installation>>,
    expid: &str,
) -> Result<Vec<UserMetric>, SourceError> {
    let expid = Expid::parse(expid)?;
    blocking(move || {
        let mut root = root.open()?;
        if let Some(installation) = installation.filter(|it| it.config.is_about(root.path())) {
            root = root.with_server(Arc::clone(&installation.server));
        }
        read_user_metrics(&root, &expid)
    })
    .await
}
