//! The end of an attempt: judged, and written down together with the last of its log and with all that follows from it.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, PaginatorTrait, QueryFilter};
use tokio::time::Instant;

use super::attempt::save_attempt;
use super::begin::{DISK_PATIENCE, LONGEST_PAUSE, PAUSE, missing};
use super::job::held;
use super::logs::Printed;
use super::outputs::{Harvest, Unharvested, harvest, named};
use super::poll::Poller;
use super::proceed::{Known, proceed, step};
use super::run::{Halt, RunTask};
use super::verdict::{Held, Verdict, after_unbegun, settle};
use crate::engine::{Finish, Outcome, Ticket, Usage};
use crate::entity::{flow_attempt, flow_step};
use crate::failure::Failure;
use crate::flows::changes::log_event;
use crate::flows::schedule;
use crate::flows::settings::ExecutorName;
use crate::flows::state::{Reason, RunState, StepState};
use crate::flows::template::limits::Retry;
use crate::flows::template::path::RelativePath;
use crate::flows::write::states::{Why, run_state};
use crate::time::Millis;

/// How often is tried to read the last of the log.
const READS: u32 = 10;

/// How an attempt ended.
pub(super) struct Ended {
    verdict: Verdict,
    /// Whether something of it ran.
    has_run: bool,
    started_at: Option<i64>,
    at: Option<i64>,
    usage: Option<Usage>,
}

impl Ended {
    /// Nothing of it was begun.
    pub fn never_begun(verdict: Verdict) -> Self {
        Self {
            verdict,
            has_run: false,
            started_at: None,
            at: None,
            usage: None,
        }
    }

    /// As its executor tells. `running`: whether it was told to run, and since when it did.
    pub fn of(
        outcome: &Outcome,
        held: &Held,
        root: &str,
        (is_told, since): (bool, Option<DateTime<Utc>>),
    ) -> Self {
        let has_run = match &outcome.end {
            Finish::Exited(_) | Finish::Signaled(_) | Finish::TimedOut | Finish::Exceeded(_) => {
                true
            }
            Finish::Canceled => is_told || since.is_some() || outcome.usage.is_some(),
            Finish::Lost(_) => is_told || since.is_some(),
            Finish::NotStarted(_) => false,
        };
        let wall = outcome.usage.and_then(|usage| {
            let wall = TimeDelta::from_std(usage.wall).ok()?;
            outcome.at.checked_sub_signed(wall)
        });
        Self {
            verdict: Verdict::of(&outcome.end, held, root),
            has_run,
            started_at: since.or(wall).map(|moment| moment.millis()),
            at: Some(outcome.at.millis()),
            usage: outcome.usage,
        }
    }

    /// What an attempt row says of it, with why it did not end well.
    fn note(&self, attempt: &mut flow_attempt::Model, why: Option<&Why>, now: i64) {
        let millis = |of: fn(&Usage) -> Duration| {
            let time = of(self.usage.as_ref()?).as_millis();
            i64::try_from(time).ok()
        };
        if self.has_run {
            attempt.started_at = attempt
                .started_at
                .or(self.started_at)
                .or(Some(attempt.created_at));
        }
        let ended = self.at.unwrap_or(now);
        let began = attempt.started_at.unwrap_or(attempt.created_at);
        attempt.ended_at = Some(ended.max(began));
        attempt.exit_code = self.verdict.exit_code.map(i64::from);
        attempt.reason = why.map(|why| why.reason.as_str().to_owned());
        attempt.message = why.map(|why| why.message.clone());
        attempt.wall_ms = millis(|usage| usage.wall);
        attempt.user_ms = millis(|usage| usage.user);
        attempt.system_ms = millis(|usage| usage.system);
        attempt.peak_memory_bytes = self
            .usage
            .and_then(|usage| usage.peak_memory)
            .and_then(|bytes| i64::try_from(bytes).ok());
    }
}

impl RunTask {
    /// What the step at this place is held to.
    pub fn held_to(&self, at: usize) -> Held {
        let settings = &self.mover.flows.settings;
        let plan = self.plan.as_ref();
        let limits = plan.and_then(|plan| Some(&plan.workflow()?.steps.get(at)?.limits));
        limits.map_or_else(Held::default, |limits| held(limits, settings))
    }

    /// Writes down how the attempt at this step ended, and goes on with the run as far as that is possible at once.
    pub async fn conclude(
        &mut self,
        at: usize,
        ticket: &Ticket,
        poller: &Arc<Poller>,
        mut ended: Ended,
    ) -> Result<(), Halt> {
        if ended.verdict.why.is_none()
            && let Some(why) = self.check_outputs(at).await?
        {
            ended.verdict.why = Some(why);
        }
        let printed = self.last_logs(ticket, poller).await?;
        let remote_id = match &self.attempt {
            Some(flow_attempt::Model {
                remote_id: None, ..
            }) if ended.has_run => poller.executor.remote_id(ticket).await,
            attempt => attempt
                .as_ref()
                .and_then(|attempt| attempt.remote_id.clone()),
        };
        let is_last = ended.verdict.why.is_none() && self.is_last(at);
        if !is_last {
            self.look_at_the_clock();
        }
        let harvest = if is_last && run_state(&self.run)? == RunState::Running {
            self.harvest().await?
        } else {
            None
        };
        let state = run_state(&self.run)?;
        let Some(mut open) = self.open().await? else {
            // It is to end, which may be another verdict.
            return Ok(());
        };
        let (mut steps, attempt) = (self.steps.clone(), self.attempt.clone());
        let none = || Failure::internal("a step has ended without an attempt");
        let mut attempt = attempt.ok_or_else(none)?;
        if !printed.is_empty() {
            printed
                .store(open.transaction(), &mut attempt, open.now)
                .await?;
            open.tell(log_event(self.run.id));
        }
        let again = if state == RunState::Running {
            self.again(open.transaction(), at, &attempt, &ended.verdict)
                .await?
        } else {
            None
        };
        let (to, why) = match again {
            Some(_) => (StepState::Pending, ended.verdict.why.clone()),
            None => settle(state, &ended.verdict, self.doom.as_ref()),
        };
        ended.note(&mut attempt, why.as_ref(), open.now);
        attempt.remote_id.clone_from(&remote_id);
        save_attempt(open.transaction(), &attempt).await?;
        let step = step(&mut steps, at)?;
        step.exit_code = attempt.exit_code;
        step.remote_id = remote_id;
        if ended.has_run && step.state == StepState::Starting.as_str() {
            step.started_at = step.started_at.or(attempt.started_at);
            open.set_step(step, StepState::Running, None)?;
        }
        if let Some(pause) = again {
            let pause = i64::try_from(pause.as_millis()).unwrap_or(i64::MAX);
            step.not_before = Some(open.now.saturating_add(pause));
        } else {
            step.ended_at = attempt.ended_at;
        }
        open.set_step(step, to, why)?;
        let known = Known {
            doom: self.doom.as_ref(),
            harvest: harvest.as_ref(),
        };
        let next = proceed(&mut open, &mut steps, known).await?;
        self.commit(open, steps, next).await?;
        metrics::counter!("labql_flow_attempts_ended_total", "state" => to.as_str()).increment(1);
        Ok(())
    }

    /// Do all other steps need nothing more?
    fn is_last(&self, at: usize) -> bool {
        let is_done = |step: &flow_step::Model| {
            let done = [StepState::Success, StepState::Skipped].map(StepState::as_str);
            let waits = step.state == StepState::Pending.as_str();
            done.contains(&step.state.as_str()) || (waits && step.is_left_out)
        };
        let mut steps = self.steps.iter().enumerate();
        steps.all(|(place, step)| place == at || is_done(step))
    }

    /// What is missing of the files that a step says it makes.
    async fn check_outputs(&mut self, at: usize) -> Result<Option<Why>, Halt> {
        let plan = self.plan.clone();
        let outputs = plan.and_then(|plan| Some(plan.workflow()?.steps.get(at)?.outputs.clone()));
        let outputs = outputs.unwrap_or_default();
        if outputs.is_empty() {
            return Ok(None);
        }
        let began = Instant::now();
        loop {
            let (work, wanted) = (self.places().work(), outputs.clone());
            let missing = tokio::task::spawn_blocking(move || {
                let missing = missing(&work, wanted.iter().map(RelativePath::as_str));
                (!missing.is_empty()).then(|| named(&missing))
            });
            let Some(missing) = missing.await? else {
                return Ok(None);
            };
            if began.elapsed() >= self.lag() || self.ends()? {
                let message = format!("did not make {missing}");
                return Ok(Some(Why::new(Reason::OutputMissing, message)));
            }
            self.wait(PAUSE).await?;
        }
    }

    /// How long after its end files of a step may still be on their way here.
    fn lag(&self) -> Duration {
        match ExecutorName::from_name(&self.run.executor) {
            Some(ExecutorName::Slurm) => self.mover.flows.settings.slurm.lag,
            _ => Duration::ZERO,
        }
    }

    /// What a step printed up to its end; what is too much for one transaction is stored before.
    async fn last_logs(&mut self, ticket: &Ticket, poller: &Arc<Poller>) -> Result<Printed, Halt> {
        let mut reads = 0;
        loop {
            let none = || Failure::internal("a step has printed without an attempt");
            let attempt = self.attempt.as_ref().ok_or_else(none)?;
            let executor = poller.executor.as_ref();
            match Printed::read(executor, ticket, attempt, true).await {
                Ok(printed) if printed.has_more => self.store_logs(&printed).await?,
                Ok(printed) => return Ok(printed),
                Err(error) => {
                    let step = &ticket.id;
                    tracing::warn!(step, %error, "the last that a step printed could not be read");
                    reads += 1;
                    if reads > READS {
                        let attempt = self.attempt.as_ref();
                        return Ok(attempt.map(Printed::nothing).unwrap_or_default());
                    }
                    self.wait(PAUSE).await?;
                }
            }
        }
    }

    /// How long to wait before the next attempt; none: there is none. This one is not written down yet.
    async fn again(
        &self,
        transaction: &DatabaseTransaction,
        at: usize,
        attempt: &flow_attempt::Model,
        verdict: &Verdict,
    ) -> Result<Option<Duration>, Failure> {
        use flow_attempt::Column;
        let (Some(why), Some(plan), None) = (&verdict.why, &self.plan, &self.doom) else {
            return Ok(None);
        };
        let Some(template) = plan.workflow().and_then(|it| it.steps.get(at)) else {
            return Ok(None);
        };
        let unbegun = flow_attempt::Entity::find()
            .filter(Column::RunId.eq(attempt.run_id))
            .filter(Column::Position.eq(attempt.position))
            .filter(Column::Reason.eq(Reason::NotStarted.as_str()))
            .count(transaction)
            .await?;
        let unbegun = u32::try_from(unbegun).unwrap_or(u32::MAX);
        if why.reason == Reason::NotStarted {
            return Ok(after_unbegun(unbegun.saturating_add(1)));
        }
        let own = self.run.retry_limit.map(u32::try_from);
        let retry = Retry {
            limit: own.and_then(Result::ok).unwrap_or(template.retry.limit),
            ..template.retry.clone()
        };
        let attempts = u32::try_from(attempt.number).unwrap_or(u32::MAX);
        let began = attempts.saturating_sub(unbegun);
        Ok(schedule::again(
            template.is_repeatable,
            &retry,
            began,
            why.reason,
        ))
    }

    /// What the run gives, all of whose steps have ended well. None: it never will; then the run is over for that.
    pub async fn harvest(&mut self) -> Result<Option<Harvest>, Halt> {
        if self.doom.is_some() {
            return Ok(None);
        }
        let none = || Failure::internal("a run has no plan");
        let plan = self.plan.clone().ok_or_else(none)?;
        let none = || Failure::internal("a run is on an executor that this process has not");
        let poller = self.mover.executors.of(&self.run.executor);
        let executor = Arc::clone(&poller.ok_or_else(none)?.executor);
        let (began, mut pause) = (Instant::now(), PAUSE);
        loop {
            let (places, run) = (&self.mover.flows.places, self.places());
            let most = self.mover.flows.settings.files.results_mib;
            let most = match most {
                0 => u64::MAX,
                mebibytes => mebibytes.saturating_mul(1 << 20),
            };
            // What is copied then is copied again by whoever takes over.
            let harvested = harvest(&plan, executor.as_ref(), places, &run, most);
            let harvested = self.mover.stop.run_until_cancelled(harvested).await;
            let why = match harvested.ok_or(Halt::Stopping)? {
                Ok(harvest) => return Ok(Some(harvest)),
                Err(Unharvested::Never(why))
                    if why.reason == Reason::OutputMissing && began.elapsed() < self.lag() =>
                {
                    None
                }
                Err(Unharvested::Never(why)) => Some(why),
                Err(Unharvested::Later(error)) => {
                    let run = self.run.id;
                    tracing::warn!(run, %error, "the files of a run could not be kept");
                    let message = "its files could not be kept: the disk of the server failed";
                    let is_over = began.elapsed() > DISK_PATIENCE;
                    is_over.then(|| Why::new(Reason::Internal, message))
                }
            };
            if let Some(why) = why {
                self.doom = Some(why);
                return Ok(None);
            }
            self.wait(pause).await?;
            if self.ends()? {
                return Ok(None);
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}
