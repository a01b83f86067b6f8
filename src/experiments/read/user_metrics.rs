//! The values that jobs report of themselves, read from the root (or the server of its tables) when they are asked for.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::logs::{RootFolders, blocking, blocking_within};
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

/// How many questions a server is asked at once for readers of the API, in the whole process: fewer than its connections,
/// so that the mirror always gets one. Readers of files need not wait for them.
const QUESTIONS: usize = 3;
static ASKED: Semaphore = Semaphore::const_new(QUESTIONS);
/// How long a reader of the API waits for a server.
const DEADLINE: Duration = Duration::from_secs(15);

/// The values that the jobs of an experiment reported, in the order in which they came.
///
/// # Errors
/// [`SourceError`]; `Unavailable` if the server does not answer in time.
pub async fn of_experiment(
    root: RootFolders,
    installation: Option<Arc<Installation>>,
    expid: &str,
) -> Result<Vec<UserMetric>, SourceError> {
    let expid = Expid::parse(expid)?;
    let Some(installation) = installation else {
        return blocking(move || read_user_metrics(&root.open()?, &expid)).await;
    };
    let asked = blocking_within(&ASKED, move || {
        let mut root = root.open()?;
        if installation.config.is_about(root.path()) {
            root = root.with_server(Arc::clone(&installation.server));
        }
        read_user_metrics(&root, &expid)
    });
    // The thread ends in its own time, which the reader of tables bounds.
    timeout(DEADLINE, asked).await.unwrap_or_else(|_| {
        let waited = DEADLINE.as_secs();
        Err(SourceError::Unavailable(format!(
            "no answer within {waited} seconds"
        )))
    })
}
