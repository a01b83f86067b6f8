//! The mirror of a root as background work.

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, pending};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tokio::sync::OnceCell;

use super::{Mirror, Scope, blocking, source_row};
use crate::config::AutosubmitConfig;
use crate::database::Database;
use crate::entity::source_problem;
use crate::events::Feed;
use crate::failure::Failure;
use crate::workers::{Cause, Outcome, Run, Schedule, Work, WorkerKind, WorkerProblem};

/// A file system that does not answer, such as one of a server that is gone, must not keep labql from starting.
const LOOK: Duration = Duration::from_secs(5);
/// How many problems a run shows; `sourceProblems` has all.
const PROBLEMS: u64 = 100;

/// The mirror of a root as background work. The root need not be there when it begins: a run that cannot open it fails,
/// and the next one tries again.
pub struct MirrorWork {
    name: String,
    interval: Duration,
    database: Database,
    feed: Feed,
    root: PathBuf,
    config: AutosubmitConfig,
    mirror: OnceCell<Mirror>,
}

impl MirrorWork {
    /// The mirror of this root. All processes that name the same root are the same worker.
    pub async fn new(
        database: Database,
        feed: Feed,
        root: PathBuf,
        config: &AutosubmitConfig,
    ) -> Result<Self, Failure> {
        // A mistake in the configuration is told at once.
        config.server()?;
        let path = root.clone();
        let location = tokio::time::timeout(LOOK, blocking(move || location(&path))).await;
        let location = match location {
            Ok(location) => location?,
            Err(_) => std::path::absolute(&root).unwrap_or_else(|_| root.clone()),
        };
        // Opening the root notes its folders.
        let source = source_row::id(&database, &location.display().to_string(), None).await?;
        Ok(Self {
            name: format!("autosubmit-mirror-{source}"),
            interval: Duration::from_secs(config.interval_seconds),
            database,
            feed,
            root,
            config: config.clone(),
            mirror: OnceCell::new(),
        })
    }

    async fn open(&self) -> Result<Mirror, Failure> {
        let (database, feed) = (self.database.clone(), self.feed.clone());
        let mirror = Mirror::open(database, feed, &self.root, &self.config).await?;
        Ok(mirror.watching(self.config.max_watches))
    }

    async fn pass(&self, scope: Scope) -> Result<Outcome, Failure> {
        let mirror = self.mirror.get_or_try_init(|| self.open()).await?;
        let report = mirror.pass(scope, &|_, _| {}).await?;
        if report.read > 0 || report.rows.total() > 0 {
            tracing::info!(
                worker = self.name,
                experiments = report.experiments,
                read = report.read,
                rows = report.rows.total(),
                problems = report.problems,
                "mirrored the Autosubmit root"
            );
        }
        let problems = match report.problems {
            0 => Vec::new(),
            _ => problems(&self.database, mirror.source_id).await?,
        };
        Ok(Outcome {
            changes: report.rows.total(),
            problems,
        })
    }
}

impl Work for MirrorWork {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> WorkerKind {
        WorkerKind::AutosubmitMirror
    }

    fn schedule(&self) -> Schedule {
        Schedule::Every(self.interval)
    }

    /// Before the first run there is nothing that could change: it looks at everything.
    fn wake(&self) -> BoxFuture<'_, ()> {
        match self.mirror.get() {
            Some(mirror) => mirror.wake().boxed(),
            None => pending().boxed(),
        }
    }

    fn run<'a>(&'a self, run: &'a Run) -> BoxFuture<'a, Result<Outcome, Failure>> {
        let scope = match run.cause {
            Cause::Woken => Scope::Dirty,
            Cause::Due | Cause::Requested => Scope::All,
        };
        async move {
            tokio::select! {
                biased;
                // What was not committed is read again.
                () = run.stop.cancelled() => Err(Failure::internal("broken off")),
                outcome = self.pass(scope) => outcome,
            }
        }
        .boxed()
    }
}

/// The canonical path of a root. Of one that is not there: that of the folder which it will stand in.
fn location(root: &Path) -> PathBuf {
    let root = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
    let there = root.ancestors().find_map(|above| {
        let rest = root.strip_prefix(above).ok()?;
        Some(above.canonicalize().ok()?.join(rest))
    });
    // Joined with an empty rest a path would end in a slash.
    there.map_or(root, |path| path.components().collect())
}

/// The first problems of a source; those of its central files first.
async fn problems(database: &Database, source_id: i64) -> Result<Vec<WorkerProblem>, Failure> {
    use source_problem::Column;
    let rows = source_problem::Entity::find()
        .filter(Column::SourceId.eq(source_id))
        .order_by_asc(Column::Owner)
        .order_by_asc(Column::Path)
        .order_by_asc(Column::Id)
        .limit(PROBLEMS)
        .all(database.read())
        .await?;
    let problem = |row: source_problem::Model| WorkerProblem {
        source: row.path,
        message: row.message,
    };
    Ok(rows.into_iter().map(problem).collect())
}
