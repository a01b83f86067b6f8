//! The loop with work that misbehaves, on a database of its own.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use tempfile::TempDir;
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Workers;
use crate::config::{DatabaseConfig, DatabaseUrl};
use crate::database::Database;
use crate::entity::worker;
use crate::events::Feed;
use crate::failure::Failure;
use crate::workers::{
    Cause, Outcome, Run, RunOutcome, Schedule, Snapshot, Work, WorkerKind, WorkerStatus, read,
};

/// What a run does.
#[derive(Clone, Copy, Debug)]
enum Deed {
    End,
    Panic,
    /// Until it is told to stop.
    Wait,
}

/// Does what it is told, and tells what became of its runs.
struct Puppet {
    deed: Deed,
    interval: Duration,
    wake: Notify,
    /// Whose only connection that writes it holds while it waits.
    holds: Option<Database>,
    begun: mpsc::UnboundedSender<Cause>,
    stopped: mpsc::UnboundedSender<()>,
}

impl Work for Puppet {
    fn name(&self) -> &'static str {
        "puppet"
    }

    fn kind(&self) -> WorkerKind {
        WorkerKind::EventRetention
    }

    fn schedule(&self) -> Schedule {
        Schedule::Every(self.interval)
    }

    fn wake(&self) -> BoxFuture<'_, ()> {
        async {
            let _held = match &self.holds {
                Some(database) => Some(database.begin().await),
                None => None,
            };
            self.wake.notified().await;
        }
        .boxed()
    }

    fn run<'a>(&'a self, run: &'a Run) -> BoxFuture<'a, Result<Outcome, Failure>> {
        async move {
            let _ = self.begun.send(run.cause);
            match self.deed {
                Deed::End => {}
                Deed::Panic => panic!("as it was told"),
                Deed::Wait => {
                    run.stop.cancelled().await;
                    let _ = self.stopped.send(());
                }
            }
            Ok(Outcome::default())
        }
        .boxed()
    }
}

/// A worker at work.
struct Stage {
    database: Database,
    puppet: Arc<Puppet>,
    begun: mpsc::UnboundedReceiver<Cause>,
    stopped: mpsc::UnboundedReceiver<()>,
    stop: CancellationToken,
    tasks: TaskTracker,
    _folder: TempDir,
}

impl Stage {
    async fn with(deed: Deed, interval: Duration) -> Self {
        Self::of(deed, interval, false).await
    }

    async fn of(deed: Deed, interval: Duration, wake_holds: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labql.db");
        let config = DatabaseConfig {
            url: DatabaseUrl::from(format!("sqlite:{}", path.display())),
            max_connections: 2,
            ..DatabaseConfig::default()
        };
        let database = Database::connect(&config).await.unwrap();
        database.ensure_schema(true).await.unwrap();
        let (begun, hears_begun) = mpsc::unbounded_channel();
        let (stopped, hears_stopped) = mpsc::unbounded_channel();
        let puppet = Arc::new(Puppet {
            deed,
            interval,
            wake: Notify::new(),
            holds: wake_holds.then(|| database.clone()),
            begun,
            stopped,
        });
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let feed = Feed::open(database.clone()).await.unwrap();
        let lease = Duration::from_mins(10);
        let workers = Workers::new(database.clone(), feed, lease, stop.clone());
        workers.start(&tasks, Arc::clone(&puppet) as Arc<dyn Work>);
        tasks.close();
        Self {
            database,
            puppet,
            begun: hears_begun,
            stopped: hears_stopped,
            stop,
            tasks,
            _folder: folder,
        }
    }

    /// Ends the process, as it were; the worker as it is left.
    async fn end(self) -> Snapshot {
        self.stop.cancel();
        self.tasks.wait().await;
        read::all(&self.database).await.unwrap().pop().unwrap()
    }
}

#[tokio::test]
async fn who_panics_has_failed_and_is_tried_again() {
    let mut stage = Stage::with(Deed::Panic, Duration::from_millis(1)).await;
    for _ in 0..3 {
        assert_eq!(stage.begun.recv().await, Some(Cause::Due));
    }
    // The third may still be at its end.
    let left = stage.end().await;
    assert!(left.failures >= 2, "{left:?}");
    let error = left.last_run.unwrap().error;
    if let Some(error) = error {
        assert_eq!(error, "it failed inside; the log says more");
    }
}

#[tokio::test]
async fn who_is_woken_does_not_wait_for_its_time() {
    let mut stage = Stage::with(Deed::End, Duration::from_hours(1)).await;
    assert_eq!(stage.begun.recv().await, Some(Cause::Due));
    for _ in 0..2 {
        stage.puppet.wake.notify_one();
        assert_eq!(stage.begun.recv().await, Some(Cause::Woken));
    }
    let left = stage.end().await;
    assert_eq!((left.status, left.host), (WorkerStatus::Idle, None));
}

/// What it needs to hear of news, it does not keep from itself.
#[tokio::test]
async fn who_waits_for_news_lets_go_when_it_is_due() {
    let mut stage = Stage::of(Deed::End, Duration::from_millis(1), true).await;
    for _ in 0..3 {
        // Less than a connection is waited for.
        let begun = timeout(Duration::from_secs(8), stage.begun.recv()).await;
        assert_eq!(begun, Ok(Some(Cause::Due)));
    }
    stage.end().await;
}

#[tokio::test]
async fn who_loses_the_lease_stops() {
    let mut stage = Stage::with(Deed::Wait, Duration::from_hours(1)).await;
    assert_eq!(stage.begun.recv().await, Some(Cause::Due));
    let transaction = stage.database.begin().await.unwrap();
    worker::Entity::update_many()
        .col_expr(worker::Column::Holder, Expr::value("somebody else"))
        .filter(worker::Column::Name.eq("puppet"))
        .exec(&transaction)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(stage.stopped.recv().await, Some(()));
    // What it said of its end has changed nothing: the run is the other's.
    let left = stage.end().await;
    assert_eq!(left.status, WorkerStatus::Running);
    assert_eq!(left.last_run, None);
}

#[tokio::test]
async fn who_is_told_to_end_gives_the_lease_back() {
    let mut stage = Stage::with(Deed::Wait, Duration::from_hours(1)).await;
    assert_eq!(stage.begun.recv().await, Some(Cause::Due));
    let left = stage.end().await;
    // It came to its end in time, so it counts.
    assert_eq!(left.last_run.unwrap().outcome, RunOutcome::Succeeded);
    assert_eq!((left.status, left.host), (WorkerStatus::Idle, None));
}
