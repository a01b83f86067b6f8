//! An attempt at a step, seen through: begun if need be, watched while it runs, and ended if the run is to end.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, QueryFilter,
};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::task::AbortOnDropHandle;

use super::begin::{Begun, forestall};
use super::ending::Ended;
use super::logs::Printed;
use super::poll::{Poller, Watched};
use super::proceed::step;
use super::run::{Halt, RunTask};
use crate::engine::{Outcome, Standing, Ticket};
use crate::entity::flow_attempt;
use crate::failure::Failure;
use crate::flows::changes::log_event;
use crate::flows::state::StepState;
use crate::time::Millis;

/// How long a step is not told to run: most that end soon have ended by then.
const SOON: Duration = Duration::from_millis(150);
/// How often is looked for what a step prints; on an executor that is asked seldom, less often if it is quiet.
const LOGS: Duration = Duration::from_millis(250);
const QUIET: Duration = Duration::from_secs(2);
/// How long to wait before an executor is asked again that did not answer, or to end a step that it was asked to end before.
const RETRY: Duration = Duration::from_secs(2);
const AGAIN: Duration = Duration::from_mins(1);

/// What is known of an attempt while it is watched.
struct Watch {
    ticket: Ticket,
    poller: Arc<Poller>,
    watched: Watched,
    /// When it was handed over.
    handed: Instant,
    /// When it began to run, by its executor.
    since: Option<DateTime<Utc>>,
    /// Whether that is told.
    is_told: bool,
    /// Whether it waits for its turn, and whether it is told what it is called meanwhile.
    waits: bool,
    is_named: bool,
    /// Has it end; set once it is to.
    ending: Option<AbortOnDropHandle<()>>,
    next_logs: Instant,
    pause: Duration,
    /// When an executor that failed is asked again.
    retry: Option<Instant>,
}

impl RunTask {
    /// Brings the attempt that is under way at this step to its end, and writes that down.
    pub async fn see_through(&mut self, at: usize) -> Result<(), Halt> {
        let poller = self.mover.executors.of(&self.run.executor);
        let none = || Failure::internal("a run is on an executor that this process has not");
        let poller = Arc::clone(poller.ok_or_else(none)?);
        let none = || Failure::internal("a step is under way without an attempt");
        let ticket = self.ticket().ok_or_else(none)?;
        let is_starting = step(&mut self.steps, at)?.state == StepState::Starting.as_str();
        // Whatever changes from now on is news of this one, too.
        let seen = *poller.executor.changes().borrow();
        if is_starting && !self.ends()? {
            match self.begin(at, &ticket, &poller).await? {
                Begun::Handed | Begun::Ending => {}
                Begun::Never(verdict) => {
                    let ended = Ended::never_begun(verdict);
                    return self.conclude(at, &ticket, &poller, ended).await;
                }
            }
        }
        if is_starting && self.ends()? {
            forestall(&ticket).await?;
        }
        let now = Instant::now();
        let watched = poller.watch(&ticket, seen);
        let watch = Watch {
            ticket,
            watched,
            poller,
            handed: now,
            since: None,
            is_told: !is_starting,
            waits: false,
            is_named: false,
            ending: None,
            next_logs: now,
            pause: LOGS,
            retry: None,
        };
        self.watch(at, watch).await
    }

    async fn watch(&mut self, at: usize, mut watch: Watch) -> Result<(), Halt> {
        let outcome = loop {
            if watch.ending.is_none() && self.ends()? {
                watch.ending = Some(self.end(&watch));
            }
            let deadline = self.deadline.filter(|_| watch.ending.is_none());
            let tell_at = watch
                .since
                .filter(|_| !watch.is_told)
                .map(|_| watch.handed + SOON);
            let logs_at = watch.is_told.then_some(watch.next_logs);
            if watch.waits && !watch.is_named {
                watch.is_named = true;
                self.name(at, &watch).await?;
            }
            tokio::select! {
                biased;
                () = self.mover.stop.cancelled() => return Err(Halt::Stopping),
                standing = watch.watched.news() => {
                    if let Some(outcome) = self.heard(&mut watch, standing).await {
                        break outcome;
                    }
                }
                () = self.changed.notified() => self.refresh().await?,
                () = Self::until_late(deadline) => self.time_is_up(),
                () = until(watch.retry) => {
                    watch.retry = None;
                    if let Some(outcome) = self.bar(&mut watch).await {
                        break outcome;
                    }
                }
                () = until(tell_at) => {
                    // If the run was changed meanwhile, it is told next.
                    watch.is_told = self.tell_running(at, &mut watch).await?;
                }
                () = until(logs_at) => self.copy_logs(&mut watch).await?,
            }
        };
        let ended = Ended::of(
            &outcome,
            &self.held_to(at),
            &self.mover.root,
            (watch.is_told, watch.since),
        );
        let Watch { ticket, poller, .. } = watch;
        self.conclude(at, &ticket, &poller, ended).await
    }

    /// What the executor tells. Gives the end.
    async fn heard(&self, watch: &mut Watch, standing: Standing) -> Option<Outcome> {
        match standing {
            Standing::Ended(outcome) => return Some(outcome),
            Standing::Running { since } => watch.since = Some(since),
            // It was handed over, and whoever claimed it is gone, or asleep.
            Standing::Absent => return self.bar(watch).await,
            Standing::Queued(_) => watch.waits = true,
            Standing::Unknown(_) => {}
        }
        None
    }

    /// Keeps an attempt that was claimed by nobody who lives from being begun. Gives the end.
    async fn bar(&self, watch: &mut Watch) -> Option<Outcome> {
        match watch.poller.executor.bar(&watch.ticket).await {
            Ok(Standing::Ended(outcome)) => return Some(outcome),
            Ok(_) => watch.watched.hurry(),
            Err(error) => {
                let step = &watch.ticket.id;
                tracing::warn!(step, %error, "a step could not be barred");
                watch.retry = Some(Instant::now() + RETRY);
            }
        }
        None
    }

    /// Has the attempt end, however often its executor has to be asked.
    fn end(&self, watch: &Watch) -> AbortOnDropHandle<()> {
        let (poller, ticket) = (Arc::clone(&watch.poller), watch.ticket.clone());
        let grace = self.mover.flows.settings.queue.grace;
        AbortOnDropHandle::new(tokio::spawn(async move {
            loop {
                let asked = poller.executor.cancel(&ticket, grace).await;
                let pause = match asked {
                    Ok(()) => AGAIN.max(grace * 2),
                    Err(error) => {
                        tracing::warn!(step = ticket.id, %error, "a step could not be ended yet");
                        RETRY
                    }
                };
                poller.hurry();
                sleep(pause).await;
            }
        }))
    }

    /// Tells that the step runs, with what it has printed until now. False: the run was changed meanwhile.
    async fn tell_running(&mut self, at: usize, watch: &mut Watch) -> Result<bool, Halt> {
        let remote_id = watch.poller.executor.remote_id(&watch.ticket).await;
        let since = watch.since.map(|since| since.millis());
        let printed = self.read_logs(watch).await.unwrap_or_default();
        let Some(mut open) = self.open().await? else {
            return Ok(false);
        };
        let (mut steps, mut attempt) = (self.steps.clone(), self.attempt.clone());
        let step = step(&mut steps, at)?;
        step.remote_id.clone_from(&remote_id);
        step.started_at = step.started_at.or(since);
        if let Some(attempt) = &mut attempt {
            (attempt.started_at, attempt.remote_id) = (since, remote_id);
            if !printed.is_empty() {
                printed.store(open.transaction(), attempt, open.now).await?;
                open.tell(log_event(self.run.id));
            }
            save_attempt(open.transaction(), attempt).await?;
        }
        open.set_step(step, StepState::Running, None)?;
        self.commit(open, steps, attempt).await?;
        Ok(true)
    }

    /// Notes what a step that waits for its turn is called where it does.
    async fn name(&mut self, at: usize, watch: &Watch) -> Result<(), Halt> {
        let remote_id = watch.poller.executor.remote_id(&watch.ticket).await;
        if remote_id.is_none() {
            return Ok(());
        }
        let Some(mut open) = self.open().await? else {
            return Ok(());
        };
        let (mut steps, mut attempt) = (self.steps.clone(), self.attempt.clone());
        let step = step(&mut steps, at)?;
        step.remote_id.clone_from(&remote_id);
        open.save_step(step);
        if let Some(attempt) = &mut attempt {
            attempt.remote_id = remote_id;
            save_attempt(open.transaction(), attempt).await?;
        }
        self.commit(open, steps, attempt).await
    }

    /// Stores what the step has printed since it was last looked for.
    async fn copy_logs(&mut self, watch: &mut Watch) -> Result<(), Halt> {
        let quiet = watch.poller.executor.pace().clamp(LOGS, QUIET);
        watch.pause = (watch.pause * 2).min(quiet);
        if let Some(printed) = self.read_logs(watch).await
            && !printed.is_empty()
        {
            watch.pause = LOGS;
            self.store_logs(&printed).await?;
        }
        watch.next_logs = Instant::now() + watch.pause;
        Ok(())
    }

    async fn read_logs(&self, watch: &Watch) -> Option<Printed> {
        let attempt = self.attempt.as_ref()?;
        let executor = watch.poller.executor.as_ref();
        match Printed::read(executor, &watch.ticket, attempt, false).await {
            Ok(printed) => Some(printed),
            Err(error) => {
                let step = &watch.ticket.id;
                tracing::warn!(step, %error, "what a step prints could not be read");
                None
            }
        }
    }

    /// Stores pieces of the log in a transaction of their own.
    pub async fn store_logs(&mut self, printed: &Printed) -> Result<(), Halt> {
        let Some(mut open) = self.open().await? else {
            return Ok(());
        };
        let (steps, mut attempt) = (self.steps.clone(), self.attempt.clone());
        if let Some(attempt) = &mut attempt {
            printed.store(open.transaction(), attempt, open.now).await?;
            open.tell(log_event(self.run.id));
        }
        self.commit(open, steps, attempt).await
    }
}

/// Writes down what became of an attempt; up to where its log is known is for [`Printed::store`].
///
/// # Errors
/// Those of the database.
pub(super) async fn save_attempt(
    transaction: &DatabaseTransaction,
    attempt: &flow_attempt::Model,
) -> Result<(), Failure> {
    use flow_attempt::Column::{Number, Position, RunId};
    let mut changed = attempt.clone().into_active_model().reset_all();
    changed.output_bytes = sea_orm::NotSet;
    changed.errors_bytes = sea_orm::NotSet;
    flow_attempt::Entity::update_many()
        .set(changed)
        .filter(RunId.eq(attempt.run_id))
        .filter(Position.eq(attempt.position))
        .filter(Number.eq(attempt.number))
        .exec(transaction)
        .await?;
    Ok(())
}

/// Waits for a moment, for ever if there is none.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => pending().await,
    }
}
