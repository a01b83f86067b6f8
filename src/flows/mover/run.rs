//! One run, moved to its end. Whatever fails on the way, it is read anew and goes on from what is written down: taking over a run
//! of another process is the same.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

use super::Mover;
use super::outputs::Harvest;
use super::plan::Plan;
use super::proceed::{Known, next, proceed, step};
use super::verdict::in_words;
use crate::engine::Ticket;
use crate::entity::{flow_attempt, flow_run, flow_step};
use crate::failure::Failure;
use crate::flows::places::RunPlaces;
use crate::flows::schedule::Next;
use crate::flows::state::{Reason, RunState};
use crate::flows::write::states::{OpenRun, Why, run_state};
use crate::workers;

/// How long to wait before going on after something failed; each further time twice as long, up to the longest.
const PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Why a run is left before its end.
#[derive(Debug)]
pub(super) enum Halt {
    /// Somebody else holds it, or it is not there any more.
    NotMine,
    /// The process ends.
    Stopping,
    /// Something failed: it goes on from what is written down.
    Failed(Failure),
}

impl<E: Into<Failure>> From<E> for Halt {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// A run that this process moves.
pub(super) struct RunTask {
    pub mover: Arc<Mover>,
    /// Its row may have been changed by somebody else.
    pub changed: Arc<Notify>,
    pub run: flow_run::Model,
    pub steps: Vec<flow_step::Model>,
    /// The attempt that is under way.
    pub attempt: Option<flow_attempt::Model>,
    pub plan: Option<Arc<Plan>>,
    /// Why the run is over, although its steps are not.
    pub doom: Option<Why>,
    /// When its time is up, and how long that is.
    pub deadline: Option<(Instant, Duration)>,
    /// Its working folder is there.
    pub is_prepared: bool,
}

impl RunTask {
    /// A run as it was just written.
    pub fn new(
        mover: &Arc<Mover>,
        changed: Arc<Notify>,
        run: flow_run::Model,
        steps: Vec<flow_step::Model>,
        attempt: Option<flow_attempt::Model>,
    ) -> Self {
        Self {
            mover: Arc::clone(mover),
            changed,
            run,
            steps,
            attempt,
            plan: None,
            doom: None,
            deadline: None,
            is_prepared: false,
        }
    }

    /// A run that was begun before.
    pub fn taken_over(mover: &Arc<Mover>, changed: Arc<Notify>, id: i64) -> Self {
        let run = flow_run::Model {
            id,
            ..flow_run::Model::default()
        };
        Self::new(mover, changed, run, Vec::new(), None)
    }

    /// Moves it to its end, or until it is somebody else's, or the process ends.
    pub async fn follow(mut self) {
        if !self.go_on().await {
            self.leave().await;
        }
    }

    /// False: it is not this process's any more.
    async fn go_on(&mut self) -> bool {
        let mut pause = PAUSE;
        loop {
            let (began, was) = (Instant::now(), self.run.updated_at);
            match self.advance().await {
                Ok(()) | Err(Halt::Stopping) => return true,
                Err(Halt::NotMine) => return false,
                Err(Halt::Failed(failure)) => {
                    let run = self.run.id;
                    tracing::warn!(run, %failure, "a run could not be moved on");
                    // It came on in between.
                    if self.run.updated_at != was || began.elapsed() > LONGEST_PAUSE {
                        pause = PAUSE;
                    }
                    // Nothing of what is believed is sure any more.
                    self.steps.clear();
                }
            }
            tokio::select! {
                () = self.mover.stop.cancelled() => return true,
                () = sleep(pause) => {}
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn advance(&mut self) -> Result<(), Halt> {
        if self.steps.is_empty() {
            self.load().await?;
        }
        self.make_plan().await?;
        loop {
            if self.mover.stop.is_cancelled() {
                return Err(Halt::Stopping);
            }
            let next = next(&self.run, &self.steps)?;
            if !matches!(next, Next::Finish(..)) {
                self.look_at_the_clock();
            }
            match next {
                Next::Nothing => return Ok(()),
                Next::Wait(at) | Next::Stop(at) => self.see_through(at).await?,
                Next::Start { step: at, .. } => {
                    self.until_due(at).await?;
                    self.proceed(None).await?;
                }
                Next::Finish(RunState::Success, _) => {
                    let harvest = self.harvest().await?;
                    self.proceed(harvest.as_ref()).await?;
                }
                Next::Skip(_) | Next::Cancel(_) | Next::Finish(..) => self.proceed(None).await?,
            }
        }
    }

    /// Reads what is written down of it.
    async fn load(&mut self) -> Result<(), Halt> {
        self.refresh().await?;
        let database = self.mover.flows.database.read();
        self.steps = flow_step::Entity::find()
            .filter(flow_step::Column::RunId.eq(self.run.id))
            .order_by_asc(flow_step::Column::Position)
            .all(database)
            .await?;
        self.attempt = None;
        if let Next::Wait(at) | Next::Stop(at) = next(&self.run, &self.steps)? {
            let step = step(&mut self.steps, at)?;
            let key = (step.run_id, step.position, step.attempts);
            self.attempt = flow_attempt::Entity::find_by_id(key).one(database).await?;
        }
        Ok(())
    }

    /// Reads its row, which somebody else may have changed.
    pub async fn refresh(&mut self) -> Result<(), Halt> {
        let database = self.mover.flows.database.read();
        let row = flow_run::Entity::find_by_id(self.run.id);
        match row.one(database).await? {
            Some(row) if row.holder.as_ref() == Some(&self.mover.holder.id) => {
                self.run = row;
                Ok(())
            }
            _ => Err(Halt::NotMine),
        }
    }

    /// Finds out what it does and how long it may take, once.
    async fn make_plan(&mut self) -> Result<(), Halt> {
        if self.plan.is_some() || self.doom.is_some() {
            return Ok(());
        }
        let mover = &self.mover;
        match Plan::of(&mover.flows, &mover.versions, &self.run).await? {
            Ok(plan) => {
                if let (Some(seconds), Some(began)) = (plan.timeout_seconds, self.run.started_at) {
                    let now = workers::now(mover.flows.database.read()).await?;
                    let spent = u64::try_from(now.saturating_sub(began)).unwrap_or(0);
                    let limit = Duration::from_secs(seconds);
                    let left = limit.saturating_sub(Duration::from_millis(spent));
                    self.deadline = Some((Instant::now() + left, limit));
                }
                self.plan = Some(Arc::new(plan));
            }
            Err(why) => {
                tracing::error!(
                    run = self.run.id,
                    message = why.message,
                    "a run cannot go on"
                );
                self.doom = Some(why);
            }
        }
        Ok(())
    }

    /// Is whatever runs of it to end?
    pub fn ends(&self) -> Result<bool, Failure> {
        Ok(self.doom.is_some() || run_state(&self.run)? == RunState::Canceling)
    }

    /// Is its time up? What has ended well in spite of that has.
    pub fn look_at_the_clock(&mut self) {
        if self
            .deadline
            .is_some_and(|(moment, _)| moment <= Instant::now())
        {
            self.time_is_up();
        }
    }

    /// Its time is up.
    pub fn time_is_up(&mut self) {
        if let Some((_, limit)) = self.deadline.take() {
            let message = format!("the run took longer than {}", in_words(limit));
            self.doom = Some(Why::new(Reason::TimedOut, message));
        }
    }

    /// Waits until its time is up, for ever if there is no end of it.
    pub async fn until_late(deadline: Option<(Instant, Duration)>) {
        match deadline {
            Some((moment, _)) => sleep_until(moment).await,
            None => std::future::pending().await,
        }
    }

    /// Waits for so long, unless the run is to end. The process ends: that is an error.
    pub async fn wait(&mut self, pause: Duration) -> Result<(), Halt> {
        let deadline = self.deadline;
        tokio::select! {
            biased;
            () = self.mover.stop.cancelled() => Err(Halt::Stopping),
            () = self.changed.notified() => self.refresh().await,
            () = Self::until_late(deadline) => {
                self.time_is_up();
                Ok(())
            }
            () = sleep(pause) => Ok(()),
        }
    }

    /// Waits until a step may run again, or the run is to end.
    async fn until_due(&mut self, at: usize) -> Result<(), Halt> {
        loop {
            let due = step(&mut self.steps, at)?.not_before;
            let Some(due) = due.filter(|_| self.doom.is_none()) else {
                return Ok(());
            };
            let now = workers::now(self.mover.flows.database.read()).await?;
            let left = u64::try_from(due.saturating_sub(now)).unwrap_or(0);
            if left == 0 || self.ends()? {
                return Ok(());
            }
            self.wait(Duration::from_millis(left)).await?;
        }
    }

    /// Does all that can be done at once.
    async fn proceed(&mut self, harvest: Option<&Harvest>) -> Result<(), Halt> {
        let Some(mut open) = self.open().await? else {
            return Ok(());
        };
        let mut steps = self.steps.clone();
        let known = Known {
            doom: self.doom.as_ref(),
            harvest,
        };
        let attempt = proceed(&mut open, &mut steps, known).await?;
        self.commit(open, steps, attempt).await
    }

    /// Opens the row, which nobody else changes until that is committed. None: it was changed, and is as it is now.
    pub async fn open(&mut self) -> Result<Option<OpenRun>, Halt> {
        let mover = &self.mover;
        let open = OpenRun::held(&mover.flows.database, self.run.id, &mover.holder.id).await?;
        let open = open.ok_or(Halt::NotMine)?;
        if open.run.state == self.run.state {
            return Ok(Some(open));
        }
        self.run.clone_from(&open.run);
        Ok(None)
    }

    /// Commits what was changed, and knows it from then on.
    pub async fn commit(
        &mut self,
        open: OpenRun,
        steps: Vec<flow_step::Model>,
        attempt: Option<flow_attempt::Model>,
    ) -> Result<(), Halt> {
        self.run = open.commit(&self.mover.flows.feed).await?;
        self.steps = steps;
        self.attempt = attempt;
        if self.run.ended_at.is_some() {
            let (run, state) = (self.run.id, self.run.state.clone());
            tracing::info!(run, state, reason = self.run.reason, "a run has ended");
            metrics::counter!("labql_flow_runs_ended_total", "state" => state).increment(1);
            self.mover.cleaner.clean(self.run.id, &self.run.folder);
        }
        Ok(())
    }

    /// The folder of the run.
    pub fn places(&self) -> RunPlaces {
        self.mover.flows.places.run(&self.run.folder)
    }

    /// The attempt that is under way, for its executor.
    pub fn ticket(&self) -> Option<Ticket> {
        let id = self.attempt.as_ref()?.ticket.clone();
        let folder = self.places().attempt(&id);
        Some(Ticket { id, folder })
    }

    /// The run is not this process's any more. If it is nobody's, since it was ended or deleted without this process, what runs of
    /// it must not go on.
    async fn leave(&self) {
        let run = self.run.id;
        tracing::warn!(run, "a run is not held by this process any more");
        let database = self.mover.flows.database.read();
        let row = flow_run::Entity::find_by_id(run).one(database).await;
        let is_over = row.is_ok_and(|row| row.is_none_or(|row| row.ended_at.is_some()));
        let (Some(ticket), Some(poller)) = (
            self.ticket()
                .filter(|ticket| is_over && ticket.folder.is_dir()),
            self.mover.executors.of(&self.run.executor),
        ) else {
            return;
        };
        let grace = self.mover.flows.settings.queue.grace;
        if let Err(error) = poller.executor.cancel(&ticket, grace).await {
            tracing::error!(run, %error, "a step of a run that is over could not be ended");
        }
    }
}
