//! Following what the steps of a run print.
//!
//! Its pieces are rows of a table, in the order in which they came. Events say only that there are more, or that the run is
//! another than before; then the rows are read on from where this is. So nothing is lost or told twice, whatever becomes of the
//! events, and a slow client costs a read and no memory.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt, StreamExt};
use tokio::time::sleep;

use super::{RETRY, Stage, refuse};
use crate::auth::AuthError;
use crate::auth::viewer::Viewer;
use crate::database::Database;
use crate::entity::{flow_log, flow_run, flow_step};
use crate::events::{Feed, Filter, Follower, Start, Topic};
use crate::failure::{Failure, RejectionCode};
use crate::flows::read::{logs, runs, steps};
use crate::flows::rights::Asker;
use crate::flows::state::RunState;
use crate::graphql::answer::Answer;
use crate::graphql::context::failed;
use crate::graphql::document::Prepared;
use crate::graphql::engine::{Caller, Engine};
use crate::graphql::error::{self, ErrorCode};
use crate::graphql::flows::{RunLogLine, StepNames, log_cursor, step_names};
use crate::narrow::Columns;

/// How many pieces are read at a time: each may have 64 KiB, and waits here until it is told.
const PAGE: usize = 8;
/// How often a piece is tried to be told that the server is too busy to tell.
const ATTEMPTS: u32 = 10;

/// A place in the log of a run.
pub struct RunLog {
    database: Database,
    feed: Feed,
    run: i64,
    steps: StepNames,
    /// The row id of the last piece that was handed out.
    after: i64,
    /// Read and not yet handed out.
    page: VecDeque<Arc<flow_log::Model>>,
    /// Tells when to look again; none: nobody does yet.
    events: Option<Follower>,
    /// Is it known that there may be more than was read?
    is_behind: bool,
    /// Has the run ended, and was everything read?
    is_over: bool,
}

impl RunLog {
    /// The log of a run that somebody may see, behind the piece with this row id.
    ///
    /// # Errors
    /// A rejection if there is no such run for them.
    pub async fn open(
        database: &Database,
        feed: &Feed,
        asker: Asker,
        run: i64,
        after: i64,
    ) -> Result<Self, Failure> {
        let names = Columns::of(&[flow_step::Column::Name]);
        let seen = runs::by_id(database, asker, run, Columns::of(&[])).await?;
        seen.ok_or_else(no_run)?;
        let of_runs = steps::of_runs(database, &[run], names).await?;
        Ok(Self {
            database: database.clone(),
            feed: feed.clone(),
            run,
            steps: step_names(of_runs.values().flatten()),
            after,
            page: VecDeque::new(),
            events: None,
            is_behind: true,
            is_over: false,
        })
    }

    /// Waits until there may be something to read.
    async fn woken(&mut self) {
        let Some(events) = &mut self.events else {
            // From here on everything is heard: what is read next is not missed.
            let filter = Filter {
                topics: vec![Topic::Flow, Topic::FlowLog],
                subject: Some(self.run.to_string()),
                ..Filter::default()
            };
            match self.feed.subscribe(filter, Start::Now).await {
                Ok(events) => self.events = Some(events),
                Err(reason) => {
                    tracing::warn!(%reason, "the log of a run cannot be followed just now");
                    sleep(RETRY).await;
                }
            }
            return;
        };
        if self.is_behind {
            return;
        }
        let mut heard = Some(events.next().await);
        // One look is enough for all of which is known by now.
        while let Some(Ok(_)) = heard {
            heard = events.next().now_or_never();
        }
        if let Some(Err(_)) = heard {
            // The log of changes was cut off or replaced; that of the run was not.
            self.events = None;
        }
    }

    /// Reads on, for somebody who may see the run.
    async fn read(&mut self, asker: Asker) -> Result<(), Failure> {
        // Before the pieces: when a run has ended, all of them are there.
        let columns = Columns::of(&[flow_run::Column::State]);
        let run = runs::by_id(&self.database, asker, self.run, columns).await?;
        let state = RunState::from_name(&run.ok_or_else(no_run)?.state);
        let has_ended = state.is_some_and(RunState::is_final);
        let limit = PAGE as u64;
        let rows = logs::after(&self.database, self.run, self.after, limit).await?;
        self.is_behind = rows.len() >= PAGE;
        self.is_over = has_ended && !self.is_behind;
        self.page.extend(rows);
        Ok(())
    }
}

fn no_run() -> Failure {
    let message = "there is no such run";
    Failure::rejected(RejectionCode::NotFound, Some("run"), message)
}

/// The answers to a subscription to the log of a run, which end when the run has ended and all was told.
pub(super) fn stream(
    engine: Engine,
    operation: Arc<Prepared>,
    caller: Caller,
    log: Box<RunLog>,
) -> BoxStream<'static, Answer> {
    let listener = Listener {
        engine,
        operation,
        caller,
        log,
    };
    stream::unfold(Some(Box::new(listener)), |listener| async {
        let mut listener = listener?;
        match listener.next().await {
            Ok(answer) => Some((answer?, Some(listener))),
            Err(answer) => Some((answer, None)),
        }
    })
    .boxed()
}

/// Somebody who follows the log of a run.
struct Listener {
    engine: Engine,
    operation: Arc<Prepared>,
    caller: Caller,
    log: Box<RunLog>,
}

impl Listener {
    /// The next answer; none: there is nothing more. An error is the last answer.
    async fn next(&mut self) -> Result<Option<Answer>, Answer> {
        loop {
            if let Some(row) = self.log.page.pop_front() {
                let answer = self.tell(&row).await;
                self.log.after = row.id;
                return if answer.refusal.is_some() {
                    Err(answer)
                } else {
                    Ok(Some(answer))
                };
            }
            if self.log.is_over {
                return Ok(None);
            }
            self.log.woken().await;
            if self.log.events.is_some() {
                self.read().await?;
            }
        }
    }

    /// Reads on. A database that cannot be reached is waited for.
    async fn read(&mut self) -> Result<(), Answer> {
        loop {
            let asker = Asker::of(&*self.viewer().await);
            match self.log.read(asker).await {
                Ok(()) => return Ok(()),
                Err(failure @ (Failure::Unavailable(_) | Failure::TooSlow(_))) => {
                    tracing::warn!(%failure, "the log of a run could not be read");
                    sleep(RETRY).await;
                }
                Err(failure) => {
                    let error = failed(failure).into_server_error(async_graphql::Pos::default());
                    return Err(Answer::refused(error));
                }
            }
        }
    }

    /// The answer for a piece.
    async fn tell(&self, row: &Arc<flow_log::Model>) -> Answer {
        let line = RunLogLine::new(Arc::clone(row), &self.log.steps);
        let stage = Arc::new(Stage::Piece(line));
        let mut attempts = 0;
        loop {
            attempts += 1;
            let viewer = self.viewer().await;
            let telling =
                self.engine
                    .execute_update(&self.operation, &viewer, None, Arc::clone(&stage));
            let mut response = telling.await;
            metrics::counter!("labql_graphql_updates_made_total").increment(1);
            let is_busy = response
                .errors
                .iter()
                .any(|error| error::code_of(error) == Some(ErrorCode::Unavailable.as_str()));
            if is_busy && attempts < ATTEMPTS {
                sleep(RETRY).await;
                continue;
            }
            if !response.errors.is_empty() {
                // Not told: the client comes back for it.
                refuse(&mut response);
                return Answer::new(&response, None);
            }
            return Answer::new(&response, Some(log_cursor(row)));
        }
    }

    /// Who it is at this moment. Whoever was shown out hears nothing more; the connection, which watches the same access, is about
    /// to end.
    async fn viewer(&self) -> Arc<Viewer> {
        loop {
            match self.caller.access.viewer().await {
                Ok(viewer) => return viewer,
                Err(AuthError::Rejected) => std::future::pending().await,
                Err(AuthError::Unavailable) => sleep(RETRY).await,
            }
        }
    }
}
